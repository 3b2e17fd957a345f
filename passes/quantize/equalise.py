"""Cross-layer equalisation: channel ranges of consecutive layers are balanced, the function is kept.

Where y = act(W1 x + b1) with act(s y) = s act(y) for s > 0, and only W2 reads y, then W1 / s, b1 / s and
W2 * s (per channel of y) give the same network. One int8 scale serves all channels of y: those with a small
range gain resolution. Nagel et al. 2019, "Data-free quantization through weight equalization and bias
correction", section 4.1; here the ranges of y are those seen on the calibration data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...ir import Activation, Graph, Op, Tensor
from ...ir.ops.average_pool2d import AveragePool2D
from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.ops.max_pool2d import MaxPool2D
from ...ir.ops.mean import Mean
from ...ir.ops.relu import Relu
from ...ir.ops.reshape import Reshape
from ..rewrite import fresh_name
from .statistics import Extremes

_HOMOGENEOUS = (Activation.NONE, Activation.RELU)
"""Activations with act(s y) = s act(y)."""

_LIVE = 1e-3
"""Channels whose values vary less than this share of the largest are left alone: they carry nothing."""

_REACH = 8.0
"""Largest factor between the channels of one layer; more would make outliers of rare values."""

Layer = Conv2D | DepthwiseConv2D | FullyConnected


def equalise(graph: Graph, extremes: Mapping[str, Extremes]) -> tuple[Graph, dict[str, Extremes]]:
    """Equalise every pair of layers that allows it, in order.

    Requires: float graph; extremes of its values.
    Ensures:  outputs equal up to float rounding; the extremes are those of the new graph.
    """
    found = dict(extremes)
    for name in [op.name for op in graph.ops]:
        op = next(o for o in graph.ops if o.name == name)
        path = _path(graph, op)
        if path is not None and isinstance(op, Layer):
            graph = _balance(graph, op, path, found)
    return graph, found


def _path(graph: Graph, op: Op) -> tuple[tuple[str, ...], Layer] | None:
    """The values between a layer and the next one, and that one; None where something else reads them."""
    if not isinstance(op, Layer) or op.fused not in _HOMOGENEOUS or not _constant(graph, op):
        return None
    channels, names = graph[op.y].shape[-1], [op.y]
    consumers = graph.consumers()
    while True:
        readers = consumers[names[-1]]
        if len(readers) != 1 or names[-1] in graph.outputs:
            return None
        reader = readers[0]
        if isinstance(reader, Layer):
            return (tuple(names), reader) if _per_channel_input(graph, reader, channels) else None
        if not _passes_channels(graph, reader):
            return None
        names.append(reader.outputs[0])


def _constant(graph: Graph, op: Layer) -> bool:
    return graph[op.weights].constant and (op.bias is None or graph[op.bias].constant)


def _per_channel_input(graph: Graph, op: Layer, channels: int) -> bool:
    """Whether the op's weights can take a factor per channel of its input."""
    shape = graph[op.weights].shape
    if not _constant(graph, op) or graph[op.x].shape[-1] != channels:
        return False
    if isinstance(op, DepthwiseConv2D):
        return shape[3] == channels
    return shape[-1] == channels


def _passes_channels(graph: Graph, op: Op) -> bool:
    """Whether the op works on each channel alone and keeps factors per channel."""
    if isinstance(op, MaxPool2D | AveragePool2D | Relu):
        return op.activation in _HOMOGENEOUS
    if isinstance(op, Mean):
        return len(graph[op.x].shape) - 1 not in op.axes
    return isinstance(op, Reshape) and graph[op.x].shape[-1] == graph[op.y].shape[-1]


def _balance(
    graph: Graph, op: Layer, path: tuple[tuple[str, ...], Layer], extremes: dict[str, Extremes]
) -> Graph:
    names, reader = path
    factors = _factors(graph, reader, extremes[names[0]])
    if np.all(factors == 1.0):
        return graph
    axis = op.CHANNEL_AXIS
    first = _scaled(graph, op.weights, 1 / factors, axis)
    new = [first, _scaled(graph, reader.weights, factors, -1)]
    changed: dict[str, Op] = {op.name: replace(op, weights=first.name)}
    changed[reader.name] = replace(reader, weights=new[1].name)
    if op.bias is not None:
        new.append(_scaled(graph, op.bias, 1 / factors, 0))
        changed[op.name] = replace(op, weights=first.name, bias=new[-1].name)
    for name in names:
        e = extremes[name]
        extremes[name] = Extremes(e.low / factors, e.high / factors)
    return graph.rewritten([changed.get(o.name, o) for o in graph.ops], new)


def _factors(graph: Graph, reader: Layer, seen: Extremes) -> np.ndarray:
    """What each channel is divided by, at most 1 for the largest channel.

    A depthwise reader has a scale per channel, so that only the activations count: all channels get one
    range. Else the range of the activations and that of the weights that read them share the imbalance.
    """
    reach = np.maximum(np.abs(seen.low), np.abs(seen.high))
    live = (seen.high - seen.low) > _LIVE * reach.max(initial=0.0)
    if not live.any():
        return np.ones_like(reach)
    safe = np.where(live, reach, 1.0)
    if isinstance(reader, DepthwiseConv2D):
        factors = safe
    else:
        weights = graph[reader.weights].data
        assert weights is not None
        strength = np.abs(weights.reshape(-1, weights.shape[-1])).max(axis=0)
        live &= strength > 0
        factors = np.sqrt(safe / np.where(live, strength, 1.0))
    if not live.any():
        return np.ones_like(reach)
    # Scaled so that the largest range stays what it was: dead channels then keep their place.
    factors = factors / factors[live].max()
    ratio = (safe / np.maximum(factors, 1 / _REACH))[live].max() / reach[live].max()
    return np.where(live, np.maximum(factors, 1 / _REACH) * ratio, 1.0)


def _scaled(graph: Graph, name: str, factors: np.ndarray, axis: int) -> Tensor:
    """A new constant: `name` times a factor per index of `axis`."""
    data = graph[name].data
    assert data is not None
    shape = [1] * data.ndim
    shape[axis] = -1
    scaled = (data * factors.reshape(shape)).astype(np.float32)
    return Tensor(fresh_name(graph, f"{name}_equalised"), data.shape, graph[name].dtype, None, scaled)
