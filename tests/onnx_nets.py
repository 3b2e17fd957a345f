"""Small ONNX models as exporters write them, with random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class OnnxNet:
    """A graph node by node; methods take and give names of values."""

    def __init__(self, seed: int = 0, opset: int = 17) -> None:
        self.rng = np.random.default_rng(seed)
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []

    def input(self, shape: list[int | str], name: str = "input", kind: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def constant(self, data: np.ndarray, name: str = "") -> str:
        name = name or f"const_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(data), name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def weights(self, *shape: int, scale: float | None = None) -> str:
        scale = scale or 1 / np.sqrt(np.prod(shape[1:]) + 1e-9)
        return self.constant(self.rng.normal(0, scale, shape).astype(np.float32))

    def add(self, kind: str, *operands: str, outputs: int = 1, **attributes: Any) -> Any:
        """Append a node; the name of its output, or a list of several."""
        ys = [f"{kind}_{len(self.nodes)}" + (f"_{i}" if i else "") for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(operands), ys, name=f"/{ys[0]}", **attributes))
        return ys[0] if outputs == 1 else ys

    def conv(self, x: str, inputs: int, outputs: int, k: int = 3, stride: int = 1, groups: int = 1) -> str:
        """Conv as PyTorch exports it, with explicit pads."""
        w, b = self.weights(outputs, inputs // groups, k, k), self.weights(outputs, scale=0.2)
        pads = [(k - 1) // 2] * 4
        return self.add(
            "Conv",
            x,
            w,
            b,
            kernel_shape=[k, k],
            strides=[stride] * 2,
            pads=pads,
            group=groups,
            dilations=[1, 1],
        )

    def batch_norm(self, x: str, channels: int) -> str:
        def vector(low: float, high: float) -> str:
            return self.constant(self.rng.uniform(low, high, channels).astype(np.float32))

        statistics = (vector(0.5, 1.5), vector(-0.3, 0.3), vector(-0.2, 0.2), vector(0.5, 2))
        return self.add("BatchNormalization", x, *statistics, epsilon=1e-5)

    def model(self, *outputs: str, shapes: list[list[int | str] | None] | None = None) -> onnx.ModelProto:
        """The model; shapes of outputs are left open unless given."""
        results = [
            helper.make_tensor_value_info(y, TensorProto.FLOAT, (shapes or [None] * len(outputs))[i])
            for i, y in enumerate(outputs)
        ]
        graph = helper.make_graph(self.nodes, "main_graph", self.inputs, results, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version, model.producer_name = 8, "pytorch"
        return model


def resnet() -> onnx.ModelProto:
    """Stem with max pooling, a residual block with identity and one with projection, pooling, Gemm."""
    net = OnnxNet(1)
    x = net.input(["batch", 3, 20, 24])
    y = net.add("Relu", net.batch_norm(net.conv(x, 3, 8, 5, 2), 8))
    y = net.add("MaxPool", y, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for inputs, outputs, stride in ((8, 8, 1), (8, 12, 2)):
        z = net.add("Relu", net.batch_norm(net.conv(y, inputs, outputs, 3, stride), outputs))
        z = net.batch_norm(net.conv(z, outputs, outputs), outputs)
        if inputs != outputs:
            y = net.batch_norm(net.conv(y, inputs, outputs, 1, stride), outputs)
        y = net.add("Relu", net.add("Add", z, y))
    y = net.add("GlobalAveragePool", y)
    y = net.add("Flatten", y, axis=1)
    y = net.add("Gemm", y, net.weights(10, 12), net.weights(10), transB=1)
    return net.model(net.add("Softmax", y, axis=-1))


def mobilenet() -> onnx.ModelProto:
    """Inverted residual with ReLU6, a squeeze-and-excitation gate, hard swish, flattened map into Gemm.

    The exporter's shape arithmetic for the flattening is left in.
    """
    net = OnnxNet(2)
    x = net.input(["N", 3, 16, 16])
    low, high = net.constant(np.array(0, np.float32)), net.constant(np.array(6, np.float32))
    y = net.add("HardSwish", net.batch_norm(net.conv(x, 3, 8, 3, 2), 8))
    z = net.add("Clip", net.conv(y, 8, 24, 1), low, high)
    z = net.add("Clip", net.conv(z, 24, 24, 3, 1, 24), low, high)
    gate = net.add("ReduceMean", z, axes=[2, 3], keepdims=1)
    gate = net.add("Relu", net.conv(gate, 24, 6, 1))
    gate = net.add("HardSigmoid", net.conv(gate, 6, 24, 1), alpha=1 / 6, beta=0.5)
    z = net.conv(net.add("Mul", z, gate), 24, 8, 1)
    y = net.add("Add", y, z)
    y = net.add(
        "Concat", y, net.add("AveragePool", y, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1]), axis=1
    )
    y = net.conv(y, 16, 6, 3, 2)
    batch = net.add("Gather", net.add("Shape", y), net.constant(np.array(0, np.int64)), axis=0)
    shape = net.add("Concat", net.add("Unsqueeze", batch, net.ints(0)), net.ints(-1), axis=0)
    y = net.add("Relu", net.add("Reshape", y, shape))
    return net.model(net.add("Gemm", y, net.weights(7, 96), net.weights(7), transB=1))


def decoder() -> onnx.ModelProto:
    """Upsampling, reflect-free padding, a skip connection, channel shuffle: the output is a map."""
    net = OnnxNet(3)
    x = net.input([1, 4, 8, 8])
    y = net.add("LeakyRelu", net.conv(x, 4, 8), alpha=0.1)
    small = net.add("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])
    scales = net.constant(np.array([1, 1, 2, 2], np.float32))
    up = net.add(
        "Resize",
        small,
        "",
        scales,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    y = net.add("Concat", y, up, axis=1)
    y = net.add("Reshape", y, net.ints(1, 2, 8, 8, 8))
    y = net.add("Transpose", y, perm=[0, 2, 1, 3, 4])
    y = net.add("Reshape", y, net.ints(1, 16, 8, 8))
    y = net.add("Pad", net.conv(y, 16, 4, 1), net.ints(0, 0, 1, 1, 0, 0, 1, 1), mode="constant")
    w = net.weights(4, 3, 3, 3)
    return net.model(net.add("ConvTranspose", y, w, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]))


def tf2onnx() -> onnx.ModelProto:
    """As converted from Keras: channels-last input, transposes at the borders, MatMul and Add at the end."""
    net = OnnxNet(4, 13)
    x = net.input(["unk__1", 12, 10, 3], "input_1")
    y = net.add("Transpose", x, perm=[0, 3, 1, 2])
    y = net.add(
        "Conv", y, net.weights(6, 3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2], kernel_shape=[3, 3]
    )
    y = net.add("Relu", net.add("Add", y, net.weights(1, 6, 1, 1)))
    y = net.add("Transpose", net.add("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2]), perm=[0, 2, 3, 1])
    y = net.add("Reshape", y, net.ints(-1, 3 * 2 * 6))
    y = net.add("Add", net.add("MatMul", y, net.weights(36, 5)), net.weights(5))
    return net.model(net.add("Softmax", y, axis=1))


def transformer() -> onnx.ModelProto:
    """One encoder block with the layer normalization and attention spelled out, as older exporters do."""
    net = OnnxNet(5, 14)
    x = net.input([1, 6, 8])
    heads = []
    for _ in range(3):
        y = net.add("Add", net.add("MatMul", x, net.weights(8, 8)), net.weights(8))
        y = net.add("Reshape", y, net.ints(1, 6, 2, 4))
        heads.append(net.add("Transpose", y, perm=[0, 2, 1, 3]))
    q, k, v = heads
    k = net.add("Transpose", k, perm=[0, 1, 3, 2])
    scores = net.add("Div", net.add("MatMul", q, k), net.constant(np.array(2, np.float32)))
    y = net.add("MatMul", net.add("Softmax", scores, axis=-1), v)
    y = net.add("Reshape", net.add("Transpose", y, perm=[0, 2, 1, 3]), net.ints(1, 6, 8))
    y = net.add("Add", x, net.add("MatMul", y, net.weights(8, 8)))
    mean = net.add("ReduceMean", y, axes=[-1], keepdims=1)
    d = net.add("Sub", y, mean)
    variance = net.add(
        "ReduceMean", net.add("Pow", d, net.constant(np.array(2, np.float32))), axes=[-1], keepdims=1
    )
    deviation = net.add("Sqrt", net.add("Add", variance, net.constant(np.array(1e-5, np.float32))))
    y = net.add("Mul", net.add("Div", d, deviation), net.weights(8, scale=1.0))
    z = net.add("MatMul", y, net.weights(8, 16))
    erf = net.add("Erf", net.add("Div", z, net.constant(np.array(np.sqrt(2), np.float32))))
    z = net.add(
        "Mul",
        net.add("Mul", z, net.add("Add", erf, net.constant(np.array(1, np.float32)))),
        net.constant(np.array(0.5, np.float32)),
    )
    return net.model(net.add("Add", y, net.add("MatMul", z, net.weights(16, 8))))


def recurrent() -> onnx.ModelProto:
    """1-D convolution and a bidirectional LSTM whose state goes in and out."""
    net = OnnxNet(6)
    x = net.input([1, 4, 20])
    h, c = net.input([2, 1, 5], "h"), net.input([2, 1, 5], "c")
    w, b = net.weights(6, 4, 3), net.weights(6, scale=0.1)
    y = net.add("Relu", net.add("Conv", x, w, b, kernel_shape=[3], pads=[1, 1], strides=[2]))
    y = net.add("Transpose", y, perm=[2, 0, 1])
    w, r, b = (
        net.weights(2, 20, 6, scale=0.3),
        net.weights(2, 20, 5, scale=0.3),
        net.weights(2, 40, scale=0.1),
    )
    y, h2, c2 = net.add("LSTM", y, w, r, b, "", h, c, outputs=3, hidden_size=5, direction="bidirectional")
    y = net.add("Reshape", net.add("Transpose", y, perm=[0, 2, 1, 3]), net.ints(0, 0, -1))
    return net.model(y, h2, c2)


NETS = {f.__name__: f for f in (resnet, mobilenet, decoder, tf2onnx, transformer, recurrent)}
