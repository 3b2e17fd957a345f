"""Kernels of lookup."""

from __future__ import annotations

from ...ir.ops.lookup import Lookup
from ...passes.planner.kernel import Call, Kernel, Pointer, Tensors
from .elementwise import in_place


def _accepts(op: Lookup, tensors: Tensors) -> bool:
    return True


def _emit(op: Lookup, tensors: Tensors) -> tuple[Call, ...]:
    pointers = (
        Pointer("x", op.x, "uint8_t"),
        Pointer("table", op.table, "uint8_t"),
        Pointer("y", op.y, "uint8_t", writable=True),
    )
    return (Call("pl_lookup", pointers, ("x", "y", tensors[op.y].elements, "table")),)


KERNELS = (Kernel("pl_lookup", "portable/lookup.h", Lookup, _accepts, _emit, aliases=in_place("x")),)
