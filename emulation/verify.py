"""Compare a library with the reference, sample by sample, layer by layer."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import boards
from ..codegen.pipeline import Library
from ..codegen.selftest import FLOAT_TOLERANCE
from ..ir import DType, Graph, evaluate, initial_state
from .harness import Inputs, Outcome, Program, build, execute, samples_per_boot

SEQUENCE = 50
"""Frames between two resets of a stateful model."""

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Mismatch:
    """The first difference of a sample: a layer's output, a state or a graph output."""

    sample: int
    what: str


@dataclass(frozen=True)
class Verification:
    """Result of comparing C with the NumPy reference.

    mismatches        samples with any difference; `first` describes some of them
    max_abs_diff      largest difference of a graph output, in stored units (integers) or real (floats)
    within_tolerance  float outputs only: |difference| <= FLOAT_TOLERANCE * max(1, largest |output|)
    """

    on: str
    samples: int
    mismatches: int
    max_abs_diff: float
    bit_exact: bool
    within_tolerance: bool
    layers_compared: int
    damaged_guards: int
    stack_measured_bytes: int | None
    seconds: float
    first: tuple[Mismatch, ...] = field(default_factory=tuple)

    @property
    def passed(self) -> bool:
        return (self.bit_exact or self.within_tolerance) and self.damaged_guards == 0


def random_inputs(graph: Graph, count: int, seed: int = 0) -> Iterator[Inputs]:
    """`count` random inputs over the whole range of integer types, in [-1, 1) for floats."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        sample = {}
        for name in graph.inputs:
            t = graph[name]
            if t.dtype is DType.FLOAT32:
                sample[name] = rng.uniform(-1, 1, t.shape).astype(np.float32)
            else:
                low, high = t.dtype.integer_range if t.dtype is not DType.BOOL else (0, 1)
                sample[name] = rng.integers(low, high + 1, t.shape).astype(t.dtype.numpy)
        yield sample


def verify_library(
    library: Library,
    folder: Path,
    samples: Sequence[Inputs],
    on: str,
    *,
    sanitize: bool = False,
    progress: Progress = lambda done: None,
) -> Verification:
    """Build the library in `folder`, run it on `samples` and compare everything.

    on   "qemu" (the board's machine) or "host"
    Stateful models are reset every SEQUENCE samples.
    """
    board = None if on == "host" else boards.load(library.options.board)
    with tempfile.TemporaryDirectory(prefix="patchloom-verify-") as work:
        program = build(folder, library.view, library.graph, board, Path(work), sanitize=sanitize)
        step = SEQUENCE if library.graph.states else 16
        limit = samples_per_boot(program)
        boot = len(samples) if limit is None else limit
        if library.graph.states:
            boot = max(SEQUENCE, boot // SEQUENCE * SEQUENCE) if boot >= SEQUENCE else boot
        comparison = _Comparison(library.graph, program)
        for start in range(0, len(samples), boot):
            chunk = samples[start : start + boot]
            outcome = execute(program, chunk, reset_every=SEQUENCE)
            comparison.add(outcome, chunk, start, step, progress)
        return comparison.result(on, len(samples))


class _Comparison:
    """Accumulates differences over boots."""

    def __init__(self, graph: Graph, program: Program) -> None:
        self._graph = graph
        self._program = program
        self._bad: list[Mismatch] = []
        self._output_diff = 0.0
        self._worst_relative = 0.0
        self._guards = 0
        self._stack: int | None = None
        self._seconds = 0.0
        self._float = any(t.dtype is DType.FLOAT32 for t in (graph[n] for n in graph.outputs))

    def add(
        self, outcome: Outcome, inputs: Sequence[Inputs], start: int, step: int, progress: Progress
    ) -> None:
        """Compare one boot; the state begins anew at `start`."""
        state = initial_state(self._graph)
        for i, (sample, got) in enumerate(zip(inputs, outcome.samples, strict=True)):
            if i % SEQUENCE == 0:
                state = initial_state(self._graph)
            values = evaluate(self._graph, sample, state)
            what = self._first_difference(values, state, got.layers, got.states)
            what = self._compare_outputs(values, got.outputs) or what
            if what:
                self._bad.append(Mismatch(start + i, what))
            if i % step == 0:
                progress(start + i + 1)
        self._guards += outcome.damaged_guards
        self._seconds += outcome.seconds
        self._stack = outcome.stack_bytes if self._stack is None else self._stack

    def _first_difference(
        self, values: Inputs, state: Inputs, layers: Mapping[str, int], states: Mapping[str, int]
    ) -> str:
        for name, crc in layers.items():
            if self._graph[name].dtype is not DType.FLOAT32 and zlib.crc32(values[name].tobytes()) != crc:
                return f"layer output {name!r}"
        for name, crc in states.items():
            if state[name].dtype != np.float32 and zlib.crc32(state[name].tobytes()) != crc:
                return f"state {name!r}"
        return ""

    def _compare_outputs(self, values: Inputs, outputs: Inputs) -> str:
        found = ""
        for name, y in outputs.items():
            want = values[name].astype(np.float64)
            difference = float(np.abs(want - y.astype(np.float64)).max(initial=0.0))
            if not difference == 0.0:
                found = found or f"output {name!r}"
            self._output_diff = max(self._output_diff, difference)
            scale = max(1.0, float(np.abs(want).max(initial=0.0)))
            self._worst_relative = max(self._worst_relative, difference / scale)
        return found

    def result(self, on: str, samples: int) -> Verification:
        graph = self._graph
        compared = [
            v
            for layer in self._program.view.layers
            for _, _, v in layer.outputs
            if graph[v].dtype is not DType.FLOAT32
        ]
        exact = not self._bad
        return Verification(
            on=on,
            samples=samples,
            mismatches=len(self._bad),
            max_abs_diff=self._output_diff,
            bit_exact=exact,
            within_tolerance=exact or (self._float and self._worst_relative <= FLOAT_TOLERANCE),
            layers_compared=len(compared),
            damaged_guards=self._guards,
            stack_measured_bytes=self._stack,
            seconds=self._seconds,
            first=tuple(self._bad[:5]),
        )
