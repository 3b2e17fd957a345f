"""How operators of sequences, functions of one number, and operators that stay in float are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..ir import DType, Op
from ..ir.ops.binary import Binary
from ..ir.ops.cast import Cast
from ..ir.ops.expand import Expand
from ..ir.ops.gather import Gather
from ..ir.ops.gather_elements import GatherElements
from ..ir.ops.gru import Gru
from ..ir.ops.hard_swish import HardSwish
from ..ir.ops.instance_normalization import InstanceNormalization
from ..ir.ops.layer_normalization import LayerNormalization
from ..ir.ops.lstm import Lstm
from ..ir.ops.matmul import MatMul
from ..ir.ops.maximum import Maximum
from ..ir.ops.minimum import Minimum
from ..ir.ops.prelu import PRelu
from ..ir.ops.reduce import Reduce
from ..ir.ops.resize_bilinear import ResizeBilinear
from ..ir.ops.resize_nearest import ResizeNearest
from ..ir.ops.rnn import Rnn
from ..ir.ops.slice import Slice
from ..ir.ops.split import Split
from ..ir.ops.tile import Tile
from ..ir.ops.transpose_conv import TransposeConv
from ..ir.ops.unary import Unary
from ..ir.ops.where import Where
from ..ir.recurrent import RecurrentOp
from .onnx_qdq import QdqWriter
from .onnx_qdq_ops import axis_in, binary, reduction, unary


def _matmul(w: QdqWriter, op: MatMul) -> None:
    operands = []
    for name, turned in ((op.a, op.transpose_a), (op.b, op.transpose_b)):
        x, rank = w.value(name, maps=False), len(w.graph[name].shape)
        perm = (*range(rank - 2), rank - 1, rank - 2)
        operands.append(w.node("Transpose", [x], f"{op.y}/{name}", perm=perm) if turned else x)
    w.define(op, op.y, w.node("MatMul", operands, f"{op.y}/computed"), maps=False)


_PLAIN_UNARY = {
    "abs": "Abs", "acos": "Acos", "acosh": "Acosh", "asin": "Asin", "asinh": "Asinh", "atan": "Atan",
    "atanh": "Atanh", "ceil": "Ceil", "cos": "Cos", "cosh": "Cosh", "erf": "Erf", "exp": "Exp",
    "floor": "Floor", "isnan": "IsNaN", "log": "Log", "neg": "Neg", "not": "Not", "reciprocal": "Reciprocal",
    "round": "Round", "sign": "Sign", "sin": "Sin", "sinh": "Sinh", "softplus": "Softplus",
    "softsign": "Softsign", "sqrt": "Sqrt", "tan": "Tan",
}  # fmt: skip
"""ONNX operators of functions without parameters."""

_PARAMETERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "celu": ("Celu", ("alpha",)),
    "elu": ("Elu", ("alpha",)),
    "hard_sigmoid": ("HardSigmoid", ("alpha", "beta")),
    "selu": ("Selu", ("alpha", "gamma")),
    "shrink": ("Shrink", ("lambd", "bias")),
    "thresholded_relu": ("ThresholdedRelu", ("alpha",)),
}
"""Those with attributes, in the order of alpha and beta."""


def _unary_function(w: QdqWriter, op: Unary) -> None:
    if op.function in _PLAIN_UNARY:
        unary(w, op, _PLAIN_UNARY[op.function])
        return
    if op.function in _PARAMETERS:
        kind, names = _PARAMETERS[op.function]
        unary(w, op, kind, **dict(zip(names, (op.alpha, op.beta), strict=False)))
        return
    if op.function not in _COMPOSED:
        raise w.cannot(op, f"ONNX has no function {op.function!r} at this opset")
    maps = w.form_of(op)
    computed = _COMPOSED[op.function](_Composer(w, op), w.value(op.x, maps))
    w.define(op, op.y, computed, maps=maps)


class _Composer:
    """Spells out one function in several operators."""

    def __init__(self, w: QdqWriter, op: Unary) -> None:
        self.w, self.op, self.count = w, op, 0

    def __call__(self, kind: str, *operands: str | float) -> str:
        """The value of an operator on values and scalars."""
        names = []
        for x in operands:
            scalar = f"{self.op.name}/{x!r}"
            names.append(x if isinstance(x, str) else self.w.constant(scalar, np.array(x, np.float32)))
        self.count += 1
        return self.w.node(kind, names, f"{self.op.y}/part{self.count}")


def _gelu(c: _Composer, x: str) -> str:
    gate = c("Add", c("Erf", c("Div", x, 2**0.5)), 1.0)
    return c("Mul", c("Mul", x, gate), 0.5)


def _gelu_tanh(c: _Composer, x: str) -> str:
    cube = c("Mul", c("Mul", c("Mul", x, x), x), 0.044715)
    gate = c("Add", c("Tanh", c("Mul", c("Add", x, cube), (2 / np.pi) ** 0.5)), 1.0)
    return c("Mul", c("Mul", x, gate), 0.5)


def _swish(c: _Composer, x: str) -> str:
    return c("Mul", x, c("Sigmoid", x if c.op.alpha == 1.0 else c("Mul", x, c.op.alpha)))


_COMPOSED: Mapping[str, Callable[[_Composer, str], str]] = {
    "clip": lambda c, x: c("Clip", x, c.op.alpha, c.op.beta),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "mish": lambda c, x: c("Mul", x, c("Tanh", c("Softplus", x))),
    "pow": lambda c, x: c("Pow", x, c.op.alpha),
    "swish": _swish,
}
"""Functions that ONNX has not, or only in later opsets."""

_BINARY = {
    "and": "And", "div": "Div", "equal": "Equal", "greater": "Greater", "greater_equal": "GreaterOrEqual",
    "less": "Less", "less_equal": "LessOrEqual", "or": "Or", "pow": "Pow", "prelu": "PRelu", "xor": "Xor",
}  # fmt: skip


def _binary(w: QdqWriter, op: Binary) -> None:
    if op.function not in _BINARY or w.graph[op.a].dtype not in (DType.FLOAT32, DType.BOOL):
        raise w.cannot(op, f"{op.function} of {w.graph[op.a].dtype.value}")
    binary(w, op, _BINARY[op.function])


def _prelu(w: QdqWriter, op: PRelu) -> None:
    maps = w.form_of(op)
    y = w.node("PRelu", [w.value(op.x, maps), w.value(op.alpha, maps)], f"{op.y}/computed")
    w.define(op, op.y, y, maps=maps)


def _layer_normalization(w: QdqWriter, op: LayerNormalization) -> None:
    """Factors and offsets are float in the file; ONNX always has factors."""
    if not op.centred:
        raise w.cannot(op, "ONNX has no normalization by the root of mean squares at this opset")
    shape = w.graph[op.x].shape[op.axis :]
    inputs = [w.value(op.x, maps=False)]
    for name, value in ((op.scale, 1.0), (op.bias, 0.0)):
        t = w.graph[name] if name is not None else None
        data = np.full(shape, value, np.float32) if t is None or t.data is None else t.data
        if t is not None and t.quant is not None:
            data = (data.astype(np.float64) * t.quant.s).astype(np.float32)
        inputs.append(w.constant(f"{op.name}/{'scale' if value else 'bias'}", data))
    y = w.node("LayerNormalization", inputs, f"{op.y}/computed", axis=op.axis, epsilon=op.epsilon)
    w.define(op, op.y, y, maps=False)


def _instance_normalization(w: QdqWriter, op: InstanceNormalization) -> None:
    x = w.graph[op.x]
    if len(x.shape) != 4 or op.groups != x.shape[-1]:
        raise w.cannot(op, f"{op.groups} groups of {list(x.shape)}")
    inputs = [w.value(op.x), w.value(op.scale, maps=False), w.value(op.bias, maps=False)]
    w.define(op, op.y, w.node("InstanceNormalization", inputs, f"{op.y}/computed", epsilon=op.epsilon))


def _recurrent(w: QdqWriter, op: RecurrentOp) -> None:
    kind = {Gru: "GRU", Lstm: "LSTM", Rnn: "RNN"}[type(op)]
    names = [getattr(op, n) for n in type(op).INPUTS]
    inputs = ["" if n is None else w.value(n, maps=False) for n in names]
    while not inputs[-1]:
        inputs.pop()
    functions = op.functions
    attributes: dict[str, Any] = {
        "hidden_size": w.graph[op.recurrence].shape[-1],
        "direction": op.direction,
        "activations": [f.name for f in functions],
    }
    if any(f.alpha or f.beta for f in functions):
        attributes |= {
            "activation_alpha": [f.alpha for f in functions],
            "activation_beta": [f.beta for f in functions],
        }
    if np.isfinite(op.clip):
        attributes["clip"] = float(op.clip)
    if isinstance(op, Gru):
        attributes["linear_before_reset"] = int(op.linear_before_reset)
    if isinstance(op, Lstm):
        attributes["input_forget"] = int(op.input_forget)
    fields = [getattr(op, n) for n in type(op).OUTPUTS]
    outputs = ["" if y is None else f"{y}/computed" for y in fields]
    w.nodes_of(kind, inputs, outputs, **attributes)
    for y, computed in zip(fields, outputs, strict=True):
        if y is not None:
            w.define(op, y, computed, maps=False)


def _gather(kind: str) -> Callable[[QdqWriter, Any], None]:
    def write(w: QdqWriter, op: Gather | GatherElements) -> None:
        indices = w.value(op.indices, maps=False)
        y = w.node(kind, [w.value(op.x, maps=False), indices], f"{op.y}/computed", axis=op.axis)
        w.define(op, op.y, y, maps=False)

    return write


def _expand(w: QdqWriter, op: Expand) -> None:
    shape = w.constant(f"{op.name}/shape", np.array(op.shape, np.int64))
    y = w.node("Expand", [w.value(op.x, maps=False), shape], f"{op.y}/computed")
    w.define(op, op.y, y, maps=False)


def _tile(w: QdqWriter, op: Tile) -> None:
    repeats = w.constant(f"{op.name}/repeats", np.array(op.repeats, np.int64))
    y = w.node("Tile", [w.value(op.x, maps=False), repeats], f"{op.y}/computed")
    w.define(op, op.y, y, maps=False)


def _where(w: QdqWriter, op: Where) -> None:
    inputs = [w.value(n, maps=False) for n in op.inputs]
    w.define(op, op.y, w.node("Where", inputs, f"{op.y}/computed"), maps=False)


def _slice(w: QdqWriter, op: Slice) -> None:
    """An end below 0 counts from the back, so a slice down to element 0 ends far before it."""
    ends = [b + n * s for b, n, s in zip(op.begin, op.size, op.stride, strict=True)]
    ends = [e if e >= 0 else -(1 << 31) for e in ends]
    maps = w.form_of(op)
    axes = [axis_in(w, op.x, d, maps) for d in range(len(op.begin))]
    tables = {"begin": op.begin, "end": ends, "axes": axes, "steps": op.stride}
    inputs = [w.constant(f"{op.name}/{n}", np.array(v, np.int64)) for n, v in tables.items()]
    w.define(op, op.y, w.node("Slice", [w.value(op.x, maps), *inputs], f"{op.y}/computed"), maps=maps)


def _split(w: QdqWriter, op: Split) -> None:
    maps = w.form_of(op)
    sizes = w.constant(f"{op.name}/sizes", np.array(op.sizes, np.int64))
    outputs = [f"{y}/computed" for y in op.ys]
    axis = axis_in(w, op.x, op.axis, maps)
    w.nodes_of("Split", [w.value(op.x, maps), sizes], outputs, axis=axis)
    for y, computed in zip(op.ys, outputs, strict=True):
        w.define(op, y, computed, maps=maps)


_REDUCTIONS = {
    "l1": "ReduceL1", "l2": "ReduceL2", "log_sum": "ReduceLogSum", "log_sum_exp": "ReduceLogSumExp",
    "max": "ReduceMax", "min": "ReduceMin", "prod": "ReduceProd", "sum_square": "ReduceSumSquare",
}  # fmt: skip


def _reduce(w: QdqWriter, op: Reduce) -> None:
    if op.function not in _REDUCTIONS or w.graph[op.x].dtype is DType.BOOL:
        raise w.cannot(op, f"reduction {op.function!r} of {w.graph[op.x].dtype.value}")
    reduction(w, op, _REDUCTIONS[op.function])


def _resize(w: QdqWriter, op: ResizeNearest | ResizeBilinear) -> None:
    """The sampling of TensorFlow Lite, in ONNX's words."""
    shape = w.graph[op.y].shape
    nearest = isinstance(op, ResizeNearest)
    if op.align_corners:
        coordinates, rounding = "align_corners", "round_prefer_ceil"
    else:
        coordinates = "half_pixel" if op.half_pixel_centers and not nearest else "asymmetric"
        rounding = "floor"
        if nearest and op.half_pixel_centers:
            raise w.cannot(op, "nearest neighbours of half pixel centres")
    sizes = w.constant(f"{op.name}/sizes", np.array([1, shape[3], *op.size], np.int64))
    attributes = {"nearest_mode": rounding} if nearest else {}
    y = w.node(
        "Resize", [w.value(op.x), "", "", sizes], f"{op.y}/computed",
        mode="nearest" if nearest else "linear", coordinate_transformation_mode=coordinates, **attributes,
    )  # fmt: skip
    w.define(op, op.y, y)


def _transpose_conv(w: QdqWriter, op: TransposeConv) -> None:
    """[OC,KH,KW,IC/groups] become [IC,OC/groups,KH,KW]."""
    data, x = w.graph[op.weights].data, w.graph[op.x]
    groups = op.groups(w.graph.tensors)
    if groups != 1 or data is None:
        raise w.cannot(op, f"{groups} groups")
    weights = w.weights(op, data.transpose(3, 0, 1, 2), 1)
    inputs = [w.value(op.x), weights, *w.bias(op, op.x, data.shape[0])]
    # Rows and columns behind the last whole window are output padding.
    full = [(n - 1) * s + e for n, s, e in zip(x.shape[1:3], op.window.stride, op.window.extent, strict=True)]
    before = [pair[0] for pair in op.window.padding]
    after = [f - b - o for f, b, o in zip(full, before, op.output_size, strict=True)]
    extra = [max(-a, 0) for a in after]
    y = w.node(
        "ConvTranspose", inputs, f"{op.y}/computed",
        kernel_shape=op.window.kernel, strides=op.window.stride, dilations=op.window.dilation,
        pads=[*before, *(max(a, 0) for a in after)], output_padding=extra,
    )  # fmt: skip
    w.define(op, op.y, y, op.activation)


def _cast(w: QdqWriter, op: Cast) -> None:
    kinds = {DType.FLOAT32: 1, DType.BOOL: 9, DType.INT32: 6, DType.INT64: 7}
    types = w.graph[op.x], w.graph[op.y]
    if any(t.quant is not None or t.dtype not in kinds for t in types):
        raise w.cannot(op, f"{types[0].dtype.value} to {types[1].dtype.value}")
    unary(w, op, "Cast", to=kinds[types[1].dtype])


MORE_WRITERS: Mapping[type[Op], Callable[[QdqWriter, Any], None]] = {
    Binary: _binary,
    Cast: _cast,
    Expand: _expand,
    Gather: _gather("Gather"),
    GatherElements: _gather("GatherElements"),
    Gru: _recurrent,
    HardSwish: lambda w, op: unary(w, op, "HardSwish"),
    InstanceNormalization: _instance_normalization,
    LayerNormalization: _layer_normalization,
    Lstm: _recurrent,
    MatMul: _matmul,
    Maximum: lambda w, op: binary(w, op, "Max"),
    Minimum: lambda w, op: binary(w, op, "Min"),
    PRelu: _prelu,
    Reduce: _reduce,
    ResizeBilinear: _resize,
    ResizeNearest: _resize,
    Rnn: _recurrent,
    Slice: _slice,
    Split: _split,
    Tile: _tile,
    TransposeConv: _transpose_conv,
    Unary: _unary_function,
    Where: _where,
}
