"""Which operators have integer forms, and what their operands' quantization must satisfy."""

from __future__ import annotations

from ...ir import Activation, DType, Graph, Op, Quant
from ...ir.elementwise import fixed_quant
from ...ir.ops.add import Add
from ...ir.ops.average_pool2d import AveragePool2D
from ...ir.ops.concat import Concat
from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.expand import Expand
from ...ir.ops.fully_connected import FullyConnected
from ...ir.ops.gather import Gather
from ...ir.ops.gather_elements import GatherElements
from ...ir.ops.gather_nd import GatherND
from ...ir.ops.hard_swish import HardSwish
from ...ir.ops.layer_normalization import LayerNormalization
from ...ir.ops.leaky_relu import LeakyRelu
from ...ir.ops.logistic import Logistic
from ...ir.ops.matmul import MatMul
from ...ir.ops.max_pool2d import MaxPool2D
from ...ir.ops.maximum import Maximum
from ...ir.ops.mean import Mean
from ...ir.ops.minimum import Minimum
from ...ir.ops.mul import Mul
from ...ir.ops.pad import Pad
from ...ir.ops.prelu import PRelu
from ...ir.ops.read_state import ReadState
from ...ir.ops.reduce import LOGIC, Reduce
from ...ir.ops.relu import Relu
from ...ir.ops.reshape import Reshape
from ...ir.ops.resize import Resize
from ...ir.ops.resize_bilinear import ResizeBilinear
from ...ir.ops.resize_nearest import ResizeNearest
from ...ir.ops.slice import Slice
from ...ir.ops.softmax import Softmax
from ...ir.ops.split import Split
from ...ir.ops.sub import Sub
from ...ir.ops.tanh import Tanh
from ...ir.ops.tile import Tile
from ...ir.ops.transpose import Transpose
from ...ir.ops.transpose_conv import TransposeConv
from ...ir.ops.unary import Unary
from ...ir.ops.where import Where
from ...ir.ops.write_state import WriteState
from ...ir.unary_functions import FLOAT

Weighted = Conv2D | DepthwiseConv2D | FullyConnected | TransposeConv

FREE: tuple[type[Op], ...] = (
    Add, Conv2D, DepthwiseConv2D, FullyConnected, HardSwish, LayerNormalization, LeakyRelu, MatMul, Mean, Mul,
    PRelu, Relu, Sub, TransposeConv, Unary,
)  # fmt: skip
"""Operators that requantize: input and output have quantizations of their own."""

ALIKE: tuple[type[Op], ...] = (
    AveragePool2D, Concat, Expand, Gather, GatherElements, GatherND, MaxPool2D, Maximum, Minimum, Pad, Reduce,
    Reshape, Resize, ResizeBilinear, ResizeNearest, Slice, Split, Tile, Transpose, Where, ReadState,
    WriteState,
)  # fmt: skip
"""Operators whose inputs and outputs have one quantization."""

FIXED: dict[type[Op], dict[DType, Quant]] = {
    Softmax: {DType.INT8: fixed_quant(2.0**-8, -128), DType.INT16: fixed_quant(2.0**-15, 0)},
    Logistic: {DType.INT8: fixed_quant(2.0**-8, -128), DType.INT16: fixed_quant(2.0**-15, 0)},
    Tanh: {DType.INT8: fixed_quant(2.0**-7, 0), DType.INT16: fixed_quant(2.0**-15, 0)},
}
"""Operators whose output has a quantization given by the operator."""

_NO_INT16: tuple[type[Op], ...] = (HardSwish, MatMul, PRelu, Unary)


def is_float(graph: Graph, name: str) -> bool:
    return graph[name].dtype is DType.FLOAT32


def alike(op: Op) -> bool:
    """Whether inputs and outputs must be quantized alike. Two-sided clamps are, a ReLU rescales."""
    if isinstance(op, Relu):
        return op.activation is not Activation.RELU
    return isinstance(op, ALIKE)


def has_integer_form(graph: Graph, op: Op, dtype: DType = DType.INT8) -> bool:
    """Whether the op can run on `dtype` activations: see `why_float`."""
    return not why_float(graph, op, dtype)


def why_float(graph: Graph, op: Op, dtype: DType = DType.INT8) -> str:
    """Why the op cannot compute with `dtype` activations; empty where it can.

    What only depends on scales (accumulators, rules of single operators) is found when it is converted.
    """
    if isinstance(op, WriteState | ReadState):
        ours = all(is_float(graph, n) for n in (*op.inputs, *op.outputs))
        return "" if ours else "its state is no float value"
    if not any(is_float(graph, n) for n in op.outputs):
        return "it makes no float values"
    if not isinstance(op, (*FREE, *ALIKE, *FIXED)):
        return f"there is no integer {op.kind()}"
    if isinstance(op, _NO_INT16) and dtype is DType.INT16:
        return f"there is no int16 {op.kind()}"
    computed = [n for n in _parameters(op) if not graph[n].constant]
    return f"{computed[0]!r} is computed, not constant" if computed else _special(graph, op)


def _parameters(op: Op) -> tuple[str, ...]:
    """Operands that must be constant."""
    if isinstance(op, Weighted):
        names: tuple[str | None, ...] = (op.weights, op.bias)
    elif isinstance(op, LayerNormalization):
        names = (op.scale, op.bias)
    else:
        names = (op.alpha,) if isinstance(op, PRelu) else ()
    return tuple(n for n in names if n is not None)


def _special(graph: Graph, op: Op) -> str:
    """What single operators cannot do in integers."""
    if isinstance(op, Unary) and op.function not in FLOAT:
        return f"there is no integer {op.function}"
    if isinstance(op, Reduce) and op.function not in LOGIC:
        return f"there is no integer reduction {op.function!r}"
    if isinstance(op, Softmax) and (op.log or op.axis != -1):
        return "an integer softmax is along the last axis, and no logarithm"
    if isinstance(op, Resize) and (op.how.mode != "nearest" or op.extrapolates(graph.tensors)):
        return f"there is no integer resize of mode {op.how.mode!r} like this one"
    if isinstance(op, TransposeConv) and (op.window.dilation != (1, 1) or op.groups(graph.tensors) != 1):
        return "an integer transposed convolution has no dilation and no groups"
    return ""


def float_operands(graph: Graph, op: Op) -> tuple[str, ...]:
    """Values the op reads that are activations in quantized graphs: float ones, weights and biases apart."""
    if isinstance(op, Weighted | LayerNormalization | PRelu):
        return (op.x,)
    return tuple(x for x in op.inputs if is_float(graph, x))
