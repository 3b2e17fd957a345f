"""Kernels of top_k."""

from __future__ import annotations

from ...ir.ops.top_k import TopK
from ...passes.planner.kernel import Call, Kernel, Tensors
from .typed import anything, bytes_of, lanes, type_of


def _emit(op: TopK, tensors: Tensors) -> tuple[Call, ...]:
    x = tensors[op.x]
    pointers = (
        bytes_of("x", op.x),
        bytes_of("values", op.values, writable=True),
        bytes_of("indices", op.indices, writable=True),
    )
    kinds = (op.k, type_of(x), type_of(tensors[op.indices]), int(op.largest))
    return (Call("pl_top_k", pointers, ("x", "values", "indices", *lanes(x.shape, op.axis), *kinds)),)


KERNELS = (Kernel("pl_top_k", "portable/top_k.h", TopK, anything, _emit),)
