"""Float networks for tests of quantization."""

from __future__ import annotations

import numpy as np
from nets import Net
from patchloom.ir import Activation, DType, Graph, Tensor, Window
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.hard_swish import HardSwish
from patchloom.ir.ops.leaky_relu import LeakyRelu
from patchloom.ir.ops.logistic import Logistic
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.pad import Pad
from patchloom.ir.ops.reshape import Reshape
from patchloom.ir.ops.softmax import Softmax
from patchloom.ir.ops.sub import Sub

SAME = Window((3, 3), padding=((1, 1), (1, 1)))
SIZE = 8


class FloatNet(Net):
    """A network of float ops over NHWC maps."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)
        self.input("x", (1, SIZE, SIZE, 3), DType.FLOAT32)

    def value(self, name: str, shape: tuple[int, ...]) -> str:
        self.tensors[name] = Tensor(name, shape, DType.FLOAT32)
        return name

    def normal(self, name: str, shape: tuple[int, ...], spread: float) -> str:
        return self.const(name, (self.rng.normal(size=shape) * spread).astype(np.float32))

    def conv(self, name: str, x: str, outputs: int, act: Activation, spread: float = 0.3) -> str:
        _, h, w, c = self.tensors[x].shape
        weights = self.normal(f"{name}_w", (outputs, 3, 3, c), spread / c**0.5)
        bias = self.normal(f"{name}_b", (outputs,), 0.1)
        self.ops.append(
            Conv2D(name, x, weights, bias, self.value(name + "_y", (1, h, w, outputs)), SAME, act)
        )
        return name + "_y"

    def depthwise(self, name: str, x: str, act: Activation) -> str:
        shape = self.tensors[x].shape
        weights = self.normal(f"{name}_w", (1, 3, 3, shape[3]), 0.4)
        bias = self.normal(f"{name}_b", (shape[3],), 0.1)
        self.ops.append(DepthwiseConv2D(name, x, weights, bias, self.value(name + "_y", shape), SAME, act))
        return name + "_y"

    def dense(self, name: str, x: str, outputs: int) -> str:
        weights = self.normal(f"{name}_w", (outputs, self.tensors[x].elements), 0.3)
        bias = self.normal(f"{name}_b", (outputs,), 0.1)
        self.ops.append(FullyConnected(name, x, weights, bias, self.value(name + "_y", (1, outputs))))
        return name + "_y"

    def done(self, output: str) -> Graph:
        return self.graph(output)


def classifier(seed: int = 0) -> Graph:
    """Convolutions and a depthwise layer with a residual, mean over the map, softmax of 5 classes."""
    net, relu = FloatNet(seed), Activation.RELU
    a = net.conv("conv_1", "x", 8, relu)
    b = net.depthwise("dw", a, relu)
    c = net.conv("conv_2", b, 8, Activation.NONE)
    net.ops.append(Add("add", a, c, net.value("add_y", (1, SIZE, SIZE, 8)), relu))
    window = Window((SIZE, SIZE), (SIZE, SIZE))
    net.ops.append(AveragePool2D("pool", "add_y", net.value("pool_y", (1, 1, 1, 8)), window))
    net.ops.append(Reshape("flat", "pool_y", net.value("flat_y", (1, 8)), (1, 8)))
    d = net.dense("dense", "flat_y", 5)
    net.ops.append(Softmax("softmax", d, net.value("probabilities", (1, 5))))
    return net.done("probabilities")


def varied(seed: int = 0) -> Graph:
    """Ops of every kind: prescribed outputs, shared quantizations, constants as operands."""
    net = FloatNet(seed)
    a = net.conv("conv", "x", 4, Activation.NONE)
    shape = net.tensors[a].shape
    net.ops.append(Logistic("gate", a, net.value("gate_y", shape)))
    net.ops.append(HardSwish("swish", a, net.value("swish_y", shape)))
    net.ops.append(Mul("mul", "gate_y", "swish_y", net.value("mul_y", shape)))
    net.ops.append(LeakyRelu("leaky", a, net.value("leaky_y", shape), 0.1))
    both = (*shape[:3], 12)
    net.ops.append(Concat("concat", ("mul_y", "leaky_y", "gate_y"), net.value("concat_y", both), 3))
    padding = ((0, 0), (1, 1), (1, 1), (0, 0))
    padded = (1, SIZE + 2, SIZE + 2, 12)
    net.ops.append(Pad("pad", "concat_y", net.value("pad_y", padded), padding, 0.0))
    half = (1, (SIZE + 2) // 2, (SIZE + 2) // 2, 12)
    net.ops.append(MaxPool2D("max", "pad_y", net.value("max_y", half), Window((2, 2), (2, 2))))
    net.ops.append(Sub("shift", "max_y", net.normal("offset", (12,), 0.5), net.value("shift_y", half)))
    return net.done("shift_y")


def images(count: int, seed: int, graph: Graph) -> np.ndarray:
    """Smooth random inputs [N, ...] of the graph's input shape."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(count, SIZE // 2, SIZE // 2, 3))
    return np.repeat(np.repeat(coarse, 2, axis=1), 2, axis=2).astype(np.float32)
