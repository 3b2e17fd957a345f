"""How each IR operator is written as a QDQ group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..ir import Activation, Op
from ..ir.ops.add import Add
from ..ir.ops.average_pool2d import AveragePool2D
from ..ir.ops.concat import Concat
from ..ir.ops.conv2d import Conv2D
from ..ir.ops.depthwise_conv2d import DepthwiseConv2D
from ..ir.ops.dequantize import Dequantize
from ..ir.ops.fully_connected import FullyConnected
from ..ir.ops.leaky_relu import LeakyRelu
from ..ir.ops.logistic import Logistic
from ..ir.ops.max_pool2d import MaxPool2D
from ..ir.ops.mean import Mean
from ..ir.ops.mul import Mul
from ..ir.ops.pad import Pad
from ..ir.ops.quantize import Quantize
from ..ir.ops.relu import Relu
from ..ir.ops.reshape import Reshape
from ..ir.ops.softmax import Softmax
from ..ir.ops.sub import Sub
from ..ir.ops.tanh import Tanh
from ..ir.ops.transpose import Transpose
from .onnx_qdq import QdqWriter, pads

_MAP_AXES = (0, 2, 3, 1)
"""Dimension of [1,C,H,W] for each one of [1,H,W,C]."""


def _rank(w: QdqWriter, name: str) -> int:
    return len(w.graph[name].shape)


def axis_in(w: QdqWriter, name: str, axis: int, maps: bool) -> int:
    """A dimension of a value as the file has it, on maps or not."""
    rank = _rank(w, name)
    return _MAP_AXES[axis % rank] if rank == 4 and maps else axis % rank


def _conv(w: QdqWriter, op: Conv2D | DepthwiseConv2D) -> None:
    data = w.graph[op.weights].data
    assert data is not None
    channels = w.graph[op.x].shape[3]
    depthwise = isinstance(op, DepthwiseConv2D)
    # [1,KH,KW,OC] or [OC,KH,KW,C/groups] become [OC,C/groups,KH,KW].
    weights = data.transpose(3, 0, 1, 2) if depthwise else data.transpose(0, 3, 1, 2)
    groups = channels if depthwise else channels // data.shape[3]
    inputs = [w.value(op.x), w.weights(op, weights, 0), *w.bias(op, op.x, weights.shape[0])]
    y = w.node(
        "Conv", inputs, f"{op.y}/computed",
        group=groups, kernel_shape=op.window.kernel, strides=op.window.stride, dilations=op.window.dilation,
        pads=pads(op.window),
    )  # fmt: skip
    w.define(op, op.y, y, op.activation)


def _fully_connected(w: QdqWriter, op: FullyConnected) -> None:
    """Gemm, whose operands are matrices; others are reshaped, as they are stored.

    MatMul takes more dimensions but has no bias; added behind it, the sum would be rounded twice.
    """
    data, x, y = w.graph[op.weights].data, w.graph[op.x], w.graph[op.y]
    assert data is not None
    rows, columns = x.elements // data.shape[1], data.shape[1]
    real = w.value(op.x, maps=False)
    if x.shape != (rows, columns):
        shape = w.constant(f"{op.name}/rows", np.array([rows, columns], np.int64))
        real = w.pair(f"{op.y}/rows", w.node("Reshape", [real, shape], f"{op.y}/rows"), x)
    inputs = [real, w.weights(op, data, 0), *w.bias(op, op.x, data.shape[0])]
    computed = w.node("Gemm", inputs, f"{op.y}/computed", transB=1)
    if len(y.shape) == 2:
        w.define(op, op.y, computed, op.activation, maps=False)
        return
    flat = w.pair(f"{op.y}/flat", w.clamped(op, y, computed, op.activation), y)
    shape = w.constant(f"{op.name}/shape", np.array(y.shape, np.int64))
    w.define(op, op.y, w.node("Reshape", [flat, shape], f"{op.y}/whole"), maps=False)


def _binary(w: QdqWriter, op: Add | Sub | Mul) -> None:
    binary(w, op, type(op).__name__, op.activation)


def binary(w: QdqWriter, op: Any, kind: str, activation: Activation = Activation.NONE) -> None:
    """An operator of two operands that broadcast."""
    maps, rank = w.form_of(op), _rank(w, op.y)
    if maps and any(_rank(w, x) != rank and not w.graph[x].constant for x in (op.a, op.b)):
        maps = False
    y = w.node(kind, [w.value(op.a, maps), w.value(op.b, maps)], f"{op.y}/computed")
    w.define(op, op.y, y, activation, maps)


def _pool(w: QdqWriter, op: MaxPool2D | AveragePool2D) -> None:
    kind = "MaxPool" if isinstance(op, MaxPool2D) else "AveragePool"
    y = w.node(
        kind, [w.value(op.x)], f"{op.y}/computed",
        kernel_shape=op.window.kernel, strides=op.window.stride, pads=pads(op.window),
    )  # fmt: skip
    w.define(op, op.y, y, op.activation)


def _mean(w: QdqWriter, op: Mean) -> None:
    maps = w.form_of(op) and op.keep_dims
    if maps and op.axes == (1, 2):
        w.define(op, op.y, w.node("GlobalAveragePool", [w.value(op.x)], f"{op.y}/computed"))
        return
    reduction(w, op, "ReduceMean")


def reduction(w: QdqWriter, op: Any, kind: str) -> None:
    """A reduction over some axes; on maps where the result stays one, or loses rows and columns."""
    whole_map = op.axes == (1, 2) and not op.keep_dims
    maps = w.form_of(op) and (op.keep_dims or whole_map)
    axes = sorted(axis_in(w, op.x, a, maps) for a in op.axes)
    y = w.node(kind, [w.value(op.x, maps)], f"{op.y}/computed", axes=axes, keepdims=int(op.keep_dims))
    w.define(op, op.y, y, maps=maps)


def unary(w: QdqWriter, op: Any, kind: str, **attributes: Any) -> None:
    """An operator of one operand, element by element."""
    maps = w.form_of(op)
    y = w.node(kind, [w.value(op.x, maps)], f"{op.y}/computed", **attributes)
    w.define(op, op.y, y, maps=maps)


def _unary(kind: str) -> Callable[[QdqWriter, Any], None]:
    return lambda w, op: unary(w, op, kind)


def _relu(w: QdqWriter, op: Relu) -> None:
    if op.activation is Activation.RELU:
        unary(w, op, "Relu")
    else:
        maps = w.form_of(op)
        w.define(op, op.y, w.value(op.x, maps), op.activation, maps)


def _leaky_relu(w: QdqWriter, op: LeakyRelu) -> None:
    unary(w, op, "LeakyRelu", alpha=op.alpha)


def _softmax(w: QdqWriter, op: Softmax) -> None:
    if op.beta != 1.0:
        raise w.cannot(op, f"beta {op.beta:g}")
    axis = axis_in(w, op.x, op.axis, w.form_of(op))
    unary(w, op, "LogSoftmax" if op.log else "Softmax", axis=axis)


def _concat(w: QdqWriter, op: Concat) -> None:
    maps = w.form_of(op)
    axis = axis_in(w, op.y, op.axis, maps)
    y = w.node("Concat", [w.value(x, maps) for x in op.xs], f"{op.y}/computed", axis=axis)
    w.define(op, op.y, y, maps=maps)


def _pad(w: QdqWriter, op: Pad) -> None:
    quant, rank, maps = w.graph[op.x].quant, _rank(w, op.x), w.form_of(op)
    order = (0, 3, 1, 2) if rank == 4 and maps else range(rank)
    table = [op.padding[d][0] for d in order] + [op.padding[d][1] for d in order]
    real = op.value if quant is None else (op.value - quant.z) * quant.s
    inputs = [w.value(op.x, maps), w.constant(f"{op.name}/pads", np.array(table, np.int64))]
    inputs.append(w.constant(f"{op.name}/value", np.array(real, np.float32)))
    w.define(op, op.y, w.node("Pad", inputs, f"{op.y}/computed"), maps=maps)


def _reshape(w: QdqWriter, op: Reshape) -> None:
    """Elements keep their order in [1,H,W,C]; a transpose is written where [1,C,H,W] has another one."""
    shape, source = w.graph[op.y].shape, w.graph[op.x].shape
    alike = len(source) == 4 and (source[1] * source[2] == 1 or source[3] == 1)
    target = w.constant(f"{op.name}/shape", np.array(shape, np.int64))
    y = w.node("Reshape", [w.value(op.x, maps=alike and op.x in w.maps), target], f"{op.y}/computed")
    maps = len(shape) == 4 and w.read_as_map(op.y)
    if maps:
        y = w.node("Transpose", [y], f"{op.y}/map", perm=(0, 3, 1, 2))
    w.define(op, op.y, y, maps=maps)


_MAP_ORDER = (0, 3, 1, 2)
"""Dimension of [1,H,W,C] at each place of [1,C,H,W]."""


def _transpose(w: QdqWriter, op: Transpose) -> None:
    """The permutation between the stored forms of both values."""
    rank = _rank(w, op.x)
    perm = [p % rank for p in op.perm]
    maps = rank == 4 and w.read_as_map(op.y)
    from_map = op.x in w.maps
    if rank == 4:
        places = [perm[d] for d in (_MAP_ORDER if maps else range(4))]
        perm = [_MAP_AXES[p] if from_map else p for p in places]
    x = w.value(op.x, maps=from_map)
    same = perm == sorted(perm)
    w.define(op, op.y, x if same else w.node("Transpose", [x], f"{op.y}/computed", perm=perm), maps=maps)


def _quantize(w: QdqWriter, op: Quantize) -> None:
    maps = w.form_of(op)
    w.define(op, op.y, w.value(op.x, maps), maps=maps)


def _dequantize(w: QdqWriter, op: Dequantize) -> None:
    maps = w.form_of(op)
    w.define(op, op.y, w.value(op.x, maps), maps=maps)


WRITERS: Mapping[type[Op], Callable[[QdqWriter, Any], None]] = {
    Add: _binary,
    AveragePool2D: _pool,
    Concat: _concat,
    Conv2D: _conv,
    DepthwiseConv2D: _conv,
    Dequantize: _dequantize,
    FullyConnected: _fully_connected,
    LeakyRelu: _leaky_relu,
    Logistic: _unary("Sigmoid"),
    MaxPool2D: _pool,
    Mean: _mean,
    Mul: _binary,
    Pad: _pad,
    Quantize: _quantize,
    Relu: _relu,
    Reshape: _reshape,
    Softmax: _softmax,
    Sub: _binary,
    Tanh: _unary("Tanh"),
    Transpose: _transpose,
}
