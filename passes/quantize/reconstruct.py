"""Sequential layer reconstruction: bias correction and adaptive rounding of weights.

A few calibration inputs go through the float graph and, in lockstep, through the graph quantized so far. At
each weighted op both inputs are known, the exact one x and the quantized one q. The op's weights are rounded
for the least error of its output on q, and its bias is moved so that the mean output on q is the exact mean
on x; then its quantized output is computed and the next op follows. Biases thus repair the shift that earlier
layers left. Weights are not fitted to the errors of earlier layers: that follows the few inputs too closely
(measured: 4 dB worse on other images).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...ir import DType, Graph, Op, initial_state
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.ops.transpose_conv import TransposeConv
from ...ir.window import patches
from .convert import real, store
from .data import Sample
from .kinds import Weighted, is_float
from .report import logits_of, sqnr_db
from .runner import Values, apply, last_uses
from .scheme import Scheme
from .statistics import Extremes
from .weights import (
    LIMIT,
    LayerWeights,
    bias_of,
    from_rows,
    input_channels,
    nearest,
    per_channel,
    to_rows,
    weight_scales,
)

_ROWS = 512
"""Windows of one inference that take part in the statistics of a layer, drawn at random."""

_DAMPING = 0.01
"""Added to the diagonal of second moments, as a share of its mean: directions not seen count a little."""

_SWEEPS = 2
"""Rounds of coordinate descent. More change nothing that can be measured."""


@dataclass(eq=False)
class Moments:
    """Second moments of a layer's taps, per group: sums over windows. K taps, n windows.

    x, q    float64[G, K] sums of exact and of quantized taps
    qq      float64[G, K, K] sum of q q^T; empty where not wanted
    """

    x: np.ndarray
    q: np.ndarray
    qq: np.ndarray
    n: int = 0

    @classmethod
    def zeros(cls, groups: int, taps: int, second: bool) -> Moments:
        shape = (groups, taps, taps) if second else (groups, 0, 0)
        return cls(np.zeros((groups, taps)), np.zeros((groups, taps)), np.zeros(shape))

    def add(self, x: np.ndarray, q: np.ndarray) -> None:
        """Taps of some windows, float32[G, n, K]."""
        self.n += x.shape[1]
        self.x += x.sum(axis=1, dtype=np.float64)
        self.q += q.sum(axis=1, dtype=np.float64)
        if self.qq.size:
            self.qq += q.transpose(0, 2, 1) @ q


def reconstruct(
    graph: Graph,
    scheme: Scheme,
    samples: Sequence[Sample],
    extremes: Mapping[str, Extremes],
    *,
    bias_correction: bool,
    adaptive: bool,
    rng: np.random.Generator,
    done: Callable[[int], None],
) -> tuple[dict[str, LayerWeights], float]:
    """Weights of all ops that compute in integers, by op name, and the SQNR of the logits in decibels.

    `done` gets the number of ops dealt with.
    """
    lockstep = _Lockstep(graph, scheme, samples)
    layers: dict[str, LayerWeights] = {}
    for position, op in enumerate(graph.ops):
        if isinstance(op, Weighted) and scheme.precision[op.name] is not DType.FLOAT32:
            fit = bias_correction or adaptive
            moments = (
                lockstep.moments(op, adaptive, rng) if fit and not isinstance(op, TransposeConv) else None
            )
            still = _still_channels(graph, scheme, op, extremes)
            layers[op.name] = fit_layer(graph, scheme, op, moments, still, bias_correction)
        lockstep.step(position, op, layers.get(op.name))
        done(position + 1)
    return layers, sqnr_db(lockstep.signal, lockstep.noise)


def _still_channels(
    graph: Graph, scheme: Scheme, op: Weighted, extremes: Mapping[str, Extremes]
) -> np.ndarray:
    """bool[OC]: output channels that stay within one step on the calibration data.

    They carry nothing, and rounded to nearest most of them are provably constant, so that they can be
    compiled away (fold_constant_channels). Fitting them to noise would undo that.
    """
    seen, step = extremes.get(op.y), scheme.quant(op.y, DType.INT8).s
    if seen is None or op.y not in scheme.roots:
        return np.zeros(graph[op.weights].shape[op.CHANNEL_AXIS], bool)
    return np.asarray(seen.high - seen.low < step)


def fit_layer(
    graph: Graph,
    scheme: Scheme,
    op: Weighted,
    moments: Moments | None,
    still: np.ndarray,
    bias_correction: bool,
) -> LayerWeights:
    """Round the weights of one op: to nearest without second moments, else to the least output error."""
    weights = graph[op.weights].data
    assert weights is not None
    dtype = scheme.precision[op.name]
    rows = to_rows(op, weights, input_channels(graph, op)).astype(np.float64)
    bias = bias_of(graph, op)
    x_scale = scheme.quant(op.x, dtype).s
    scale = weight_scales(rows, bias, x_scale, per_channel(op, dtype))
    steps = np.broadcast_to(scale.astype(np.float64), rows.shape[0] * rows.shape[1]).reshape(
        *rows.shape[:2], 1
    )
    wanted = rows / steps
    stored = nearest(wanted)
    left_alone = still.reshape(*rows.shape[:2])
    if moments is not None and moments.qq.size:
        fitted = least_output_error(wanted, moments, centred=bias_correction)
        stored = np.where(left_alone[:, :, None], stored, fitted)
    if moments is not None and bias_correction and moments.n:
        exact = np.einsum("gok,gk->go", rows, moments.x / moments.n)
        ours = np.einsum("gok,gk->go", stored * steps, moments.q / moments.n)
        bias = bias + np.where(left_alone, 0.0, exact - ours).reshape(-1)
    return LayerWeights(from_rows(op, stored, weights.shape).astype(np.int8), scale, bias)


def least_output_error(wanted: np.ndarray, moments: Moments, centred: bool) -> np.ndarray:
    """Whole numbers [G, O, K] near `wanted` (weights over their scale) of least squared output error.

    centred   the mean of the error will be taken by the bias
    """
    n = max(moments.n, 1)
    moment = moments.qq / n
    if centred:
        moment = moment - np.einsum("gk,gl->gkl", moments.q / n, moments.q / n)
    taps = moment.shape[1]
    damping = _DAMPING * np.trace(moment, axis1=1, axis2=2) / taps + 1e-12
    return _coordinate_descent(wanted, moment + np.eye(taps) * damping[:, None, None])


def _coordinate_descent(target: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """Whole numbers w that minimise (target - w) moment (target - w)^T per row, one tap after the other.

    Each is the target rounded up or down: weights moved further would follow the few inputs seen. The first
    sweep starts from the real target, so that a tap's rounding error moves to those not rounded yet; later
    sweeps set single taps to their best value given all others. Up or down per weight: Nagel et al. 2020, "Up
    or down? Adaptive rounding for post-training quantization".
    """
    weights = target.copy()
    error = np.zeros_like(target)  # (target - weights) @ moment
    diagonal = np.einsum("gkk->gk", moment)
    low, high = np.clip(np.floor(target), -LIMIT, LIMIT), np.clip(np.ceil(target), -LIMIT, LIMIT)
    order = np.argsort(-diagonal.mean(axis=0))
    for _ in range(_SWEEPS + 1):
        for k in order:
            best = np.round(weights[:, :, k] + error[:, :, k] / diagonal[:, None, k])
            new = np.clip(best, low[:, :, k], high[:, :, k])
            error -= (new - weights[:, :, k])[:, :, None] * moment[:, None, k, :]
            weights[:, :, k] = new
    return weights


class _Lockstep:
    """Values of some inferences, exact and quantized, as far as later ops read them."""

    def __init__(self, graph: Graph, scheme: Scheme, samples: Sequence[Sample]) -> None:
        self.graph, self.scheme, self.last = graph, scheme, last_uses(graph)
        constants = {n: t.data for n, t in graph.tensors.items() if t.data is not None}
        self.exact: list[Values] = [{**constants, **s} for s in samples]
        self.quantized: list[Values] = [{**constants, **s} for s in samples]
        self.states = [(initial_state(graph), initial_state(graph)) for _ in samples]
        self.watched, self.signal, self.noise = logits_of(graph), 0.0, 0.0
        for values in self.quantized:
            for name in graph.inputs:
                self._round(name, values, DType.INT8)

    def _round(self, name: str, values: Values, dtype: DType) -> None:
        """Put the value on its grid."""
        if dtype is not DType.FLOAT32 and is_float(self.graph, name) and name in self.scheme.roots:
            quant = self.scheme.quant(name, dtype)
            values[name] = real(store(values[name], quant, dtype), quant)

    def moments(self, op: Weighted, second: bool, rng: np.random.Generator) -> Moments:
        """Statistics of the op's input over all samples."""
        groups, _, taps = to_rows(
            op, np.empty(self.graph[op.weights].shape), input_channels(self.graph, op)
        ).shape
        found = Moments.zeros(groups, taps, second)
        for exact, quantized in zip(self.exact, self.quantized, strict=True):
            chosen = _windows(self.graph, op, rng)
            x, q = (_taps(self.graph, op, v[op.x], chosen, groups) for v in (exact, quantized))
            found.add(x, q)
        return found

    def step(self, position: int, op: Op, layer: LayerWeights | None) -> None:
        """Compute the op on both sides and forget what nobody reads any more."""
        dtype = self.scheme.precision[op.name]
        replaced = _real_parameters(self.graph, op, layer)
        for exact, quantized, states in zip(self.exact, self.quantized, self.states, strict=True):
            apply(self.graph, op, exact, states[0])
            quantized.update(replaced)
            apply(self.graph, op, quantized, states[1])
            for y in op.outputs:
                self._round(y, quantized, dtype)
            if self.watched in op.outputs:
                self.signal += float(np.square(exact[self.watched], dtype=np.float64).sum())
                difference = exact[self.watched] - quantized[self.watched]
                self.noise += float(np.square(difference, dtype=np.float64).sum())
            for name in {*op.inputs, *op.outputs}:
                if self.last.get(name, -1) <= position:
                    exact.pop(name, None)
                    quantized.pop(name, None)


def _real_parameters(graph: Graph, op: Op, layer: LayerWeights | None) -> Mapping[str, np.ndarray]:
    """The quantized weights and bias as float32, by the names the op reads them under."""
    if layer is None or not isinstance(op, Weighted):
        return {}
    shape = [1] * layer.stored.ndim
    shape[op.CHANNEL_AXIS] = -1
    values = {op.weights: (layer.stored * layer.scale.reshape(shape)).astype(np.float32)}
    return values if op.bias is None else {**values, op.bias: layer.bias.astype(np.float32)}


def _windows(graph: Graph, op: Weighted, rng: np.random.Generator) -> np.ndarray:
    """Indices of the output positions (rows of a matrix product) that are looked at."""
    y = graph[op.y]
    count = y.elements // graph[op.weights].shape[op.CHANNEL_AXIS]
    return np.arange(count) if count <= _ROWS else np.sort(rng.choice(count, _ROWS, replace=False))


def _taps(graph: Graph, op: Weighted, x: np.ndarray, chosen: np.ndarray, groups: int) -> np.ndarray:
    """What the chosen windows see, float32[G, n, K], in the order of `to_rows`."""
    if isinstance(op, FullyConnected):
        return x.reshape(1, -1, graph[op.weights].shape[1])[:, chosen]
    assert not isinstance(op, TransposeConv)
    views = patches(x, op.window, 0)
    seen = views[np.unravel_index(chosen, views.shape[:2])]  # [n, KH, KW, C]
    if isinstance(op, DepthwiseConv2D):
        return seen.reshape(len(chosen), -1, groups).transpose(2, 0, 1)
    channels = seen.shape[3] // groups
    parts = [seen[..., g * channels : (g + 1) * channels].reshape(len(chosen), -1) for g in range(groups)]
    return np.stack(parts)


def lockstep_samples(
    graph: Graph, samples: Sequence[Sample], most: int, limit_bytes: int
) -> Sequence[Sample]:
    """At most `most` samples, spread evenly, so that all their values alive at once fit `limit_bytes`."""
    last = last_uses(graph)
    alive, peak = {n: graph[n].size_bytes for n in graph.inputs}, 0
    for position, op in enumerate(graph.ops):
        alive.update({y: graph[y].size_bytes for y in op.outputs})
        peak = max(peak, sum(alive.values()))
        for name in {*op.inputs, *op.outputs}:
            if last.get(name, -1) <= position:
                alive.pop(name, None)
    count = max(1, min(len(samples), most, limit_bytes // (2 * max(peak, 1))))
    picked = np.unique(np.linspace(0, len(samples) - 1, count).round().astype(int))
    return [samples[i] for i in picked]
