"""Build a library together with a test harness, run it on many inputs, read back what it computed."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
import numpy as np

from ..boards import Board
from ..codegen.views import LibraryView
from ..errors import UserError
from ..ir import Graph
from . import machines
from .build import build_elf, build_host
from .counts import CountRequest, Counts
from .qemu import RunResult, inputs_capacity, run, run_host

Inputs = Mapping[str, np.ndarray]

_OUTPUTS, _CHECKS, _VALUES = range(3)
"""What the harness reports beside outputs: nothing, CRCs of layers and states, or all values of layers."""

_TIMEOUT_S = 600.0


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("harness.c.j2")


@dataclass(frozen=True, eq=False)
class Program:
    """A built harness. `hooked`: it can report a CRC-32 of every layer output."""

    path: Path
    board: Board | None
    view: LibraryView
    graph: Graph
    hooked: bool


@dataclass(frozen=True, eq=False)
class Sample:
    """What one run computed: CRC-32 by number of the layer, by state name, and whole outputs by name."""

    layers: Mapping[int, int]
    states: Mapping[str, int]
    outputs: Inputs


@dataclass(frozen=True, eq=False)
class Outcome:
    """All samples of a run; `stack_bytes` is the high-water mark of the first (None on the host)."""

    samples: tuple[Sample, ...]
    stack_bytes: int | None
    damaged_guards: int
    counts: Counts | None
    seconds: float


@dataclass(frozen=True, eq=False)
class Made:
    """All that one run computed: bytes by number of the layer, as it made them, and outputs by name."""

    layers: Mapping[int, bytes]
    outputs: Inputs


def library_sources(folder: Path, name: str) -> list[Path]:
    """The C files of a library that belong into every program."""
    return [folder / f"{name}.c", folder / f"{name}_weights.c"]


def build(
    folder: Path,
    view: LibraryView,
    graph: Graph,
    board: Board | None,
    work: Path,
    *,
    hooked: bool = True,
    sanitize: bool = False,
    defines: Sequence[str] = (),
) -> Program:
    """Build the library in `folder` with the harness, for `board` or (None) for the host, into `work`."""
    source = work / "harness.c"
    sections = {a.name: _section(a.memory, board) for a in view.arenas}
    source.write_text(_template().render(lib=view, hooked=hooked, sections=sections))
    sources = [*library_sources(folder, view.name), source]
    defines = [*defines, *([f"{view.macro}_HOOK=harness_hook"] if hooked else [])]
    out = work / ("harness" if board is None else "harness.elf")
    if board is None:
        build_host(
            sources, [folder], out, defines=defines, sanitize=sanitize, opt="-O1" if sanitize else "-O2"
        )
    else:
        build_elf(sources, [folder], board, out, defines=defines)
    return Program(out, board, view, graph, hooked)


def _section(memory: str, board: Board | None) -> str:
    """What puts a buffer into a memory of the board; nothing where it is that of all data."""
    if not memory or board is None or memory == board.main_region.name:
        return ""
    return f'__attribute__((section("{machines.section(board, memory)}"))) '


def _blob(program: Program, samples: Sequence[Inputs], reset_every: int, report: int) -> bytes:
    parts = [struct.pack("<4I", len(samples), max(1, reset_every), report, 0)]
    for sample in samples:
        for name, port in zip(program.graph.inputs, program.view.inputs, strict=True):
            data = np.ascontiguousarray(sample[name]).tobytes()
            parts += [data, bytes(port.padded_bytes - len(data))]
    return b"".join(parts)


def samples_per_boot(program: Program) -> int | None:
    """How many samples fit the machine's memory in one boot; None without limit. Raises UserError for 0."""
    if program.board is None:
        return None
    capacity = inputs_capacity(program.path)
    count = (capacity - 16) // max(1, sum(p.padded_bytes for p in program.view.inputs))
    if count < 1:
        raise UserError(
            f"not one input fits the memory of {program.board.emulator.machine} beside the program",
            found=f"{capacity} B free",
            hint="verify on another board or --on host",
        )
    return count


def execute(
    program: Program,
    samples: Sequence[Inputs],
    *,
    reset_every: int = 1,
    checks: bool = True,
    count: CountRequest | None = None,
    timeout_s: float = _TIMEOUT_S,
) -> Outcome:
    """Run the program once on all `samples` (they must fit one boot)."""
    report = _CHECKS if checks else _OUTPUTS
    result = _run(program, _blob(program, samples, reset_every, report), timeout_s, count)
    found = _samples(program, result.output, len(samples), checks)
    stack, guards = struct.unpack("<2I", result.output[-8:])
    return Outcome(found, stack if program.board else None, guards, result.counts, result.seconds)


def execute_values(program: Program, samples: Sequence[Inputs], reset_every: int) -> tuple[Made, ...]:
    """As `execute`, with all that each layer made; the program must be built with the hook."""
    data = _run(program, _blob(program, samples, reset_every, _VALUES), _TIMEOUT_S).output
    found, at = [], 0
    try:
        for _ in samples:
            pieces: dict[int, list[bytes]] = {}
            while (head := struct.unpack_from("<2I", data, at))[0]:
                pieces.setdefault(head[0], []).append(data[at + 8 : at + 8 + head[1]])
                at += 8 + head[1]
            outputs, at = _outputs(program.graph, data, at + 8)
            found.append(Made({n: b"".join(p) for n, p in pieces.items()}, outputs))
    except (struct.error, ValueError):
        at = -1
    if at + 8 != len(data):
        raise other_layers(program.view, f"{len(data)} B of results")
    return tuple(found)


def _run(
    program: Program, blob: bytes, timeout_s: float = _TIMEOUT_S, count: CountRequest | None = None
) -> RunResult:
    """Run the program to its end. Raises UserError when the library returns an error."""
    if program.board is None:
        result = run_host(program.path, blob, timeout_s=timeout_s)
    else:
        result = run(program.path, program.board, blob, timeout_s=timeout_s, count=count)
    if result.exit_code != 0:
        raise UserError(
            f"{program.view.name}: the library returned an error",
            found=f"status {result.exit_code}",
            exit_code=1,
        )
    return result


def other_layers(view: LibraryView, found: str, accepted: str = "") -> UserError:
    """The C is not that of the plan."""
    return UserError(
        f"{view.name}: the library does not run the layers it was compiled with",
        found=found,
        accepted=accepted,
        hint="compile the model again",
        exit_code=1,
    )


def _samples(program: Program, data: bytes, count: int, checks: bool) -> tuple[Sample, ...]:
    """What the harness wrote. Raises UserError when that is not what its library should have."""
    view, graph = program.view, program.graph
    layers = [layer.number for layer in view.layers] if checks and program.hooked else []
    states = [s.name for s in graph.states] if checks else []
    record = 4 * (len(layers) + len(states)) + sum(graph[y].size_bytes for y in graph.outputs)
    if len(data) != count * record + 8:
        raise other_layers(view, f"{len(data)} B of results", f"{count * record + 8} B")
    return tuple(_sample(graph, layers, states, data[i * record : (i + 1) * record]) for i in range(count))


def _sample(graph: Graph, layers: Sequence[int], states: Sequence[str], record: bytes) -> Sample:
    crcs = struct.unpack_from(f"<{len(layers) + len(states)}I", record)
    outputs, _ = _outputs(graph, record, 4 * len(crcs))
    made = dict(zip(layers, crcs[: len(layers)], strict=True))
    return Sample(made, dict(zip(states, crcs[len(layers) :], strict=True)), outputs)


def _outputs(graph: Graph, data: bytes, at: int) -> tuple[Inputs, int]:
    """The outputs that lie at `at`, by name, and what comes behind them."""
    outputs = {}
    for name in graph.outputs:
        t = graph[name]
        outputs[name] = np.frombuffer(data, t.dtype.numpy, t.elements, at).reshape(t.shape)
        at += t.size_bytes
    return outputs, at
