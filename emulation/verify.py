"""Compare a library with the reference, sample by sample, layer by layer."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import boards
from ..boards import Board
from ..codegen.pipeline import Library
from ..codegen.views import LayerView
from ..ir import DType, Graph, evaluate, initial_state
from ..passes.planner.kernel import STATE_PREFIX
from .differences import largest_difference, rounded_values, tolerance
from .harness import Inputs, Outcome, Program, Sample, build, execute, samples_per_boot

SEQUENCE = 50
"""Frames between two resets of a stateful model."""
_MAX_EXAMPLES = 5

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
    within_tolerance  graph outputs differ by no more than differences.tolerance, and nothing differs that
                      does not depend on float arithmetic
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
                sample[name] = rng.integers(low, high, t.shape, endpoint=True).astype(t.dtype.numpy)
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
        boot = _samples_of_a_boot(program, len(samples))
        comparison = _Comparison(library.graph, library.view.layers)
        for start in range(0, len(samples), boot):
            chunk = samples[start : start + boot]
            outcome = execute(program, chunk, reset_every=SEQUENCE)
            comparison.add(outcome, chunk, start, progress)
        stack = None if board is None else _stack(library, folder, board, Path(work), samples[0])
    return comparison.result(on, len(samples), stack)


def _stack(library: Library, folder: Path, board: Board, work: Path, sample: Inputs) -> int | None:
    """Bytes of stack one run uses, in a build without the hook, whose own frames would count."""
    program = build(folder, library.view, library.graph, board, work, hooked=False)
    return execute(program, [sample], checks=False).stack_bytes


def _samples_of_a_boot(program: Program, samples: int) -> int:
    """Samples run in one go: whole sequences where states live between them, if one fits."""
    limit = samples_per_boot(program)
    if limit is None:
        return max(1, samples)
    whole = limit // SEQUENCE * SEQUENCE
    return whole if program.graph.states and whole else limit


class _Comparison:
    """Accumulates differences over boots."""

    def __init__(self, graph: Graph, layers: Sequence[LayerView]) -> None:
        self._graph = graph
        self._layers = layers
        self._rounded = rounded_values(graph)
        self._bad: list[Mismatch] = []
        self._largest = 0.0
        self._intolerable = False
        self._compared = 0
        self._guards = 0
        self._seconds = 0.0

    def add(self, outcome: Outcome, inputs: Sequence[Inputs], start: int, progress: Progress) -> None:
        """Compare one boot; the state begins anew at `start`."""
        for i, (sample, got) in enumerate(zip(inputs, outcome.samples, strict=True)):
            if i % SEQUENCE == 0:
                state = initial_state(self._graph)
            values = evaluate(self._graph, sample, state)
            differing = [*self._inner(values, state, got), *self._outputs(values, got.outputs)]
            if differing:
                self._bad.append(Mismatch(start + i, differing[0]))
            progress(start + i + 1)
        self._guards += outcome.damaged_guards
        self._seconds += outcome.seconds

    def _inner(self, values: Inputs, state: Inputs, got: Sample) -> Iterator[str]:
        """Integer layer outputs and states that differ, in the order of execution."""
        self._compared = 0
        for layer in self._layers if got.layers else ():
            names = [y.value for y in layer.outputs]
            if any(values[n].dtype == np.float32 for n in names):
                continue
            self._compared += 1
            made = b"".join(y.computed(values[y.value]) for y in layer.outputs)
            if zlib.crc32(made) != got.layers[layer.number]:
                self._intolerable |= not self._rounded.issuperset(names)
                yield f"layer output {', '.join(map(repr, names))}"
        for name, crc in got.states.items():
            if state[name].dtype != np.float32 and zlib.crc32(state[name].tobytes()) != crc:
                self._intolerable |= STATE_PREFIX + name not in self._rounded
                yield f"state {name!r}"

    def _outputs(self, values: Inputs, outputs: Mapping[str, np.ndarray]) -> Iterator[str]:
        for name, y in outputs.items():
            difference = largest_difference(values[name], y)
            self._largest = max(self._largest, difference)
            self._intolerable |= difference > tolerance(values[name], name in self._rounded)
            if difference:
                yield f"output {name!r}"

    def result(self, on: str, samples: int, stack: int | None) -> Verification:
        return Verification(
            on=on,
            samples=samples,
            mismatches=len(self._bad),
            max_abs_diff=self._largest,
            bit_exact=not self._bad,
            within_tolerance=not self._intolerable,
            layers_compared=self._compared,
            damaged_guards=self._guards,
            stack_measured_bytes=stack,
            seconds=self._seconds,
            first=tuple(self._bad[:_MAX_EXAMPLES]),
        )
