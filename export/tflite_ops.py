"""How each IR operator is written as TensorFlow Lite operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tflite

from ..errors import UserError
from ..ir import Activation, DType, Graph, Op, Tensor, Window
from ..ir.ops.add import Add
from ..ir.ops.average_pool2d import AveragePool2D
from ..ir.ops.cast import Cast
from ..ir.ops.concat import Concat
from ..ir.ops.conv2d import Conv2D
from ..ir.ops.depthwise_conv2d import DepthwiseConv2D
from ..ir.ops.dequantize import Dequantize
from ..ir.ops.fully_connected import FullyConnected
from ..ir.ops.hard_swish import HardSwish
from ..ir.ops.leaky_relu import LeakyRelu
from ..ir.ops.logistic import Logistic
from ..ir.ops.matmul import MatMul
from ..ir.ops.max_pool2d import MaxPool2D
from ..ir.ops.maximum import Maximum
from ..ir.ops.mean import Mean
from ..ir.ops.minimum import Minimum
from ..ir.ops.mul import Mul
from ..ir.ops.pad import Pad
from ..ir.ops.prelu import PRelu
from ..ir.ops.quantize import Quantize
from ..ir.ops.relu import Relu
from ..ir.ops.reshape import Reshape
from ..ir.ops.resize_bilinear import ResizeBilinear
from ..ir.ops.resize_nearest import ResizeNearest
from ..ir.ops.slice import Slice
from ..ir.ops.softmax import Softmax
from ..ir.ops.split import Split
from ..ir.ops.sub import Sub
from ..ir.ops.svdf import Svdf
from ..ir.ops.tanh import Tanh
from ..ir.ops.transpose import Transpose
from ..ir.ops.transpose_conv import TransposeConv
from ..ir.window import same_padding
from .tflite_writer import TYPE_CODES, OutOp, OutSubgraph, OutTensor

CODE = tflite.BuiltinOperator
SAME, VALID = tflite.Padding.SAME, tflite.Padding.VALID

ACTIVATIONS = {
    Activation.NONE: tflite.ActivationFunctionType.NONE,
    Activation.RELU: tflite.ActivationFunctionType.RELU,
    Activation.RELU6: tflite.ActivationFunctionType.RELU6,
    Activation.RELU_N1_TO_1: tflite.ActivationFunctionType.RELU_N1_TO_1,
}

_FIRST_VERSIONS = {
    CODE.CONV_2D: (3, 4),
    CODE.DEPTHWISE_CONV_2D: (3, 5),
    CODE.FULLY_CONNECTED: (4, 7),
    CODE.RESHAPE: (1, 1),
    CODE.QUANTIZE: (1, 2),
    CODE.SVDF: (3, 3),
    CODE.CAST: (1, 1),
    CODE.HARD_SWISH: (1, 1),
}
"""First operator version with int8 and with int16 operands, where it is not (2, 3)."""


def version(code: int, dtype: DType) -> int:
    """Operator version that introduced `dtype`, as readers expect it in the file."""
    if dtype not in (DType.INT8, DType.INT16):
        return 1
    return _FIRST_VERSIONS.get(code, (2, 3))[dtype is DType.INT16]


class OpWriter:
    """Writes ops of one graph into a subgraph; knows the tensor index of every value."""

    def __init__(self, graph: Graph, out: OutSubgraph) -> None:
        self.graph = graph
        self.out = out
        self.index: dict[str, int] = {}

    def value(self, name: str | None) -> int:
        """Tensor index of a value, -1 for an absent operand."""
        if name is None:
            return -1
        if name not in self.index:
            self.index[name] = self.out.add_value(self.graph[name])
        return self.index[name]

    def ints(self, op: Op, what: str, values: tuple[int, ...] | int) -> int:
        return self.out.add_ints(f"{op.name}/{what}", values)

    def emit(
        self, code: int, inputs: list[int], outputs: tuple[str, ...], options: str = "", **fields: Any
    ) -> None:
        """Append an operator whose version follows from the type of its first value.

        Absent operands at the end are left out: the interpreter for microcontrollers crashes on -1 there.
        """
        while inputs and inputs[-1] < 0:
            inputs = inputs[:-1]
        ys = tuple(self.value(y) for y in outputs)
        types = {v: k for k, v in TYPE_CODES.items()}
        dtypes = [types[self.out.tensors[i].type_code] for i in (*inputs, *ys) if i >= 0]
        dtype = next((d for d in dtypes if d in (DType.INT8, DType.INT16)), dtypes[0])
        chosen = (options, fields) if options else None
        self.out.ops.append(OutOp(code, tuple(inputs), ys, version(code, dtype), chosen))

    def cannot(self, op: Op, found: str) -> UserError:
        return UserError(f"{self.graph.label(op)} cannot be written as TensorFlow Lite", found=found)


def _is_same(window: Window, size: tuple[int, ...]) -> bool:
    same = (same_padding(n, e, s) for n, e, s in zip(size, window.extent, window.stride, strict=True))
    return window.padding == tuple(same)


def _padded(w: OpWriter, op: Conv2D | DepthwiseConv2D) -> tuple[int, int]:
    """(input index, padding code); what is neither SAME nor VALID becomes a PAD in front."""
    x = w.graph[op.x]
    if not op.window.padded:
        return w.value(op.x), VALID
    if _is_same(op.window, x.shape[1:3]):
        return w.value(op.x), SAME
    paddings = np.array(((0, 0), *op.window.padding, (0, 0)), np.int32)
    shape = tuple(int(n) for n in np.array(x.shape) + paddings.sum(axis=1))
    table = w.out.add(OutTensor(f"{op.name}/paddings", (4, 2), tflite.TensorType.INT32, None, paddings))
    source = w.value(op.x)
    padded = w.out.add(OutTensor(f"{op.name}/padded", shape, TYPE_CODES[x.dtype], x.quant))
    w.out.ops.append(
        OutOp(CODE.PAD, (source, table), (padded,), version(CODE.PAD, x.dtype), ("PadOptions", {}))
    )
    return padded, VALID


def _window_fields(window: Window) -> dict[str, int]:
    return {"StrideW": window.stride[1], "StrideH": window.stride[0]}


def _conv(w: OpWriter, op: Conv2D | DepthwiseConv2D) -> None:
    source, padding = _padded(w, op)
    dilation = {"DilationWFactor": op.window.dilation[1], "DilationHFactor": op.window.dilation[0]}
    inputs = [source, w.value(op.weights), w.value(op.bias)]
    fields = {"Padding": padding, **_window_fields(op.window)}
    if isinstance(op, DepthwiseConv2D):
        fields["DepthMultiplier"] = w.graph[op.weights].shape[3] // w.graph[op.x].shape[3]
    fields |= {"FusedActivationFunction": ACTIVATIONS[op.activation], **dilation}
    depthwise = isinstance(op, DepthwiseConv2D)
    code = CODE.DEPTHWISE_CONV_2D if depthwise else CODE.CONV_2D
    w.emit(code, inputs, (op.y,), "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions", **fields)


def _fully_connected(w: OpWriter, op: FullyConnected) -> None:
    inputs = [w.value(op.x), w.value(op.weights), w.value(op.bias)]
    fields = {"FusedActivationFunction": ACTIVATIONS[op.activation], "KeepNumDims": op.keep_dims}
    w.emit(CODE.FULLY_CONNECTED, inputs, (op.y,), "FullyConnectedOptions", **fields)


def _matmul(w: OpWriter, op: MatMul) -> None:
    inputs, fields = [w.value(op.a), w.value(op.b)], {"AdjX": op.transpose_a, "AdjY": op.transpose_b}
    w.emit(CODE.BATCH_MATMUL, inputs, (op.y,), "BatchMatMulOptions", **fields)


def _transpose_conv(w: OpWriter, op: TransposeConv) -> None:
    """Only the top and left padding count; SAME is seen from the output's side."""
    if op.window.dilation != (1, 1) or op.groups(w.graph.tensors) != 1:
        raise w.cannot(op, f"dilation {op.window.dilation}, {op.groups(w.graph.tensors)} groups")
    before = tuple(pair[0] for pair in op.window.padding)
    same = (
        same_padding(n, k, s)[0]
        for n, k, s in zip(op.output_size, op.window.kernel, op.window.stride, strict=True)
    )
    padding = SAME if before == tuple(same) and any(before) else VALID
    if padding == VALID and any(before):
        raise w.cannot(op, f"padding {op.window.padding} is neither SAME nor VALID")
    shape = w.ints(op, "output_shape", w.graph[op.y].shape)
    inputs = [shape, w.value(op.weights), w.value(op.x)]
    inputs += [] if op.bias is None else [w.value(op.bias)]
    fields = {"Padding": padding, **_window_fields(op.window)}
    fields["FusedActivationFunction"] = ACTIVATIONS[op.activation]
    w.emit(CODE.TRANSPOSE_CONV, inputs, (op.y,), "TransposeConvOptions", **fields)


def _pool(w: OpWriter, op: MaxPool2D | AveragePool2D) -> None:
    if op.window.dilation != (1, 1):
        raise w.cannot(op, f"dilation {op.window.dilation}")
    same = _is_same(op.window, w.graph[op.x].shape[1:3])
    if op.window.padded and not same:
        raise w.cannot(op, f"padding {op.window.padding} is neither SAME nor VALID")
    fields = {"Padding": SAME if op.window.padded else VALID, **_window_fields(op.window)}
    fields |= {"FilterWidth": op.window.kernel[1], "FilterHeight": op.window.kernel[0]}
    fields["FusedActivationFunction"] = ACTIVATIONS[op.activation]
    code = CODE.MAX_POOL_2D if isinstance(op, MaxPool2D) else CODE.AVERAGE_POOL_2D
    w.emit(code, [w.value(op.x)], (op.y,), "Pool2DOptions", **fields)


def _arithmetic(w: OpWriter, op: Add | Sub | Mul) -> None:
    name = type(op).__name__
    fields = {"FusedActivationFunction": ACTIVATIONS[op.activation]}
    w.emit(getattr(CODE, name.upper()), [w.value(op.a), w.value(op.b)], (op.y,), f"{name}Options", **fields)


def _extremum(w: OpWriter, op: Minimum | Maximum) -> None:
    code = CODE.MINIMUM if isinstance(op, Minimum) else CODE.MAXIMUM
    w.emit(code, [w.value(op.a), w.value(op.b)], (op.y,), "MaximumMinimumOptions")


def _unary(code: int, options: str = "") -> Callable[[OpWriter, Any], None]:
    return lambda w, op: w.emit(code, [w.value(op.x)], (op.y,), options)


def _cast(w: OpWriter, op: Cast) -> None:
    types = {"InDataType": TYPE_CODES[w.graph[op.x].dtype], "OutDataType": TYPE_CODES[w.graph[op.y].dtype]}
    w.emit(CODE.CAST, [w.value(op.x)], (op.y,), "CastOptions", **types)


def _relu(w: OpWriter, op: Relu) -> None:
    codes = {
        Activation.RELU: CODE.RELU,
        Activation.RELU6: CODE.RELU6,
        Activation.RELU_N1_TO_1: CODE.RELU_N1_TO_1,
    }
    if op.activation not in codes:
        raise w.cannot(op, f"activation {op.activation.value}")
    w.emit(codes[op.activation], [w.value(op.x)], (op.y,))


def _leaky_relu(w: OpWriter, op: LeakyRelu) -> None:
    w.emit(CODE.LEAKY_RELU, [w.value(op.x)], (op.y,), "LeakyReluOptions", Alpha=op.alpha)


def _prelu(w: OpWriter, op: PRelu) -> None:
    w.emit(CODE.PRELU, [w.value(op.x), w.value(op.alpha)], (op.y,))


def _softmax(w: OpWriter, op: Softmax) -> None:
    if op.axis != -1 or op.log:
        raise w.cannot(op, f"axis {op.axis}, log {op.log}")
    w.emit(CODE.SOFTMAX, [w.value(op.x)], (op.y,), "SoftmaxOptions", Beta=op.beta)


def _mean(w: OpWriter, op: Mean) -> None:
    axes = w.ints(op, "axes", op.axes)
    w.emit(CODE.MEAN, [w.value(op.x), axes], (op.y,), "ReducerOptions", KeepDims=op.keep_dims)


def _pad(w: OpWriter, op: Pad) -> None:
    x: Tensor = w.graph[op.x]
    flat = np.array(op.padding, np.int32)
    table = w.out.add(OutTensor(f"{op.name}/paddings", flat.shape, tflite.TensorType.INT32, None, flat))
    if op.value == x.zero_point:
        w.emit(CODE.PAD, [w.value(op.x), table], (op.y,), "PadOptions")
        return
    value = np.array([op.value], x.dtype.numpy)
    fill = w.out.add(OutTensor(f"{op.name}/value", (1,), TYPE_CODES[x.dtype], x.quant, value))
    w.emit(CODE.PADV2, [w.value(op.x), table, fill], (op.y,), "PadV2Options")


def _reshape(w: OpWriter, op: Reshape) -> None:
    """A scalar has no shape vector of 1 or more entries: it is squeezed."""
    if not op.shape:
        w.emit(CODE.SQUEEZE, [w.value(op.x)], (op.y,), "SqueezeOptions")
        return
    target = w.ints(op, "shape", op.shape)
    w.emit(CODE.RESHAPE, [w.value(op.x), target], (op.y,), "ReshapeOptions", NewShape=op.shape)


def _concat(w: OpWriter, op: Concat) -> None:
    w.emit(CODE.CONCATENATION, [w.value(x) for x in op.xs], (op.y,), "ConcatenationOptions", Axis=op.axis)


def _split(w: OpWriter, op: Split) -> None:
    axis, count = w.ints(op, "axis", op.axis), len(op.ys)
    if len(set(op.sizes)) == 1:
        w.emit(CODE.SPLIT, [axis, w.value(op.x)], op.ys, "SplitOptions", NumSplits=count)
        return
    sizes = w.ints(op, "sizes", op.sizes)
    w.emit(CODE.SPLIT_V, [w.value(op.x), sizes, axis], op.ys, "SplitVOptions", NumSplits=count)


def _slice(w: OpWriter, op: Slice) -> None:
    """An end below 0 would count from the back, so a slice down to element 0 leaves its end open."""
    begin = w.ints(op, "begin", op.begin)
    if all(s == 1 for s in op.stride):
        w.emit(CODE.SLICE, [w.value(op.x), begin, w.ints(op, "size", op.size)], (op.y,), "SliceOptions")
        return
    ends = [b + n * s for b, n, s in zip(op.begin, op.size, op.stride, strict=True)]
    mask = sum(1 << i for i, e in enumerate(ends) if e < 0)
    inputs = [w.value(op.x), begin, w.ints(op, "end", tuple(ends)), w.ints(op, "strides", op.stride)]
    w.emit(CODE.STRIDED_SLICE, inputs, (op.y,), "StridedSliceOptions", EndMask=mask)


def _transpose(w: OpWriter, op: Transpose) -> None:
    w.emit(CODE.TRANSPOSE, [w.value(op.x), w.ints(op, "perm", op.perm)], (op.y,), "TransposeOptions")


def _resize(w: OpWriter, op: ResizeNearest | ResizeBilinear) -> None:
    nearest = isinstance(op, ResizeNearest)
    code = CODE.RESIZE_NEAREST_NEIGHBOR if nearest else CODE.RESIZE_BILINEAR
    options = "ResizeNearestNeighborOptions" if nearest else "ResizeBilinearOptions"
    fields = {"AlignCorners": op.align_corners, "HalfPixelCenters": op.half_pixel_centers}
    w.emit(code, [w.value(op.x), w.ints(op, "size", op.size)], (op.y,), options, **fields)


def write_svdf(w: OpWriter, op: Svdf, state: int) -> None:
    """`state` is the index of the variable tensor that takes the place of state_in and state_out."""
    inputs = [w.value(op.x), w.value(op.weights_feature), w.value(op.weights_time), w.value(op.bias), state]
    fields = {"Rank": op.rank, "FusedActivationFunction": ACTIVATIONS[op.activation]}
    w.emit(CODE.SVDF, inputs, (op.y,), "SVDFOptions", **fields)


WRITERS: Mapping[type[Op], Callable[[OpWriter, Any], None]] = {
    Add: _arithmetic,
    AveragePool2D: _pool,
    Cast: _cast,
    Concat: _concat,
    Conv2D: _conv,
    DepthwiseConv2D: _conv,
    Dequantize: _unary(CODE.DEQUANTIZE, "DequantizeOptions"),
    FullyConnected: _fully_connected,
    HardSwish: _unary(CODE.HARD_SWISH, "HardSwishOptions"),
    LeakyRelu: _leaky_relu,
    Logistic: _unary(CODE.LOGISTIC),
    MatMul: _matmul,
    MaxPool2D: _pool,
    Maximum: _extremum,
    Mean: _mean,
    Minimum: _extremum,
    Mul: _arithmetic,
    PRelu: _prelu,
    Pad: _pad,
    Quantize: _unary(CODE.QUANTIZE, "QuantizeOptions"),
    Relu: _relu,
    Reshape: _reshape,
    ResizeBilinear: _resize,
    ResizeNearest: _resize,
    Slice: _slice,
    Softmax: _softmax,
    Split: _split,
    Sub: _arithmetic,
    Tanh: _unary(CODE.TANH),
    Transpose: _transpose,
    TransposeConv: _transpose_conv,
}
"""Every operator that TensorFlow Lite has, states and SVDF (whose state is a variable tensor) apart."""
