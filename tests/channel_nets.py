"""Random quantized networks full of zero weights, saturated and constant channels, and shared values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from nets import Net
from patchloom.ir import Activation, DType, Graph, Op, Quant, Tensor, Window
from patchloom.ir.cases import Draw, draw_data
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.leaky_relu import LeakyRelu
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.maximum import Maximum
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.pad import Pad
from patchloom.ir.ops.prelu import PRelu
from patchloom.ir.ops.quantize import Quantize
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.reshape import Reshape
from patchloom.ir.ops.resize_bilinear import ResizeBilinear
from patchloom.ir.ops.resize_nearest import ResizeNearest
from patchloom.ir.ops.slice import Slice
from patchloom.ir.ops.softmax import Softmax
from patchloom.ir.ops.split import Split
from patchloom.ir.ops.sub import Sub
from patchloom.ir.ops.transpose import Transpose
from patchloom.ir.ops.transpose_conv import TransposeConv

Step = Callable[[Net, Draw, str, str, list[str]], list[str]]


def channel_net(draw: Draw, dtype: DType, steps: int = 10) -> Graph:
    """A graph of random ops on values [1,H,W,C] that starts and mostly goes on with weighted ops."""
    net = Net()
    size = (1, draw.integer(1, 6), draw.integer(1, 6), draw.integer(1, 4))
    values = [net.input("x", size, dtype, _quant(draw, dtype))]
    for i in range(steps):
        # Mostly the newest value, so that chains are long enough to fold along.
        x = values[-1] if draw.integer(0, 2) else draw.choice(values)
        kinds = _MIXING if i == 0 or draw.integer(0, 1) else _OTHERS
        if net.tensors[x].elements > 1500:
            kinds = (_pool, _mean)
        values += draw.choice(kinds)(net, draw, f"v{i}", x, values)
    readers = {x for op in net.ops for x in op.inputs}
    ends = [v for v in values if v not in readers and v not in net.inputs]
    some = [v for v in values if v in readers and draw.integer(0, 9) == 0]
    if draw.choice([False, False, True]):
        ends.append(_head(net, draw, ends[-1] if ends else values[-1]))
    return net.graph(*dict.fromkeys(ends[-2:] + some or values[-1:]))


def _quant(draw: Draw, dtype: DType) -> Quant:
    zero = 0 if dtype is DType.INT16 else draw.choice([-128, -128, -8, 0, 127])
    return Quant((draw.choice([0.25, 0.5]),), (zero,))


def _sparse(draw: Draw, shape: tuple[int, ...], outputs: int) -> np.ndarray:
    """Weights of which whole output channels, whole input channels and single ones are 0."""
    rng = draw.rng()
    w = rng.integers(-40, 41, size=shape)
    w[rng.random(shape) < draw.choice([0.0, 0.3, 0.9])] = 0
    w[..., rng.random(shape[-1]) < draw.choice([0.0, 0.4])] = 0
    if outputs == 0:
        w[rng.random(shape[0]) < draw.choice([0.0, 0.5, 1.0])] = 0
    return w.astype(np.int8)


def _constants(
    net: Net, draw: Draw, name: str, x: str, shape: tuple[int, ...], axis: int
) -> tuple[str, str | None]:
    """Weights, and a bias that puts some channels beyond the ends of the output."""
    count, rng, t = shape[axis], draw.rng(), net.tensors[x]
    many = draw.choice([False, True])
    scales = (0.0625, 0.03125, 0.09375)
    scale = tuple(scales[i] for i in rng.integers(0, 3, size=count if many else 1))
    quant = Quant(scale, (0,) * len(scale), axis if many else None)
    w = net.const(f"{name}w", _sparse(draw, shape, axis), quant)
    if draw.choice([False, False, True]):
        return w, None
    bias = rng.choice([0, 50, -300, 20000, -20000], size=count)
    b_quant = Quant(tuple(s * 0.25 for s in scale), (0,) * len(scale), 0 if many else None)
    dtype = np.int64 if t.dtype is DType.INT16 else np.int32
    return w, net.const(f"{name}b", bias.astype(dtype), b_quant)


def _window(draw: Draw, shape: tuple[int, ...]) -> Window:
    kernel = (draw.integer(1, 3), draw.integer(1, 3))
    padding = draw.choice([False, True])
    pairs = [
        (draw.integer(0, k - 1), draw.integer(0, k - 1)) if padding or n < k else (0, 0)
        for n, k in zip(shape[1:3], kernel, strict=True)
    ]
    # A window larger than the input needs the padding that makes it fit.
    pairs = [(k - 1, k - 1) if n < k else p for n, k, p in zip(shape[1:3], kernel, pairs, strict=True)]
    return Window(kernel, (draw.integer(1, 2), 1), padding=(pairs[0], pairs[1]))


def _result(draw: Draw, t: Tensor) -> Quant:
    zero = 0 if t.dtype is DType.INT16 else draw.choice([-128, -128, 0, 30])
    return Quant((draw.choice([1.0, 4.0, 20.0]),), (zero,))


def _conv(net: Net, draw: Draw, y: str, x: str, values: list[str]) -> list[str]:
    t = net.tensors[x]
    window = _window(draw, t.shape)
    groups = 2 if t.shape[3] % 2 == 0 and draw.integer(0, 5) == 0 else 1
    shape = (groups * draw.integer(1, 4), *window.kernel, t.shape[3] // groups)
    w, b = _constants(net, draw, y, x, shape, 0)
    op = Conv2D(y, x, w, b, y, window, draw.choice(list(Activation)))
    return [net.add(op, quant=_result(draw, t))]


def _depthwise(net: Net, draw: Draw, y: str, x: str, values: list[str]) -> list[str]:
    t = net.tensors[x]
    window = _window(draw, t.shape)
    w, b = _constants(net, draw, y, x, (1, *window.kernel, t.shape[3] * draw.choice([1, 1, 2])), 3)
    op = DepthwiseConv2D(y, x, w, b, y, window, draw.choice(list(Activation)))
    return [net.add(op, quant=_result(draw, t))]


def _transpose_conv(net: Net, draw: Draw, y: str, x: str, values: list[str]) -> list[str]:
    t = net.tensors[x]
    w, b = _constants(net, draw, y, x, (draw.integer(1, 3), 2, 2, t.shape[3]), 0)
    window = Window((2, 2), (draw.integer(1, 2),) * 2)
    size = ((t.shape[1] - 1) * window.stride[0] + 2, (t.shape[2] - 1) * window.stride[1] + 2)
    op = TransposeConv(y, x, w, b, y, window, size, draw.choice(list(Activation)))
    return [net.add(op, quant=_result(draw, t))]


def _shared(net: Net, draw: Draw, y: str, x: str, values: list[str]) -> list[str]:
    """Two convolutions of the same weights."""
    (first,) = _conv(net, draw, y, x, values)
    op = net.ops[-1]
    assert isinstance(op, Conv2D)
    again = Conv2D(f"{y}_2", x, op.weights, op.bias, f"{y}_2", op.window)
    return [first, net.add(again, quant=net.tensors[first].quant)]


def _pool(net: Net, draw: Draw, y: str, x: str, values: list[str]) -> list[str]:
    window = _window(draw, net.tensors[x].shape)
    kind = draw.choice([AveragePool2D, MaxPool2D])
    return [net.add(kind(y, x, y, window, draw.choice(list(Activation))))]


def _mean(net: Net, draw: Draw, y: str, x: str, values: list[str]) -> list[str]:
    return [net.add(Mean(y, x, y, draw.choice([(1,), (1, 2), (1, 2), (3,)]), True))]


def _unary(net: Net, draw: Draw, y: str, x: str, values: list[str]) -> list[str]:
    t = net.tensors[x]
    slopes = net.const(
        f"{y}s", draw.rng().integers(-9, 9, size=t.shape[3]).astype(np.int8), Quant((0.1,), (0,))
    )
    op: Op = draw.choice(
        [
            Relu(y, x, y, draw.choice([Activation.RELU, Activation.RELU6])),
            LeakyRelu(y, x, y, -0.5),
            PRelu(y, x, slopes, y),
            Quantize(y, x, y),
        ]
    )
    return [net.add(op, quant=_quant(draw, t.dtype) if isinstance(op, Quantize) else None)]


def _binary(net: Net, draw: Draw, y: str, x: str, values: list[str]) -> list[str]:
    """With another value of its shape, itself, a constant, or one element."""
    t = net.tensors[x]
    alike = [v for v in values if net.tensors[v].shape == t.shape and net.tensors[v].quant == t.quant]
    shape = draw.choice([t.shape, t.shape[3:], (1,)])
    constant = net.const(f"{y}c", draw_data(draw, shape, t.dtype), t.quant)
    other = draw.choice([*alike, constant])
    a, b = (x, other) if draw.choice([True, False]) else (other, x)
    kind = draw.choice([Add, Sub, Mul, Maximum])
    if kind is Maximum:
        return [net.add(Maximum(y, a, b, y), quant=t.quant)]
    return [net.add(kind(y, a, b, y, draw.choice(list(Activation))), quant=_result(draw, t))]


def _parts(net: Net, draw: Draw, y: str, x: str, values: list[str]) -> list[str]:
    """Split, slice, concat and pad, mostly along the channels."""
    t, axis = net.tensors[x], draw.choice([1, 3, 3])
    kind = draw.integer(0, 3)
    if kind == 0 and t.shape[axis] > 1:
        first = draw.integer(1, t.shape[axis] - 1)
        ys = (f"{y}a", f"{y}b")
        net.add(Split(y, x, ys, draw.choice([axis, axis - 4]), (first, t.shape[axis] - first)))
        return list(ys)
    if kind == 1:
        begin = draw.integer(0, t.shape[3] - 1)
        size, step = draw.choice(
            [(t.shape[3] - begin, 1), (1, 3), (begin + 1, -1), ((t.shape[3] - begin + 1) // 2, 2)]
        )
        return [net.add(Slice(y, x, y, (0, 0, 0, begin), (*t.shape[:3], size), (1, 1, 1, step)))]
    if kind == 2:
        border = ((0, 0), (0, draw.integer(0, 1)), (0, 0), (draw.integer(0, 1), draw.integer(0, 2)))
        return [net.add(Pad(y, x, y, border, draw.choice([t.zero_point, 5])))]
    alike = [v for v in values if net.tensors[v].shape[:3] == t.shape[:3] and net.tensors[v].quant == t.quant]
    constant = net.const(f"{y}c", draw_data(draw, (*t.shape[:3], 2), t.dtype), t.quant)
    return [net.add(Concat(y, (x, draw.choice([*alike, constant])), y, 3))]


def _move(net: Net, draw: Draw, y: str, x: str, values: list[str]) -> list[str]:
    _, h, w, c = net.tensors[x].shape
    ops: list[Op] = [
        Transpose(y, x, y, draw.choice([(0, 2, 1, 3), (0, 3, 1, 2)])),
        Reshape(y, x, y, (1, w, h, c)),
        Reshape(y, x, y, (1, 1, h * w, c)),
        Reshape(y, x, y, (1, 1, h, w * c)),
        Reshape(y, x, y, (1, c, h, w)),
        ResizeNearest(y, x, y, (h, 2 * w), False, False),
    ]
    if net.tensors[x].dtype is DType.INT8:
        ops.append(ResizeBilinear(y, x, y, (h + 1, w), False, False))
    return [net.add(draw.choice(ops))]


def _dense(net: Net, draw: Draw, y: str, x: str, values: list[str]) -> list[str]:
    """Fully-connected on the flattened value, on rows of it, or on each pixel."""
    t = net.tensors[x]
    depth = draw.choice([t.elements, t.shape[2] * t.shape[3], t.shape[3]])
    rows = (
        x
        if draw.choice([False, True])
        else net.add(Reshape(f"{y}_f", x, f"{y}f", (t.elements // depth, depth)))
    )
    w, b = _constants(net, draw, y, x, (draw.integer(1, 4), depth), 0)
    fc = net.add(FullyConnected(y, rows, w, b, f"{y}r"), quant=_result(draw, t))
    return [net.add(Reshape(f"{y}_s", fc, y, (1, 1, *net.tensors[fc].shape)))]


def _head(net: Net, draw: Draw, x: str) -> str:
    t = net.tensors[x]
    if t.dtype is not DType.INT8:
        return x
    return net.add(Softmax("head", x, "head"), quant=Quant((2.0**-8,), (-128,)))


_MIXING: tuple[Step, ...] = (_conv, _conv, _depthwise, _dense)
_OTHERS: tuple[Step, ...] = (
    _pool,
    _mean,
    _unary,
    _binary,
    _binary,
    _parts,
    _parts,
    _move,
    _transpose_conv,
    _shared,
)
