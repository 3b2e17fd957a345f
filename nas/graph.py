"""From a network and its weights to the float graph that the compiler takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..ir import Activation, DType, Graph, Op, Tensor, Window
from ..ir.ops import add, average_pool2d, concat, conv2d, depthwise_conv2d, fully_connected, max_pool2d, mean
from ..ir.ops.reshape import Reshape
from ..ir.window import same_padding
from .network import (
    INPUT,
    Add,
    Concat,
    Conv,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalAverage,
    Layer,
    Network,
    Pair,
    Pool,
    Shape,
)


@dataclass(frozen=True, eq=False)
class LayerValues:
    """Weights and bias of a layer in the IR's layout, float32; batch normalization is folded in."""

    weights: np.ndarray
    bias: np.ndarray


Values = Mapping[str, LayerValues]
"""By layer name."""


def stand_ins(network: Network) -> dict[str, LayerValues]:
    """Seeded weights, for what depends on shapes only: variance 2 / inputs, no channel of zeros."""
    rng = np.random.default_rng(0)
    found = {}
    for name, (shape, biases) in network.weights().items():
        fan_in = max(1, int(np.prod(shape[1:-1] if shape[0] == 1 and len(shape) == 4 else shape[1:])))
        weights = rng.standard_normal(shape, np.float32) * np.float32((2 / fan_in) ** 0.5)
        found[name] = LayerValues(weights, rng.standard_normal(biases, np.float32) * np.float32(0.1))
    return found


def float_graph(network: Network, values: Values, name: str = "net") -> Graph:
    """The network as a float graph with one input of batch 1, named "input", and one output."""
    return _Builder(network, values).graph(name)


class _Builder:
    def __init__(self, network: Network, values: Values) -> None:
        self.network, self.values = network, values
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []

    def graph(self, name: str) -> Graph:
        self.value(INPUT)
        for layer in self.network.layers:
            self.ops.append(self.op(layer))
        return Graph(name, self.tensors, tuple(self.ops), (INPUT,), (self.network.output,))

    def value(self, name: str) -> str:
        """Declare a value of the network, batch 1."""
        self.tensors[name] = Tensor(name, (1, *self.network.shapes[name]), DType.FLOAT32)
        return name

    def constants(self, layer: str) -> tuple[str, str]:
        """Names of a layer's weights and bias."""
        values, names = self.values[layer], (f"{layer}/weights", f"{layer}/bias")
        for name, data in zip(names, (values.weights, values.bias), strict=True):
            self.tensors[name] = Tensor(name, data.shape, DType.FLOAT32, None, data)
        return names

    def op(self, layer: Layer) -> Op:
        name, y = layer.name, self.value(layer.name)
        if isinstance(layer, Conv | DepthwiseConv):
            kind = conv2d.Conv2D if isinstance(layer, Conv) else depthwise_conv2d.DepthwiseConv2D
            window = _same(self.network.shapes[layer.x], layer.kernel, layer.stride, layer.dilation)
            return kind(name, layer.x, *self.constants(name), y, window, Activation(layer.activation))
        if isinstance(layer, Dense):
            act = Activation(layer.activation)
            return fully_connected.FullyConnected(name, layer.x, *self.constants(name), y, activation=act)
        if isinstance(layer, Add):
            return add.Add(name, layer.a, layer.b, y, Activation(layer.activation))
        if isinstance(layer, Concat):
            return concat.Concat(name, layer.xs, y, axis=len(self.network.shapes[name]))
        if isinstance(layer, Pool):
            pool = max_pool2d.MaxPool2D if layer.kind == "max" else average_pool2d.AveragePool2D
            return pool(name, layer.x, y, Window(layer.window, layer.stride))
        if isinstance(layer, GlobalAverage):
            return mean.Mean(name, layer.x, y, (1, 2), keep_dims=False)
        assert isinstance(layer, Flatten)
        return Reshape(name, layer.x, y, (1, *self.network.shapes[name]))


def _same(x: Shape, kernel: Pair, stride: Pair, dilation: Pair) -> Window:
    """TensorFlow's SAME padding for a map."""
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    rows, columns = (same_padding(n, e, s) for n, e, s in zip(x[:2], extents, stride, strict=True))
    return Window(kernel, stride, dilation, (rows, columns))
