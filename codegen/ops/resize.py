"""Kernels of resize: copies of nearest neighbours, and weighted sums of floats."""

from __future__ import annotations

import numpy as np

from ...ir.ops.resize import Resize
from ...passes.planner.kernel import Call, Const, Kernel, Pointer, Struct, Tensors
from .resize_nearest import nearest_work


def _emit_copies(op: Resize, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    (rows, _), (columns, _) = op.taps(tensors)
    fields = (
        ("in_w", x.shape[2]),
        ("out_h", y.shape[1]),
        ("out_w", y.shape[2]),
        ("pixel_bytes", x.shape[3] * x.dtype.itemsize),
        ("rows", Const("rows", rows[:, 0].astype(np.int16))),
        ("columns", Const("columns", columns[:, 0].astype(np.int16))),
    )
    pointers = (Pointer("x", op.x, "uint8_t"), Pointer("y", op.y, "uint8_t", writable=True))
    struct = Struct("pl_resize_nearest_params", fields)
    return (Call("pl_resize_nearest", pointers, ("x", "y", "&p"), struct),)


def _emit_sums(op: Resize, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    (rows, row_weights), (columns, column_weights) = op.taps(tensors)
    fields = (
        ("in_w", x.shape[2]),
        ("out_h", y.shape[1]),
        ("out_w", y.shape[2]),
        ("channels", x.shape[3]),
        ("row_taps", rows.shape[1]),
        ("column_taps", columns.shape[1]),
        ("outside", float(op.how.extrapolation)),
        ("rows", Const("rows", rows.astype(np.int16).reshape(-1))),
        ("row_weights", Const("row_weights", row_weights.reshape(-1))),
        ("columns", Const("columns", columns.astype(np.int16).reshape(-1))),
        ("column_weights", Const("column_weights", column_weights.reshape(-1))),
    )
    pointers = (Pointer("x", op.x, "float"), Pointer("y", op.y, "float", writable=True))
    return (Call("pl_resize_f32", pointers, ("x", "y", "&p"), Struct("pl_resize_f32_params", fields)),)


def _copies(op: Resize, tensors: Tensors) -> bool:
    return op.how.mode == "nearest" and not op.extrapolates(tensors)


def _sums(op: Resize, tensors: Tensors) -> bool:
    return not _copies(op, tensors)


def _copies_work(op: Resize, tensors: Tensors) -> dict[str, int]:
    return nearest_work(op.taps(tensors)[0][0][:, 0], tensors[op.y])


KERNELS = (
    Kernel(
        "pl_resize_nearest", "portable/resize_nearest.h", Resize, _copies, _emit_copies, work=_copies_work
    ),
    Kernel("pl_resize_f32", "portable/resize_f32.h", Resize, _sums, _emit_sums),
)
