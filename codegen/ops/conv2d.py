"""Kernels of conv2d."""

from __future__ import annotations

from functools import partial

from ...ir.ops.conv2d import Conv2D
from ...ir.types import DType
from ...passes.planner.kernel import Call, Kernel, Struct, Tensors
from .packing import (
    channel_fields,
    emit_pointwise,
    emit_widened,
    has_type,
    is_widened,
    pointers,
    row_loop,
    weights_const,
    window_fields,
)


def _emit(op: Conv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, w, y = tensors[op.x], tensors[op.weights], tensors[op.y]
    rows = row_loop(x, y, op.window)
    pad = (("pad", rows.pad if rows.pad else "NULL"),) if x.dtype is DType.INT8 else ()
    fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("group_c", w.shape[3]),
        ("out_w", y.shape[2]),
        ("out_c", y.shape[3]),
        *window_fields(op.window),
        *pad,
        ("weights", weights_const(op, tensors)),
        *channel_fields(op, tensors),
    )
    name = f"pl_conv2d_{x.dtype.suffix}"
    struct = Struct(f"{name}_params", fields)
    return (Call(name, pointers(op, tensors), ("rows", "y", "&p"), struct, rows),)


def _emit_widened(op: Conv2D, tensors: Tensors) -> tuple[Call, ...]:
    groups = tensors[op.x].shape[3] // tensors[op.weights].shape[3]
    return emit_widened(op, tensors, op.window, groups)


def _is_pointwise(op: Conv2D, tensors: Tensors, dtype: DType) -> bool:
    same_group = tensors[op.weights].shape[3] == tensors[op.x].shape[3]
    return has_type(op, tensors, dtype) and op.window.pointwise and same_group


def _kernels(dtype: DType) -> tuple[Kernel, ...]:
    pointwise, spatial = f"pointwise_{dtype.suffix}", f"conv2d_{dtype.suffix}"
    return (
        Kernel(
            f"pl_{pointwise}",
            f"portable/{pointwise}.h",
            Conv2D,
            partial(_is_pointwise, dtype=dtype),
            emit_pointwise,
        ),
        Kernel(f"pl_{spatial}", f"portable/{spatial}.h", Conv2D, partial(has_type, dtype=dtype), _emit),
    )


KERNELS = (
    *_kernels(DType.INT8),
    Kernel("pl_conv2d_s8w16", "portable/conv2d_s8w16.h", Conv2D, is_widened, _emit_widened),
    *_kernels(DType.INT16),
    *_kernels(DType.FLOAT32),
)
