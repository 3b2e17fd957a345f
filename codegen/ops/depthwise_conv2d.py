"""Kernels of depthwise_conv2d."""

from __future__ import annotations

from functools import partial

import numpy as np

from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.types import DType
from ...passes.planner.kernel import Call, Const, Kernel, Struct, Tensors
from .packing import (
    Fields,
    channel_fields,
    emit_widened,
    has_type,
    is_widened,
    pointers,
    row_loop,
    weights_const,
    window_fields,
)


def _blocks(weights: np.ndarray, depth: int) -> np.ndarray:
    """[KH,KW,OC] weights as pl_depthwise_conv2d_s8 wants them: [KH,KW,n] per block of n = 4 or 1 channels."""
    parts = []
    for run in np.split(weights, weights.shape[2] // depth, axis=2) if depth > 1 else [weights]:
        whole = run.shape[2] // 4 * 4
        cuts = [*range(0, whole, 4), *range(whole, run.shape[2])]
        parts += [run[..., a:b].reshape(-1) for a, b in zip(cuts, [*cuts[1:], run.shape[2]], strict=True)]
    return np.concatenate(parts)


def _emit(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    depth = y.shape[3] // x.shape[3]
    special: Fields = (("weights", weights_const(op, tensors)),)
    if x.dtype is DType.INT8:
        data = tensors[op.weights].data
        assert data is not None
        special = ("x_zero", x.zero_point), ("weights", Const("weights", _blocks(data[0], depth)))
    fields: Fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("depth", depth),
        ("out_w", y.shape[2]),
        *window_fields(op.window),
        *special,
        *channel_fields(op, tensors),
    )
    name = f"pl_depthwise_conv2d_{x.dtype.suffix}"
    struct = Struct(f"{name}_params", fields)
    return (Call(name, pointers(op, tensors), ("rows", "y", "&p"), struct, row_loop(x, y, op.window)),)


def _emit_widened(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
    return emit_widened(op, tensors, op.window, groups=tensors[op.x].shape[3])


def _kernel(dtype: DType) -> Kernel:
    name = f"depthwise_conv2d_{dtype.suffix}"
    return Kernel(f"pl_{name}", f"portable/{name}.h", DepthwiseConv2D, partial(has_type, dtype=dtype), _emit)


KERNELS = (
    _kernel(DType.INT8),
    Kernel("pl_conv2d_s8w16", "portable/conv2d_s8w16.h", DepthwiseConv2D, is_widened, _emit_widened),
    _kernel(DType.INT16),
    _kernel(DType.FLOAT32),
)
