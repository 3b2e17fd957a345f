"""Integer graphs as ONNX files in QDQ form: dequantize, float operator, quantize.

Maps [1,H,W,C] are stored as [1,C,H,W], as ONNX's spatial operators want them, other values as they are;
graph inputs and outputs keep their shapes, with a transpose at the border. Operators on floats (those
without an integer form) are written as they are. Activations are uint8 (stored int8 value + 128), the form
every kernel of onnxruntime takes. What such a file means is ONNX's rounding: results differ from those of
TensorFlow Lite's fixed-point rounding by a step now and then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ..errors import UserError
from ..ir import Activation, DType, Graph, Op, Tensor, Window
from ..ir.ops.average_pool2d import AveragePool2D
from ..ir.ops.conv2d import Conv2D
from ..ir.ops.depthwise_conv2d import DepthwiseConv2D
from ..ir.ops.instance_normalization import InstanceNormalization
from ..ir.ops.max_pool2d import MaxPool2D
from ..ir.ops.resize import Resize
from ..ir.ops.resize_bilinear import ResizeBilinear
from ..ir.ops.resize_nearest import ResizeNearest
from ..ir.ops.transpose_conv import TransposeConv
from ..ir.weighted import weight_zero_point

OPSET = 17
"""The oldest that has every operator written here, so that most runtimes read the files."""

IR_VERSION = 8
"""File format of that opset."""

_TO_NCHW = (0, 3, 1, 2)
_TO_NHWC = (0, 2, 3, 1)
_SHIFT = 128
_SPATIAL = (
    AveragePool2D, Conv2D, DepthwiseConv2D, InstanceNormalization, MaxPool2D, Resize, ResizeBilinear,
    ResizeNearest, TransposeConv,
)  # fmt: skip
"""Operators that ONNX has for [N,C,H,W] only."""


class QdqWriter:
    """Nodes and constants of one file; knows which float name stands for each value.

    real    by value of the graph, the name of its real values in the file
    maps    values of 4 dimensions that are [1,C,H,W] there
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}
        self.real: dict[str, str] = {}
        self.maps: set[str] = set()
        self._turned: dict[tuple[str, bool], str] = {}
        self._consumers = graph.consumers()

    def cannot(self, op: Op, found: str) -> UserError:
        return UserError(
            f"{self.graph.label(op)} cannot be written as QDQ",
            found=found,
            hint="write TensorFlow Lite instead",
        )

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [output], f"{output}/{kind}", **attributes))
        return output

    def nodes_of(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> None:
        """A node of several outputs; absent ones are empty."""
        name = f"{next(y for y in outputs if y)}/{kind}"
        self.nodes.append(helper.make_node(kind, list(inputs), list(outputs), name, **attributes))

    def constant(self, name: str, data: np.ndarray) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(data), name)
        return name

    # --- values -----------------------------------------------------------------------------------

    def parameters(self, t: Tensor) -> tuple[str, str]:
        """Names of the constants that hold scale and zero point of an int8 activation."""
        assert t.quant
        scale = self.constant(f"{t.name}/scale", np.array(t.quant.s, np.float32))
        return scale, self.constant(f"{t.name}/zero", np.array(t.quant.z + _SHIFT, np.uint8))

    def value(self, name: str, maps: bool = True) -> str:
        """Real values of an activation or constant.

        maps   those of 4 dimensions are wanted as [1,C,H,W] (constants of fewer so that they broadcast)
        """
        if self.graph[name].data is not None:
            return self._constant_value(self.graph[name], maps)
        if len(self.graph[name].shape) != 4 or (name in self.maps) == maps:
            return self.real[name]
        if (name, maps) not in self._turned:
            self._turned[name, maps] = self._turn(name, maps)
        return self._turned[name, maps]

    def _turn(self, name: str, maps: bool) -> str:
        """Real values in the other order; quantized ones change it as they are stored."""
        perm, t, form = _TO_NCHW if maps else _TO_NHWC, self.graph[name], "map" if maps else "rows"
        if t.dtype is not DType.INT8 or t.quant is None:
            return self.node("Transpose", [self.real[name]], f"{name}/{form}", perm=perm)
        stored = self.node("Transpose", [f"{name}/stored"], f"{name}/{form}", perm=perm)
        return self.node("DequantizeLinear", [stored, *self.parameters(t)], f"{name}/{form}/real")

    def _constant_value(self, t: Tensor, maps: bool) -> str:
        data = t.data
        assert data is not None
        form = "map" if maps else "rows"
        if t.quant is None:
            return self.constant(f"{t.name}/{form}", _as_map(data) if maps else data)
        if t.dtype is not DType.INT8:
            raise UserError(
                f"{t.name!r} cannot be written as QDQ", found=t.dtype.value, accepted="int8 values"
            )
        data = (data.astype(np.int16) + _SHIFT).astype(np.uint8)
        stored = self.constant(f"{t.name}/{form}/stored", _as_map(data) if maps else data)
        key = (t.name, maps)
        if key not in self._turned:
            inputs = [stored, *self.parameters(t)]
            self._turned[key] = self.node("DequantizeLinear", inputs, f"{t.name}/{form}/real")
        return self._turned[key]

    def form_of(self, op: Op) -> bool:
        """Whether an op without an order of its own is written on maps: where what it reads are maps."""
        return any(x in self.maps for x in op.inputs)

    def read_as_map(self, name: str) -> bool:
        """Whether an operator that wants maps reads the value, which then is best made as one."""
        return any(isinstance(op, _SPATIAL) for op in self._consumers[name])

    def define(
        self,
        op: Op,
        name: str,
        computed: str,
        activation: Activation = Activation.NONE,
        maps: bool = True,
    ) -> None:
        """`computed` is the op's output, quantized unless it is a float value, clamped by the activation.

        maps   `computed` is [1,C,H,W] where it has 4 dimensions
        """
        t = self.graph[name]
        if maps and len(t.shape) == 4:
            self.maps.add(name)
        if t.quant is None:
            self.real[name] = self.clamped(op, t, computed, activation)
        elif t.dtype is DType.INT8:
            self.real[name] = self.pair(name, self.clamped(op, t, computed, activation), t)
        else:
            raise self.cannot(op, f"{name!r} is {t.dtype.value}")

    def pair(self, name: str, computed: str, like: Tensor) -> str:
        """`computed` quantized like a value and made real again; as it is where that is float."""
        if like.quant is None:
            return computed
        parameters = self.parameters(like)
        stored = self.node("QuantizeLinear", [computed, *parameters], f"{name}/stored")
        return self.node("DequantizeLinear", [stored, *parameters], f"{name}/real")

    def clamped(self, op: Op, t: Tensor, computed: str, activation: Activation) -> str:
        """`computed` within the activation's bounds, where the ends of t's type do not see to it."""
        low, high = activation.bounds
        if t.quant is not None:
            ends = ((-128 - t.quant.z) * t.quant.s, (127 - t.quant.z) * t.quant.s)
            half = t.quant.s / 2
            if low <= ends[0] + half and high >= ends[1] - half:
                return computed
        if activation is Activation.NONE:
            return computed
        bounds = [
            self.constant(f"{op.name}/{n}", np.array(b, np.float32))
            for n, b in (("low", low), ("high", high))
        ]
        return self.node("Clip", [computed, *bounds], f"{computed}/clipped")

    # --- weights ----------------------------------------------------------------------------------

    def weights(self, op: Op, data: np.ndarray, axis: int) -> str:
        """Dequantized int8 weights, or float ones, transposed by the caller; scales run along `axis`."""
        name = str(getattr(op, "weights"))  # noqa: B009
        quant = self.graph[name].quant
        if self.graph[name].dtype is DType.FLOAT32:
            return self.constant(f"{name}/real", data)
        if quant is None or weight_zero_point(self.graph[name]):
            raise self.cannot(op, "weights have a zero point")
        # One scale is repeated, because exporters of both kinds of file write one per channel.
        scales = np.broadcast_to(np.array(quant.scale, np.float32), data.shape[axis])
        inputs = [
            self.constant(f"{name}/stored", data),
            self.constant(f"{name}/scale", scales),
            self.constant(f"{name}/zero", np.zeros(data.shape[axis], np.int8)),
        ]
        return self.node("DequantizeLinear", inputs, f"{name}/real", axis=axis)

    def bias(self, op: Op, x: str, channels: int) -> list[str]:
        """The dequantized int32 bias as a list of one name, empty where there is none."""
        name = getattr(op, "bias", None)
        if name is None:
            return []
        data, weights = self.graph[name].data, self.graph[str(getattr(op, "weights"))]  # noqa: B009
        x_quant = self.graph[x].quant
        if data is not None and self.graph[name].dtype is DType.FLOAT32:
            return [self.constant(f"{name}/real", data.reshape(-1))]
        assert data is not None and weights.quant and x_quant
        scale = np.float32(x_quant.s) * np.array(weights.quant.scale, np.float32)
        inputs = [
            self.constant(f"{name}/stored", data.reshape(-1)),
            self.constant(f"{name}/scale", np.broadcast_to(scale, channels)),
            self.constant(f"{name}/zero", np.zeros(channels, np.int32)),
        ]
        return [self.node("DequantizeLinear", inputs, f"{name}/real", axis=0)]


def _as_map(data: np.ndarray) -> np.ndarray:
    """An operand so that it broadcasts against [1,C,H,W] as it did against [1,H,W,C]."""
    if data.ndim > 4:
        return data
    if data.ndim < 2:
        return data.reshape(1, -1, 1, 1) if data.size > 1 else data
    return data.reshape((1,) * (4 - data.ndim) + data.shape).transpose(_TO_NCHW)


def pads(window: Window) -> list[int]:
    """ONNX's order: all begins, then all ends."""
    (top, bottom), (left, right) = window.padding
    return [top, left, bottom, right]


def to_onnx_qdq(graph: Graph) -> bytes:
    """The bytes of a QDQ file for an int8 graph whose inputs and outputs are not quantized; equal graphs,
    equal bytes.

    Raises UserError for what it cannot express: int16 activations, states, operators without a writer.
    """
    from .onnx_qdq_more import MORE_WRITERS
    from .onnx_qdq_ops import WRITERS as SPATIAL_WRITERS

    writers = {**SPATIAL_WRITERS, **MORE_WRITERS}
    if graph.states:
        raise UserError(f"{graph.name} cannot be written as QDQ", found="it has states")
    writer = QdqWriter(graph)
    for name in graph.inputs:
        if graph[name].quant is not None:
            raise UserError(f"input {name!r} cannot be written as QDQ", found=graph[name].dtype.value)
        maps = len(graph[name].shape) == 4
        writer.real[name] = writer.node("Transpose", [name], f"{name}/map", perm=_TO_NCHW) if maps else name
        writer.maps.update([name] if maps else [])
    for op in graph.ops:
        if type(op) not in writers:
            raise writer.cannot(op, f"no writer for {op.kind()}")
        writers[type(op)](writer, op)
    for name in graph.outputs:
        if graph[name].quant is not None:
            raise UserError(f"output {name!r} cannot be written as QDQ", found=graph[name].dtype.value)
        if name in writer.maps:
            writer.node("Transpose", [writer.real[name]], name, perm=_TO_NHWC)
        else:
            writer.node("Identity", [writer.value(name, maps=False)], name)
    return _model(writer).SerializeToString(deterministic=True)


def _model(writer: QdqWriter) -> ModelProto:
    graph = writer.graph

    def info(name: str) -> Any:
        kind = helper.np_dtype_to_tensor_dtype(graph[name].dtype.numpy)
        return helper.make_tensor_value_info(name, kind, graph[name].shape)

    proto = helper.make_graph(
        writer.nodes,
        graph.name,
        [info(n) for n in graph.inputs],
        [info(n) for n in graph.outputs],
        list(writer.constants.values()),
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(proto, opset_imports=opsets, ir_version=IR_VERSION, producer_name="patchloom")
