"""Networks with the shapes of the MLPerf Tiny models and random weights: benchmarks that need no files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from patchloom.ir import Activation, DType, Graph, Op, Quant, Tensor, Window, verify
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.reshape import Reshape
from patchloom.ir.ops.softmax import Softmax
from patchloom.ir.window import same_padding

Weighted = type[Conv2D] | type[DepthwiseConv2D] | type[FullyConnected]


class Builder:
    """A network layer by layer; every method takes and gives the name of a value."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []

    def input(self, shape: tuple[int, ...]) -> str:
        """The network's input."""
        return self._value("input", shape, 0.05, -3)

    def _value(self, name: str, shape: tuple[int, ...], scale: float, zero: int) -> str:
        quant = Quant((float(np.float32(scale)),), (zero,))
        self.tensors[name] = Tensor(name, shape, DType.INT8, quant)
        return name

    def _add(self, op: Op, scale: float, zero: int) -> str:
        self._value(op.outputs[0], (), scale, zero)
        (shape,) = op.infer(self.tensors)
        self.tensors[op.outputs[0]] = replace(self.tensors[op.outputs[0]], shape=shape)
        self.ops.append(op)
        return op.outputs[0]

    def weighted(self, kind: Weighted, x: str, shape: tuple[int, ...], relu: bool, **more: Any) -> str:
        """A layer with about normal weights, one scale per channel; outputs about as large as inputs."""
        name = f"layer{len(self.ops)}"
        count, axis = shape[kind.CHANNEL_AXIS], kind.CHANNEL_AXIS % len(shape)
        data = np.clip(self.rng.normal(0, 30, shape).round(), -127, 127).astype(np.int8)
        # outputs then spread over their range as inputs do, in the same scale
        scales = (self.rng.uniform(0.04, 0.06, count) / np.sqrt(data.size / count)).astype(np.float32)
        quant = Quant(tuple(float(s) for s in scales), (0,) * count, axis)
        self.tensors[f"{name}/w"] = Tensor(f"{name}/w", shape, DType.INT8, quant, data)
        x_scale = self.tensors[x].quant
        assert x_scale
        bias = Quant(tuple(float(np.float32(x_scale.s * s)) for s in scales), (0,) * count, 0)
        values = self.rng.integers(-900, 900, count).astype(np.int32)
        self.tensors[f"{name}/b"] = Tensor(f"{name}/b", (count,), DType.INT32, bias, values)
        act = Activation.RELU if relu else Activation.NONE
        op = kind(name, x, f"{name}/w", f"{name}/b", name, activation=act, **more)
        return self._add(op, x_scale.s, -128 if relu else 5)

    def conv(self, x: str, count: int, kernel: tuple[int, int], stride: int = 1, relu: bool = True) -> str:
        """A convolution with SAME padding."""
        shape = (count, *kernel, self.tensors[x].shape[3])
        return self.weighted(Conv2D, x, shape, relu, window=self._same(x, kernel, stride))

    def depthwise(self, x: str, stride: int = 1) -> str:
        """A 3x3 depthwise convolution with SAME padding."""
        shape = (1, 3, 3, self.tensors[x].shape[3])
        return self.weighted(DepthwiseConv2D, x, shape, True, window=self._same(x, (3, 3), stride))

    def _same(self, x: str, kernel: tuple[int, int], stride: int) -> Window:
        pads = [same_padding(n, k, stride) for n, k in zip(self.tensors[x].shape[1:3], kernel, strict=True)]
        return Window(kernel, (stride, stride), (1, 1), (pads[0], pads[1]))

    def add(self, a: str, b: str) -> str:
        """A residual connection."""
        name = f"layer{len(self.ops)}"
        return self._add(Add(name, a, b, name, Activation.RELU), 0.05, -128)

    def head(self, x: str, classes: int) -> str:
        """Global average, fully connected, softmax."""
        quant, name = self.tensors[x].quant, f"layer{len(self.ops)}"
        assert quant
        size = self.tensors[x].shape[1:3]
        window = Window((size[0], size[1]), (size[0], size[1]))
        x = self._add(AveragePool2D(name, x, name, window, Activation.NONE), quant.s, quant.z)
        flat = self._add(Reshape("flat", x, "flat", (1, self.tensors[x].elements)), quant.s, quant.z)
        x = self.dense(flat, classes, relu=False)
        return self._add(Softmax("softmax", x, "softmax", 1.0), 1 / 256, -128)

    def dense(self, x: str, count: int, relu: bool = True) -> str:
        """A fully connected layer."""
        shape = (count, self.tensors[x].elements)
        return self.weighted(FullyConnected, x, shape, relu, keep_dims=False)

    def graph(self, name: str, y: str) -> Graph:
        """The network."""
        return verify(Graph(name, self.tensors, tuple(self.ops), ("input",), (y,), ()))


def ds_cnn() -> Graph:
    """Keyword spotting: depthwise-separable network on 49x10 features."""
    net = Builder(1)
    x = net.conv(net.input((1, 49, 10, 1)), 64, (10, 4), 2)
    for _ in range(4):
        x = net.conv(net.depthwise(x), 64, (1, 1))
    return net.graph("ds_cnn", net.head(x, 12))


def mobilenet() -> Graph:
    """Visual wake words: MobileNet v1 of width 0.25 on 96x96 images."""
    net = Builder(2)
    x = net.conv(net.input((1, 96, 96, 3)), 8, (3, 3), 2)
    plan = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *((128, 1),) * 5, (256, 2), (256, 1))
    for count, stride in plan:
        x = net.conv(net.depthwise(x, stride), count, (1, 1))
    return net.graph("mobilenet", net.head(x, 2))


def resnet() -> Graph:
    """Image classification: ResNet of eight layers on 32x32 images."""
    net = Builder(3)
    x = net.conv(net.input((1, 32, 32, 3)), 16, (3, 3))
    for count, stride in ((16, 1), (32, 2), (64, 2)):
        y = net.conv(net.conv(x, count, (3, 3), stride), count, (3, 3), relu=False)
        x = net.add(net.conv(x, count, (1, 1), stride, relu=False) if stride > 1 else x, y)
    return net.graph("resnet", net.head(x, 10))


def autoencoder() -> Graph:
    """Anomaly detection: fully connected autoencoder of 640 features."""
    net = Builder(4)
    x = net.input((1, 640))
    for count in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = net.dense(x, count)
    return net.graph("autoencoder", net.dense(x, 640, relu=False))


NETWORKS = (ds_cnn, mobilenet, resnet, autoencoder)
