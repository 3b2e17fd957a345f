"""Layers that resize maps or reduce them to one pixel, of every type: what is measured beside shapes.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from patchloom.ir import Activation, DType, Graph, Op, Quant, Tensor, Window
from patchloom.ir.cases import one_op_graph
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.resize_bilinear import ResizeBilinear
from patchloom.ir.rounding import Rounding

SIZES = ((3, 3), (4, 4), (7, 7), (5, 9), (12, 12), (1, 20), (16, 6), (9, 2), (2, 14), (6, 6))
CHANNELS = (3, 8, 16, 24, 40, 64, 13, 96, 1, 32)
QUANTS = {DType.INT8: Quant((0.05,), (-8,)), DType.INT16: Quant((2e-4,), (0,)), DType.FLOAT32: None}


def reductions(dtype: DType, rounding: Rounding, rng: np.random.Generator) -> Iterator[Graph]:
    """Global means and averages."""
    for (h, w), c in zip(SIZES, rng.permutation(CHANNELS), strict=True):
        x = Tensor("x", (1, h, w, int(c)), dtype, QUANTS[dtype])
        other = x.quant and replace(x.quant, scale=(0.75 * x.quant.s,))
        pool = AveragePool2D("op", "x", "y", Window((h, w), (h, w)), Activation.NONE, rounding=rounding)
        yield graph_of(Mean("op", "x", "y", (1, 2), True, rounding=rounding), x, other)
        yield graph_of(pool, x, other if rounding.onnx else x.quant)


def graph_of(op: Op, x: Tensor, quant: Quant | None) -> Graph:
    """The op alone."""
    return one_op_graph(op, [x, Tensor("y", (), x.dtype, quant)])


def map_cases(seed: int) -> list[Graph]:
    """All of them."""
    rng = np.random.default_rng(seed)
    found: list[Graph] = []
    for dtype in QUANTS:
        found += reductions(dtype, Rounding.TFLITE_DOUBLE, rng)
    found += reductions(DType.INT8, Rounding.ONNX_F32, rng)
    for (h, w), c in zip(SIZES, rng.permutation(CHANNELS), strict=True):
        for dtype, quant in QUANTS.items():
            size = int(rng.integers(1, 3 * h + 1)), int(rng.integers(1, 3 * w + 1))
            ways: Any = ((False, False), (True, False), (False, True))[int(rng.integers(3))]
            x = Tensor("x", (1, h, w, int(c)), dtype, quant)
            found.append(graph_of(ResizeBilinear("op", "x", "y", size, *ways), x, quant))
    return found
