"""Constant channels become biases: weights that only ever meet constants are set to zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...ir import DType, Graph, Op, Quant, Tensor
from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.ops.transpose_conv import TransposeConv
from ...ir.weighted import WeightedOp, weight_zero_point
from ..rewrite import fresh_name
from .bounds import Range, channel_ranges
from .weights import Taps, input_columns


def owned_weights(graph: Graph) -> set[str]:
    """Ops whose weights may change: integer ones of one channel group, read by no other op.

    Weights that two ops share would have to be stored twice.
    """
    readers = graph.consumers()
    return {op.name for op in graph.ops if isinstance(op, WeightedOp) and _owned(graph, op, readers)}


def _owned(graph: Graph, op: WeightedOp, readers: dict[str, list[Op]]) -> bool:
    x, w = graph[op.x], graph[op.weights]
    if x.dtype is DType.FLOAT32 or len(readers[op.weights]) > 1 or op.weights in graph.outputs:
        return False
    if op.bias is not None and not all(isinstance(reader, WeightedOp) for reader in readers[op.bias]):
        return False
    if isinstance(op, Conv2D):
        return x.shape[3] == w.shape[3]
    return isinstance(op, DepthwiseConv2D | FullyConnected | TransposeConv)


def fold_into_biases(graph: Graph) -> Graph:
    """Zero the weights of output channels that are constant and of input channels that are.

    Requires: quantized graph, weights constant.
    Ensures:  every value bit-identical; the bounds of the accumulators (`WeightedOp.weight_rules`) never
              grow, because |weight| * |x - zero point| counts at least as much as what joins the bias.
              Ops without a bias may get one: kernels keep one number per output channel in any case.
    """
    owned, ranges = owned_weights(graph), channel_ranges(graph)
    ops: list[Op] = []
    tensors: dict[str, Tensor] = {}
    for op in graph.ops:
        if isinstance(op, WeightedOp) and op.name in owned:
            changed = _folded(graph, op, ranges[op.x], ranges[op.y])
            if changed is not None:
                op = _with_constants(graph, op, *changed, tensors)
        ops.append(op)
    return graph.rewritten(ops, tensors.values()) if tensors else graph


def _folded(graph: Graph, op: WeightedOp, x: Range, y: Range) -> tuple[np.ndarray, np.ndarray] | None:
    """New weights as taps [G,OC/G,KH,KW,IC/G] and bias int64[OC]; None where nothing changes."""
    if not (x.constant.any() or y.constant.any()):
        return None
    taps = Taps.of(op, graph.tensors)
    weights, bias = taps.weights.copy(), _bias(graph, op, taps.outputs)
    per_output = weights.reshape(taps.outputs, -1)
    fixed = y.constant & per_output.any(axis=1)
    low, high = taps.accumulators(x.low, x.high)
    # Any accumulator in reach gives the constant: the one closest to 0 is within the old bounds.
    bias[fixed] = np.clip(0, (low + bias)[fixed], (high + bias)[fixed])
    per_output[fixed] = 0.0
    left = replace(taps, weights=weights)
    bias += _move_constant_inputs(graph, left, x)
    return (weights, bias) if not np.array_equal(weights, taps.weights) else None


def _bias(graph: Graph, op: WeightedOp, outputs: int) -> np.ndarray:
    data = graph[op.bias].data if op.bias is not None else None
    return np.zeros(outputs, np.int64) if data is None else data.reshape(-1).astype(np.int64)


def _move_constant_inputs(graph: Graph, taps: Taps, x: Range) -> np.ndarray:
    """Zero, in place, the weights of constant input columns where that is exact; what they add, int64[OC].

    Padded taps count nothing, so a constant other than the zero point adds less at a border than inside.
    Such a pair of input and output channel keeps its weights unless all border cases add the same.
    """
    op, tensors = taps.op, taps.tensors
    groups, depth = taps.weights.shape[0], taps.weights.shape[4]
    values = input_columns(op, tensors, x.low - graph[op.x].zero_point)
    known = input_columns(op, tensors, x.constant).all(axis=0) & (values == values[0]).all(axis=0)
    known = known.reshape(groups, depth)
    at = np.flatnonzero(known.any(axis=0))
    if not at.size:
        return np.zeros(taps.outputs, np.int64)
    distances = values[0].reshape(groups, depth)[:, at].astype(np.float64)
    products = taps.weights[..., at] * distances[:, None, None, None, :]
    sums = taps.sums(products.transpose(2, 3, 0, 1, 4))
    same = ~products.any(axis=(2, 3)) if taps.partial else (sums == sums[0]).all(axis=0)
    same &= known[:, None, at]
    taps.weights[..., at] *= ~same[:, :, None, None, :]
    return np.where(same, sums[0], 0).sum(axis=-1).astype(np.int64).reshape(-1)


def _with_constants(
    graph: Graph, op: WeightedOp, weights: np.ndarray, bias: np.ndarray, tensors: dict[str, Tensor]
) -> WeightedOp:
    """The op with these weights and bias, which are added to `tensors`."""
    w = graph[op.weights]
    stored = _stored(op, weights) + weight_zero_point(w)
    tensors[w.name] = replace(w, data=stored.reshape(w.shape).astype(w.dtype.numpy))
    old = None if op.bias is None else graph[op.bias]
    if np.array_equal(bias, _bias(graph, op, bias.size)):
        return op
    name = fresh_name(graph, f"{op.name}_bias", tensors)
    dtype = DType.INT64 if graph[op.x].dtype is DType.INT16 else DType.INT32
    quant = _bias_quant(graph, op) if old is None else _one_axis(old.quant)
    if old is not None and len(graph.consumers()[old.name]) == 1 and old.name not in graph.outputs:
        name = old.name
    tensors[name] = Tensor(name, (bias.size,), dtype, quant, bias.astype(dtype.numpy))
    return replace(op, bias=name)


def _stored(op: WeightedOp, taps: np.ndarray) -> np.ndarray:
    """Taps in the order in which the op stores its weights."""
    return taps.transpose(2, 3, 0, 1, 4) if isinstance(op, DepthwiseConv2D) else taps


def _one_axis(quant: Quant | None) -> Quant | None:
    """The quantization of a bias that was reshaped to one dimension."""
    return replace(quant, axis=0) if quant is not None and quant.per_axis else quant


def _bias_quant(graph: Graph, op: WeightedOp) -> Quant:
    """Scale of the accumulator."""
    x, w = graph[op.x].quant, graph[op.weights].quant
    assert x and w
    scale = tuple(float(np.float32(x.s * s)) for s in w.scale)
    return Quant(scale, (0,) * len(scale), 0 if w.per_axis else None)
