"""Interval analysis: between which stored values each channel of each value lies, for any input.

A channel is an index of the last axis. Values of weighted ops follow from their weights, functions of
one element from their tables, everything else from the op's own reference on the ends of the intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import DType, Graph, Op, Tensor
from ...ir.op import Tensors
from ...ir.ops.add import Add
from ...ir.ops.average_pool2d import AveragePool2D
from ...ir.ops.cast import Cast
from ...ir.ops.concat import Concat
from ...ir.ops.hard_swish import HardSwish
from ...ir.ops.leaky_relu import LeakyRelu
from ...ir.ops.logistic import Logistic
from ...ir.ops.lookup import Lookup
from ...ir.ops.max_pool2d import MaxPool2D
from ...ir.ops.maximum import Maximum
from ...ir.ops.mean import Mean
from ...ir.ops.minimum import Minimum
from ...ir.ops.mul import Mul
from ...ir.ops.pad import Pad
from ...ir.ops.prelu import PRelu
from ...ir.ops.quantize import Quantize
from ...ir.ops.relu import Relu
from ...ir.ops.reshape import Reshape
from ...ir.ops.resize_bilinear import ResizeBilinear
from ...ir.ops.resize_nearest import ResizeNearest
from ...ir.ops.slice import Slice
from ...ir.ops.split import Split
from ...ir.ops.sub import Sub
from ...ir.ops.tanh import Tanh
from ...ir.ops.transpose import Transpose
from ...ir.weighted import WeightedOp
from .weights import Taps

UNARY = (Cast, HardSwish, LeakyRelu, Logistic, Lookup, Quantize, Relu, Tanh)
"""Every output element is a function of one input element, given by the reference."""

BINARY = (Add, Maximum, Minimum, Mul, PRelu, Sub)
"""Every output element is a function of one element of each operand, monotone in pieces (`_ends`)."""

MONOTONE = (
    AveragePool2D, Concat, MaxPool2D, Mean, Pad, Reshape, ResizeBilinear, ResizeNearest, Slice, Split,
    Transpose,
)  # fmt: skip
"""No output element falls when an input element rises, so that intervals follow from their ends."""

_TABULATED = (DType.INT8, DType.UINT8, DType.INT16)


@dataclass(frozen=True, eq=False)
class Range:
    """Smallest and largest stored value of each channel; int64[C] each."""

    low: np.ndarray
    high: np.ndarray

    @property
    def constant(self) -> np.ndarray:
        """bool[C]: channels of one value."""
        return self.low == self.high


def channels(t: Tensor) -> int:
    """Size of the last axis; 1 for a tensor without axes."""
    return t.shape[-1] if t.shape else 1


def channel_ranges(graph: Graph) -> dict[str, Range]:
    """The range of every value and constant of an integer type; float values have none.

    Inputs and states may hold anything their type can.
    """
    ranges: dict[str, Range] = {}
    for t in graph.tensors.values():
        if t.dtype in (DType.FLOAT32, DType.FLOAT16):
            continue
        ranges[t.name] = _of_array(t.data) if t.data is not None else _whole(t)
    for op in graph.ops:
        if all(x in ranges for x in op.inputs) and all(y in ranges for y in op.outputs):
            for y, found in zip(op.outputs, _op_ranges(op, graph.tensors, ranges), strict=True):
                ranges[y] = found
    return ranges


def _whole(t: Tensor) -> Range:
    low, high = (0, 1) if t.dtype is DType.BOOL else t.dtype.integer_range
    return Range(np.full(channels(t), low, np.int64), np.full(channels(t), high, np.int64))


def _of_array(values: np.ndarray) -> Range:
    rows = values.astype(np.int64).reshape(-1, values.shape[-1] if values.shape else 1)
    return Range(rows.min(axis=0), rows.max(axis=0))


def _op_ranges(op: Op, tensors: Tensors, ranges: dict[str, Range]) -> list[Range]:
    xs = [ranges[x] for x in op.inputs]
    if isinstance(op, WeightedOp):
        return [_weighted(op, tensors, ranges[op.x])]
    if isinstance(op, UNARY) and tensors[op.x].dtype in _TABULATED:
        return [_unary(op, tensors, xs[0])]
    if isinstance(op, BINARY):
        return [_binary(op, tensors, xs[0], xs[1])]
    if isinstance(op, MONOTONE):
        return _monotone(op, tensors, xs)
    return [ranges[y] for y in op.outputs]


def _weighted(op: WeightedOp, tensors: Tensors, x: Range) -> Range:
    """Requantized ends of the accumulators: requantization never falls when the accumulator rises."""
    bias = tensors[op.bias].data if op.bias is not None else None
    acc = np.stack(Taps.of(op, tensors).accumulators(x.low, x.high))
    ends = op.finish(tensors, acc, None if bias is None else bias.reshape(-1)).astype(np.int64)
    return Range(ends.min(axis=0), ends.max(axis=0))


def _unary(op: Op, tensors: Tensors, x: Range) -> Range:
    """Extremes of the function's table over each interval."""
    source, target = tensors[op.inputs[0]], tensors[op.outputs[0]]
    first, last = source.dtype.integer_range
    values = np.arange(first, last + 1).astype(source.dtype.numpy)
    others = [tensors[c].data for c in op.inputs[1:]]
    (table,) = op.reference(tensors, values, *(c for c in others if c is not None))
    table = table.astype(target.dtype.numpy).astype(np.int64)
    pairs, which = np.unique(np.stack([x.low, x.high]) - first, axis=1, return_inverse=True)
    parts = [table[low : high + 1] for low, high in pairs.T]
    ends = np.array([(part.min(), part.max()) for part in parts])[which.reshape(-1)]
    return Range(ends[:, 0], ends[:, 1])


def _ends(t: Tensor, x: Range) -> list[np.ndarray]:
    """Values between which sums, products, selections and prelu are monotone: ends, and where prelu bends."""
    bends = [np.clip(t.zero_point - d, x.low, x.high) for d in (0, 1)]
    return [v.astype(t.dtype.numpy) for v in (x.low, x.high, *bends)]


def _binary(op: Op, tensors: Tensors, a: Range, b: Range) -> Range:
    """Extremes over all combinations of ends; operands broadcast along the last axis as the op's do."""
    left, right = (_ends(tensors[x], r) for x, r in zip(op.inputs, (a, b), strict=True))
    results = np.stack([op.reference(tensors, p, q)[0].astype(np.int64) for p in left for q in right])
    return Range(results.min(axis=0), results.max(axis=0))


def _monotone(op: Op, tensors: Tensors, xs: list[Range]) -> list[Range]:
    """The reference on the lower ends and on the upper ends, as whole tensors."""

    def results(ends: list[np.ndarray]) -> tuple[np.ndarray, ...]:
        operands = []
        for name, end in zip(op.inputs, ends, strict=True):
            t = tensors[name]
            operands.append(t.data if t.data is not None else _spread(end.astype(t.dtype.numpy), t.shape))
        return op.reference(tensors, *operands)

    lows, highs = results([x.low for x in xs]), results([x.high for x in xs])
    return [Range(_of_array(a).low, _of_array(b).high) for a, b in zip(lows, highs, strict=True)]


def _spread(per_channel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(per_channel, shape) if shape else per_channel.reshape(())
