"""Graphs of one operator that resizes a map or reduces it to one pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from nets import Net
from patchloom.ir import Activation, DType, Graph, Quant, Tensor, Window
from patchloom.ir.cases import Draw, one_op_graph
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.mean import Mean
from patchloom.ir.rounding import Rounding
from stage_nets import QUANTS, resized, transposed


def resize_case(draw: Draw, dtype: DType) -> Graph:
    """A map resized to any size, by any of the ways there are."""
    net = Net()
    x = net.input("x", (1, draw.integer(1, 9), draw.integer(1, 9), draw.integer(1, 4)), dtype, QUANTS[dtype])
    size = draw.integer(1, 19), draw.integer(1, 19)
    return net.graph(resized(net, draw, "y", x, size))


def transposed_case(draw: Draw, dtype: DType) -> Graph:
    """A transposed convolution of any stride and padding, and with windows that leave gaps."""
    net = Net()
    x = net.input("x", (1, draw.integer(1, 8), draw.integer(1, 8), draw.integer(1, 4)), dtype, QUANTS[dtype])
    return net.graph(transposed(net, draw, "y", x))


def global_cases(seed: int) -> list[Graph]:
    """Means and averages of whole maps, of every type and rounding there are kernels for."""
    rng, found = np.random.default_rng(seed), []
    ways = [(dtype, Rounding.TFLITE_DOUBLE) for dtype in QUANTS]
    ways += [(DType.INT8, Rounding.ONNX_F32), (DType.INT8, Rounding.ONNX_F32_U8)]
    for dtype, rounding in ways:
        for _ in range(3):
            h, w, c = (int(n) for n in rng.integers(1, 10, 3))
            quant = QUANTS[dtype]
            x = Tensor("x", (1, h, w, c), dtype, quant)
            other: Quant | None = quant and replace(quant, scale=(quant.s * 0.75,))
            window = Window((h, w), (h, w))
            pool = AveragePool2D("op", "x", "y", window, Activation.RELU, rounding=rounding)
            y = Tensor("y", (), dtype, other)
            found.append(one_op_graph(Mean("op", "x", "y", (1, 2), True, rounding=rounding), [x, y]))
            same = y if rounding.onnx else replace(y, quant=quant)
            found.append(one_op_graph(pool, [x, same]))
    return found
