"""Importers of poolings."""

from __future__ import annotations

import numpy as np

from ...ir import DType, Tensor, Window
from ...ir.ops.average_pool2d import AveragePool2D
from ...ir.ops.binary import Binary
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.max_pool2d import MaxPool2D
from ...ir.ops.mean import Mean
from ...ir.ops.pad import Pad
from ...ir.ops.reduce import Reduce
from ...ir.ops.unary import Unary
from ..tflite.tensors import Unsupported
from .builder import Converter
from .node import NodeImport
from .spatial import rounded_up, spatial_op, spatial_shape, window_of


def _window(op: NodeImport) -> Window:
    window = window_of(op)
    _, _, height, width = spatial_shape(op)
    return rounded_up(window, height, width) if op.integer("ceil_mode", 0) else window


def _max_pool(op: NodeImport) -> None:
    if op.wanted(1):
        raise Unsupported("a pooling has one output", "the positions of the largest elements")
    window = _window(op)
    spatial_op(op, lambda x, y: op.emit(MaxPool2D(op.name(), x, y, window)))


def _average_pool(op: NodeImport) -> None:
    """Padding that counts is zeros around the input; the one ceil_mode adds never counts."""
    window, declared = _window(op), window_of(op).padding
    if not op.integer("count_include_pad", 0) or not any(p for pair in declared for p in pair):
        spatial_op(op, lambda x, y: op.emit(AveragePool2D(op.name(), x, y, window)))
        return
    rest = tuple(
        (before - b, after - a) for (before, after), (b, a) in zip(window.padding, declared, strict=True)
    )
    inner = Window(window.kernel, window.stride, window.dilation, (rest[0], rest[1]))

    def emit(x: str, y: str) -> None:
        padded = op.temporary("padded", like=x)
        zero: Tensor = op.tensor(x)
        value = 0.0 if zero.dtype is DType.FLOAT32 else zero.zero_point
        op.emit(Pad(op.name(), x, padded, ((0, 0), *declared, (0, 0)), value))
        op.emit(AveragePool2D(op.name(), padded, y, inner))

    spatial_op(op, emit)


def global_axes(op: NodeImport) -> tuple[int, ...]:
    """All dimensions behind batch and channels."""
    rank = len(op.shape())
    if rank < 3:
        raise Unsupported("there are spatial dimensions", str(list(op.shape())))
    return tuple(range(2, rank))


def _global_average(op: NodeImport) -> None:
    op.emit(Mean(op.name(), op.x(), op.y(), global_axes(op), True))


def _global_max(op: NodeImport) -> None:
    """The largest element under a window of the whole input."""
    global_axes(op)
    _, _, height, width = spatial_shape(op)
    spatial_op(op, lambda x, y: op.emit(MaxPool2D(op.name(), x, y, Window((height, width)))))


def _global_lp(op: NodeImport) -> None:
    p = op.integer("p", 2)
    if p not in (1, 2):
        raise Unsupported("norms are of order 1 or 2", str(p))
    op.emit(Reduce(op.name(), op.x(), op.y(), f"l{p}", global_axes(op), True))


def _lp_pool(op: NodeImport) -> None:
    """(sum of |x|^p)^(1/p) under a window: the sum is a depthwise convolution with ones, padding is 0."""
    p, window, channels = op.integer("p", 2), _window(op), op.shape()[1]
    if not 1 <= p <= 64:
        raise Unsupported("p lies in [1, 64]", str(p))
    ones = op.make_constant(np.ones((1, *window.kernel, channels), np.float32), "ones")
    exponents = [op.make_constant(np.array([v], np.float32), "exponent") for v in (p, 1 / p)]

    def emit(x: str, y: str) -> None:
        size, power, total = (op.temporary(n, like=x) for n in ("size", "power", "total"))
        op.emit(Unary(op.name(), x, size, "abs"))
        op.emit(Binary(op.name(), size, exponents[0], power, "pow"))
        op.emit(DepthwiseConv2D(op.name(), power, ones, None, total, window))
        op.emit(Binary(op.name(), total, exponents[1], y, "pow"))

    spatial_op(op, emit)


CONVERTERS: dict[str, Converter] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average,
    "GlobalLpPool": _global_lp,
    "GlobalMaxPool": _global_max,
    "LpPool": _lp_pool,
    "MaxPool": _max_pool,
}
