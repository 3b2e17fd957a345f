"""Integer graphs as ONNX files in QDQ form: dequantize, float operator, quantize.

Maps [1,H,W,C] are stored as [1,C,H,W], as ONNX's operators want them; graph inputs and outputs keep their
shapes, with a transpose at the border. Activations are uint8 (stored int8 value + 128), the form every kernel
of onnxruntime takes. What such a file means is ONNX's rounding: results differ from those of TensorFlow
Lite's fixed-point rounding by a step now and then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ..errors import UserError
from ..ir import Activation, DType, Graph, Op, Tensor, Window
from ..ir.weighted import weight_zero_point

OPSET = 17
"""The oldest that has every operator written here, so that most runtimes read the files."""

IR_VERSION = 8
"""File format of that opset."""

_TO_NCHW = (0, 3, 1, 2)
_TO_NHWC = (0, 2, 3, 1)
_SHIFT = 128


class QdqWriter:
    """Nodes and constants of one file; knows which float name stands for each value.

    real    by value of the graph, the name of its real values in the file ([1,C,H,W] for maps)
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}
        self.real: dict[str, str] = {}

    def cannot(self, op: Op, found: str) -> UserError:
        return UserError(
            f"{self.graph.label(op)} cannot be written as QDQ",
            found=found,
            hint="write TensorFlow Lite instead",
        )

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [output], f"{output}/{kind}", **attributes))
        return output

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

    def value(self, name: str) -> str:
        """Real values of an activation; constants are dequantized in place."""
        t = self.graph[name]
        if name in self.real:
            return self.real[name]
        if t.data is None or t.quant is None or t.dtype is not DType.INT8:
            raise UserError(f"{name!r} cannot be written as QDQ", found=t.dtype.value, accepted="int8 values")
        data = (t.data.astype(np.int16) + _SHIFT).astype(np.uint8)
        stored = self.constant(
            f"{name}/stored", data.transpose(_TO_NCHW) if data.ndim == 4 else _as_map(data)
        )
        self.real[name] = self.node("DequantizeLinear", [stored, *self.parameters(t)], f"{name}/real")
        return self.real[name]

    def define(self, op: Op, name: str, computed: str, activation: Activation = Activation.NONE) -> None:
        """Quantize the float `computed` as the op's output, clamped where the type's ends do not do it."""
        t = self.graph[name]
        if t.dtype is not DType.INT8 or t.quant is None:
            raise self.cannot(op, f"{name!r} is {t.dtype.value}")
        low, high = activation.bounds
        ends = ((-128 - t.quant.z) * t.quant.s, (127 - t.quant.z) * t.quant.s)
        half = t.quant.s / 2
        if low > ends[0] + half or high < ends[1] - half:
            bounds = [
                self.constant(f"{op.name}/{n}", np.array(b, np.float32))
                for n, b in (("low", low), ("high", high))
            ]
            computed = self.node("Clip", [computed, *bounds], f"{computed}/clipped")
        self.quantized(name, computed)

    def quantized(self, name: str, computed: str) -> None:
        parameters = self.parameters(self.graph[name])
        stored = self.node("QuantizeLinear", [computed, *parameters], f"{name}/stored")
        self.real[name] = self.node("DequantizeLinear", [stored, *parameters], f"{name}/real")

    # --- weights ----------------------------------------------------------------------------------

    def weights(self, op: Op, data: np.ndarray, axis: int) -> str:
        """Dequantized int8 weights, transposed by the caller; scales run along `axis`."""
        name = str(getattr(op, "weights"))  # noqa: B009
        quant = self.graph[name].quant
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
        assert data is not None and weights.quant and x_quant
        scale = np.float32(x_quant.s) * np.array(weights.quant.scale, np.float32)
        inputs = [
            self.constant(f"{name}/stored", data.reshape(-1)),
            self.constant(f"{name}/scale", np.broadcast_to(scale, channels)),
            self.constant(f"{name}/zero", np.zeros(channels, np.int32)),
        ]
        return [self.node("DequantizeLinear", inputs, f"{name}/real", axis=0)]


def _as_map(data: np.ndarray) -> np.ndarray:
    """An operand of fewer dimensions, so that it broadcasts against [1,C,H,W] as it did against [1,H,W,C]."""
    if data.ndim < 2:
        return data.reshape(1, -1, 1, 1) if data.size > 1 else data
    return data.reshape((1,) * (4 - data.ndim) + data.shape).transpose(_TO_NCHW)


def pads(window: Window) -> list[int]:
    """ONNX's order: all begins, then all ends."""
    (top, bottom), (left, right) = window.padding
    return [top, left, bottom, right]


def to_onnx_qdq(graph: Graph) -> bytes:
    """The bytes of a QDQ file for an int8 graph with float inputs and outputs; equal graphs, equal bytes.

    Raises UserError for what it cannot express: int16 activations, states, operators without a writer.
    """
    from .onnx_qdq_ops import WRITERS

    if graph.states:
        raise UserError(f"{graph.name} cannot be written as QDQ", found="it has states")
    writer = QdqWriter(graph)
    for name in graph.inputs:
        if graph[name].dtype is not DType.FLOAT32:
            raise UserError(f"input {name!r} cannot be written as QDQ", found=graph[name].dtype.value)
        maps = len(graph[name].shape) == 4
        writer.real[name] = writer.node("Transpose", [name], f"{name}/map", perm=_TO_NCHW) if maps else name
    for op in graph.ops:
        if type(op) not in WRITERS:
            raise writer.cannot(op, f"no writer for {op.kind()}")
        WRITERS[type(op)](writer, op)
    for name in graph.outputs:
        if graph[name].dtype is not DType.FLOAT32:
            raise UserError(f"output {name!r} cannot be written as QDQ", found=graph[name].dtype.value)
        if len(graph[name].shape) == 4:
            writer.node("Transpose", [writer.real[name]], name, perm=_TO_NHWC)
        else:
            writer.node("Identity", [writer.real[name]], name)
    return _model(writer).SerializeToString(deterministic=True)


def _model(writer: QdqWriter) -> ModelProto:
    graph = writer.graph

    def info(name: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, graph[name].shape)

    proto = helper.make_graph(
        writer.nodes,
        graph.name,
        [info(n) for n in graph.inputs],
        [info(n) for n in graph.outputs],
        list(writer.constants.values()),
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(proto, opset_imports=opsets, ir_version=IR_VERSION, producer_name="patchloom")
