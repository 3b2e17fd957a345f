"""Converters of operators with weights or sliding windows."""

from __future__ import annotations

from typing import Any

import tflite

from ...ir import Window
from ...ir.ops.average_pool2d import AveragePool2D
from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.ops.matmul import MatMul
from ...ir.ops.max_pool2d import MaxPool2D
from ...ir.ops.transpose_conv import TransposeConv
from ...ir.window import same_padding
from .builder import Converter, OpImport
from .model import MAX_ELEMENTS
from .tensors import Unsupported

MAX_STEP = 1 << 16
"""Strides, dilations, kernel sizes and the rows or columns a window spans: more is absurd."""

MAX_TAPS = 1 << 16
"""Elements of a kernel per channel."""

Pair = tuple[int, int]


def _steps(what: str, height: int, width: int) -> Pair:
    if not (1 <= height <= MAX_STEP and 1 <= width <= MAX_STEP):
        raise Unsupported(f"{what} must be in [1, {MAX_STEP}]", f"{height}x{width}")
    return height, width


def window(
    op: OpImport, options: Any, size: tuple[int, ...], kernel: Pair, dilation: Pair = (1, 1)
) -> Window:
    """SAME and VALID as explicit paddings; `size` is that of the input, or of a transposed op's output."""
    _steps("kernel sizes", *kernel)
    if kernel[0] * kernel[1] > MAX_TAPS:
        raise Unsupported(f"a kernel has at most {MAX_TAPS} elements", f"{kernel[0]}x{kernel[1]}")
    stride = _steps("strides", options.StrideH(), options.StrideW())
    plain = Window(kernel, stride, _steps("dilations", *dilation))
    _steps("rows and columns a dilated kernel spans", *plain.extent)
    if options.Padding() == tflite.Padding.VALID:
        return plain
    if options.Padding() != tflite.Padding.SAME:
        raise Unsupported("padding is SAME or VALID", str(options.Padding()))
    rows, columns = (same_padding(n, e, s) for n, e, s in zip(size, plain.extent, stride, strict=True))
    if (padded := (size[0] + sum(rows)) * (size[1] + sum(columns))) > MAX_ELEMENTS:
        raise Unsupported(f"a padded input has at most {MAX_ELEMENTS} elements", f"{padded} per channel")
    return Window(kernel, stride, dilation, (rows, columns))


def _conv2d(op: OpImport) -> None:
    op.count((2, 3))
    o = op.options("Conv2DOptions")
    kernel = op.shape4(1)[1:3]
    dilation = (o.DilationHFactor(), o.DilationWFactor())
    w = window(op, o, op.shape4(0)[1:3], (kernel[0], kernel[1]), dilation)
    op.emit(Conv2D(op.name(), op.x(), op.x(1), op.optional(2), op.y(), w, op.activation(o)))


def _depthwise(op: OpImport) -> None:
    op.count((2, 3))
    o = op.options("DepthwiseConv2DOptions")
    x, weights = op.shape4(0), op.shape4(1)
    if o.DepthMultiplier() not in (0, weights[3] // x[3]):
        found = f"multiplier {o.DepthMultiplier()}, {x[3]} channels, weights {list(weights)}"
        raise Unsupported("the depth multiplier must fit the weights", found)
    dilation = (o.DilationHFactor(), o.DilationWFactor())
    w = window(op, o, x[1:3], (weights[1], weights[2]), dilation)
    op.emit(DepthwiseConv2D(op.name(), op.x(), op.x(1), op.optional(2), op.y(), w, op.activation(o)))


def _fully_connected(op: OpImport) -> None:
    op.count((2, 3))
    o = op.options("FullyConnectedOptions")
    if o.WeightsFormat() != 0:
        raise Unsupported("weights must be in the default format", f"format {o.WeightsFormat()}")
    op.emit(
        FullyConnected(
            op.name(), op.x(), op.x(1), op.optional(2), op.y(), bool(o.KeepNumDims()), op.activation(o)
        )
    )


def _matmul(op: OpImport) -> None:
    """AsymmetricQuantizeInputs is about float activations with int8 weights, which is no case here."""
    op.count((2, 2))
    o = op.options("BatchMatMulOptions")
    op.emit(MatMul(op.name(), op.x(), op.x(1), op.y(), bool(o.AdjX()), bool(o.AdjY())))


def _transpose_conv(op: OpImport) -> None:
    """Operands are output shape, weights, input and bias; SAME is seen from the output's side."""
    op.count((3, 4))
    o = op.options("TransposeConvOptions")
    shape = op.ints(0, "the output shape", 4)
    if len(shape) != 4:
        raise Unsupported("the output shape has 4 entries", str(list(shape)))
    kernel, x = op.shape4(1)[1:3], op.shape4(2)
    size = (shape[1], shape[2])
    w = window(op, o, size, (kernel[0], kernel[1]))
    whole = ((x[1] - 1) * w.stride[0] + kernel[0]) * ((x[2] - 1) * w.stride[1] + kernel[1])
    if whole > MAX_ELEMENTS:
        raise Unsupported(f"an input spread out has at most {MAX_ELEMENTS} elements", f"{whole} per channel")
    op.emit(TransposeConv(op.name(), op.x(2), op.x(1), op.optional(3), op.y(), w, size, op.activation(o)))


def _pool(kind: type[MaxPool2D] | type[AveragePool2D]) -> Converter:
    def convert(op: OpImport) -> None:
        op.count((1, 1))
        o = op.options("Pool2DOptions")
        w = window(op, o, op.shape4(0)[1:3], (o.FilterHeight(), o.FilterWidth()))
        op.emit(kind(op.name(), op.x(), op.y(), w, op.activation(o)))

    return convert


CODE = tflite.BuiltinOperator
CONVERTERS: dict[int, Converter] = {
    CODE.AVERAGE_POOL_2D: _pool(AveragePool2D),
    CODE.BATCH_MATMUL: _matmul,
    CODE.CONV_2D: _conv2d,
    CODE.DEPTHWISE_CONV_2D: _depthwise,
    CODE.FULLY_CONNECTED: _fully_connected,
    CODE.MAX_POOL_2D: _pool(MaxPool2D),
    CODE.TRANSPOSE_CONV: _transpose_conv,
}
