"""Kernels of gather_elements."""

from __future__ import annotations

from ...ir.ops.gather_elements import GatherElements
from ...passes.planner.kernel import Call, Kernel, Struct, Tensors
from .float_work import indexed_work
from .typed import anything, bytes_of, element_walk, type_of


def _emit(op: GatherElements, tensors: Tensors) -> tuple[Call, ...]:
    x, indices = tensors[op.x], tensors[op.indices]
    pointers = (bytes_of("x", op.x), bytes_of("indices", op.indices), bytes_of("y", op.y, writable=True))
    block = Struct("pl_gather_elements_params", element_walk(x.shape, indices.shape, op.axis))
    arguments = ("x", "indices", "y", x.dtype.itemsize, type_of(indices), "&p")
    return (Call("pl_gather_elements", pointers, arguments, block),)


KERNELS = (
    Kernel(
        "pl_gather_elements", "portable/gather_elements.h", GatherElements, anything, _emit, work=indexed_work
    ),
)
