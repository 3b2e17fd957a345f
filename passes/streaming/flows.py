"""How each operator carries rows of frames: which rows it reads for a row, or why it needs them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from ...ir import Op, Tensor
from ...ir.movement import normal_axis
from ...ir.ops.add import Add
from ...ir.ops.average_pool2d import AveragePool2D
from ...ir.ops.binary import Binary
from ...ir.ops.cast import Cast
from ...ir.ops.concat import Concat
from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.dequantize import Dequantize
from ...ir.ops.fully_connected import FullyConnected
from ...ir.ops.hard_swish import HardSwish
from ...ir.ops.layer_normalization import LayerNormalization
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
from ...ir.ops.reduce import Reduce
from ...ir.ops.relu import Relu
from ...ir.ops.reshape import Reshape
from ...ir.ops.resize_nearest import ResizeNearest
from ...ir.ops.slice import Slice
from ...ir.ops.softmax import Softmax
from ...ir.ops.split import Split
from ...ir.ops.sub import Sub
from ...ir.ops.tanh import Tanh
from ...ir.ops.transpose import Transpose
from ...ir.ops.unary import Unary
from ...ir.ops.where import Where
from .frames import Taps, TimeAxis

Tensors = Mapping[str, Tensor]

ELEMENTWISE = (
    Add, Binary, Cast, Dequantize, HardSwish, LeakyRelu, Logistic, Lookup, Maximum, Minimum, Mul, PRelu,
    Quantize, Relu, Sub, Tanh, Unary, Where,
)  # fmt: skip
"""Ops whose element of y depends on one element of each operand, which broadcast."""

WINDOWED = (Conv2D, DepthwiseConv2D, MaxPool2D, AveragePool2D)


@dataclass(frozen=True)
class Part:
    """What one op of a streamed graph computes: `rows` rows, with that padding before and after them."""

    rows: int
    padding: tuple[int, int]


@dataclass(frozen=True)
class Flow:
    """An op that works row by row.

    taps   rows of every streamed operand that a row of the results reads
    times  where time lies in each result
    cut    the op for some rows only, operands not renamed
    """

    taps: Taps
    times: tuple[TimeAxis, ...]
    cut: Callable[[Part], Op]


class NeedsWhole(Exception):
    """The op needs all rows at once, or its result does not move with time. The text says why."""


def flow(op: Op, tensors: Tensors, times: Mapping[str, TimeAxis]) -> Flow:
    """How `op` works on rows of the values in `times`. Raises NeedsWhole when it does not."""
    others = [x for x in op.inputs if x not in times and not tensors[x].constant]
    if others:
        raise NeedsWhole(f"it combines frames with {others[0]!r}, which changes as a whole")
    if isinstance(op, ELEMENTWISE):
        return _elementwise(op, tensors, times)
    if isinstance(op, Concat):
        return _concat(op, tensors, times)
    if op.inputs[0] in times and not any(x in times for x in op.inputs[1:]):
        if isinstance(op, WINDOWED):
            return _windowed(op, tensors, times[op.x])
        for kind, rule in _RULES.items():
            if isinstance(op, kind):
                return rule(op, tensors, times[op.inputs[0]])
    raise NeedsWhole(f"{op.kind()} is not known to work frame by frame")


def _rowwise(op: Op, *times: TimeAxis) -> Flow:
    """Row j of the results depends on row j of the operands; no attribute says how many rows there are."""
    return Flow(Taps(), times, lambda part: op)


def _elementwise(op: Op, tensors: Tensors, times: Mapping[str, TimeAxis]) -> Flow:
    y = tensors[op.outputs[0]]
    places = {
        (len(tensors[x].shape) - times[x].axis, times[x].unit, times[x].rows) for x in op.inputs if x in times
    }
    if len(places) > 1:
        raise NeedsWhole("its operands do not have the same frames")
    ((from_end, unit, rows),) = places
    time = TimeAxis(len(y.shape) - from_end, unit, rows)
    if y.shape[time.axis] != unit * rows:
        raise NeedsWhole("its result does not have the frames of its operands")
    table = op.table if isinstance(op, Lookup) else None
    for x in op.inputs:
        shape = tensors[x].shape
        if x not in times and x != table and len(shape) >= from_end and shape[-from_end] != 1:
            raise NeedsWhole(f"the constant {x!r} differs from frame to frame")
    return _rowwise(op, time)


def _windowed(
    op: Conv2D | DepthwiseConv2D | MaxPool2D | AveragePool2D, tensors: Tensors, time: TimeAxis
) -> Flow:
    if time.axis not in (1, 2) or time.unit != 1:
        raise NeedsWhole("its frames are neither the rows nor the columns of the image")
    d = time.axis - 1
    window = op.window
    taps = Taps(window.stride[d], window.padding[d][0], window.extent[d])
    rows = tensors[op.y].shape[time.axis]
    if taps.reads((0, 1))[1] <= 0 or taps.reads((rows - 1, rows))[0] >= time.rows:
        raise NeedsWhole("one of its windows lies in the padding altogether")

    def cut(part: Part) -> Op:
        padding = (part.padding, window.padding[1]) if d == 0 else (window.padding[0], part.padding)
        return replace(op, window=replace(window, padding=padding))

    return Flow(taps, (TimeAxis(time.axis, 1, rows),), cut)


def _reshape(op: Reshape, tensors: Tensors, time: TimeAxis) -> Flow:
    """Rows stay rows where the elements in front of them stay there, for example in flattening [1,T,..]."""
    outer = time.outer(tensors[op.x])
    for axis in reversed(range(len(op.shape))):
        if prod(op.shape[:axis]) == outer and op.shape[axis] % time.rows == 0:
            return _reshaped(op, TimeAxis(axis, op.shape[axis] // time.rows, time.rows))
    raise NeedsWhole(f"the shape {list(op.shape)} has no dimension of frames")


def _reshaped(op: Reshape, time: TimeAxis) -> Flow:
    return Flow(Taps(), (time,), lambda part: replace(op, shape=time.shape(op.shape, part.rows)))


def _transpose(op: Transpose, tensors: Tensors, time: TimeAxis) -> Flow:
    return _rowwise(op, replace(time, axis=op.perm.index(time.axis)))


def _slice(op: Slice, tensors: Tensors, time: TimeAxis) -> Flow:
    axis, unit = time.axis, time.unit
    begin, size, step = op.begin[axis], op.size[axis], op.stride[axis]
    if step < 1 or begin % unit or size % unit or (unit > 1 and step > 1):
        raise NeedsWhole("it does not take whole frames in their order")

    def at(values: tuple[int, ...], value: int) -> tuple[int, ...]:
        return (*values[:axis], value, *values[axis + 1 :])

    def cut(part: Part) -> Op:
        return replace(op, begin=at(op.begin, 0), size=at(op.size, part.rows * unit))

    return Flow(Taps(step, -(begin // unit), 1), (replace(time, rows=size // unit),), cut)


def _split(op: Split, tensors: Tensors, time: TimeAxis) -> Flow:
    if normal_axis(op.axis, len(tensors[op.x].shape)) == time.axis:
        raise NeedsWhole("it splits the frames themselves")
    return _rowwise(op, *(time for _ in op.ys))


def _pad(op: Pad, tensors: Tensors, time: TimeAxis) -> Flow:
    axis, unit = time.axis, time.unit
    before, after = op.padding[axis]
    if before % unit or after % unit:
        raise NeedsWhole("it adds parts of frames")

    def cut(part: Part) -> Op:
        pair = (part.padding[0] * unit, part.padding[1] * unit)
        return replace(op, padding=(*op.padding[:axis], pair, *op.padding[axis + 1 :]))

    rows = time.rows + (before + after) // unit
    return Flow(Taps(1, before // unit, 1), (replace(time, rows=rows),), cut)


def _fully_connected(op: FullyConnected, tensors: Tensors, time: TimeAxis) -> Flow:
    x, depth = tensors[op.x], tensors[op.weights].shape[1]
    if op.keep_dims and time.axis < len(x.shape) - 1:
        return _rowwise(op, time)
    if op.keep_dims or time.outer(x) != 1 or time.row_elements(x) % depth:
        raise NeedsWhole("it weighs every frame differently")
    return _rowwise(op, TimeAxis(0, time.row_elements(x) // depth, time.rows))


def _softmax(op: Softmax, tensors: Tensors, time: TimeAxis) -> Flow:
    if time.axis == len(tensors[op.x].shape) - 1:
        raise NeedsWhole("it compares all frames")
    return _rowwise(op, time)


def _reduction(op: Mean | Reduce, tensors: Tensors, time: TimeAxis) -> Flow:
    if time.axis in op.axes:
        raise NeedsWhole("it makes one value of all frames")
    gone = 0 if op.keep_dims else sum(a < time.axis for a in op.axes)
    return _rowwise(op, replace(time, axis=time.axis - gone))


def _layer_normalization(op: LayerNormalization, tensors: Tensors, time: TimeAxis) -> Flow:
    if op.axis <= time.axis:
        raise NeedsWhole("it normalizes over all frames")
    return _rowwise(op, time)


def _resize_nearest(op: ResizeNearest, tensors: Tensors, time: TimeAxis) -> Flow:
    if time.axis not in (1, 2) or time.unit != 1:
        raise NeedsWhole("its frames are neither the rows nor the columns of the image")
    d = time.axis - 1
    if not np.array_equal(op.indices(tensors)[d], np.arange(time.rows)):
        raise NeedsWhole("it repeats or drops frames")
    size = op.size
    return Flow(
        Taps(),
        (time,),
        lambda part: replace(op, size=(part.rows, size[1]) if d == 0 else (size[0], part.rows)),
    )


def _concat(op: Concat, tensors: Tensors, times: Mapping[str, TimeAxis]) -> Flow:
    y = tensors[op.y]
    found = {times[x] for x in op.xs if x in times}
    if len(found) > 1 or any(x not in times for x in op.xs):
        raise NeedsWhole("its operands do not have the same frames")
    (time,) = found
    if normal_axis(op.axis, len(y.shape)) == time.axis:
        raise NeedsWhole("it puts frames behind one another")
    return _rowwise(op, time)


_RULES: Mapping[type[Op], Callable[..., Flow]] = {
    FullyConnected: _fully_connected,
    LayerNormalization: _layer_normalization,
    Mean: _reduction,
    Pad: _pad,
    Reduce: _reduction,
    Reshape: _reshape,
    ResizeNearest: _resize_nearest,
    Slice: _slice,
    Softmax: _softmax,
    Split: _split,
    Transpose: _transpose,
}
"""Ops with one streamed operand and a rule of their own."""
