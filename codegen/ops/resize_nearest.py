"""Kernels of resize_nearest."""

from __future__ import annotations

import numpy as np

from ...ir.ops.resize_nearest import ResizeNearest
from ...passes.planner.kernel import Call, Const, Kernel, Pointer, Struct, Tensors


def _emit(op: ResizeNearest, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    rows, columns = op.indices(tensors)
    fields = (
        ("in_w", x.shape[2]),
        ("out_h", y.shape[1]),
        ("out_w", y.shape[2]),
        ("pixel_bytes", x.shape[3] * x.dtype.itemsize),
        ("rows", Const("rows", rows.astype(np.int16))),
        ("columns", Const("columns", columns.astype(np.int16))),
    )
    pointers = (Pointer("x", op.x, "uint8_t"), Pointer("y", op.y, "uint8_t", writable=True))
    return (
        Call("pl_resize_nearest", pointers, ("x", "y", "&p"), Struct("pl_resize_nearest_params", fields)),
    )


def _accepts(op: ResizeNearest, tensors: Tensors) -> bool:
    return True


KERNELS = (Kernel("pl_resize_nearest", "portable/resize_nearest.h", ResizeNearest, _accepts, _emit),)
