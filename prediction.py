"""What compiling a network would give, before it has weights: for those who search networks."""

from __future__ import annotations

from dataclasses import dataclass

from . import boards
from .boards import Board
from .codegen import costs
from .codegen.library import Origin, build_view
from .codegen.pipeline import KERNELS, LAYER_BYTES, Options, make_plan, room
from .codegen.selftest import SelfTest
from .ir import DType, Graph
from .passes import canonicalize, layout, lower
from .passes.channel_blocks import split_channels
from .passes.io_int8 import io_int8
from .passes.planner import Plan
from .passes.planner.choose import Goal
from .passes.quantize.outline import outline

_NO_ANSWERS = SelfTest(1, (), ())
_NO_ORIGIN = Origin("", "", "", "", "")


@dataclass(frozen=True, eq=False)
class Prediction:
    """Figures of the library that a network would become on a board.

    arena_bytes, state_bytes, weight_bytes   those of the compiled library
    code_bytes   of its kernels, as measured when the cost tables were made, and of its layers, at most
    cycles       of one inference, by the cost tables; None where a kernel was not measured on the core
    ram_limit_bytes, flash_limit_bytes   what arena and state, and weights and code, may take
    plan         the one compile would take: the smallest of all where none keeps the RAM limit
    """

    arena_bytes: int
    state_bytes: int
    weight_bytes: int
    code_bytes: int
    cycles: float | None
    clock_hz: int
    macs: int
    ram_limit_bytes: int
    flash_limit_bytes: int
    plan: Plan

    @property
    def flash_bytes(self) -> int:
        """Weights and code."""
        return self.weight_bytes + self.code_bytes

    @property
    def latency_ms(self) -> float | None:
        """Milliseconds of one inference."""
        return None if self.cycles is None else self.cycles / self.clock_hz * 1e3

    @property
    def fits(self) -> bool:
        """Whether both limits are kept."""
        return (
            self.arena_bytes + self.state_bytes <= self.ram_limit_bytes
            and self.flash_bytes <= self.flash_limit_bytes
        )


def integer_outline(graph: Graph) -> Graph:
    """The lowered integer graph of a float graph, with made-up ranges; integer graphs are only lowered.

    Inputs and outputs become int8.
    """
    graph = canonicalize(layout(graph))
    if any(graph[x].dtype is DType.FLOAT32 for x in graph.inputs):
        graph = canonicalize(io_int8(outline(graph)))
    return lower(graph)


def predict(
    graph: Graph,
    board: str,
    *,
    goal: Goal = "latency",
    max_ram: int | None = None,
    max_flash: int | None = None,
) -> Prediction:
    """Quantize (with made-up ranges), lower and plan `graph` as `compile` would, within milliseconds.

    graph   float or integer; weights matter by their shapes only
    Raises UserError for an unknown board, UnsupportedModel for what no kernel runs.
    """
    target = boards.load(board)
    options = Options(board, io_int8=True, goal=goal, max_ram=max_ram, max_flash=max_flash)
    return _planned(integer_outline(graph), target, options)


def _planned(graph: Graph, board: Board, options: Options) -> Prediction:
    chosen = make_plan(graph, board, options)
    graph = split_channels(graph, chosen.channel_blocks)
    table = costs.load(board.core)
    return Prediction(
        arena_bytes=chosen.arena_bytes,
        state_bytes=chosen.state_bytes,
        weight_bytes=build_view(graph, chosen, _NO_ORIGIN, _NO_ANSWERS, board).weight_bytes,
        code_bytes=_code_bytes(graph, chosen, table),
        cycles=costs.predicted(graph, chosen, table) if table.unit == "cycles" else None,
        clock_hz=board.clock_hz,
        macs=graph.macs,
        ram_limit_bytes=room(board, options),
        flash_limit_bytes=min(board.flash_bytes, options.max_flash or board.flash_bytes),
        plan=chosen,
    )


def _code_bytes(graph: Graph, chosen: Plan, table: costs.CostTable) -> int:
    """Kernels, each once, and what a layer of its own takes at most."""
    kernels = {(k.name, k.op): k for k in KERNELS}
    ops = {op.name: op for op in graph.ops}
    used = [kernels.get((s.kernel, type(ops[s.op]))) for s in chosen.steps]
    sizes = {k.header: table.code_bytes(k) for k in used if k is not None}
    return sum(sizes.values()) + LAYER_BYTES * len(chosen.steps)
