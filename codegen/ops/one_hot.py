"""Kernels of one_hot."""

from __future__ import annotations

from math import prod

from ...ir.ops.one_hot import OneHot
from ...passes.planner.kernel import Call, Kernel, Tensors
from .typed import anything, bytes_of, type_of


def _emit(op: OneHot, tensors: Tensors) -> tuple[Call, ...]:
    indices = tensors[op.indices]
    pointers = (
        bytes_of("indices", op.indices),
        bytes_of("values", op.values),
        bytes_of("y", op.y, writable=True),
    )
    outer, inner = prod(indices.shape[: op.axis]), prod(indices.shape[op.axis :])
    counts = (outer, op.depth, inner, tensors[op.y].dtype.itemsize)
    return (Call("pl_one_hot", pointers, ("indices", "values", "y", *counts, type_of(indices))),)


KERNELS = (Kernel("pl_one_hot", "portable/one_hot.h", OneHot, anything, _emit),)
