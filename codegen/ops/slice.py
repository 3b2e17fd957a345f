"""Kernels of slice."""

from __future__ import annotations

from ...ir.ops.slice import Slice
from ...passes.planner.kernel import Tensors
from .movement import Part, movement_kernels, pitches, strided_part


def _parts(op: Slice, tensors: Tensors) -> tuple[Part, ...]:
    itemsize = tensors[op.x].dtype.itemsize
    dense = pitches(tensors[op.x].shape, itemsize)
    first = sum(b * pitch for b, pitch in zip(op.begin, dense, strict=True))
    source = tuple(step * pitch for step, pitch in zip(op.stride, dense, strict=True))
    return (strided_part(op.x, op.y, (first, 0), op.size, pitches(op.size, itemsize), source, itemsize),)


KERNELS = movement_kernels(Slice, _parts)
