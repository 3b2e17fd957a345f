"""Kernels of cast: one C function for all pairs of types."""

from __future__ import annotations

from ...ir.ops.cast import TYPES, Cast
from ...passes.planner.kernel import Call, Kernel, Pointer, Tensors
from .elementwise import in_place


def _accepts(op: Cast, tensors: Tensors) -> bool:
    return tensors[op.x].dtype in TYPES and tensors[op.y].dtype in TYPES


def _emit(op: Cast, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    pointers = (Pointer("x", op.x, "uint8_t"), Pointer("y", op.y, "uint8_t", writable=True))
    kinds = (f"PL_CAST_{x.dtype.suffix.upper()}", f"PL_CAST_{y.dtype.suffix.upper()}")
    return (Call("pl_cast", pointers, ("x", "y", y.elements, *kinds)),)


KERNELS = (Kernel("pl_cast", "portable/cast.h", Cast, _accepts, _emit, aliases=in_place("x")),)
