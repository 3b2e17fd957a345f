"""The grid of float layers, and of functions chosen by name, on which kernels are measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from patchloom.ir import Activation, DType, Graph, Op, Tensor
from patchloom.ir.cases import one_op_graph
from patchloom.ir.ops import binary, reduce
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.gru import Gru
from patchloom.ir.ops.layer_normalization import LayerNormalization
from patchloom.ir.ops.lstm import Lstm
from patchloom.ir.ops.matmul import MatMul
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.rnn import Rnn
from patchloom.ir.ops.softmax import Softmax
from patchloom.ir.ops.unary import Unary
from patchloom.ir.recurrent import GATE_FUNCTIONS, GateFunction
from patchloom.ir.unary_functions import FLOAT, INTEGER
from patchloom.ir.window import Window
from shapes import CHANNELS, DENSE, MAX_MACS, POINTWISE, RESIDUAL, SIZES, Weighted, windows

_F32 = DType.FLOAT32
SPREAD = ((7, 5), (60, 11))
"""Shapes on which every function is measured: calls show in the small one."""

Recurrent = type[Lstm] | type[Gru] | type[Rnn]


def value(name: str, shape: tuple[int, ...] = (), dtype: DType = _F32) -> Tensor:
    """A plain tensor."""
    return Tensor(name, shape, dtype)


def layer(
    kind: Weighted, x: tuple[int, ...], shape: tuple[int, ...], rng: np.random.Generator, **attributes: Any
) -> Graph:
    """A layer with normally distributed weights of `shape`."""
    count = shape[kind.CHANNEL_AXIS]
    w, b = (rng.normal(0, 0.3, s).astype(np.float32) for s in (shape, (count,)))
    clamp = Activation.RELU if rng.random() < 0.6 else Activation.NONE
    tensors = [value("x", x), Tensor("w", shape, _F32, None, w), Tensor("b", (count,), _F32, None, b)]
    return one_op_graph(
        kind("op", "x", "w", "b", "y", activation=clamp, **attributes), [*tensors, value("y")]
    )


def weighted_floats(seed: int) -> Iterator[Graph]:
    """Convolutions, depthwise convolutions and fully-connected layers."""
    rng = np.random.default_rng(seed)
    for h, w, c, n in POINTWISE:
        yield layer(Conv2D, (1, h, w, c), (n, 1, 1, c), rng, window=Window((1, 1)))
    for c, n in DENSE:
        yield layer(FullyConnected, (1, c), (n, c), rng, keep_dims=False)
    for h, w, c, n in RESIDUAL:
        yield layer(Conv2D, (1, h, w, c), (n, 3, 3, c), rng, window=Window((3, 3), padding=((1, 1), (1, 1))))
    for window, (h, w) in windows(rng, 90):
        c, n = int(rng.choice([1, 3, *CHANNELS])), int(rng.choice([8, 16, 24, 31, 64]))
        yield layer(Conv2D, (1, h, w, c), (n, *window.kernel, c), rng, window=window)
    for window, (h, w) in windows(rng, 120):
        c = int(rng.choice(CHANNELS))
        yield layer(DepthwiseConv2D, (1, h, w, c), (1, *window.kernel, c), rng, window=window)


def other_floats(seed: int) -> Iterator[Graph]:
    """Layers without weights, of the sizes networks have."""
    rng = np.random.default_rng(seed)
    for i in range(12):
        h, w = SIZES[i % len(SIZES)]
        c, k = int(rng.choice(CHANNELS)), int(rng.integers(1, min(h, w, 8) + 1))
        shape = 1, h, w, c
        for kind in (Add, Mul):
            yield one_op_graph(
                kind("op", "x", "x2", "y", Activation.NONE),
                [value("x", shape), value("x2", shape), value("y")],
            )
        for pool in (MaxPool2D, AveragePool2D):
            op: Op = pool("op", "x", "y", Window((k, k), (min(k, 2),) * 2), Activation.NONE)
            yield one_op_graph(op, [value("x", shape), value("y")])
        yield one_op_graph(Mean("op", "x", "y", (1, 2), False), [value("x", shape), value("y")])
        rows = (1 + i % 3, c)
        for log in (False, True):
            yield one_op_graph(Softmax("op", "x", "y", 1.0, log=log), [value("x", rows), value("y")])
        affine = [Tensor(n, (c,), _F32, None, np.ones(c, np.float32)) for n in ("scale", "bias")]
        normal = LayerNormalization("op", "x", "scale" if i % 3 else None, "bias" if i % 3 else None, "y", 1)
        yield one_op_graph(normal, [value("x", rows), *(affine if i % 3 else []), value("y")])
        matrices = [value("a", (h, c)), value("b", (c, w + i)), value("y")]
        yield one_op_graph(MatMul("op", "a", "b", "y"), matrices)


def recurrent_floats(seed: int) -> Iterator[Graph]:
    """Recurrent layers with the functions that all frameworks have, then with each function there is."""
    rng = np.random.default_rng(seed)
    usual: dict[Recurrent, tuple[str, ...]] = {
        Lstm: ("Sigmoid", "Tanh", "Tanh"),
        Gru: ("Sigmoid", "Tanh"),
        Rnn: ("Tanh",),
    }
    for names in (*[usual] * 10, *({kind: (f,) * kind.FUNCTIONS for kind in usual} for f in GATE_FUNCTIONS)):
        steps, inputs, hidden = (int(rng.integers(1, n)) for n in (7, 40, 32))
        for kind, functions in names.items():
            rows = kind.GATES * hidden
            shapes = {"w": (1, rows, inputs), "r": (1, rows, hidden), "b": (1, 2 * rows)}
            data = {n: rng.normal(0, 0.2, s).astype(np.float32) for n, s in shapes.items()}
            gates = tuple(GateFunction.of(n) for n in functions)
            op = kind("op", "x", "w", "r", "b", None, None, None, "y_h", "forward", gates)
            weights = [Tensor(n, d.shape, _F32, None, d) for n, d in data.items()]
            yield one_op_graph(op, [value("x", (steps, 1, inputs)), *weights, value("y_h")])


def functions() -> Iterator[Graph]:
    """Every function that operators choose by name, of every type that another loop body is for."""
    for shape in SPREAD:
        for dtype, names in ((_F32, FLOAT), (DType.INT32, INTEGER), (DType.INT64, INTEGER)):
            for name in names:
                op: Op = Unary("op", "x", "y", name, 1.5, 0.5)
                yield one_op_graph(op, [value("x", shape, dtype), value("y", dtype=dtype)])
        for name in binary.FUNCTIONS:
            wide = {DType.INT32, DType.INT64, _F32, DType.BOOL, DType.INT8, DType.UINT8, DType.INT16}
            for dtype in (d for d in binary.operand_types(name) if d in wide):
                if name in binary.COMPARE or dtype.itemsize >= 4 or name in binary.LOGIC:
                    y = DType.BOOL if name in binary.COMPARE else dtype
                    op = binary.Binary("op", "a", "b", "y", name)
                    yield one_op_graph(
                        op, [value("a", shape, dtype), value("b", shape, dtype), value("y", dtype=y)]
                    )
        for name in reduce.FLOAT:
            for axes in ((0,), (1,), (0, 1)):
                for dtype in (d for d in reduce.operand_types(name) if d in (_F32, DType.INT32, DType.INT64)):
                    op = reduce.Reduce("op", "x", "y", name, axes, False)
                    yield one_op_graph(op, [value("x", shape, dtype), value("y", dtype=dtype)])


def float_cases(seed: int = 1) -> list[Graph]:
    """The whole grid."""
    grids = (weighted_floats(seed), other_floats(seed), recurrent_floats(seed), functions())
    return [g for cases in grids for g in cases if g.macs <= MAX_MACS]
