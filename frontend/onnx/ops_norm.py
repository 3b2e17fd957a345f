"""Importers of normalisations and softmaxes."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from ...ir import Op
from ...ir.ops.add import Add
from ...ir.ops.binary import Binary
from ...ir.ops.instance_normalization import InstanceNormalization
from ...ir.ops.layer_normalization import LayerNormalization
from ...ir.ops.lrn import Lrn
from ...ir.ops.maximum import Maximum
from ...ir.ops.mean import Mean
from ...ir.ops.mul import Mul
from ...ir.ops.reduce import Reduce
from ...ir.ops.reshape import Reshape
from ...ir.ops.softmax import Softmax
from ...ir.ops.sub import Sub
from ...ir.ops.transpose import Transpose
from ...ir.ops.unary import Unary
from ..tflite.tensors import Unsupported
from .builder import Converter
from .node import NodeImport
from .ops_movement import emit_reshape
from .ops_weights import weights_of
from .spatial import Emit


def _channel_shape(op: NodeImport, channels: int) -> tuple[int, ...]:
    """[C,1,..,1], which broadcasts over all dimensions behind the channels."""
    return (channels, *(1 for _ in op.shape()[2:]))


def _batch_normalization(op: NodeImport) -> None:
    """With constant statistics y = x * factor + offset per channel; a pass folds them into weights."""
    if op.integer("training_mode", 0) or any(op.wanted(i) for i in range(1, 5)):
        raise Unsupported("models are exported for inference", "batch statistics", "export in eval mode")
    scale, bias, mean, variance = (weights_of(op, i, "statistics").astype(np.float64) for i in range(1, 5))
    factor = scale / np.sqrt(variance + op.number("epsilon", 1e-5))
    offset = bias - mean * factor
    shape = _channel_shape(op, factor.size)
    if not np.isfinite(factor).all():
        raise Unsupported("statistics give finite factors", "a variance below zero")
    w = op.make_constant(factor.astype(np.float32).reshape(shape), "factor")
    b = op.make_constant(offset.astype(np.float32).reshape(shape), "offset")
    scaled = op.temporary("scaled")
    op.emit(Mul(op.name(), op.x(), w, scaled))
    op.emit(Add(op.name(), scaled, b, op.y()))


def channels_at_end(op: NodeImport, x: str, axis: int = 1) -> tuple[str, tuple[int, ...]]:
    """(x with dimension `axis` last, permutation back)."""
    rank = len(op.tensor(x).shape)
    perm = (*(d for d in range(rank) if d != axis), axis)
    if axis == rank - 1:
        return x, perm
    last = op.temporary("last", like=x)
    op.emit(Transpose(op.name(), x, last, perm))
    back = tuple(perm.index(d) for d in range(rank))
    return last, back


def _along(op: NodeImport, axis: int, emit: Emit) -> None:
    """`emit(x, y)` an op that works along the last dimension, on dimension `axis`."""
    rank = len(op.shape())
    if axis == rank - 1:
        emit(op.x(), op.y())
        return
    last, back = channels_at_end(op, op.x(), axis)
    result = op.temporary("result")
    emit(last, result)
    op.emit(Transpose(op.name(), result, op.y(), back))


def _instance_normalization(op: NodeImport) -> None:
    channels = op.shape()[1]
    _along(
        op,
        1,
        lambda x, y: op.emit(
            InstanceNormalization(op.name(), x, op.x(1), op.x(2), y, channels, op.number("epsilon", 1e-5))
        ),
    )


def _group_normalization(op: NodeImport) -> None:
    """Scale and bias are per channel since operator set 21, per group before."""
    channels, groups = op.shape()[1], op.integer("num_groups", 1)
    names = []
    for i, what in ((1, "scale"), (2, "bias")):
        name = op.x(i)
        if op.shape(i) != (channels,):
            data = weights_of(op, i, what)
            if data.size != groups or channels % groups:
                raise Unsupported(f"{what} has a number per group or channel", str(list(data.shape)))
            name = op.make_constant(np.repeat(data.ravel(), channels // groups), what)
        names.append(name)
    epsilon = op.number("epsilon", 1e-5)
    _along(
        op,
        1,
        lambda x, y: op.emit(InstanceNormalization(op.name(), x, names[0], names[1], y, groups, epsilon)),
    )


def _layer_normalization(op: NodeImport) -> None:
    """Scale and bias of any shape that broadcasts to that of the normalised dimensions."""
    if op.wanted(1) or op.wanted(2):
        _with_statistics(op)
    else:
        _normalized(op, True)


def _with_statistics(op: NodeImport) -> None:
    """A layer normalization spelled out, because its mean and inverse deviation are read, too."""
    rank = len(op.shape())
    axes = tuple(range(op.axis(rank, -1), rank))
    mean = op.y(1) if op.wanted(1) else op.temporary("mean")
    inverse = op.y(2) if op.wanted(2) else op.temporary("inverse")
    centred, square, variance, safe, deviation, normal = (
        op.temporary(n) for n in ("centred", "square", "variance", "safe", "deviation", "normal")
    )
    op.emit(Mean(op.name(), op.x(), mean, axes, True))
    op.emit(Sub(op.name(), op.x(), mean, centred))
    op.emit(Mul(op.name(), centred, centred, square))
    op.emit(Mean(op.name(), square, variance, axes, True))
    epsilon = op.make_constant(np.array([op.number("epsilon", 1e-5)], np.float32), "epsilon")
    op.emit(Add(op.name(), variance, epsilon, safe))
    op.emit(Unary(op.name(), safe, deviation, "sqrt"))
    op.emit(Unary(op.name(), deviation, inverse, "reciprocal"))
    op.emit(Mul(op.name(), centred, inverse, normal))
    if not op.has(2):
        op.emit(Mul(op.name(), normal, op.x(1), op.y()))
        return
    scaled = op.temporary("scaled")
    op.emit(Mul(op.name(), normal, op.x(1), scaled))
    op.emit(Add(op.name(), scaled, op.x(2), op.y()))


def _rms_normalization(op: NodeImport) -> None:
    _normalized(op, False)


def _normalized(op: NodeImport, centred: bool) -> None:
    shape = op.shape()
    axis = op.axis(len(shape), -1)
    operands = []
    for i in (1, 2):
        name = op.optional(i)
        if name is not None and op.tensor(name).shape != shape[axis:]:
            given = op.tensor(name).shape
            if prod(given) == prod(shape[axis:]):
                name = emit_reshape(op, name, "shaped", shape[axis:])
            else:
                data = op.constant(i, "scale and bias")
                name = op.make_constant(np.broadcast_to(data, shape[axis:]).copy(), "shaped")
        operands.append(name)
    scale, bias = operands
    epsilon = op.number("epsilon", 1e-5)
    op.emit(LayerNormalization(op.name(), op.x(), scale, bias, op.y(), axis, epsilon, centred))


def _lrn(op: NodeImport) -> None:
    size = op.integer("size", 0)
    alpha, beta, bias = op.number("alpha", 1e-4), op.number("beta", 0.75), op.number("bias", 1.0)
    _along(op, 1, lambda x, y: op.emit(Lrn(op.name(), x, y, size, alpha, beta, bias)))


def _mean_variance(op: NodeImport) -> None:
    """(x - mean) / (sqrt(mean of squares - squared mean) + 1e-9) over the axes."""
    axes = tuple(sorted(a % len(op.shape()) for a in op.ints_attribute("axes") or (0, 2, 3)))
    mean, centred = op.temporary("mean"), op.temporary("centred")
    op.emit(Mean(op.name(), op.x(), mean, axes, True))
    op.emit(Sub(op.name(), op.x(), mean, centred))
    square, variance, deviation, safe = (op.temporary(n) for n in ("square", "variance", "deviation", "safe"))
    op.emit(Mul(op.name(), centred, centred, square))
    op.emit(Mean(op.name(), square, variance, axes, True))
    op.emit(Unary(op.name(), variance, deviation, "sqrt"))
    op.emit(Add(op.name(), deviation, op.make_constant(np.array([1e-9], np.float32), "small"), safe))
    op.emit(Binary(op.name(), centred, safe, op.y(), "div"))


def _lp_normalization(op: NodeImport) -> None:
    """x divided by its norm along the axis, 0 where the norm is 0."""
    p, axis = op.integer("p", 2), op.axis(len(op.shape()), -1)
    if p not in (1, 2):
        raise Unsupported("norms are of order 1 or 2", str(p))
    norm, safe = op.temporary("norm"), op.temporary("safe")
    op.emit(Reduce(op.name(), op.x(), norm, f"l{p}", (axis,), True))
    tiny = op.make_constant(np.array([np.finfo(np.float32).tiny], np.float32), "tiny")
    op.emit(Maximum(op.name(), norm, tiny, safe))
    op.emit(Binary(op.name(), op.x(), safe, op.y(), "div"))


def _softmax(op: NodeImport) -> None:
    _soft(op, lambda x, y: Softmax(op.name(), x, y))


def _soft(op: NodeImport, make: Callable[[str, str], Op]) -> None:
    """Along one axis since operator set 13, over all dimensions from the axis on before."""
    shape = op.shape()
    if op.opset >= 13:
        _along(op, op.axis(len(shape), -1), lambda x, y: op.emit(make(x, y)))
        return
    axis = op.axis(len(shape), 1)
    if prod(shape[axis + 1 :]) == 1 and len(shape) > 1:
        _along(op, axis, lambda x, y: op.emit(make(x, y)))
        return
    flat = emit_reshape(op, op.x(), "flat", (prod(shape[:axis]), prod(shape[axis:])))
    result = op.temporary("result")
    op.emit(make(flat, result))
    op.emit(Reshape(op.name(), result, op.y(), shape))


def _log_softmax(op: NodeImport) -> None:
    """log(softmax(x)) = x - log(sum(exp(x))), without overflow."""
    axis = op.axis(len(op.shape()), -1 if op.opset >= 13 else 1)
    axes = (axis,) if op.opset >= 13 else tuple(range(axis, len(op.shape())))
    total = op.temporary("log_sum_exp")
    op.emit(Reduce(op.name(), op.x(), total, "log_sum_exp", axes, True))
    op.emit(Sub(op.name(), op.x(), total, op.y()))


CONVERTERS: dict[str, Converter] = {
    "BatchNormalization": _batch_normalization,
    "GroupNormalization": _group_normalization,
    "InstanceNormalization": _instance_normalization,
    "LRN": _lrn,
    "LayerNormalization": _layer_normalization,
    "LogSoftmax": _log_softmax,
    "LpNormalization": _lp_normalization,
    "MeanVarianceNormalization": _mean_variance,
    "RMSNormalization": _rms_normalization,
    "Softmax": _softmax,
}
