"""Importers of quantized graphs: QuantizeLinear and DequantizeLinear, and QLinear operators as such groups.

A QLinear operator becomes what it stands for, dequantize - operator - quantize; the fuse_qdq pass makes
integer operators of such groups. Dequantized constants enter the graph as floats; what they are multiples
of is noted in the builder, for that pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import NodeProto, helper

from ...ir import DType, Quant, Tensor
from ...ir.ops.add import Add
from ...ir.ops.dequantize import Dequantize
from ...ir.ops.mul import Mul
from ...ir.ops.quantize import Quantize
from ...ir.rounding import Rounding
from ...ir.weighted import WeightedOp
from ..tflite.tensors import Unsupported
from .builder import Converter, GraphBuilder, Scope, Value
from .node import NodeImport

_STORED = {np.dtype(d.value): d for d in (DType.INT8, DType.UINT8, DType.INT16)}
_EXACT_BITS = 22
"""Biases below 2^22 steps are found again in a float32, which errs by 2^-24 of them."""


@dataclass(frozen=True, eq=False)
class DequantizedValue(Value):
    """A float constant that is scale * (q - zero_point) for stored values q.

    scale, zero_point  one, or one per index of dimension `axis`
    """

    stored: np.dtype | None = None
    scale: np.ndarray | None = None
    zero_point: np.ndarray | None = None
    axis: int | None = None


def _parameters(
    op: NodeImport, rank: int, stored: np.dtype | None
) -> tuple[np.ndarray, np.ndarray, int | None]:
    """(scales, zero points, axis or None) of a (De)QuantizeLinear; both arrays are 1-D of equal length."""
    scale = op.constant(1, "scales")
    if scale.dtype == np.float16:
        scale = scale.astype(np.float32)
    if scale.dtype != np.float32 or not (np.isfinite(scale).all() and (scale > 0).all()):
        raise Unsupported("scales are positive float32 numbers", f"{scale.dtype}, {scale.ravel()[:4]}")
    zero = op.constant(2, "zero points") if op.has(2) else np.zeros(scale.shape, stored or np.uint8)
    if op.integer("block_size", 0) or scale.ndim > 1 or zero.size != scale.size:
        raise Unsupported("there is one scale, or one per channel", f"scales {list(scale.shape)}")
    axis = None
    if scale.size > 1:
        axis = op.axis(rank, 1)
    return scale.reshape(-1), zero.reshape(-1), axis


def _spread(values: np.ndarray, axis: int | None, rank: int) -> np.ndarray:
    """Per-channel values in a shape that broadcasts against a tensor of that rank."""
    return values if axis is None else values.reshape([-1 if d == axis else 1 for d in range(rank)])


def dequantize_linear(op: NodeImport) -> None:
    """A constant becomes floats that remember their scale, anything else a Dequantize."""
    data = op.known(0)
    if data is not None:
        _dequantize_constant(op, data)
        return
    x = op.tensor(op.x())
    if x.dtype not in _STORED.values():
        raise Unsupported("computed values are dequantized from int8, uint8 or int16", x.dtype.value)
    scale, zero, axis = _parameters(op, len(x.shape), x.dtype.numpy)
    if axis is not None:
        raise Unsupported("activations have one scale", f"{scale.size} along dimension {axis}")
    quant = Quant((float(scale[0]),), (int(zero[0]),))
    if x.quant is None:
        op.set_tensor(x.name, quant=quant)
    elif x.quant != quant:
        found = f"scale {x.quant.s:g} and {quant.s:g}, zero point {x.quant.z} and {quant.z}"
        raise Unsupported("a value is dequantized as it was quantized", found)
    op.emit(Dequantize(op.name(), x.name, op.y(dtype=DType.FLOAT32)))


def _dequantize_constant(op: NodeImport, data: np.ndarray) -> None:
    if data.dtype.kind not in "iu" or data.dtype.itemsize > 4:
        raise Unsupported("constants are dequantized from integers", str(data.dtype))
    scale, zero, axis = _parameters(op, data.ndim, data.dtype)
    if axis is not None and data.shape[axis] != scale.size:
        found = f"{scale.size} scales along dimension {axis} of {list(data.shape)}"
        raise Unsupported("there is one scale, or one per channel", found)
    centred = data.astype(np.int64) - _spread(zero, axis, data.ndim).astype(np.int64)
    real = centred.astype(np.float32) * _spread(scale, axis, data.ndim)
    op.set_constant(0, real)
    made = op.scope.values[op.node.output[0]]
    assert made is not None
    value = DequantizedValue(made.name, made.data, data.dtype, scale, zero, axis)
    op.scope.values[op.node.output[0]] = value


def quantize_linear(op: NodeImport) -> None:
    """float32 to int8, uint8 or int16, to the nearest integer with ties to even."""
    zero = op.known(2)
    stored = zero.dtype if zero is not None else np.dtype(np.uint8)
    given = op.integer("output_dtype", 0)
    if zero is None and given:
        stored = helper.tensor_dtype_to_np_dtype(given)
    data = op.known(0)
    rank = data.ndim if data is not None else len(op.shape())
    scale, points, axis = _parameters(op, rank, stored)
    if stored not in _STORED:
        raise Unsupported("values are quantized to int8, uint8 or int16", str(stored))
    if data is not None and data.dtype == np.float32:
        limits = np.iinfo(stored)
        q = np.rint(data / _spread(scale, axis, rank)).astype(np.float64) + _spread(points, axis, rank)
        op.set_constant(0, np.clip(np.nan_to_num(q), limits.min, limits.max).astype(stored))
        return
    if axis is not None:
        raise Unsupported("activations have one scale", f"{scale.size} along dimension {axis}")
    y = op.y(dtype=_STORED[stored])
    op.set_tensor(y, quant=Quant((float(scale[0]),), (int(points[0]),)))
    rounding = Rounding(op.text("rounding", Rounding.ONNX_F32_U8.value))
    op.emit(Quantize(op.name(), op.x(), y, rounding=rounding))


def noting_scales(convert: Converter) -> Converter:
    """A converter whose constants' scales are noted, for operators that fuse_qdq makes integer ones."""

    def noting(op: NodeImport) -> None:
        before = len(op.builder.ops)
        convert(op)
        for made in op.builder.ops[before:]:
            if isinstance(made, WeightedOp):
                _note_weights(op, made)
            elif isinstance(made, Add | Mul):
                _note_operands(op)

    return noting


def _note_weights(op: NodeImport, made: WeightedOp) -> None:
    """Weights are whole multiples of a scale per output channel, whatever their zero point was."""
    value = op.scope.values[op.node.input[1]] if op.has(1) else None
    if not isinstance(value, DequantizedValue) or value.scale is None or _bytes(value) != 1:
        return
    bias = op.scope.values[op.node.input[2]] if op.has(2) else None
    if made.bias is not None and isinstance(bias, DequantizedValue) and bias.scale is not None:
        quant = Quant(tuple(float(s) for s in bias.scale), (0,) * bias.scale.size, bias.axis)
        op.builder.scales[made.bias] = quant
    outputs = op.tensor(made.weights).shape[made.CHANNEL_AXIS]
    if value.axis is not None and (value.scale.size != outputs or value.axis != _channel_axis(op)):
        return
    scale = tuple(float(s) for s in value.scale)
    axis = None if value.axis is None else made.CHANNEL_AXIS % len(op.tensor(made.weights).shape)
    op.builder.scales[made.weights] = Quant(scale, (0,) * len(scale), axis)


def _bytes(value: DequantizedValue) -> int:
    return value.stored.itemsize if value.stored is not None else 0


def _channel_axis(op: NodeImport) -> int:
    """Dimension of the node's weights that counts output channels."""
    if op.node.op_type == "Conv":
        return 0
    if op.node.op_type == "Gemm":
        return 0 if op.integer("transB", 0) else 1
    return 1


def _note_operands(op: NodeImport) -> None:
    for name in op.node.input:
        value = op.scope.values.get(name)
        if isinstance(value, DequantizedValue) and value.axis is None and value.scale is not None:
            assert value.zero_point is not None
            shift = 128 if value.stored == np.uint8 else 0
            if _bytes(value) == 1:
                quant = Quant((float(value.scale[0]),), (int(value.zero_point[0]) - shift,))
                op.builder.scales[value.name] = quant


def with_scales(builder: GraphBuilder, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with what is known of float constants that were quantized."""
    scales = builder.scales
    return {n: replace(t, quant=scales[n]) if n in scales and t.constant else t for n, t in tensors.items()}


# --- QLinear operators ----------------------------------------------------------------------------


class Group:
    """The nodes a QLinear operator stands for, and the names between them."""

    def __init__(self, op: NodeImport) -> None:
        self.op = op
        self.nodes: list[NodeProto] = []

    def real(self, x: int, scale: int, zero: int, axis: int | None = None) -> str:
        """Name of the dequantized operand at position x."""
        inputs = [self.op.node.input[i] if self.op.has(i) else "" for i in (x, scale, zero)]
        if not inputs[2]:
            inputs.pop()
        extra = {} if axis is None else {"axis": axis}
        return self.add("DequantizeLinear", inputs, **extra)

    def add(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        y = f"{self.op.base}\n{len(self.nodes)}"
        name = f"{self.op.base}.{kind.lower()}"
        self.nodes.append(helper.make_node(kind, inputs, [y], name=name, **attributes))
        return y

    def finish(self, x: str, scale: int, zero: int) -> None:
        """Quantize `x` to the operator's output and import all nodes."""
        op = self.op
        stored = op.known(zero)
        signed = stored is not None and stored.dtype == np.int8
        rounding = Rounding.ONNX_F32 if signed else Rounding.ONNX_F32_U8
        inputs = [x, op.node.input[scale], *([op.node.input[zero]] if op.has(zero) else [])]
        self.close(self.add("QuantizeLinear", inputs, rounding=rounding.value))

    def copy(self, x: str) -> str:
        """The operator itself on `x`."""
        node = NodeProto()
        node.CopyFrom(self.op.node)
        del node.input[:], node.output[:]
        node.input.append(x)
        node.output.append(f"{self.op.base}\n{len(self.nodes)}")
        self.nodes.append(node)
        return node.output[0]

    def close(self, y: str) -> None:
        """Import all nodes; the operator's output is `y`."""
        op, scope = self.op, self.op.scope
        inner = Scope(dict(scope.values), scope.attributes, op.integer("opset", scope.opset), scope.depth + 1)
        op.builder.run(self.nodes, inner)
        op.scope.values[op.node.output[0]] = inner.values.get(y)

    def attributes(self, *names: str) -> dict[str, Any]:
        """Attributes of the operator that are given."""
        found = {n: self.op.attribute(n) for n in names}
        return {n: v for n, v in found.items() if v is not None}


def _qlinear(kind: str, operands: int, *attributes: str) -> Converter:
    """An operator of `operands` triples (value, scale, zero point), then the output's."""

    def convert(op: NodeImport) -> None:
        if op.integer("channels_last", 0):
            raise Unsupported("quantized poolings are channels-first", "channels_last")
        group = Group(op)
        values = [group.real(3 * i, 3 * i + 1, 3 * i + 2) for i in range(operands)]
        y = group.add(kind, values, **group.attributes(*attributes))
        group.finish(y, 3 * operands, 3 * operands + 1)

    return convert


def _bias(group: Group, position: int, x_scale: int, w_scale: int) -> str:
    """Name of a float bias: int32 accumulator steps times the product of the scales."""
    op = group.op
    data = op.constant(position, "biases")
    if data.dtype != np.int32 or (np.abs(data.astype(np.int64)) >= 1 << _EXACT_BITS).any():
        found = f"{data.dtype} up to {np.abs(data.astype(np.float64)).max(initial=0):.3g}"
        raise Unsupported(f"biases are int32 below 2^{_EXACT_BITS}", found)
    scale = op.constant(x_scale, "scales").reshape(-1) * op.constant(w_scale, "scales").reshape(-1)
    name = f"{op.base}\nbias"
    real = (data.astype(np.float64) * scale.astype(np.float64)).astype(np.float32)
    op.scope.values[name] = Value(op.builder.names.unique(f"{op.base}.bias"), real)
    return name


def _qlinear_conv(op: NodeImport) -> None:
    group = Group(op)
    values = [group.real(0, 1, 2), group.real(3, 4, 5, 0)]
    if op.has(8):
        values.append(_bias(group, 8, 1, 4))
    names = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    group.finish(group.add("Conv", values, **group.attributes(*names)), 6, 7)


def _qlinear_matmul(op: NodeImport) -> None:
    group = Group(op)
    y = group.add("MatMul", [group.real(0, 1, 2), group.real(3, 4, 5, 1)])
    group.finish(y, 6, 7)


def _qgemm(op: NodeImport) -> None:
    if not op.has(7) or op.number("alpha", 1.0) != 1.0:
        raise Unsupported("QGemm has alpha 1 and a quantized output", f"alpha {op.number('alpha', 1.0):g}")
    group = Group(op)
    axis = 0 if op.integer("transB", 0) else 1
    values = [group.real(0, 1, 2), group.real(3, 4, 5, axis)]
    if op.has(6):
        values.append(_bias(group, 6, 1, 4))
    y = group.add("Gemm", values, **group.attributes("transA", "transB"))
    group.finish(y, 7, 8)


def _qlinear_concat(op: NodeImport) -> None:
    """Scale and zero point of the output come first, then a triple per operand."""
    group = Group(op)
    values = [group.real(i, i + 1, i + 2) for i in range(2, op.count() - 2, 3)]
    group.finish(group.add("Concat", values, **group.attributes("axis")), 0, 1)


def on_real_values(convert: Converter) -> Converter:
    """A converter that takes stored uint8 values as the real ones they mean, and stores its result alike."""

    def converting(op: NodeImport) -> None:
        x = None if op.known(0) is not None else op.tensor(op.x())
        if x is None or x.dtype is not DType.UINT8 or x.quant is None:
            convert(op)
            return
        for what, data in (("scale", np.float32(x.quant.s)), ("zero", np.uint8(x.quant.z))):
            op.scope.values[f"{op.base}\n{what}"] = Value(f"{op.base}.{what}", np.asarray(data))
        group = Group(op)
        quant = [f"{op.base}\nscale", f"{op.base}\nzero"]
        real = group.add("DequantizeLinear", [op.node.input[0], *quant])
        result = group.copy(real)
        group.close(group.add("QuantizeLinear", [result, *quant]))

    return converting


def _chosen_at_run_time(op: NodeImport) -> None:
    raise Unsupported(
        "scales are known before the model runs",
        f"{op.node.op_type} of dynamic quantization",
        "quantize the model statically, or compile the float model",
    )


_POOL = ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")
_MICROSOFT: dict[str, Callable[[NodeImport], None]] = {
    "DequantizeLinear": dequantize_linear,
    "QGemm": _qgemm,
    "QLinearAdd": _qlinear("Add", 2),
    "QLinearAveragePool": _qlinear("AveragePool", 1, *_POOL),
    "QLinearConcat": _qlinear_concat,
    "QLinearGlobalAveragePool": _qlinear("GlobalAveragePool", 1),
    "QLinearLeakyRelu": _qlinear("LeakyRelu", 1, "alpha"),
    "QLinearMul": _qlinear("Mul", 2),
    "QLinearSigmoid": _qlinear("Sigmoid", 1),
    "QLinearSoftmax": _qlinear("Softmax", 1, "axis"),
    "QuantizeLinear": quantize_linear,
}

_DYNAMIC = (
    "DynamicQuantizeLinear",
    "com.microsoft::DynamicQuantizeLSTM",
    "com.microsoft::DynamicQuantizeMatMul",
    "com.microsoft::MatMulIntegerToFloat",
)

CONVERTERS: dict[str, Converter] = {
    **dict.fromkeys(_DYNAMIC, _chosen_at_run_time),
    "DequantizeLinear": dequantize_linear,
    "QLinearConv": _qlinear_conv,
    "QLinearMatMul": _qlinear_matmul,
    "QuantizeLinear": quantize_linear,
    **{f"com.microsoft::{name}": convert for name, convert in _MICROSOFT.items()},
}

STORED = ("MaxPool",)
"""Operators that ONNX has for stored uint8 values."""

SCALED = ("Add", "Conv", "ConvTranspose", "Gemm", "MatMul", "Mul")
"""Operators whose constants' scales are noted."""
