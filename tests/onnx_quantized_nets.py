"""Quantized ONNX models for tests, and the session they are compared in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT8, UINT8 = TensorProto.FLOAT, TensorProto.INT8, TensorProto.UINT8


class Net:
    """Nodes of an ONNX graph while they are written down; values are called by their names."""

    def __init__(self, opset: int = 17) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.opset = opset

    def input(self, name: str, kind: int, shape: tuple[int, ...]) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, kind: int) -> None:
        self.outputs.append(helper.make_tensor_value_info(name, kind, None))

    def constant(self, data: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(data), name))
        return name

    def add(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """A node of one output, whose name is returned."""
        y = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [y], name=y, domain=domain, **attributes))
        return y

    def dequantize(self, x: str, scale: Any, zero: Any, **attributes: Any) -> str:
        return self.add(
            "DequantizeLinear",
            x,
            self.constant(np.asarray(scale, np.float32)),
            self.constant(zero),
            **attributes,
        )

    def quantize(self, x: str, scale: Any, zero: Any) -> str:
        return self.add("QuantizeLinear", x, self.constant(np.float32(scale)), self.constant(zero))

    def requantize(self, x: str, scale: Any, zero: Any) -> str:
        """Quantized, and dequantized again."""
        return self.dequantize(self.quantize(x, scale, zero), scale, zero)

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "net", self.inputs, self.outputs, self.constants)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets)
        model.ir_version = 8
        return model


def session(model: onnx.ModelProto, precise: bool = True) -> Any:
    """An onnxruntime session with all optimisations; precise: without 16-bit saturation on x86-64."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    if precise:
        options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def small_cnn(stored: type[np.integer], per_channel: bool, seed: int) -> onnx.ModelProto:
    """A QDQ network of every operator onnxruntime fuses. Outputs: a feature map and the class scores.

    onnxruntime makes uint8 ones of int8 values that one group reads and nobody sees; where others are left
    beside them it computes in float. So the int8 network has no branches and one output.
    """
    rng, low = np.random.default_rng(seed), np.iinfo(stored).min
    net = Net()

    def weighted(kind: str, x: str, step: float, shape: tuple[int, ...], axis: int, **attributes: Any) -> str:
        outputs = shape[axis]
        count = (outputs,) if per_channel else ()
        scale = rng.uniform(0.002, 0.01, count).astype(np.float32)
        q = rng.integers(-127, 128, shape).astype(np.int8)
        w = net.dequantize(net.constant(q), scale, np.zeros(count, np.int8), axis=axis)
        biases = net.constant(rng.integers(-2000, 2000, outputs).astype(np.int32))
        b = net.dequantize(biases, np.float32(step) * scale, np.zeros(count, np.int32), axis=0)
        return net.add(kind, x, w, b, **attributes)

    def zero() -> np.integer:
        return stored(low + rng.integers(40, 216))

    image = net.input("x", FLOAT, (1, 3, 16, 16))
    x = net.requantize(image, 0.03, zero())
    first = net.add("Relu", weighted("Conv", x, 0.03, (8, 3, 3, 3), 0, pads=[1] * 4, strides=[2, 2]))
    first = net.requantize(first, 0.05, stored(low))
    deep = weighted("Conv", first, 0.05, (8, 1, 3, 3), 0, pads=[1] * 4, group=8)
    deep = net.requantize(deep, 0.0625, zero())
    deep = net.requantize(weighted("Conv", deep, 0.0625, (8, 8, 1, 1), 0), 0.06, zero())
    if stored is np.uint8:
        deep = net.requantize(net.add("Add", first, deep), 0.07, zero())
        gate = net.requantize(net.add("Sigmoid", deep), 1 / 256, stored(low))
        deep = net.requantize(net.add("Mul", deep, gate), 0.05, zero())
    deep = net.requantize(net.add("LeakyRelu", deep, alpha=0.1), 0.04, zero())
    pooled = net.add("MaxPool", deep, kernel_shape=[2, 2], strides=[1, 1])
    pooled = net.requantize(pooled, 0.04, zero())
    pooled = net.add("AveragePool", pooled, kernel_shape=[2, 2], strides=[2, 2])
    offset = zero()
    feature_map = net.quantize(pooled, 0.04, offset)
    if stored is np.uint8:
        net.output(feature_map, UINT8)
    real = net.dequantize(feature_map, 0.04, offset)
    mean = net.requantize(net.add("GlobalAveragePool", real), 0.02, zero())
    flat = net.requantize(net.add("Flatten", mean), 0.02, zero())
    scores = net.requantize(weighted("Gemm", flat, 0.02, (8, 10), 1), 0.02, zero())
    scores = net.add("Softmax", scores, axis=-1)
    net.output(net.requantize(scores, 1 / 256, stored(low)), FLOAT)
    return net.model()


def float_cnn(rng: np.random.Generator) -> onnx.ModelProto:
    """A float network, to be quantized by onnxruntime's own tool."""
    net = Net(13)

    def conv(x: str, channels: int, outputs: int, size: int, **attributes: Any) -> str:
        shape = (outputs, channels // attributes.get("group", 1), size, size)
        w = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        b = rng.normal(size=outputs) * 0.1
        constants = (net.constant(a.astype(np.float32)) for a in (w, b))
        return net.add("Conv", x, *constants, pads=[size // 2] * 4, **attributes)

    first = net.add("Relu", conv(net.input("x", FLOAT, (1, 3, 16, 16)), 3, 8, 3, strides=[2, 2]))
    bounds = net.constant(np.float32(0)), net.constant(np.float32(6))
    deep = net.add("Clip", conv(first, 8, 8, 3, group=8), *bounds)
    deep = net.add("MaxPool", net.add("Add", first, conv(deep, 8, 8, 1)), kernel_shape=[2, 2], strides=[2, 2])
    gate = net.add("HardSigmoid", conv(deep, 8, 8, 1), alpha=1 / 6, beta=0.5)
    deep = net.add("Mul", deep, gate)
    deep = net.add("Concat", deep, net.add("Sigmoid", conv(deep, 8, 4, 3)), axis=1)
    pooled = net.add("AveragePool", deep, kernel_shape=[2, 2], strides=[2, 2])
    net.output(pooled, FLOAT)
    flat = net.add("Flatten", net.add("GlobalAveragePool", pooled))
    w, b = (rng.normal(size=s).astype(np.float32) for s in ((10, 12), 10))
    scores = net.add("Gemm", flat, net.constant(w), net.constant(b), transB=1)
    net.output(net.add("Softmax", scores, axis=1), FLOAT)
    return net.model()


def quantized_cnn(
    folder: Path, qdq: bool, unsigned: bool, signed_weights: bool, per_channel: bool
) -> onnx.ModelProto:
    """`float_cnn` quantized by onnxruntime's static quantization."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    rng = np.random.default_rng(3)
    onnx.save(float_cnn(rng), folder / "float.onnx")
    samples = iter([{"x": rng.normal(size=(1, 3, 16, 16)).astype(np.float32)} for _ in range(8)])

    class Reader:
        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(samples, None)

    quantize_static(
        folder / "float.onnx",
        folder / "quantized.onnx",
        Reader(),
        quant_format=QuantFormat.QDQ if qdq else QuantFormat.QOperator,
        activation_type=QuantType.QUInt8 if unsigned else QuantType.QInt8,
        weight_type=QuantType.QInt8 if signed_weights else QuantType.QUInt8,
        per_channel=per_channel,
    )
    return onnx.load(folder / "quantized.onnx")
