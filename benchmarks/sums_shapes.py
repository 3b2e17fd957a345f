"""Layers in blocks of channels, on which their kernels are measured: parts of the layers of shapes.py."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from patchloom.ir import DType, Graph, Tensor, Window
from patchloom.ir.cases import one_op_graph
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.finish_sums import FinishSums
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.partial_sums import PartialSums
from shapes import MAX_MACS, weighted_cases


def sums_cases(seed: int) -> list[Graph]:
    """Products added to sums, or to nothing, and outputs made of sums."""
    return list(_cases(seed))


def _cases(seed: int) -> Iterator[Graph]:
    rng, first = np.random.default_rng(seed), False
    for graph in weighted_cases(seed):
        (op,) = graph.ops
        if not isinstance(op, Conv2D | FullyConnected) or graph.macs > MAX_MACS:
            continue
        x, w, y, bias = graph["x"], graph["w"], graph["y"], graph["b"]
        total = Tensor("total", y.shape, DType.INT32)
        sums = Tensor("sums", y.shape, DType.INT32)
        window = op.window if isinstance(op, Conv2D) else Window((1, 1))
        part = PartialSums("op", "x", "w", None if first else "sums", "total", window)
        yield one_op_graph(part, [x, w, total] if first else [x, w, total, sums])
        first = not first
        scales = tuple(float(s) for s in op.real_scales(graph.tensors))
        merged = Tensor(
            "b", bias.shape, DType.INT32, None, rng.integers(-2000, 2000, bias.shape).astype(np.int32)
        )
        yield one_op_graph(FinishSums("op", "sums", "b", "y", scales, op.activation), [sums, merged, y])
