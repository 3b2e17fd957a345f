"""Kernels of gather."""

from __future__ import annotations

from ...ir.ops.gather import Gather
from ...passes.planner.kernel import Call, Kernel, Tensors
from .float_work import gather_work
from .typed import anything, bytes_of, lanes, type_of


def _emit(op: Gather, tensors: Tensors) -> tuple[Call, ...]:
    x, indices = tensors[op.x], tensors[op.indices]
    outer, size, inner = lanes(x.shape, op.axis)
    pointers = (bytes_of("x", op.x), bytes_of("indices", op.indices), bytes_of("y", op.y, writable=True))
    counts = (outer, size, indices.elements, inner * x.dtype.itemsize)
    return (Call("pl_gather", pointers, ("x", "indices", "y", *counts, type_of(indices))),)


KERNELS = (Kernel("pl_gather", "portable/gather.h", Gather, anything, _emit, work=gather_work),)
