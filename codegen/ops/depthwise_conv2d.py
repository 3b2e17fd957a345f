"""Kernels of depthwise_conv2d."""

from __future__ import annotations

from functools import partial

from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.types import DType
from ...passes.planner.kernel import Call, Field, Kernel, Struct, Tensors
from .packing import (
    channel_fields,
    emit_widened,
    has_type,
    is_widened,
    pointers,
    row_loop,
    weights_const,
    window_fields,
)


def _emit(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    zero: tuple[tuple[str, Field], ...] = (("x_zero", x.zero_point),) if x.dtype is DType.INT8 else ()
    fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("depth", y.shape[3] // x.shape[3]),
        ("out_w", y.shape[2]),
        *window_fields(op.window),
        *zero,
        ("weights", weights_const(op, tensors)),
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
