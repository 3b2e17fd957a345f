"""Run a library on sequences of inputs and return what it computed, without comparing it with anything."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import boards
from ..codegen.pipeline import Library
from ..errors import UserError
from .harness import Inputs, Outcome, Program, build, execute, samples_per_boot

_BOOTS = 16
"""Boots a large run is split into, for the sake of progress."""
_MIN_SAMPLES_PER_BOOT = 256


@dataclass(frozen=True, eq=False)
class SequenceRun:
    """What a library computed, state reset before each sequence.

    outputs               per sequence, in the order given: name -> [steps, *shape of the output]
    stack_measured_bytes  high-water mark of the first inference, None on the host
    damaged_guards        inferences after which a byte beside arena or state had changed
    seconds               wall time of the emulator
    """

    on: str
    outputs: tuple[Mapping[str, np.ndarray], ...]
    stack_measured_bytes: int | None
    damaged_guards: int
    seconds: float


def run_sequences(
    library: Library,
    folder: Path,
    sequences: Sequence[Sequence[Inputs]],
    on: str,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> SequenceRun:
    """Build the library in `folder` and run it on every sequence from its reset state.

    on        "qemu" (the board's machine) or "host"
    progress  called with the number of sequences done
    Raises UserError: a tool is missing, a sequence is empty or does not fit the machine's memory, or the
    program does not run to its end.
    """
    if any(not s for s in sequences):
        raise UserError("a sequence of inputs is empty", rule="every sequence holds at least one inference")
    board = None if on == "host" else boards.load(library.options.board)
    outputs: list[Mapping[str, np.ndarray]] = [{}] * len(sequences)
    stack, guards, seconds, done = None, 0, 0.0, 0
    with tempfile.TemporaryDirectory(prefix="patchloom-run-") as work:
        program = build(folder, library.view, library.graph, board, Path(work), hooked=False)
        for boot in _boots([len(s) for s in sequences], samples_per_boot(program)):
            outcome = _run_boot(program, [sequences[i] for i in boot])
            steps = len(outcome.samples) // len(boot)
            for k, i in enumerate(boot):
                mine = outcome.samples[k * steps : k * steps + len(sequences[i])]
                outputs[i] = {n: np.stack([s.outputs[n] for s in mine]) for n in library.graph.outputs}
            stack = outcome.stack_bytes if stack is None else stack
            guards += outcome.damaged_guards
            seconds += outcome.seconds
            done += len(boot)
            progress(done)
    return SequenceRun(on, tuple(outputs), stack, guards, seconds)


def _boots(lengths: Sequence[int], capacity: int | None) -> list[list[int]]:
    """Indices of the sequences of each boot: neighbours in length, so that little padding is needed."""
    wanted = max(_MIN_SAMPLES_PER_BOOT, -(-sum(lengths) // _BOOTS))
    limit = wanted if capacity is None else min(wanted, capacity)
    boots: list[list[int]] = []
    # the longest first: it alone says how many of its neighbours fit
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if boots and lengths[boots[-1][0]] * (len(boots[-1]) + 1) <= limit:
            boots[-1].append(i)
        else:
            boots.append([i])
    return boots


def _run_boot(program: Program, sequences: Sequence[Sequence[Inputs]]) -> Outcome:
    """One boot. The harness resets at a fixed distance: shorter sequences go on with their last input."""
    longest = max(map(len, sequences))
    samples = [s[min(t, len(s) - 1)] for s in sequences for t in range(longest)]
    return execute(program, samples, reset_every=longest, checks=False)
