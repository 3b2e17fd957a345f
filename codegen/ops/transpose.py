"""Kernels of transpose."""

from __future__ import annotations

from ...ir.ops.transpose import Transpose
from ...passes.planner.kernel import Tensors
from .movement import Part, movement_kernels, pitches, strided_part


def _parts(op: Transpose, tensors: Tensors) -> tuple[Part, ...]:
    x, y = tensors[op.x], tensors[op.y]
    dense = pitches(x.shape, x.dtype.itemsize)
    source = tuple(dense[d] for d in op.perm)
    itemsize = x.dtype.itemsize
    return (strided_part(op.x, op.y, (0, 0), y.shape, pitches(y.shape, itemsize), source, itemsize),)


KERNELS = movement_kernels(Transpose, _parts)
