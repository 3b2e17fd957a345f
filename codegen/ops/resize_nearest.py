"""Kernels of resize_nearest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...ir.ops.resize_nearest import ResizeNearest
from ...ir.types import Tensor
from ...passes.planner.kernel import Call, Const, Kernel, Pointer, Struct, Tensors
from .resize_bilinear import sampled_rows


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


def _emit_row(op: ResizeNearest, tensors: Tensors) -> tuple[Call, ...]:
    """By rows, as stages want it; whole maps are cheaper where rows that repeat are copied."""
    x, y = tensors[op.x], tensors[op.y]
    rows, columns = op.indices(tensors)
    size = x.dtype.itemsize
    fields = (
        ("out_w", y.shape[2]),
        ("pixel_bytes", x.shape[3] * size),
        ("rows", Const("rows", rows.astype(np.int16))),
        ("columns", Const("columns", columns.astype(np.int16))),
    )
    pointers = (Pointer("x", op.x, "uint8_t"), Pointer("y", op.y, "uint8_t", writable=True))
    struct, loop = Struct("pl_resize_nearest_row_params", fields), sampled_rows(x, y, 1)
    loop = replace(loop, out_pitch=loop.out_pitch * size)
    return (Call("pl_resize_nearest_row", pointers, ("rows", "y", "&p"), struct, loop),)


def nearest_work(rows: np.ndarray, y: Tensor) -> dict[str, int]:
    """Rows of y put together from pixels, and those that repeat the one above; `rows`: of x, by row of y."""
    _, _, width, channels = y.shape
    size = channels * y.dtype.itemsize
    repeated = int((rows[1:] == rows[:-1]).sum())
    made = len(rows) - repeated

    def copies(count: int, row_bytes: int) -> dict[str, int]:
        aligned, short = row_bytes % 4 == 0, row_bytes < 16  # as in movement.py
        return {
            "words": count * (row_bytes // 4) * (aligned and not short),
            "short": count * row_bytes * (aligned and short),
            "loose": count * row_bytes * (not aligned),
        }

    pixels, row_copies = copies(made * width, size), copies(repeated, width * size)
    return {
        "calls": 1,
        "rows": made,
        "pixels": made * width,
        **{f"pixel_{name}": n for name, n in pixels.items()},
        "repeated": repeated,
        **{f"repeated_{name}": n for name, n in row_copies.items()},
    }


def _work(op: ResizeNearest, tensors: Tensors) -> dict[str, int]:
    return nearest_work(op.indices(tensors)[0], tensors[op.y])


def _row_work(op: ResizeNearest, tensors: Tensors) -> dict[str, int]:
    """The same without rows that are copied."""
    found = nearest_work(np.arange(tensors[op.y].shape[1]), tensors[op.y])
    return {name: n for name, n in found.items() if not name.startswith("repeated") and name != "calls"}


def _accepts(op: ResizeNearest, tensors: Tensors) -> bool:
    return True


KERNELS = (
    Kernel("pl_resize_nearest", "portable/resize_nearest.h", ResizeNearest, _accepts, _emit, work=_work),
    Kernel(
        "pl_resize_nearest_row",
        "portable/resize_nearest_row.h",
        ResizeNearest,
        _accepts,
        _emit_row,
        work=_row_work,
    ),
)
