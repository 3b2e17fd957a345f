"""The grid of shapes on which kernels are measured: layers of many sizes with random weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from patchloom.errors import UserError
from patchloom.ir import Activation, DType, Graph, Op, Quant, Tensor, Window, check_rules, verify
from patchloom.ir.cases import RandomDraw, one_op_graph
from patchloom.ir.ops import OPS
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.cast import Cast
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.lookup import Lookup
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.pad import Pad
from patchloom.ir.ops.read_state import ReadState
from patchloom.ir.ops.slice import Slice
from patchloom.ir.ops.softmax import Softmax
from patchloom.ir.ops.split import Split
from patchloom.ir.ops.sub import Sub
from patchloom.ir.ops.transpose import Transpose
from patchloom.ir.ops.write_state import WriteState
from patchloom.ir.weighted import draw_output
from patchloom.ir.window import same_padding

MOVING = (Concat, Pad, Slice, Split, Transpose)
"""Operators of which more and larger cases are drawn: many draws move a few bytes, or none at all."""

STATEFUL = (ReadState, WriteState)
"""Copies to and from state, which are no functions of their inputs; the cost of a copy stands for theirs."""

LEAST_MOVED = 64
"""Elements of a case that is nothing but copies: below, their cost is that of a call."""

MAX_MACS = 250_000
"""Work per case: enough for loops to show, little enough for the slowest core."""

POINTWISE = [
    (6, 6, 8, 16),
    (5, 5, 16, 16),
    (25, 5, 32, 32),
    (12, 12, 16, 40),
    (1, 1, 256, 64),
    (3, 3, 128, 100),
]
POINTWISE += [
    (7, 5, 24, 96),
    (11, 11, 40, 24),
    (4, 4, 160, 56),
    (2, 2, 96, 160),
    (9, 9, 48, 8),
    (6, 6, 29, 31),
]
POINTWISE += [
    (3, 3, 20, 90),
    (13, 1, 64, 64),
    (24, 20, 8, 12),
    (5, 5, 144, 40),
    (1, 3, 7, 50),
    (10, 10, 33, 18),
]
POINTWISE += [
    (4, 4, 8, 320),
    (2, 3, 320, 48),
    (16, 16, 4, 10),
    (18, 18, 12, 48),
    (6, 5, 80, 72),
    (3, 3, 240, 40),
]
DENSE = [
    (640, 128),
    (128, 128),
    (128, 8),
    (8, 128),
    (64, 12),
    (256, 2),
    (100, 37),
    (16, 16),
    (33, 5),
    (1, 16),
]
DENSE += [
    (576, 96),
    (49, 10),
    (400, 100),
    (200, 640),
    (72, 24),
    (1280, 32),
    (96, 3),
    (300, 1),
    (24, 250),
    (12, 7),
]
POINTWISE += [
    (1, 1, c, n) for c, n in ((128, 64), (64, 32), (19, 45), (320, 80), (48, 100), (8, 24), (5, 12))
]
POINTWISE += [(h, w, c, n) for h, w, c, n in ((9, 3, 4, 12), (12, 12, 8, 8), (5, 8, 12, 30), (7, 7, 3, 24))]
POINTWISE += [(1, 2, 40, 72), (2, 1, 100, 20), (3, 1, 32, 16), (4, 12, 8, 20), (20, 2, 6, 40), (6, 6, 8, 48)]
DENSE += [(8, 8), (4, 40), (12, 12), (10, 3), (6, 60), (3, 7), (15, 20), (9, 64)]
RESIDUAL = [(8, 8, 16, 16), (5, 6, 32, 32), (3, 9, 48, 16), (4, 4, 32, 48), (12, 6, 16, 24), (2, 4, 64, 32)]
RESIDUAL += [
    (3, 3, 64, 40),
    (9, 9, 16, 20),
    (6, 10, 16, 32),
    (4, 12, 32, 16),
    (7, 7, 32, 16),
    (10, 10, 16, 16),
]
RESIDUAL += [(4, 6, 16, 64), (2, 2, 32, 64), (11, 5, 32, 12), (16, 16, 16, 8), (3, 4, 80, 32), (6, 6, 48, 18)]
KERNELS = [
    (3, 3),
    (3, 3),
    (3, 3),
    (5, 5),
    (5, 5),
    (7, 7),
    (7, 7),
    (10, 4),
    (1, 3),
    (3, 1),
    (1, 9),
    (5, 1),
    (2, 2),
]
CHANNELS = [3, 4, 8, 13, 16, 24, 32, 40, 48, 64, 72, 96, 100, 144]
SIZES = [
    (3, 3),
    (4, 4),
    (6, 6),
    (5, 9),
    (11, 5),
    (12, 12),
    (16, 16),
    (1, 20),
    (22, 22),
    (25, 3),
    (24, 24),
    (36, 36),
]

Weighted = type[Conv2D] | type[DepthwiseConv2D] | type[FullyConnected]


class WideDraw(RandomDraw):
    """Random cases as operators draw them, with dimensions up to four times as large."""

    def integer(self, low: int, high: int) -> int:
        return super().integer(low, high * 4 if low == 1 and high > 4 else high)


def activation(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    """An int8 tensor with a usual quantization."""
    return Tensor(
        name,
        shape,
        DType.INT8,
        Quant((float(np.float32(rng.uniform(0.01, 0.05))),), (-128 + int(rng.integers(0, 140)),)),
    )


def weighted(
    kind: Weighted, x: Tensor, shape: tuple[int, ...], rng: np.random.Generator, **attributes: Any
) -> Graph:
    """A layer with weights of `shape`: about normal, one scale per channel, outputs mostly in range."""
    count, axis = shape[kind.CHANNEL_AXIS], kind.CHANNEL_AXIS
    data = np.clip(rng.normal(0, rng.choice([12, 25, 45]), shape).round(), -127, 127).astype(np.int8)
    scale = tuple(float(s) for s in rng.uniform(0.002, 0.008, count).astype(np.float32))
    w = Tensor("w", shape, DType.INT8, Quant(scale, (0,) * count, axis % len(shape)), data)
    assert x.quant
    bias_quant = Quant(tuple(float(np.float32(x.quant.s * s)) for s in scale), (0,) * count, 0)
    bias = Tensor("b", (count,), DType.INT32, bias_quant, rng.integers(-2000, 2000, count).astype(np.int32))
    draw = RandomDraw(int(rng.integers(1 << 30)))
    y = draw_output(draw, "y", x, w, max(1, data.size // count))
    clamp = Activation.RELU if rng.random() < (0.9 if kind is DepthwiseConv2D else 0.6) else Activation.NONE
    if clamp is Activation.RELU and y.quant:  # as converters store it
        y = replace(y, quant=Quant(y.quant.scale, (-128,)))
    return one_op_graph(kind("op", "x", "w", "b", "y", activation=clamp, **attributes), [x, w, bias, y])


def windows(rng: np.random.Generator, count: int) -> Iterator[tuple[Window, tuple[int, int]]]:
    """Windows with input sizes; mostly SAME padding."""
    for i in range(count):
        kernel = KERNELS[i % len(KERNELS)]
        size = SIZES[int(rng.integers(len(SIZES)))]
        stride = (1, 1) if rng.random() < 0.6 else (2, 2) if min(size) > 1 else (2, 1)
        if rng.random() < 0.7 or any(k > n for k, n in zip(kernel, size, strict=True)):
            pads = [same_padding(n, k, s) for n, k, s in zip(size, kernel, stride, strict=True)]
            yield Window(kernel, stride, (1, 1), (pads[0], pads[1])), size
        else:
            yield Window(kernel, stride), size


def weighted_cases(seed: int) -> Iterator[Graph]:
    """Convolutions, depthwise convolutions and fully-connected layers of int8."""
    rng = np.random.default_rng(seed)
    for h, w, c, n in POINTWISE:
        yield weighted(Conv2D, activation("x", (1, h, w, c), rng), (n, 1, 1, c), rng, window=Window((1, 1)))
    for c, n in DENSE:
        yield weighted(FullyConnected, activation("x", (1, c), rng), (n, c), rng, keep_dims=False)
    for h, w, c, n in RESIDUAL:
        pads = Window((3, 3), padding=((1, 1), (1, 1)))
        yield weighted(Conv2D, activation("x", (1, h, w, c), rng), (n, 3, 3, c), rng, window=pads)
    for window, (h, w) in windows(rng, 60):
        c, n = (int(rng.choice(CHANNELS)) for _ in range(2))
        yield weighted(Conv2D, activation("x", (1, h, w, c), rng), (n, *window.kernel, c), rng, window=window)
    for window, (h, w) in windows(rng, 30):  # the first layers of networks
        c, n = int(rng.choice([1, 1, 2, 3, 3, 4])), int(rng.choice([8, 16, 24, 64]))
        yield weighted(Conv2D, activation("x", (1, h, w, c), rng), (n, *window.kernel, c), rng, window=window)
    for window, (h, w) in windows(rng, 300):
        c = int(rng.choice(CHANNELS))
        yield weighted(
            DepthwiseConv2D, activation("x", (1, h, w, c), rng), (1, *window.kernel, c), rng, window=window
        )

    for i in range(24):  # series, and single channels
        length, c = int(rng.integers(8, 60)), 1 if i % 3 == 0 else int(rng.choice([8, 16, 24, 40, 64]))
        k = int(rng.integers(2, min(18, length)))
        window = Window((k, 1))
        yield weighted(
            DepthwiseConv2D, activation("x", (1, length, 1, c), rng), (1, k, 1, c), rng, window=window
        )


def clamped_cases(seed: int) -> Iterator[Graph]:
    """Depthwise layers whose ReLU ends above the lowest byte."""
    rng = np.random.default_rng(seed)
    for i in range(36):
        (h, w), k = SIZES[i % len(SIZES)], (3, 5, 3, 7)[i // len(SIZES) + i % 2]
        size, kernel = ((h * w, 1), (k, 1)) if i % 6 == 5 else ((h, w), (k, k))
        pads = [same_padding(n, m, 1) for n, m in zip(size, kernel, strict=True)]
        window = Window(kernel, padding=(pads[0], pads[1]))
        x = activation("x", (1, *size, int(rng.choice(CHANNELS))), rng)
        graph = weighted(DepthwiseConv2D, x, (1, *kernel, x.shape[3]), rng, window=window)
        (op,), y = graph.ops, graph[graph.outputs[0]]
        assert isinstance(op, DepthwiseConv2D) and y.quant
        y = replace(y, quant=Quant(y.quant.scale, (int(rng.integers(-100, 0)),)))
        tensors = [graph[n] for n in op.inputs] + [y]
        yield one_op_graph(replace(op, activation=Activation.RELU), tensors)


def other_cases(seed: int) -> Iterator[Graph]:
    """int8 layers without weights, of the sizes networks have."""
    rng = np.random.default_rng(seed)
    for i in range(24):
        h, w = SIZES[i % len(SIZES)]
        c = int(rng.choice(CHANNELS))
        x, other = activation("x", (1, h, w, c), rng), activation("x2", (1, h, w, c), rng)
        y = activation("y", (), rng)
        for kind in (Add, Sub, Mul):
            yield one_op_graph(kind("op", "x", "x2", "y", Activation.NONE), [x, other, y])
        same = Tensor("y", (), DType.INT8, x.quant)
        for pool in (MaxPool2D, AveragePool2D):
            k = int(rng.integers(1, min(h, w, 8) + 1))
            yield one_op_graph(
                pool("op", "x", "y", Window((k, k), (min(k, 2),) * 2), Activation.NONE), [x, same]
            )
        yield one_op_graph(Mean("op", "x", "y", (1, 2), False), [x, y])
        table = Tensor("table", (256,), DType.INT8, None, rng.integers(-128, 128, 256).astype(np.int8))
        yield one_op_graph(Lookup("op", "x", "table", "y"), [x, table, same])
        out = Tensor("y", (), DType.INT8, Quant((1 / 256,), (-128,)))
        yield one_op_graph(Softmax("op", "x", "y", 1.0), [activation("x", (1, c * (1 + i % 3)), rng), out])


def between_states(graph: Graph) -> Graph:
    """The op between reads and writes of states, as one on plain values."""
    (op,) = (op for op in graph.ops if not isinstance(op, STATEFUL))
    return one_op_graph(op, [graph[n] for n in (*op.inputs, *op.outputs)])


def drawn_cases(kind: type[Op], count: int) -> Iterator[Graph]:
    """Random cases of any operator and type; draws that are no valid layers are skipped."""
    for seed in range(count):
        try:
            graph = verify(kind.case(WideDraw(seed)))
            check_rules(graph)
            graph = between_states(graph) if graph.states else graph
        except (UserError, ValueError, AssertionError, IndexError):
            continue
        size = sum(t.size_bytes for t in graph.tensors.values())
        if graph.macs <= MAX_MACS and size < 1 << 17 and not _is_trivial(graph):
            yield graph


def _is_trivial(graph: Graph) -> bool:
    """Copies of next to nothing, and casts that graph passes remove."""
    x, y, (op,) = graph[graph.inputs[0]], graph[graph.outputs[0]], graph.ops
    return y.elements < LEAST_MOVED if isinstance(op, MOVING) else isinstance(op, Cast) and x.dtype is y.dtype


def all_cases(seed: int = 1, drawn: int = 80) -> list[Graph]:
    """The whole grid."""
    families = (weighted_cases(seed), clamped_cases(seed), other_cases(seed))
    shaped = [g for cases in families for g in cases if g.macs <= MAX_MACS]
    kinds = [kind for kind in OPS if kind not in STATEFUL]
    return shaped + [g for kind in kinds for g in drawn_cases(kind, drawn * (3 if kind in MOVING else 1))]
