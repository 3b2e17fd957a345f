"""Small graphs for tests of graph passes: built value by value, by hand or at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from patchloom.ir import Activation, DType, Graph, Op, Quant, Tensor, Window, verify
from patchloom.ir.cases import Draw, RandomDraw, draw_data
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.dequantize import Dequantize
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.pad import Pad
from patchloom.ir.ops.quantize import Quantize
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.reshape import Reshape
from patchloom.ir.ops.resize_nearest import ResizeNearest
from patchloom.ir.ops.slice import Slice
from patchloom.ir.ops.split import Split
from patchloom.ir.ops.transpose import Transpose
from patchloom.ir.printer import op_text

Q = Quant((0.25,), (-8,))
WEIGHTS = Quant((0.0625,), (0,))


class Net:
    """Collects tensors and ops; `graph` checks what came out."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []
        self.inputs: list[str] = []

    def input(
        self, name: str, shape: tuple[int, ...], dtype: DType = DType.INT8, quant: Quant | None = Q
    ) -> str:
        self.tensors[name] = Tensor(name, shape, dtype, None if dtype is DType.FLOAT32 else quant)
        self.inputs.append(name)
        return name

    def const(self, name: str, data: np.ndarray, quant: Quant | None = Q) -> str:
        dtype = DType(data.dtype.name)
        self.tensors[name] = Tensor(name, data.shape, dtype, None if dtype is DType.FLOAT32 else quant, data)
        return name

    def weights(
        self, name: str, shape: tuple[int, ...], like: str, rng: np.random.Generator | None = None
    ) -> str:
        """Constant weights for an input of the type of `like`."""
        rng = rng or np.random.default_rng(0)
        if self.tensors[like].dtype is DType.FLOAT32:
            return self.const(name, rng.normal(size=shape).astype(np.float32))
        return self.const(name, rng.integers(-127, 128, size=shape).astype(np.int8), WEIGHTS)

    def add(self, op: Op, dtype: DType | None = None, quant: Quant | None = None) -> str:
        """Append an op and name its first output; stored like the first input unless said otherwise."""
        like = self.tensors[op.inputs[0]]
        dtype = dtype or like.dtype
        if dtype is DType.FLOAT32:
            quant = None
        elif quant is None:
            quant = like.quant
        for y, shape in zip(op.outputs, op.infer(self.tensors), strict=True):
            self.tensors[y] = Tensor(y, shape, dtype, quant)
        self.ops.append(op)
        return op.outputs[0]

    def graph(self, *outputs: str) -> Graph:
        used = {*self.inputs, *outputs, *(v for op in self.ops for v in (*op.inputs, *op.outputs))}
        tensors = {n: t for n, t in self.tensors.items() if n in used}
        return verify(Graph("net", tensors, tuple(self.ops), tuple(self.inputs), outputs))


def texts(graph: Graph) -> list[str]:
    """The ops as `patchloom dump` prints them."""
    return [op_text(op) for op in graph.ops]


def random_net(draw: Draw, dtype: DType, steps: int = 12) -> Graph:
    """A graph of random ops on values [1,H,W,C], rich in what canonicalize rewrites."""
    net = Net()
    values = [net.input("x", (1, draw.integer(2, 6), draw.integer(2, 6), draw.integer(1, 4)), dtype)]
    for i in range(steps):
        values += _step(net, draw, f"v{i}", draw.choice(values))
    readers = {x for op in net.ops for x in op.inputs}
    ends = [v for v in values if v not in readers and v not in net.inputs]
    some = [v for v in values if v in readers and v not in net.inputs and draw.integer(0, 5) == 0]
    return net.graph(*dict.fromkeys(ends[:2] + some or values[-1:]))


def _step(net: Net, draw: Draw, y: str, x: str) -> Sequence[str]:
    """Append one to three ops that read x; the new values."""
    t = net.tensors[x]
    kinds = [_conv, _pad_pool, _relu, _shape, _parts, _sum, _mean, _convert]
    if t.elements > 4000:
        kinds = [_relu, _mean]
    new = draw.choice(kinds)(net, draw, y, x)
    return [v for v in new if len(net.tensors[v].shape) == 4]


def _conv(net: Net, draw: Draw, y: str, x: str) -> list[str]:
    shape = net.tensors[x].shape
    kernel = (min(draw.integer(1, 3), shape[1]), min(draw.integer(1, 3), shape[2]))
    if draw.choice([True, False]):
        border = ((0, 0), (draw.integer(0, 2), 1), (0, draw.integer(0, 2)), (0, draw.choice([0, 0, 0, 1])))
        x = net.add(Pad(f"{y}_p", x, f"{y}p", border, draw.choice([net.tensors[x].zero_point] * 3 + [5])))
    channels, activation = net.tensors[x].shape[3], draw.choice(list(Activation))
    window = Window(kernel, padding=draw.choice([((0, 0), (0, 0)), ((0, kernel[0] - 1), (0, 0))]))
    if draw.choice([True, False]):
        w = net.weights(f"{y}w", (1, *kernel, channels), x, draw.rng())
        op: Op = DepthwiseConv2D(y, x, w, None, y, window, activation)
    else:
        w = net.weights(f"{y}w", (draw.integer(1, 4), *kernel, channels), x, draw.rng())
        op = Conv2D(y, x, w, None, y, window, activation)
    return [x, net.add(op, quant=draw.choice([None, Quant((2.0,), (7,))]))]


def _pad_pool(net: Net, draw: Draw, y: str, x: str) -> list[str]:
    zero = net.tensors[x].zero_point
    value = zero if net.tensors[x].dtype is DType.FLOAT32 else draw.choice([zero, -128])
    padded = net.add(Pad(f"{y}_p", x, f"{y}p", ((0, 0), (1, 0), (0, 1), (0, 0)), value))
    return [padded, net.add(MaxPool2D(y, padded, y, Window((2, 2)), draw.choice(list(Activation))))]


def _relu(net: Net, draw: Draw, y: str, x: str) -> list[str]:
    rescale = draw.choice([None, None, Quant((0.5,), (1,))])
    activation = Activation.RELU if rescale else draw.choice([Activation.RELU, Activation.RELU6])
    return [net.add(Relu(y, x, y, activation), quant=rescale)]


def _shape(net: Net, draw: Draw, y: str, x: str) -> list[str]:
    """Transposes and reshapes that stay [1,...] and 4-D."""
    shape = net.tensors[x].shape
    if draw.choice([True, False]):
        perm = draw.choice([(0, 1, 2, 3), (0, 3, 1, 2), (0, 2, 3, 1), (0, 2, 1, 3)])
        return [net.add(Transpose(y, x, y, perm))]
    flat = net.add(Reshape(f"{y}_f", x, f"{y}f", (net.tensors[x].elements,)))
    target = draw.choice(
        [shape, (1, shape[2], shape[1], shape[3]), (1, 1, *shape[2:]) if shape[1] == 1 else shape]
    )
    return [net.add(Reshape(y, flat, y, target))]


def _parts(net: Net, draw: Draw, y: str, x: str) -> list[str]:
    shape = net.tensors[x].shape
    kind = draw.integer(0, 3)
    if kind == 0:
        axis = draw.integer(1, 3)
        count = draw.choice([1, shape[axis]])
        ys = tuple(f"{y}_{i}" for i in range(count))
        net.add(Split(y, x, ys, axis, (shape[axis] // count,) * count))
        return list(ys)
    if kind == 1:
        begin = tuple(draw.integer(0, 1) if n > 1 and draw.choice([True, False]) else 0 for n in shape)
        size = tuple(n - b for n, b in zip(shape, begin, strict=True))
        return [net.add(Slice(y, x, y, begin, size, (1, 1, 1, 1)))]
    if kind == 2:
        scale = draw.choice([1, 2])
        return [net.add(ResizeNearest(y, x, y, (shape[1] * scale, shape[2]), False, False))]
    return [net.add(Concat(y, draw.choice([(x,), (x, x)]), y, draw.integer(1, 3)))]


def _sum(net: Net, draw: Draw, y: str, x: str) -> list[str]:
    """x plus a constant that takes two ops to compute."""
    t = net.tensors[x]
    c = net.const(f"{y}c", draw_data(draw, t.shape, t.dtype), t.quant)
    halved = net.add(Relu(f"{y}_r", c, f"{y}r", Activation.RELU))
    back = net.add(Reshape(f"{y}_s", halved, f"{y}s", t.shape))
    return [net.add(Add(y, x, back, y, draw.choice(list(Activation))))]


def _mean(net: Net, draw: Draw, y: str, x: str) -> list[str]:
    moved = net.add(Transpose(f"{y}_t", x, f"{y}t", draw.choice([(0, 3, 1, 2), (0, 2, 3, 1)])))
    axes = draw.choice([(1,), (2,), (1, 2), (2, 3), (3,)])
    return [net.add(Mean(y, moved, y, axes, draw.choice([True, True, False])))]


def _convert(net: Net, draw: Draw, y: str, x: str) -> list[str]:
    """Pairs of conversions, and conversions that change nothing."""
    t = net.tensors[x]
    if t.dtype is DType.FLOAT32:
        q = net.add(Quantize(f"{y}_q", x, f"{y}q"), DType.INT8, Q)
        return [net.add(Dequantize(y, q, y), DType.FLOAT32)]
    if draw.choice([True, False]):
        return [net.add(Quantize(y, x, y), quant=draw.choice([None, Quant((0.5,), (1,))]))]
    f = net.add(Dequantize(f"{y}_d", x, f"{y}d"), DType.FLOAT32)
    return [net.add(Quantize(y, f, y), DType.INT8, t.quant)]


def float_boundary() -> Net:
    """quantize, relu, dequantize."""
    net = Net()
    x = net.input("x", (1, 4), DType.FLOAT32)
    q = net.add(Quantize("quantize", x, "q"), DType.INT8, Q)
    r = net.add(Relu("relu", q, "r"))
    net.add(Dequantize("dequantize", r, "y"), DType.FLOAT32)
    return net


def uint8_net(op: Op, shape: tuple[int, ...] = (1, 4, 4, 1)) -> Graph:
    """One op that reads the uint8 input `x`."""
    net = Net()
    net.input("x", shape, DType.UINT8, Quant((0.5,), (100,)))
    net.add(op)
    return net.graph(*op.outputs)


def samples(graph: Graph, count: int = 2) -> list[dict[str, np.ndarray]]:
    """Random inputs."""
    draw = RandomDraw(1)
    return [{n: draw_data(draw, graph[n].shape, graph[n].dtype) for n in graph.inputs} for _ in range(count)]


def as_uint8(graph: Graph) -> Graph:
    """The same network as a uint8 graph: what shift_uint8 turns into `graph`, weights included."""

    def shifted(t: Tensor) -> Tensor:
        if t.dtype is not DType.INT8 or t.quant is None:
            return t
        data = None if t.data is None else (t.data.astype(np.int16) + 128).astype(np.uint8)
        quant = replace(t.quant, zero_point=tuple(z + 128 for z in t.quant.zero_point))
        return replace(t, dtype=DType.UINT8, quant=quant, data=data)

    ops = [replace(op, value=op.value + 128) if isinstance(op, Pad) else op for op in graph.ops]
    return replace(graph, ops=tuple(ops), tensors={n: shifted(t) for n, t in graph.tensors.items()})
