"""Kernels of cast: one C function for all pairs of types up to 32 bits, one for those with int64."""

from __future__ import annotations

from ...ir import DType
from ...ir.ops.cast import Cast
from ...passes.planner.kernel import Call, Kernel, Pointer, Tensors
from .elementwise import in_place
from .typed import bytes_of, type_of


def _wide(op: Cast, tensors: Tensors) -> bool:
    return DType.INT64 in (tensors[op.x].dtype, tensors[op.y].dtype)


def _accepts(op: Cast, tensors: Tensors) -> bool:
    return not _wide(op, tensors)


def _emit_wide(op: Cast, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    pointers = (bytes_of("x", op.x), bytes_of("y", op.y, writable=True))
    return (Call("pl_cast_s64", pointers, ("x", "y", y.elements, type_of(x), type_of(y))),)


def _emit(op: Cast, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    pointers = (Pointer("x", op.x, "uint8_t"), Pointer("y", op.y, "uint8_t", writable=True))
    kinds = (f"PL_CAST_{x.dtype.suffix.upper()}", f"PL_CAST_{y.dtype.suffix.upper()}")
    return (Call("pl_cast", pointers, ("x", "y", y.elements, *kinds)),)


def _work(op: Cast, tensors: Tensors) -> dict[str, int]:
    """Elements by what has to be done: many cores convert floats by functions of the C library."""
    x, y, n = tensors[op.x].dtype, tensors[op.y].dtype, tensors[op.y].elements
    return {
        "calls": 1,
        "whole": n * ((x is DType.FLOAT32) == (y is DType.FLOAT32)),
        "floated": n * (x is not DType.FLOAT32 and y is DType.FLOAT32),
        "rounded": n * (x is DType.FLOAT32 and y is not DType.FLOAT32),
    }


KERNELS = (
    Kernel("pl_cast", "portable/cast.h", Cast, _accepts, _emit, aliases=in_place("x"), work=_work),
    Kernel("pl_cast_s64", "portable/cast_s64.h", Cast, _wide, _emit_wide, aliases=in_place("x")),
)
