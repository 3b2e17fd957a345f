"""Converters of elementwise operators, conversions between types, softmax and means."""

from __future__ import annotations

import math

import numpy as np
import tflite

from ...ir import Activation, DType
from ...ir.ops.add import Add
from ...ir.ops.binary import Binary
from ...ir.ops.cast import Cast
from ...ir.ops.dequantize import Dequantize
from ...ir.ops.hard_swish import HardSwish
from ...ir.ops.leaky_relu import LeakyRelu
from ...ir.ops.logistic import Logistic
from ...ir.ops.maximum import Maximum
from ...ir.ops.mean import Mean
from ...ir.ops.minimum import Minimum
from ...ir.ops.mul import Mul
from ...ir.ops.prelu import PRelu
from ...ir.ops.quantize import Quantize
from ...ir.ops.relu import Relu
from ...ir.ops.softmax import Softmax
from ...ir.ops.sub import Sub
from ...ir.ops.tanh import Tanh
from .builder import Converter, OpImport
from .tensors import Unsupported, dtype_of


def _arithmetic(kind: type[Add] | type[Sub] | type[Mul], options: str) -> Converter:
    def convert(op: OpImport) -> None:
        op.count((2, 2))
        activation = op.activation(op.options(options))
        if activation is Activation.NONE and op.tensor(op.x(0)).dtype is DType.INT32:
            op.emit(Binary(op.name(), op.x(0), op.x(1), op.y(), kind.kind()))
            return
        op.emit(kind(op.name(), op.x(0), op.x(1), op.y(), activation))

    return convert


def _binary(kind: type[Minimum] | type[Maximum]) -> Converter:
    def convert(op: OpImport) -> None:
        op.count((2, 2))
        op.emit(kind(op.name(), op.x(0), op.x(1), op.y()))

    return convert


Unary = type[Logistic] | type[Tanh] | type[HardSwish] | type[Quantize] | type[Cast]


def _unary(kind: Unary) -> Converter:
    def convert(op: OpImport) -> None:
        op.count((1, 1))
        op.emit(kind(op.name(), op.x(), op.y()))

    return convert


def _relu(activation: Activation) -> Converter:
    def convert(op: OpImport) -> None:
        op.count((1, 1))
        op.emit(Relu(op.name(), op.x(), op.y(), activation))

    return convert


def _finite(value: float, what: str) -> float:
    if not math.isfinite(value):
        raise Unsupported(f"{what} must be finite", str(value))
    return value


def _leaky_relu(op: OpImport) -> None:
    op.count((1, 1))
    alpha = _finite(op.options("LeakyReluOptions").Alpha(), "alpha")
    op.emit(LeakyRelu(op.name(), op.x(), op.y(), alpha))


def _prelu(op: OpImport) -> None:
    op.count((2, 2))
    op.emit(PRelu(op.name(), op.x(0), op.x(1), op.y()))


def _softmax(op: OpImport) -> None:
    op.count((1, 1))
    beta = _finite(op.options("SoftmaxOptions").Beta(), "beta")
    op.emit(Softmax(op.name(), op.x(), op.y(), beta))


def _mean(op: OpImport) -> None:
    op.count((2, 2))
    axes = op.axes(1, "axes", len(op.shape()))
    keep = bool(op.options("ReducerOptions").KeepDims())
    op.emit(Mean(op.name(), op.x(), op.y(), tuple(sorted(set(axes))), keep))


def _dequantize(op: OpImport) -> None:
    """float16 constants are widened to float32 here and leave no operator behind."""
    op.count((1, 1))
    x = op.tensor(op.x())
    if x.dtype is not DType.FLOAT16:
        op.emit(Dequantize(op.name(), op.x(), op.y()))
        return
    if x.data is None:
        raise Unsupported(
            "float16 is for constants", f"{x.name!r} is computed", "convert with float32 activations"
        )
    if dtype_of(op.builder.graph.tensors[op.raw.outputs[0]]) is not DType.FLOAT32:
        raise Unsupported("float16 is widened to float32", "another output type")
    op.reserve(2 * x.size_bytes)
    op.constant(x.data.astype(np.float32))


_CODE = tflite.BuiltinOperator
CONVERTERS: dict[int, Converter] = {
    _CODE.ADD: _arithmetic(Add, "AddOptions"),
    _CODE.CAST: _unary(Cast),
    _CODE.DEQUANTIZE: _dequantize,
    _CODE.HARD_SWISH: _unary(HardSwish),
    _CODE.LEAKY_RELU: _leaky_relu,
    _CODE.LOGISTIC: _unary(Logistic),
    _CODE.MAXIMUM: _binary(Maximum),
    _CODE.MEAN: _mean,
    _CODE.MINIMUM: _binary(Minimum),
    _CODE.MUL: _arithmetic(Mul, "MulOptions"),
    _CODE.PRELU: _prelu,
    _CODE.QUANTIZE: _unary(Quantize),
    _CODE.RELU: _relu(Activation.RELU),
    _CODE.RELU6: _relu(Activation.RELU6),
    _CODE.RELU_N1_TO_1: _relu(Activation.RELU_N1_TO_1),
    _CODE.SOFTMAX: _softmax,
    _CODE.SUB: _arithmetic(Sub, "SubOptions"),
    _CODE.TANH: _unary(Tanh),
}
