"""Instructions and cycles per layer, counted by the emulator."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import boards
from ..codegen.pipeline import Library
from . import counts as counting
from . import elf
from .counts import CountRequest
from .harness import Inputs, build, execute


@dataclass(frozen=True)
class LayerProfile:
    """One layer function; cycles None where the core has no cycle model. Bytes are activations."""

    name: str
    op: str
    kernel: str
    macs: int
    instructions: int
    cycles: int | None
    read_bytes: int
    written_bytes: int


@dataclass(frozen=True)
class Profile:
    """One inference, the input given. `cycle_model` names the model, None where cycles are unknown."""

    board: str
    core: str
    instructions: int
    cycles: int | None
    cycle_model: str | None
    source: str
    stack_measured_bytes: int | None
    layers: tuple[LayerProfile, ...]


def profile_library(library: Library, folder: Path, samples: Sequence[Inputs]) -> Profile:
    """Count the last of `samples` (earlier ones warm up state) on the board's QEMU machine, without hooks."""
    board = boards.load(library.options.board)
    view = library.view
    with tempfile.TemporaryDirectory(prefix="patchloom-profile-") as work:
        program = build(folder, view, library.graph, board, Path(work), hooked=False)
        image = elf.read(program.path)
        run, end = image.address(f"{view.name}_run"), image.address("guest_mark")
        layers = {image.address(layer.symbol): layer for layer in view.layers}
        request = CountRequest(markers=(run, end, *layers))
        outcome = execute(program, samples, reset_every=len(samples), checks=False, count=request)
    assert outcome.counts is not None
    snapshots = list(outcome.counts.snapshots)
    last = max(i for i, s in enumerate(snapshots) if s.address & ~1 == run & ~1)
    stop = next(i for i in range(last, len(snapshots)) if snapshots[i].address & ~1 == end & ~1)
    window = snapshots[last : stop + 1]
    ops = {op.name: op for op in library.graph.ops}
    by_address = {address & ~1: layer for address, layer in layers.items()}
    result = []
    for a, b in zip(window[1:], window[2:], strict=False):
        layer = by_address[a.address & ~1]
        step = library.plan.steps[layer.number - 1]
        op = ops[step.op]
        tensors = library.graph.tensors
        result.append(
            LayerProfile(
                name=op.name,
                op=op.kind(),
                kernel=step.kernel,
                macs=op.macs(tensors),
                instructions=b.instructions - a.instructions,
                cycles=None if a.cycles is None or b.cycles is None else b.cycles - a.cycles,
                read_bytes=sum(tensors[x].size_bytes for x in op.inputs),
                written_bytes=sum(tensors[y].size_bytes for y in op.outputs),
            )
        )
    first, final = window[0], window[-1]
    return Profile(
        board=board.name,
        core=board.core,
        instructions=final.instructions - first.instructions,
        cycles=None if final.cycles is None or first.cycles is None else final.cycles - first.cycles,
        cycle_model=outcome.counts.cycle_model,
        source=counting.TCG_PLUGIN,
        stack_measured_bytes=outcome.stack_bytes,
        layers=tuple(result),
    )
