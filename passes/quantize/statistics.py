"""Two passes over the calibration data: extremes of every value, then histograms and input moments.

Memory is bounded by the model: a histogram per value; activations live for one inference only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import UserError
from ...ir import Graph, Op, initial_state
from ...ir.ops.softmax import Softmax
from .data import Sample
from .kinds import is_float
from .observers import Distribution
from .runner import Values, run

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(eq=False)
class Extremes:
    """Smallest and largest element of a value, per index of the last axis, float64[C]."""

    low: np.ndarray
    high: np.ndarray

    def extend(self, x: np.ndarray) -> None:
        flat = x.reshape(-1, self.low.size)
        self.low = np.minimum(self.low, flat.min(axis=0, initial=np.inf))
        self.high = np.maximum(self.high, flat.max(axis=0, initial=-np.inf))


_MASKED = 100.0
"""Elements so far below the largest of their row are masked: scores that are computed do not range so far."""

_FADED = 12.0
"""Elements so far below the largest of their row are 0 behind a softmax of 16 bits (e^-12 < 2^-17)."""


def collect_extremes(graph: Graph, samples: Sequence[Sample], progress: Progress) -> dict[str, Extremes]:
    """First pass. Raises UserError where an activation is not finite, naming it.

    Where a mask goes into a softmax, the range ends where elements make no difference any more.
    """
    found: dict[str, Extremes] = {}
    tops = dict.fromkeys(_only_softmax_reads(graph), np.inf)

    def see(name: str, x: np.ndarray) -> None:
        if name in tops:
            tops[name] = min(tops[name], float(x.max(axis=-1).min()))
        if name not in found:
            channels = x.shape[-1] if x.ndim else 1
            found[name] = Extremes(np.full(channels, np.inf), np.full(channels, -np.inf))
        found[name].extend(x)

    _walk(graph, samples, see, lambda done: progress("extremes", done, len(samples)))
    for name, extremes in found.items():
        if not (np.isfinite(extremes.low).all() and np.isfinite(extremes.high).all()):
            raise UserError(
                f"{graph.source or graph.name}: {name!r} becomes NaN or infinite on the calibration data",
                hint="check the scaling of the inputs",
            )
    for name, top in tops.items():
        if found[name].low.min() > top - _MASKED:
            continue
        found[name].low = np.maximum(found[name].low, top - _FADED)
        found[name].high = np.maximum(found[name].high, found[name].low)
    return found


def _only_softmax_reads(graph: Graph) -> list[str]:
    """Computed values that only softmaxes (beta 1, along the last axis) read."""
    consumers = graph.consumers()
    return [
        y
        for op in graph.ops
        for y in op.outputs
        if consumers[y]
        and y not in graph.outputs
        and all(isinstance(o, Softmax) and o.axis == -1 and o.beta == 1.0 and not o.log for o in consumers[y])
    ]


def collect_distributions(
    graph: Graph, samples: Sequence[Sample], extremes: Mapping[str, Extremes], progress: Progress
) -> dict[str, Distribution]:
    """Second pass: histograms between the extremes."""
    found = {n: Distribution(float(e.low.min()), float(e.high.max())) for n, e in extremes.items()}
    _walk(
        graph,
        samples,
        lambda name, x: found[name].count(x),
        lambda done: progress("histograms", done, len(samples)),
    )
    return found


def _walk(
    graph: Graph,
    samples: Sequence[Sample],
    see: Callable[[str, np.ndarray], None],
    done: Callable[[int], None],
) -> None:
    """`see` every float value of every inference; states carry over from one sample to the next."""
    state = initial_state(graph)

    def visit(op: Op, values: Values) -> None:
        for y in op.outputs:
            if is_float(graph, y):
                see(y, values[y])

    for number, sample in enumerate(samples, 1):
        for name in graph.inputs:
            if is_float(graph, name):
                see(name, sample[name])
        with np.errstate(over="ignore", invalid="ignore"):  # told with the name of the value afterwards
            run(graph, sample, state, visit)
        done(number)
