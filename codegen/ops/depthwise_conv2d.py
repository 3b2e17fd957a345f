"""Kernels of depthwise_conv2d."""

from __future__ import annotations

from functools import partial

import numpy as np

from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.rounding import Rounding
from ...ir.types import DType
from ...passes.planner.kernel import Call, Const, Kernel, Struct, Tensors
from .packing import (
    Fields,
    channel_fields,
    emit_conv2d,
    emit_widened,
    has_type,
    is_widened,
    pointers,
    row_loop,
    variant,
    variants,
    weights_const,
    window_fields,
)
from .work import conv_work, depthwise_work, skipping_conv_work, skipping_depthwise_work

_TAPS = 49
"""PL_DEPTHWISE_TAPS of the int8 kernel."""


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
    rows = row_loop(x, y, op.window)
    special: Fields = (("weights", weights_const(op, tensors)),)
    if x.dtype is DType.INT8:
        data = tensors[op.weights].data
        assert data is not None
        special = ("pad", rows.pad or "NULL"), ("weights", Const("weights", _blocks(data[0], depth)))
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
    return (Call(name + variant(op), pointers(op, tensors), ("rows", "y", "&p"), struct, rows),)


def _emit_widened(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
    return emit_widened(op, tensors, op.window, groups=tensors[op.x].shape[3])


def _emit_conv2d(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
    return emit_conv2d(op, tensors, op.window, group_c=1)


def _is_conv2d(op: DepthwiseConv2D, tensors: Tensors, dtype: DType) -> bool:
    """One input channel makes an ordinary convolution; so, slowly, do windows the int8 kernel cannot hold."""
    large = dtype is DType.INT8 and op.window.kernel[0] * op.window.kernel[1] > _TAPS
    return has_type(op, tensors, dtype) and (tensors[op.x].shape[3] == 1 or large)


def _fits(op: DepthwiseConv2D, tensors: Tensors, dtype: DType) -> bool:
    small = dtype is not DType.INT8 or op.window.kernel[0] * op.window.kernel[1] <= _TAPS
    return has_type(op, tensors, dtype) and small


def _kernels(dtype: DType, suffix: str, roundings: frozenset[Rounding]) -> tuple[Kernel, ...]:
    conv2d, depthwise = f"conv2d_{dtype.suffix}{suffix}", f"depthwise_conv2d_{dtype.suffix}{suffix}"
    accepts = partial(_is_conv2d, dtype=dtype)
    int8 = dtype is DType.INT8
    return (
        Kernel(
            f"pl_{conv2d}",
            f"portable/{conv2d}.h",
            DepthwiseConv2D,
            accepts,
            _emit_conv2d,
            roundings=roundings,
            work=conv_work if int8 else skipping_conv_work,
        ),
        Kernel(
            f"pl_{depthwise}",
            f"portable/{depthwise}.h",
            DepthwiseConv2D,
            partial(_fits, dtype=dtype),
            _emit,
            roundings=roundings,
            work=depthwise_work if int8 else skipping_depthwise_work,
        ),
    )


def _widened(suffix: str, roundings: frozenset[Rounding]) -> Kernel:
    name = f"conv2d_s8w16{suffix}"
    return Kernel(
        f"pl_{name}",
        f"portable/{name}.h",
        DepthwiseConv2D,
        is_widened,
        _emit_widened,
        roundings=roundings,
        work=conv_work,
    )


KERNELS = (
    *(k for way in variants(DType.INT8) for k in _kernels(DType.INT8, *way)),
    *(_widened(*way) for way in variants(DType.INT8)),
    *(k for d in (DType.INT16, DType.FLOAT32) for way in variants(d) for k in _kernels(d, *way)),
)
