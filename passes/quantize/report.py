"""What quantization cost: signal to noise of every value, and the metric on labelled data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...ir import Graph, evaluate, initial_state
from ...ir.ops.reshape import Reshape
from ...ir.ops.softmax import Softmax
from .convert import real
from .data import Sample
from .kinds import is_float
from .runner import Values, run


@dataclass(frozen=True)
class LayerNoise:
    """Signal to quantization noise of one value: 10 log10(sum float^2 / sum (float - dequantized)^2).

    op      as messages call it; value: its name; dtype: how it is stored
    sqnr_db over all samples; infinite where nothing differs
    """

    op: str
    value: str
    dtype: str
    sqnr_db: float


@dataclass(frozen=True)
class Metric:
    """A figure of merit of the float and of the integer model on the same labelled data.

    name   "top-1 accuracy" (share of samples) or "mean squared error"
    """

    name: str
    samples: int
    float_value: float
    integer_value: float


def sqnr_db(signal: float, noise: float) -> float:
    """Ratio in decibels."""
    if noise == 0.0:
        return float("inf")
    return 10.0 * float(np.log10(signal / noise)) if signal > 0 else float("-inf")


class _Powers:
    """Sums of squares of signal and of noise by value."""

    def __init__(self) -> None:
        self.signal: dict[str, float] = {}
        self.noise: dict[str, float] = {}

    def add(self, name: str, exact: np.ndarray, approximate: np.ndarray) -> None:
        a, b = exact.astype(np.float64), approximate.astype(np.float64)
        self.signal[name] = self.signal.get(name, 0.0) + float((a * a).sum())
        self.noise[name] = self.noise.get(name, 0.0) + float(((a - b) ** 2).sum())

    def sqnr(self, name: str) -> float:
        return sqnr_db(self.signal[name], self.noise[name])


def layer_noise(
    graph: Graph,
    integer: Graph,
    stored: Mapping[str, str],
    samples: Sequence[Sample],
    done: Callable[[int], None] = lambda n: None,
) -> tuple[LayerNoise, ...]:
    """Noise of every value that is stored as an integer, in the order of computation.

    stored   integer value by float value, as `to_integers` gives it
    """
    powers = _Powers()
    state, integer_state = initial_state(graph), initial_state(integer)
    for number, sample in enumerate(samples, 1):
        values = evaluate(integer, sample, integer_state)

        def compare(op: object, exact: Values, values: Mapping[str, np.ndarray] = values) -> None:
            for y in getattr(op, "outputs", ()):
                quant = integer[stored[y]].quant if y in stored else None
                if quant:
                    powers.add(y, exact[y], real(values[stored[y]], quant))

        run(graph, sample, state, compare)
        done(number)
    return tuple(
        LayerNoise(graph.label(op), y, integer[stored[y]].dtype.value, powers.sqnr(y))
        for op in graph.ops
        for y in op.outputs
        if y in powers.noise
    )


def logits_of(graph: Graph) -> str:
    """The value that carries the answer: what goes into the softmax that makes the first output.

    Probabilities saturate and hide errors; without a softmax at the end it is the output itself.
    """
    name, producers = graph.outputs[0], graph.producers()
    start = name
    while isinstance(op := producers.get(name), Reshape):
        name = op.x
    return op.x if isinstance(op, Softmax) else start


def logits_sqnr(layers: Sequence[LayerNoise], graph: Graph) -> float | None:
    """SQNR of `logits_of`; None where that value is not stored as an integer."""
    name = logits_of(graph)
    return next((layer.sqnr_db for layer in layers if layer.value == name), None)


def outputs_of(
    graph: Graph, samples: Sequence[Sample], exact: bool, done: Callable[[int], None] = lambda n: None
) -> np.ndarray:
    """First output of every sample, [N, elements]; integers as stored. State carries over.

    exact   use the reference of every op; False: fast float32
    """
    state, name = initial_state(graph), graph.outputs[0]
    rows = []
    for number, sample in enumerate(samples, 1):
        y = evaluate(graph, sample, state)[name] if exact else _fast_output(graph, sample, state, name)
        rows.append(y.reshape(-1))
        done(number)
    return np.stack(rows)


def _fast_output(graph: Graph, sample: Sample, state: dict[str, np.ndarray], name: str) -> np.ndarray:
    found: dict[str, np.ndarray] = {}

    def keep(op: object, values: Values) -> None:
        if name in values:
            found[name] = values[name]

    run(graph, sample, state, keep)
    return found[name]


def measure(
    graph: Graph,
    integer: Graph,
    samples: Sequence[Sample],
    labels: np.ndarray | None,
    done: Callable[[int], None] = lambda n: None,
) -> Metric | None:
    """Top-1 accuracy against labels; without labels the squared error of an autoencoder, else None.

    An autoencoder has one input and an output of the same number of elements.
    """
    inputs = graph.inputs
    autoencoder = (
        len(inputs) == 1
        and is_float(graph, inputs[0])
        and graph[inputs[0]].elements == graph[graph.outputs[0]].elements
    )
    if labels is None and not autoencoder:
        return None
    before = outputs_of(graph, samples, exact=False)
    after = outputs_of(integer, samples, exact=True, done=done)
    if labels is not None:
        shares = [float((y.argmax(axis=1) == labels).mean()) for y in (before, after)]
        return Metric("top-1 accuracy", len(samples), shares[0], shares[1])
    wanted = np.stack([s[inputs[0]].reshape(-1) for s in samples]).astype(np.float64)
    errors = [float(((y - wanted) ** 2).mean()) for y in (before, after)]
    return Metric("mean squared error", len(samples), errors[0], errors[1])
