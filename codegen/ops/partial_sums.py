"""Kernels of partial_sums: loops of convolutions and matrix products that keep int32 sums."""

from __future__ import annotations

import numpy as np

from ...ir.ops.partial_sums import PartialSums
from ...passes.planner.kernel import Alias, Call, Const, Kernel, Pointer, Struct, Tensors
from .movement import Part, part_call
from .packing import Fields, row_loop, window_fields
from .work import conv_work, pointwise_work


def is_run_of_pixels(op: PartialSums, tensors: Tensors) -> bool:
    """Whether each output pixel is made of one input pixel."""
    return len(tensors[op.weights].shape) == 2 or op.window.pointwise


def is_spatial(op: PartialSums, tensors: Tensors) -> bool:
    """Whether the op has a window."""
    return len(tensors[op.weights].shape) == 4


def weight_rows(op: PartialSums, tensors: Tensors) -> np.ndarray:
    """Weights, int8[OC, products per output]."""
    weights = tensors[op.weights]
    assert weights.data is not None
    return weights.data.reshape(weights.shape[0], -1)


def into_sums(op: PartialSums, tensors: Tensors, call: Call) -> tuple[Call, ...]:
    """A call that adds to what is in y, behind the copy of the sums so far, which takes no time in place."""
    if op.sums is None:
        return (call,)
    return part_call(Part(op.sums, op.y, 0, 0, tensors[op.y].size_bytes)), call


def pointers(op: PartialSums) -> tuple[Pointer, ...]:
    """Pointers to x and y."""
    return Pointer("x", op.x, "int8_t"), Pointer("y", op.y, "int32_t", writable=True)


def over_the_sums(op: PartialSums, tensors: Tensors) -> tuple[Alias, ...]:
    """y may be where the sums so far are."""
    return () if op.sums is None else (Alias(op.sums, op.y),)


def _emit_pixels(op: PartialSums, tensors: Tensors) -> tuple[Call, ...]:
    weights = weight_rows(op, tensors)
    fields: Fields = (
        ("in_c", weights.shape[1]),
        ("out_c", weights.shape[0]),
        ("accumulate", int(op.sums is not None)),
        ("weights", Const("weights", weights.reshape(-1))),
    )
    args = ("x", "y", tensors[op.y].elements // len(weights), "&p")
    struct = Struct("pl_partial_sums_s8_params", fields)
    return into_sums(op, tensors, Call("pl_partial_sums_s8", pointers(op), args, struct))


def _emit_rows(op: PartialSums, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    rows = row_loop(x, y, op.window)
    conv: Fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("group_c", x.shape[3]),
        ("out_w", y.shape[2]),
        ("out_c", y.shape[3]),
        *window_fields(op.window),
        ("pad", rows.pad or "NULL"),
        ("weights", Const("weights", weight_rows(op, tensors).reshape(-1))),
    )
    fields = (("accumulate", int(op.sums is not None)), *((f"conv.{name}", v) for name, v in conv))
    struct = Struct("pl_partial_sums_s8_rows_params", fields)
    call = Call("pl_partial_sums_s8_rows", pointers(op), ("rows", "y", "&p"), struct, rows)
    return into_sums(op, tensors, call)


def _pixel_work(op: PartialSums, tensors: Tensors) -> dict[str, int]:
    return {**pointwise_work(op, tensors), "added": added(op, tensors)}


def _row_work(op: PartialSums, tensors: Tensors) -> dict[str, int]:
    return {**conv_work(op, tensors), "added": added(op, tensors)}


def added(op: PartialSums, tensors: Tensors) -> int:
    """Sums that are read before they are written."""
    return 0 if op.sums is None else tensors[op.y].elements


KERNELS = (
    Kernel(
        "pl_partial_sums_s8",
        "portable/partial_sums_s8.h",
        PartialSums,
        is_run_of_pixels,
        _emit_pixels,
        aliases=over_the_sums,
        work=_pixel_work,
    ),
    Kernel(
        "pl_partial_sums_s8_rows",
        "portable/partial_sums_s8_rows.h",
        PartialSums,
        is_spatial,
        _emit_rows,
        aliases=over_the_sums,
        work=_row_work,
    ),
)
