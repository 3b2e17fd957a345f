"""What can be told about a model, the tool and the machine without building a library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Any

from . import boards
from .codegen import KERNELS
from .codegen.pipeline import Options, front, load_graph, lower_graph
from .emulation.fit import Fit, fit_model
from .emulation.toolchain import tools
from .errors import UserError
from .ir import Graph, Op, to_text
from .ir.ops import OPS
from .passes import PASSES, run_passes
from .passes.channel_blocks import split_channels
from .passes.io_int8 import io_int8 as strip_io
from .passes.planner.demand import InputMode
from .passes.planner.front import Point
from .passes.planner.usage import Usage, usage

Shapes = Mapping[str, tuple[int, ...]]


def fit(
    model: str | Path,
    board_names: Sequence[str] | None = None,
    *,
    input_mode: InputMode = "arena",
    input_shapes: Shapes | None = None,
) -> tuple[Fit, ...]:
    """`model` on each board, by default on all. Raises UserError for a bad model or an unknown board."""
    names = tuple(board_names or boards.names())
    for name in names:
        boards.load(name)
    return fit_model(Path(model), names, Options(names[0], None, input_mode, False, dict(input_shapes or {})))


@dataclass(frozen=True)
class ParetoPoint:
    """A plan on the front of RAM and latency.

    ram_bytes   arena and state; the stack beyond 512 B is known when the library is compiled
    cycles      predicted by the cost tables; guessed from MACs for kernels not measured on the core
    mac_factor  multiply-accumulates over those of the graph: what strips compute twice
    stages      (first layer, last layer, strips of columns) of each stage; other layers run whole
    channel_blocks   (op that ends a run of ops, blocks of channels) of each run that is split into layers for
                some channels each
    measured    works out `usage`
    """

    ram_bytes: int
    arena_bytes: int
    cycles: float
    mac_factor: float
    stages: tuple[tuple[int, int, int], ...]
    channel_blocks: tuple[tuple[str, int], ...]
    measured: Callable[[], Usage] = field(repr=False, compare=False)

    @property
    def usage(self) -> Usage:
        """What is in the arena at every step, and what each stage keeps there; worked out when asked for."""
        return self.measured()

    def figures(self) -> dict[str, Any]:
        """The figures of `pareto --json`."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "measured"}


def pareto(
    model: str | Path,
    board: str,
    *,
    input_mode: InputMode = "arena",
    io_int8: bool = False,
    input_shapes: Shapes | None = None,
) -> tuple[ParetoPoint, ...]:
    """The front of RAM and latency of all plans, from the fastest to the smallest.

    Raises UserError for a bad model or board.
    """
    options = Options(board, None, input_mode, io_int8, dict(input_shapes or {}))
    target = boards.load(board)
    graph = lower_graph(load_graph(Path(model), options), options)
    return tuple(_pareto_point(graph, p) for p in front(graph, target, options).points())


def _pareto_point(graph: Graph, point: Point) -> ParetoPoint:
    plan = point.plan
    number = {step.op: i for i, step in enumerate(plan.steps, 1)}
    stages = tuple((number[s.ops[0]], number[s.ops[-1]], s.passes) for s in plan.stages)
    ram = plan.arena_bytes + plan.state_bytes
    factor = point.macs / max(1, graph.macs)

    def measured() -> Usage:
        return usage(split_channels(graph, plan.channel_blocks), plan, KERNELS)

    return ParetoPoint(ram, plan.arena_bytes, point.cycles, factor, stages, plan.channel_blocks, measured)


def operators() -> list[dict[str, Any]]:
    """Every operator of the IR with its kernels."""

    def row(op: type[Op]) -> dict[str, Any]:
        about = (op.__doc__ or "").split("\n")[0]
        return {"op": op.kind(), "kernels": [k.name for k in KERNELS if k.op is op], "about": about}

    return [row(op) for op in OPS]


def dump(
    model: str | Path,
    after: str = "lower",
    *,
    io_int8: bool = False,
    input_shapes: Shapes | None = None,
) -> str:
    """The IR of `model` behind the pass `after` ("import": as read). Raises UserError for an unknown pass."""
    known = ("import", *(name for name, _ in PASSES))
    if after not in known:
        raise UserError(f"there is no pass {after!r}", accepted=", ".join(known))
    graph = load_graph(Path(model), Options("", None, "arena", io_int8, dict(input_shapes or {})))
    if after == "import":
        return to_text(graph)
    return to_text(run_passes(strip_io(graph) if io_int8 else graph, after=after))


_PACKAGES = (
    ("tflite-micro", "verify against TensorFlow Lite Micro", "tflm"),
    ("tensorflow", "Keras and SavedModel files", "tensorflow"),
    ("pymicro-wakeword", "the wake-word demo", "demo"),
    ("pymicro-features", "the wake-word demo", "demo"),
)


def doctor() -> list[dict[str, Any]]:
    """External tools and Python packages, found or not, and what each enables."""
    rows = [
        {
            "tool": t.command,
            "version": t.version,
            "enables": t.enables,
            "install": f"apt-get install {t.package}",
        }
        for t in tools()
    ]
    for package, enables, extra in _PACKAGES:
        try:
            found: str | None = metadata.version(package)
        except metadata.PackageNotFoundError:
            found = None
        install = f"pip install patchloom[{extra}]"
        rows.append({"tool": f"{package} (Python)", "version": found, "enables": enables, "install": install})
    return rows
