"""Which rows and columns of its inputs an op needs for which of its output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd

import numpy as np

from ....ir import Graph, Op, Tensor
from ....ir.ops.add import Add
from ....ir.ops.average_pool2d import AveragePool2D
from ....ir.ops.cast import Cast
from ....ir.ops.concat import Concat
from ....ir.ops.conv2d import Conv2D
from ....ir.ops.depthwise_conv2d import DepthwiseConv2D
from ....ir.ops.dequantize import Dequantize
from ....ir.ops.hard_swish import HardSwish
from ....ir.ops.leaky_relu import LeakyRelu
from ....ir.ops.logistic import Logistic
from ....ir.ops.lookup import Lookup
from ....ir.ops.max_pool2d import MaxPool2D
from ....ir.ops.maximum import Maximum
from ....ir.ops.mean import Mean
from ....ir.ops.minimum import Minimum
from ....ir.ops.mul import Mul
from ....ir.ops.partial_sums import PartialSums
from ....ir.ops.prelu import PRelu
from ....ir.ops.quantize import Quantize
from ....ir.ops.relu import Relu
from ....ir.ops.reshape import Reshape
from ....ir.ops.resize_bilinear import ResizeBilinear
from ....ir.ops.resize_nearest import ResizeNearest
from ....ir.ops.sub import Sub
from ....ir.ops.tanh import Tanh
from ....ir.ops.transpose_conv import TransposeConv
from ..kernel import Tensors

ROWS, COLUMNS = 1, 2
"""Axes of [1,H,W,C]."""

Windowed = Conv2D | DepthwiseConv2D | AveragePool2D | MaxPool2D

_WINDOWED: tuple[type[Op], ...] = (Conv2D, DepthwiseConv2D, AveragePool2D, MaxPool2D)
_ELEMENTWISE: tuple[type[Op], ...] = (
    *(Add, Sub, Mul, Maximum, Minimum, PRelu),
    *(Cast, Dequantize, HardSwish, LeakyRelu, Logistic, Lookup, PartialSums, Quantize, Relu, Tanh),
)


@dataclass(frozen=True)
class Reach:
    """Output index i needs the input's [first(i), end(i)), along one axis.

    first(i) = (i * stride - before) // up, end(i) = (i * stride - before + extent - 1) // up + 1, both
    clipped to [0, size]. `up` is more than 1 where outputs lie denser than inputs: windows have 1, so that
    `before` is their padding and `extent` their extent.
    """

    size: int
    stride: int = 1
    before: int = 0
    extent: int = 1
    up: int = 1

    @property
    def ahead(self) -> int:
        """end(i) = (i * stride + ahead) // up, clipped."""
        return self.extent - self.before - 1 + self.up

    @property
    def same(self) -> bool:
        """Whether each output index needs the input of the same index, and no other."""
        return (self.stride, self.before, self.extent, self.up) == (1, 0, 1, 1)

    def first(self, index: int) -> int:
        """First input index that output `index` needs."""
        return min(self.size, max(0, (index * self.stride - self.before) // self.up))

    def firsts(self, indices: np.ndarray) -> np.ndarray:
        """`first` of many."""
        return np.minimum(np.maximum((indices * self.stride - self.before) // self.up, 0), self.size)

    def end(self, index: int) -> int:
        """One behind the last that it needs."""
        return min(self.size, max(0, (index * self.stride + self.ahead) // self.up))

    def mirrored(self, outputs: int) -> Reach:
        """The same with all indices counted from the end, of `outputs` output indices."""
        before = (outputs - 1) * self.stride + self.extent - self.before - self.size * self.up
        return Reach(self.size, self.stride, before, self.extent, self.up)


def enclosing(size: int, low: np.ndarray, high: np.ndarray, stride: int, up: int) -> Reach:
    """The narrowest reach of slope stride / up in which output i has the inputs low[i] to high[i]."""
    common = gcd(stride, up)
    stride, up = stride // common, up // common
    line = np.arange(len(low), dtype=np.int64) * stride
    before = int((line - (low.astype(np.int64) + 1) * up).max()) + 1
    extent = int((high.astype(np.int64) * up - line).max()) + before + 1
    return Reach(size, stride, before, extent, up)


def sums_over_the_map(op: Op, tensors: Tensors) -> bool:
    """Whether an op reduces whole [1,H,W,C] maps to one pixel, so that it can take its input row by row."""
    if isinstance(op, Mean):
        x = tensors[op.x]
        return op.axes == (1, 2) and len(x.shape) == 4
    if not isinstance(op, AveragePool2D):
        return False
    x = tensors[op.x]
    return op.window.kernel == x.shape[1:3] and not op.window.padded


def steps(op: Op, tensors: Tensors) -> int:
    """In how many steps an op runs row by row: rows of its output, or of its input where it sums these."""
    value = op.inputs[0] if sums_over_the_map(op, tensors) else op.outputs[0]
    return tensors[value].shape[ROWS]


def reaches(op: Op, tensors: Tensors, axis: int) -> Mapping[str, Reach] | None:
    """What the op needs of each run-time input it takes piece by piece; None where it cannot run so.

    Inputs missing in the answer are needed whole (a factor per channel).
    """
    if sums_over_the_map(op, tensors):
        x = op.inputs[0]
        return {x: Reach(tensors[x].shape[ROWS])} if axis == ROWS else None
    shapes = [tensors[v].shape for v in (*op.outputs, *op.inputs[:1])]
    if len(shapes) != 2 or any(len(s) != 4 or s[0] != 1 for s in shapes):
        return None
    if isinstance(op, _WINDOWED):
        assert isinstance(op, Windowed)
        if axis == COLUMNS and not rows_alone(op):
            return None
        return {op.x: _window_reach(op, tensors[op.x], axis)}
    if isinstance(op, ResizeNearest | ResizeBilinear):
        return {op.x: _resized(op, tensors, axis)}
    if isinstance(op, TransposeConv):
        return {op.x: _gathered(op, tensors[op.x], axis)}
    if isinstance(op, PartialSums) and not op.window.pointwise:
        return None
    if isinstance(op, _ELEMENTWISE) or (isinstance(op, Reshape) and shapes[0] == shapes[1]):
        return _elementwise(op, tensors, axis)
    if isinstance(op, Concat) and op.axis in (3, -1):
        return {x: Reach(tensors[x].shape[axis]) for x in op.xs if not tensors[x].constant}
    return None


def rows_alone(op: Op) -> bool:
    """Whether a map of one output row has a row beside the padding of the op."""
    return isinstance(op, Windowed) and sum(op.window.padding[0]) < op.window.extent[0]


def is_windowed(op: Op) -> bool:
    """Whether several input pixels make one output pixel."""
    return isinstance(op, _WINDOWED)


def _window_reach(op: Windowed, x: Tensor, axis: int) -> Reach:
    window, i = op.window, axis - 1
    return Reach(x.shape[axis], window.stride[i], window.padding[i][0], window.extent[i])


def _resized(op: ResizeNearest | ResizeBilinear, tensors: Tensors, axis: int) -> Reach:
    size, grown = tensors[op.x].shape[axis], op.size[axis - 1]
    if isinstance(op, ResizeNearest):
        low = high = op.indices(tensors)[axis - 1]
    else:
        samples = op.samples(tensors)[axis - 1]
        low, high = samples.lower, samples.upper
    if op.align_corners and grown > 1:
        return enclosing(size, low, high, size - 1, grown - 1)
    return enclosing(size, low, high, size, grown)


def _gathered(op: TransposeConv, x: Tensor, axis: int) -> Reach:
    """Output i is met by input j where j * stride <= i + before < j * stride + extent; the first j is named
    also where no input meets it, as between windows smaller than the stride."""
    window, i = op.window, axis - 1
    stride, over = window.stride[i], max(0, window.extent[i] - window.stride[i])
    return Reach(x.shape[axis], 1, over - window.padding[i][0], over + 1, stride)


def _elementwise(op: Op, tensors: Tensors, axis: int) -> dict[str, Reach] | None:
    found: dict[str, Reach] = {}
    for x in op.inputs:
        shape = (1,) * (4 - len(tensors[x].shape)) + tensors[x].shape
        spread = shape[axis] == 1 and tensors[op.outputs[0]].shape[axis] > 1
        if tensors[x].constant:
            if shape[axis] > 1:
                return None  # a constant map would need rows of its own
        elif not spread:
            found[x] = Reach(shape[axis])
    return found


class Geometry:
    """The reaches of a graph's ops, each worked out once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._known: dict[tuple[str, int], Mapping[str, Reach] | None] = {}

    def reaches(self, op: Op, axis: int) -> Mapping[str, Reach] | None:
        """As `reaches` says."""
        key = op.name, axis
        if key not in self._known:
            self._known[key] = reaches(op, self.graph.tensors, axis)
        return self._known[key]
