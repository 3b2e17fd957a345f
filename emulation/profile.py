"""Instructions and cycles per layer, counted by the emulator."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from .. import boards
from ..boards import Board
from ..codegen.pipeline import Library
from ..codegen.views import LayerView
from . import counts as counting
from . import elf, machines
from .counts import CountRequest, Snapshot
from .harness import Inputs, Outcome, build, execute


@dataclass(frozen=True)
class LayerProfile:
    """One layer function; cycles None where the core has no cycle model. Bytes are activations.

    macs_per_cycle  None where cycles are unknown
    share           part of the inference's cycles, or of its instructions where cycles are unknown, 0 to 1
    """

    name: str
    op: str
    kernel: str
    macs: int
    instructions: int
    cycles: int | None
    macs_per_cycle: float | None
    share: float
    read_bytes: int
    written_bytes: int


@dataclass(frozen=True)
class Profile:
    """One inference, the input given. `cycle_model` names the model, None where cycles are unknown.

    The totals also count the call of run() and its checks, which are no layer's; so the shares of the layers
    add up to a little less than 1.
    """

    board: str
    core: str
    instructions: int
    cycles: int | None
    cycle_model: str | None
    source: str
    stack_measured_bytes: int | None
    layers: tuple[LayerProfile, ...]


def profile_library(library: Library, folder: Path, samples: Sequence[Inputs]) -> Profile:
    """Count the last of `samples` (earlier ones warm up state) on the board's QEMU machine, without hooks.

    Where the counting plugin cannot be built or loaded, only the instructions of the whole run are known,
    from a timer of the guest: no layers, no cycles.
    Raises UserError: a tool is missing, or the program does not run.
    """
    board = boards.load(library.options.board)
    source = counting.source(machines.qemu_command(board))
    view = library.view
    with tempfile.TemporaryDirectory(prefix="patchloom-profile-") as work:
        defines = counting.build_defines(source)
        program = build(folder, view, library.graph, board, Path(work), hooked=False, defines=defines)
        image = elf.read(program.path)
        start, end = image.address(f"{view.name}_run") & ~1, image.address("guest_mark") & ~1
        layers = {image.address(layer.symbol) & ~1: layer for layer in view.layers}
        request = CountRequest((start, end, *layers), source)
        outcome = execute(program, samples, reset_every=len(samples), checks=False, count=request)
    assert outcome.counts is not None
    snapshots = outcome.counts.snapshots
    timed = source == counting.ICOUNT
    window = snapshots[-2:] if timed else _last_run(snapshots, start, end)
    return _profile(library, board, outcome, window, {} if timed else layers)


def _last_run(snapshots: Sequence[Snapshot], start: int, end: int) -> Sequence[Snapshot]:
    """Snapshots from the last entry of run() to its end."""
    first = max(i for i, s in enumerate(snapshots) if s.address & ~1 == start)
    last = next(i for i in range(first, len(snapshots)) if snapshots[i].address & ~1 == end)
    return snapshots[first : last + 1]


def _profile(
    library: Library,
    board: Board,
    outcome: Outcome,
    window: Sequence[Snapshot],
    layers: Mapping[int, LayerView],
) -> Profile:
    assert outcome.counts is not None
    instructions, cycles = total = _spent(window[0], window[-1])
    return Profile(
        board=board.name,
        core=board.core,
        instructions=instructions,
        cycles=cycles,
        cycle_model=outcome.counts.cycle_model,
        source=outcome.counts.source,
        stack_measured_bytes=outcome.stack_bytes,
        layers=tuple(
            _layer(library, layer, spent, total) for layer, spent in _by_layer(window[1:], layers).items()
        ),
    )


def _by_layer(
    window: Sequence[Snapshot], layers: Mapping[int, LayerView]
) -> dict[LayerView, tuple[int, int | None]]:
    """What was spent from each entry of a layer's function to the next snapshot; those of stages are entered
    again and again, and bear the cost of the loop that calls them."""
    found: dict[LayerView, tuple[int, int | None]] = {}
    for a, b in pairwise(window) if layers else ():
        layer = layers[a.address & ~1]
        instructions, cycles = _spent(a, b)
        before = found.get(layer, (0, None if cycles is None else 0))
        more = None if cycles is None or before[1] is None else before[1] + cycles
        found[layer] = before[0] + instructions, more
    return dict(sorted(found.items(), key=lambda item: item[0].number))


Spent = tuple[int, int | None]
"""Instructions and cycles."""


def _spent(a: Snapshot, b: Snapshot) -> Spent:
    """From one snapshot to another."""
    cycles = None if a.cycles is None or b.cycles is None else b.cycles - a.cycles
    return b.instructions - a.instructions, cycles


def _layer(library: Library, layer: LayerView, spent: Spent, total: Spent) -> LayerProfile:
    instructions, cycles = spent
    step = library.plan.steps[layer.number - 1]
    op = next(op for op in library.graph.ops if op.name == step.op)
    tensors = library.graph.tensors
    macs = op.macs(tensors)
    share = instructions / total[0] if cycles is None or total[1] is None else cycles / total[1]
    return LayerProfile(
        name=op.name,
        op=op.kind(),
        kernel=step.kernel,
        macs=macs,
        instructions=instructions,
        cycles=cycles,
        macs_per_cycle=macs / cycles if cycles else None,
        share=share,
        read_bytes=sum(tensors[x].size_bytes for x in op.inputs),
        written_bytes=sum(tensors[y].size_bytes for y in op.outputs),
    )
