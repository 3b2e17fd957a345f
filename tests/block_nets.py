"""Random networks of expansions and projections, and of fully-connected layers, that can be split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from nets import Net
from patchloom.ir import Activation, DType, Graph, Quant, Tensor, Window
from patchloom.ir.cases import Draw
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.leaky_relu import LeakyRelu
from patchloom.ir.ops.lookup import Lookup
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.reshape import Reshape
from patchloom.ir.ops.resize_nearest import ResizeNearest
from patchloom.ir.rounding import Rounding
from patchloom.passes.channel_blocks import Blocks, runs_of

Q = Quant((0.05,), (-8,))
PIXEL = Window((1, 1))
SAME = Window((3, 3), padding=((1, 1), (1, 1)))


def weighted(
    net: Net, draw: Draw, kind: type, y: str, x: str, shape: tuple[int, ...], **attributes: object
) -> str:
    """Append an op with weights of `shape`: one scale, or one per channel; with or without bias."""
    rng, axis = draw.rng(), kind.CHANNEL_AXIS % len(shape)
    count = shape[axis]
    spread = 1 / np.sqrt(np.prod(shape) / count)
    scales = np.float32(spread / 73) * rng.uniform(0.5, 2.0, draw.choice([1, count])).astype(np.float32)
    data = rng.integers(-127, 128, shape).astype(np.int8)
    quant = Quant(tuple(map(float, scales)), (0,) * len(scales), axis if len(scales) > 1 else None)
    net.tensors[f"{y}/w"] = Tensor(f"{y}/w", shape, DType.INT8, quant, data)
    bias = None
    if draw.choice([True, True, False]):
        bias = net.const(f"{y}/b", rng.integers(-3000, 3000, count).astype(np.int32), None)
        quant = replace(quant, axis=None if quant.axis is None else 0)
        net.tensors[bias] = replace(net.tensors[bias], quant=quant)
    clamp = draw.choice([Activation.NONE, Activation.RELU])
    net.add(kind(y, x, f"{y}/w", bias, y, activation=clamp, **attributes))
    zero = draw.choice([-128, -8, 0, 90])
    scale = float(np.float32(0.05 * rng.uniform(0.8, 1.5)))
    net.tensors[y] = replace(net.tensors[y], quant=Quant((scale,), (zero,)))
    return y


def conv(net: Net, draw: Draw, y: str, x: str, count: int, window: Window = PIXEL) -> str:
    """A convolution with `count` output channels."""
    shape = (count, *window.kernel, net.tensors[x].shape[3])
    rounding = draw.choice([Rounding.TFLITE_DOUBLE] * 3 + [Rounding.ONNX_F32])
    return weighted(net, draw, Conv2D, y, x, shape, window=window, rounding=rounding)


def dense(net: Net, draw: Draw, y: str, x: str, count: int, depth: int | None = None) -> str:
    """A fully-connected layer."""
    depth = depth or net.tensors[x].shape[-1]
    return weighted(net, draw, FullyConnected, y, x, (count, depth), keep_dims=draw.choice([False, True]))


def bottleneck(net: Net, draw: Draw, stem: str, x: str, middle: int, outputs: int) -> str:
    """Expand, some ops that keep channels apart, project; any of the windows may have strides."""
    y = conv(net, draw, f"{stem}_e", x, middle, draw.choice([Window((1, 1)), Window((1, 1)), SAME]))
    for i in range(draw.integer(0, 2)):
        y = _between(net, draw, f"{stem}_m{i}", y)
    window = draw.choice([Window((1, 1)), Window((1, 1)), SAME, Window((1, 1), (2, 2))])
    y = conv(net, draw, f"{stem}_p", y, outputs, window)
    if net.tensors[y].shape == net.tensors[x].shape and draw.choice([True, False]):
        return net.add(Add(f"{stem}_a", x, y, f"{stem}_a", Activation.NONE), quant=Q)
    return y


def _between(net: Net, draw: Draw, y: str, x: str) -> str:
    """An op that treats every channel alike."""
    shape, kind = net.tensors[x].shape, draw.choice(["depthwise"] * 3 + ["pool", "function", "resize"])
    if kind == "depthwise":
        window = replace(SAME, stride=draw.choice([(1, 1), (2, 2)]))
        return weighted(net, draw, DepthwiseConv2D, y, x, (1, 3, 3, shape[3]), window=window)
    if kind == "pool" and min(shape[1:3]) >= 2:
        pool = draw.choice([MaxPool2D, AveragePool2D])
        return net.add(pool(y, x, y, Window((2, 2), (1, 1)), Activation.NONE))
    if kind == "resize" and shape[1] * shape[2] <= 25:
        return net.add(ResizeNearest(y, x, y, (shape[1] * 2, shape[2]), False, False))
    if draw.choice([True, False]):
        table = net.const(f"{y}/t", draw.rng().integers(-128, 128, 256).astype(np.int8), None)
        return net.add(Lookup(y, x, table, y), quant=net.tensors[x].quant)
    if draw.choice([True, False]):
        return net.add(LeakyRelu(y, x, y, 0.25), quant=net.tensors[x].quant)
    return net.add(Relu(y, x, y, Activation.RELU), quant=net.tensors[x].quant)


def head(net: Net, draw: Draw, x: str, middle: int, outputs: int) -> str:
    """A convolution whose channels go to a fully-connected layer: averaged, flattened, or as they are."""
    y = conv(net, draw, "h_e", x, middle)
    shape, kind = net.tensors[y].shape, draw.choice(["mean", "flat", "map"])
    if kind == "mean":
        y = net.add(Mean("h_m", y, "h_m", (1, 2), draw.choice([True, False])), quant=Q)
        return dense(net, draw, "h_p", y, outputs)
    depth = int(np.prod(shape))
    if kind == "flat":
        y = net.add(Reshape("h_m", y, "h_m", (1, depth)), quant=net.tensors[y].quant)
        return dense(net, draw, "h_p", y, outputs)
    return weighted(net, draw, FullyConnected, "h_p", y, (outputs, depth), keep_dims=False)


def random_block_net(draw: Draw) -> Graph:
    """One or two bottlenecks and a head, or a chain of fully-connected layers."""
    net = Net()
    if draw.choice([True, False, False]):
        x = net.input("x", draw.choice([(1, 13), (3, 13), (1, 2, 2, 13)]), DType.INT8, Q)
        for i, count in enumerate((draw.integer(8, 70), draw.integer(1, 9), draw.integer(8, 40), 5)):
            x = dense(net, draw, f"f{i}", x, count)
        return net.graph(x)
    x = net.input("x", (1, draw.integer(2, 7), draw.integer(2, 6), draw.integer(1, 9)), DType.INT8, Q)
    for i in range(draw.integer(1, 2)):
        same = net.tensors[x].shape[3]
        outputs = draw.choice([same, draw.integer(1, 10)])
        x = bottleneck(net, draw, f"b{i}", x, draw.choice([8, 20, 31, 48]), outputs)
    return net.graph(head(net, draw, x, draw.choice([8, 24, 33]), draw.integer(1, 9)))


def tiny_map(middle: int) -> Graph:
    """3x3x16, expanded to `middle` channels and projected to 16: only channel blocks make it small."""
    draw = Fixed(np.random.default_rng(1))
    net = Net()
    x = net.input("x", (1, 3, 3, 16), DType.INT8, Q)
    y = conv(net, draw, "expand", x, middle)
    y = weighted(net, draw, DepthwiseConv2D, "deep", y, (1, 3, 3, middle), window=SAME)
    return net.graph(conv(net, draw, "project", y, 16))


class Fixed:
    """The first of all choices."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def integer(self, low: int, high: int) -> int:
        return low

    def choice(self, options):  # type: ignore[no-untyped-def]
        return options[0]

    def rng(self) -> np.random.Generator:
        return self._rng


def some_blocks(graph: Graph, rng: np.random.Generator) -> Blocks:
    """Random numbers of blocks of runs that share no op."""
    found: list[tuple[str, int]] = []
    taken: set[str] = set()
    for name, r in runs_of(graph).items():
        names = {op.name for op in r.ops}
        if not taken & names:
            taken |= names
            found.append((name, int(rng.integers(2, min(r.channels, 9) + 1))))
    return tuple(found)
