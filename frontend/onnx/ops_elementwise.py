"""Importers of element-wise operators."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np

from ...ir import Activation, DType, Op
from ...ir.ops.add import Add
from ...ir.ops.binary import COMPARE, Binary
from ...ir.ops.cast import Cast
from ...ir.ops.hard_swish import HardSwish
from ...ir.ops.leaky_relu import LeakyRelu
from ...ir.ops.logistic import Logistic
from ...ir.ops.maximum import Maximum
from ...ir.ops.minimum import Minimum
from ...ir.ops.mul import Mul
from ...ir.ops.prelu import PRelu
from ...ir.ops.relu import Relu
from ...ir.ops.sub import Sub
from ...ir.ops.tanh import Tanh
from ...ir.ops.unary import Unary
from ...ir.ops.where import Where
from ..tflite.tensors import Unsupported
from .builder import Converter
from .node import NodeImport
from .tensors import dtype_for, numpy_type

_FLOAT_OPS: dict[str, type[Add] | type[Sub] | type[Mul] | type[Maximum] | type[Minimum]] = {
    "add": Add, "sub": Sub, "mul": Mul, "maximum": Maximum, "minimum": Minimum,
}  # fmt: skip


def emit_binary(op: NodeImport, function: str, a: str, b: str, y: str) -> None:
    """A function of two values: an operator of its own on floats, where there is one."""
    kind = _FLOAT_OPS.get(function)
    if kind is not None and op.tensor(a).dtype is DType.FLOAT32:
        op.emit(kind(op.name(), a, b, y))
    else:
        op.emit(Binary(op.name(), a, b, y, function))


def _binary(function: str) -> Converter:
    def convert(op: NodeImport) -> None:
        y = op.y(dtype=DType.BOOL if function in COMPARE else None)
        emit_binary(op, function, op.x(0), op.x(1), y)

    return convert


def _pow(op: NodeImport) -> None:
    """The exponent may have another type; squares are products."""
    exponent = op.known(1)
    if exponent is not None and exponent.size == 1 and op.dtype() is DType.FLOAT32:
        value = float(exponent.ravel()[0])
        if value == 2.0 and len(exponent.shape) <= len(op.shape()):
            op.emit(Mul(op.name(), op.x(), op.x(), op.y()))
            return
        if value == 0.5 and len(exponent.shape) <= len(op.shape()):
            op.emit(Unary(op.name(), op.x(), op.y(), "sqrt"))
            return
    if op.dtype(0) is op.dtype(1):
        emit_binary(op, "pow", op.x(0), op.x(1), op.y())
        return
    if op.dtype(0) is DType.FLOAT32:
        b = op.temporary("exponent", DType.FLOAT32)
        op.emit(Cast(op.name(), op.x(1), b))
        emit_binary(op, "pow", op.x(0), b, op.y())
        return
    a, power = op.temporary("base", DType.FLOAT32), op.temporary("power", DType.FLOAT32)
    op.emit(Cast(op.name(), op.x(0), a))
    b = op.x(1)
    if op.dtype(1) is not DType.FLOAT32:
        b = op.temporary("exponent", DType.FLOAT32)
        op.emit(Cast(op.name(), op.x(1), b))
    emit_binary(op, "pow", a, b, power)
    op.emit(Cast(op.name(), power, op.y()))


def _mod(op: NodeImport) -> None:
    emit_binary(op, "fmod" if op.integer("fmod", 0) else "mod", op.x(0), op.x(1), op.y())


def _bit_shift(op: NodeImport) -> None:
    direction = op.text("direction", "")
    if direction not in ("LEFT", "RIGHT"):
        raise Unsupported("direction is LEFT or RIGHT", direction)
    emit_binary(op, f"shift_{direction.lower()}", op.x(0), op.x(1), op.y())


def _variadic(function: str) -> Converter:
    """A chain of binary operators over any number of operands."""

    def convert(op: NodeImport) -> None:
        count = op.count()
        if count == 1:
            op.alias(op.x())
            return
        value = op.x(0)
        for i in range(1, count):
            y = op.y() if i == count - 1 else op.temporary("part")
            emit_binary(op, function, value, op.x(i), y)
            value = y

    return convert


def _mean(op: NodeImport) -> None:
    """The sum of all operands times 1/count."""
    count, value = op.count(), op.x(0)
    for i in range(1, count):
        y = op.temporary("sum")
        op.emit(Add(op.name(), value, op.x(i), y))
        value = y
    factor = op.make_constant(np.array([1 / count], np.float32), "factor")
    op.emit(Mul(op.name(), value, factor, op.y()))


def _simple(make: Callable[[str, str, str], Op]) -> Converter:
    def convert(op: NodeImport) -> None:
        op.emit(make(op.name(), op.x(), op.y()))

    return convert


def unary(function: str, alpha: float = 1.0, beta: float = 0.0) -> Converter:
    """An operator that is one `unary`; the attributes alpha and beta replace the defaults."""

    def convert(op: NodeImport) -> None:
        a, b = op.number("alpha", alpha), op.number("beta", beta)
        op.emit(Unary(op.name(), op.x(), op.y(), function, a, b))

    return convert


def _test(function: str) -> Converter:
    def convert(op: NodeImport) -> None:
        flags = (op.integer("detect_negative", 1), op.integer("detect_positive", 1))
        op.emit(Unary(op.name(), op.x(), op.y(dtype=DType.BOOL), function, float(flags[0]), float(flags[1])))

    return convert


def _unchanged_integers(function: str) -> Converter:
    """Rounding; integers are whole already."""

    def convert(op: NodeImport) -> None:
        if op.dtype() is DType.FLOAT32:
            op.emit(Unary(op.name(), op.x(), op.y(), function))
        else:
            op.alias(op.x())

    return convert


def _selu(op: NodeImport) -> None:
    """ONNX: gamma * (alpha * exp(x) - alpha) for x <= 0, gamma * x above."""
    alpha = op.number("alpha", 1.67326319217681884765625)
    gamma = op.number("gamma", 1.05070102214813232421875)
    op.emit(Unary(op.name(), op.x(), op.y(), "selu", alpha, gamma))


def _shrink(op: NodeImport) -> None:
    """alpha of the IR is lambd, beta is bias."""
    lambd, bias = op.number("lambd", 0.5), op.number("bias", 0.0)
    op.emit(Unary(op.name(), op.x(), op.y(), "shrink", lambd, bias))


def _relu(op: NodeImport) -> None:
    if op.dtype() is DType.FLOAT32:
        op.emit(Relu(op.name(), op.x(), op.y()))
        return
    zero = op.make_constant(np.zeros(1, op.dtype().numpy), "zero")
    emit_binary(op, "maximum", op.x(), zero, op.y())


def _leaky_relu(op: NodeImport) -> None:
    op.emit(LeakyRelu(op.name(), op.x(), op.y(), op.number("alpha", 0.01)))


def _prelu(op: NodeImport) -> None:
    """A constant slope that broadcasts to the input is the IR's own operator."""
    alpha = op.x(1)
    fits = np.broadcast_shapes(op.shape(), op.shape(1)) == op.shape()
    if op.tensor(alpha).constant and fits and op.dtype() is DType.FLOAT32:
        op.emit(PRelu(op.name(), op.x(), alpha, op.y()))
    else:
        emit_binary(op, "prelu", op.x(), alpha, op.y())


def _gelu(op: NodeImport) -> None:
    kind = op.text("approximate", "none")
    if kind not in ("none", "tanh"):
        raise Unsupported("approximate is none or tanh", kind)
    op.emit(Unary(op.name(), op.x(), op.y(), "gelu_tanh" if kind == "tanh" else "gelu"))


def emit_clip(op: NodeImport, x: str, y: str, low: float, high: float) -> None:
    """A clamp of floats: a relu where there is one."""
    found = next((a for a in Activation if a.bounds == (low, high) and a is not Activation.NONE), None)
    if found:
        op.emit(Relu(op.name(), x, y, found))
    else:
        op.emit(Unary(op.name(), x, y, "clip", low, high))


def _clip(op: NodeImport) -> None:
    """Bounds are attributes before operator set 11, else operands, constant or computed."""
    given = [op.attribute("min"), op.attribute("max")]
    known = [op.known(1), op.known(2)]
    computed = any(op.has(i + 1) and known[i] is None for i in range(2))
    if op.dtype() is DType.FLOAT32 and not computed:
        low, high = (
            float(g) if g is not None else float(k.reshape(())) if k is not None else d
            for g, k, d in zip(given, known, (-inf, inf), strict=True)
        )
        if (low, high) == (-inf, inf):
            op.alias(op.x())
        else:
            emit_clip(op, op.x(), op.y(), low, high)
        return
    steps = [(f, op.x(i)) for f, i in (("maximum", 1), ("minimum", 2)) if op.has(i)]
    value = op.x()
    for n, (function, bound) in enumerate(steps):
        y = op.y() if n == len(steps) - 1 else op.temporary("part")
        emit_binary(op, function, value, bound, y)
        value = y
    if not steps:
        op.alias(value)


def _cast(op: NodeImport) -> None:
    _cast_to(op, dtype_for(numpy_type(op.integer("to", 0), op.base), op.base))


def _cast_like(op: NodeImport) -> None:
    _cast_to(op, op.dtype(1))


def _cast_to(op: NodeImport, dtype: DType) -> None:
    if op.dtype() is dtype:
        op.alias(op.x())
    else:
        op.emit(Cast(op.name(), op.x(), op.y(dtype=dtype)))


def _identity(op: NodeImport) -> None:
    op.alias(op.x())


def _dropout(op: NodeImport) -> None:
    """Inference keeps every element; the mask is all true."""
    training = op.known(2)
    if op.has(2) and (training is None or training.any()):
        raise Unsupported("models are exported for inference", "training_mode is not false")
    op.alias(op.x())
    if op.wanted(1):
        op.set_constant(1, np.ones(op.shape(), np.bool_))


def _where(op: NodeImport) -> None:
    op.emit(Where(op.name(), op.x(0), op.x(1), op.x(2), op.y(like=op.x(1))))


CONVERTERS: dict[str, Converter] = {
    "Add": _binary("add"),
    "And": _binary("and"),
    "BitShift": _bit_shift,
    "BitwiseAnd": _binary("bitwise_and"),
    "BitwiseNot": unary("bitwise_not"),
    "BitwiseOr": _binary("bitwise_or"),
    "BitwiseXor": _binary("bitwise_xor"),
    "Cast": _cast,
    "CastLike": _cast_like,
    "Ceil": _unchanged_integers("ceil"),
    "Celu": unary("celu"),
    "Clip": _clip,
    "Div": _binary("div"),
    "Dropout": _dropout,
    "Elu": unary("elu"),
    "Equal": _binary("equal"),
    "Floor": _unchanged_integers("floor"),
    "Gelu": _gelu,
    "Greater": _binary("greater"),
    "GreaterOrEqual": _binary("greater_equal"),
    "HardSigmoid": unary("hard_sigmoid", float(np.float32(0.2)), 0.5),
    "HardSwish": _simple(HardSwish),
    "Identity": _identity,
    "IsInf": _test("isinf"),
    "IsNaN": _test("isnan"),
    "LeakyRelu": _leaky_relu,
    "Less": _binary("less"),
    "LessOrEqual": _binary("less_equal"),
    "Max": _variadic("maximum"),
    "Mean": _mean,
    "Min": _variadic("minimum"),
    "Mod": _mod,
    "Mul": _binary("mul"),
    "Or": _binary("or"),
    "PRelu": _prelu,
    "Pow": _pow,
    "Relu": _relu,
    "Round": _unchanged_integers("round"),
    "Selu": _selu,
    "Shrink": _shrink,
    "Sigmoid": _simple(Logistic),
    "Sub": _binary("sub"),
    "Sum": _variadic("add"),
    "Swish": unary("swish"),
    "Tanh": _simple(Tanh),
    "ThresholdedRelu": unary("thresholded_relu"),
    "Where": _where,
    "Xor": _binary("xor"),
    **{
        name: unary(name.lower())
        for name in (
            "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Erf", "Exp", "Log",
            "Mish", "Neg", "Not", "Reciprocal", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Tan",
        )
    },
}  # fmt: skip
