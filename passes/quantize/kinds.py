"""Which operators have integer forms, and what their operands' quantization must satisfy."""

from __future__ import annotations

from ...ir import Activation, DType, Graph, Op, Quant
from ...ir.elementwise import fixed_quant
from ...ir.ops.add import Add
from ...ir.ops.average_pool2d import AveragePool2D
from ...ir.ops.concat import Concat
from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.ops.hard_swish import HardSwish
from ...ir.ops.leaky_relu import LeakyRelu
from ...ir.ops.logistic import Logistic
from ...ir.ops.max_pool2d import MaxPool2D
from ...ir.ops.maximum import Maximum
from ...ir.ops.mean import Mean
from ...ir.ops.minimum import Minimum
from ...ir.ops.mul import Mul
from ...ir.ops.pad import Pad
from ...ir.ops.prelu import PRelu
from ...ir.ops.read_state import ReadState
from ...ir.ops.relu import Relu
from ...ir.ops.reshape import Reshape
from ...ir.ops.resize_bilinear import ResizeBilinear
from ...ir.ops.resize_nearest import ResizeNearest
from ...ir.ops.slice import Slice
from ...ir.ops.softmax import Softmax
from ...ir.ops.split import Split
from ...ir.ops.sub import Sub
from ...ir.ops.tanh import Tanh
from ...ir.ops.transpose import Transpose
from ...ir.ops.transpose_conv import TransposeConv
from ...ir.ops.write_state import WriteState

Weighted = Conv2D | DepthwiseConv2D | FullyConnected | TransposeConv

FREE: tuple[type[Op], ...] = (
    Add, Conv2D, DepthwiseConv2D, FullyConnected, HardSwish, LeakyRelu, Mean, Mul, PRelu, Relu, Sub,
    TransposeConv,
)  # fmt: skip
"""Operators that requantize: input and output have quantizations of their own."""

ALIKE: tuple[type[Op], ...] = (
    AveragePool2D, Concat, MaxPool2D, Maximum, Minimum, Pad, Reshape, ResizeBilinear, ResizeNearest, Slice,
    Split, Transpose, ReadState, WriteState,
)  # fmt: skip
"""Operators whose inputs and outputs have one quantization."""

FIXED: dict[type[Op], dict[DType, Quant]] = {
    Softmax: {DType.INT8: fixed_quant(2.0**-8, -128), DType.INT16: fixed_quant(2.0**-15, 0)},
    Logistic: {DType.INT8: fixed_quant(2.0**-8, -128), DType.INT16: fixed_quant(2.0**-15, 0)},
    Tanh: {DType.INT8: fixed_quant(2.0**-7, 0), DType.INT16: fixed_quant(2.0**-15, 0)},
}
"""Operators whose output has a quantization given by the operator."""

_NO_INT16: tuple[type[Op], ...] = (HardSwish, PRelu)


def is_float(graph: Graph, name: str) -> bool:
    return graph[name].dtype is DType.FLOAT32


def alike(op: Op) -> bool:
    """Whether inputs and outputs must be quantized alike. Two-sided clamps are, a ReLU rescales."""
    if isinstance(op, Relu):
        return op.activation is not Activation.RELU
    return isinstance(op, ALIKE)


def has_integer_form(graph: Graph, op: Op, dtype: DType = DType.INT8) -> bool:
    """Whether the op can run on `dtype` activations: it works on floats, and its weights are constant."""
    names = [*op.inputs, *op.outputs]
    if isinstance(op, WriteState | ReadState):
        return all(is_float(graph, n) for n in names)
    if not any(is_float(graph, n) for n in op.outputs):
        return False
    if isinstance(op, _NO_INT16) and dtype is DType.INT16:
        return False
    if isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected | TransposeConv):
        return graph[op.weights].constant and (op.bias is None or graph[op.bias].constant)
    if isinstance(op, PRelu) and not graph[op.alpha].constant:
        return False
    return isinstance(op, (*FREE, *ALIKE, *FIXED))


def float_operands(graph: Graph, op: Op) -> tuple[str, ...]:
    """Values the op reads that are activations in quantized graphs: float ones, weights and biases apart."""
    if isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected | TransposeConv):
        return (op.x,)
    if isinstance(op, PRelu):
        return (op.x,)
    return tuple(x for x in op.inputs if is_float(graph, x))
