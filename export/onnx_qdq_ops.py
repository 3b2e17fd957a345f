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


def _axis(w: QdqWriter, name: str, axis: int) -> int:
    """A dimension of a value as the file stores it."""
    rank = _rank(w, name)
    return _MAP_AXES[axis % rank] if rank == 4 else axis % rank


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
    data = w.graph[op.weights].data
    assert data is not None
    if w.graph[op.x].shape[1:] != data.shape[1:] or _rank(w, op.y) != 2:
        raise w.cannot(op, f"input {list(w.graph[op.x].shape)}, weights {list(data.shape)}")
    inputs = [w.value(op.x), w.weights(op, data, 0), *w.bias(op, op.x, data.shape[0])]
    w.define(op, op.y, w.node("Gemm", inputs, f"{op.y}/computed", transB=1), op.activation)


def _binary(w: QdqWriter, op: Add | Sub | Mul) -> None:
    rank = _rank(w, op.y)
    for x in (op.a, op.b):
        if _rank(w, x) != rank and not (w.graph[x].constant and (rank == 4 or w.graph[x].elements == 1)):
            raise w.cannot(op, f"operands of {_rank(w, op.a)} and {_rank(w, op.b)} dimensions")
    y = w.node(type(op).__name__, [w.value(op.a), w.value(op.b)], f"{op.y}/computed")
    w.define(op, op.y, y, op.activation)


def _pool(w: QdqWriter, op: MaxPool2D | AveragePool2D) -> None:
    kind = "MaxPool" if isinstance(op, MaxPool2D) else "AveragePool"
    y = w.node(
        kind, [w.value(op.x)], f"{op.y}/computed",
        kernel_shape=op.window.kernel, strides=op.window.stride, pads=pads(op.window),
    )  # fmt: skip
    w.define(op, op.y, y, op.activation)


def _mean(w: QdqWriter, op: Mean) -> None:
    whole_map = _rank(w, op.x) == 4 and op.axes == (1, 2)
    if _rank(w, op.x) == 4 and not (whole_map or op.keep_dims):
        raise w.cannot(op, f"axes {op.axes} of a map")
    if whole_map and op.keep_dims:
        w.define(op, op.y, w.node("GlobalAveragePool", [w.value(op.x)], f"{op.y}/computed"))
        return
    axes = sorted(_axis(w, op.x, a) for a in op.axes)
    y = w.node("ReduceMean", [w.value(op.x)], f"{op.y}/computed", axes=axes, keepdims=int(op.keep_dims))
    w.define(op, op.y, y)


def _unary(kind: str) -> Callable[[QdqWriter, Any], None]:
    return lambda w, op: w.define(op, op.y, w.node(kind, [w.value(op.x)], f"{op.y}/computed"))


def _relu(w: QdqWriter, op: Relu) -> None:
    if op.activation is Activation.RELU:
        w.define(op, op.y, w.node("Relu", [w.value(op.x)], f"{op.y}/computed"))
    else:
        w.define(op, op.y, w.value(op.x), op.activation)


def _leaky_relu(w: QdqWriter, op: LeakyRelu) -> None:
    w.define(op, op.y, w.node("LeakyRelu", [w.value(op.x)], f"{op.y}/computed", alpha=op.alpha))


def _softmax(w: QdqWriter, op: Softmax) -> None:
    if op.beta != 1.0:
        raise w.cannot(op, f"beta {op.beta:g}")
    axis = _axis(w, op.x, -1)
    w.define(op, op.y, w.node("Softmax", [w.value(op.x)], f"{op.y}/computed", axis=axis))


def _concat(w: QdqWriter, op: Concat) -> None:
    axis = _axis(w, op.y, op.axis)
    w.define(op, op.y, w.node("Concat", [w.value(x) for x in op.xs], f"{op.y}/computed", axis=axis))


def _pad(w: QdqWriter, op: Pad) -> None:
    quant, rank = w.graph[op.x].quant, _rank(w, op.x)
    if quant is None:
        raise w.cannot(op, "float values")
    order = range(rank) if rank != 4 else (0, 3, 1, 2)
    table = [op.padding[d][0] for d in order] + [op.padding[d][1] for d in order]
    value = np.array((op.value - quant.z) * quant.s, np.float32)
    inputs = [w.value(op.x), w.constant(f"{op.name}/pads", np.array(table, np.int64))]
    inputs.append(w.constant(f"{op.name}/value", value))
    w.define(op, op.y, w.node("Pad", inputs, f"{op.y}/computed"))


def _reshape(w: QdqWriter, op: Reshape) -> None:
    """Elements keep their order in [1,H,W,C]; a transpose is written where [1,C,H,W] has another one."""
    x, shape = w.value(op.x), w.graph[op.y].shape
    source = w.graph[op.x].shape
    if len(source) == 4 and source[1] * source[2] > 1 and source[3] > 1:
        x = w.node("Transpose", [x], f"{op.y}/rows", perm=(0, 2, 3, 1))
    target = w.constant(f"{op.name}/shape", np.array(shape, np.int64))
    y = w.node("Reshape", [x, target], f"{op.y}/computed")
    if len(shape) == 4:
        y = w.node("Transpose", [y], f"{op.y}/map", perm=(0, 3, 1, 2))
    w.define(op, op.y, y)


def _transpose(w: QdqWriter, op: Transpose) -> None:
    """The permutation between the stored forms of both values."""
    perm = [p % _rank(w, op.x) for p in op.perm]
    if len(perm) == 4:
        real = [_MAP_AXES[p] for p in perm]
        perm = [real[d] for d in (0, 3, 1, 2)]
    same = perm == sorted(perm)
    w.define(
        op,
        op.y,
        w.value(op.x) if same else w.node("Transpose", [w.value(op.x)], f"{op.y}/computed", perm=perm),
    )


def _quantize(w: QdqWriter, op: Quantize) -> None:
    w.define(op, op.y, w.value(op.x))


def _dequantize(w: QdqWriter, op: Dequantize) -> None:
    w.real[op.y] = w.value(op.x)


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
