"""Kernels of expand."""

from __future__ import annotations

from ...ir.ops.expand import Expand
from ...passes.planner.kernel import Tensors
from .movement import Part, movement_kernels, pitches, strided_part


def _parts(op: Expand, tensors: Tensors) -> tuple[Part, ...]:
    x = tensors[op.x]
    itemsize = x.dtype.itemsize
    own = (*(1,) * (len(op.shape) - len(x.shape)), *x.shape)
    source = tuple(0 if n == 1 else pitch for n, pitch in zip(own, pitches(own, itemsize), strict=True))
    return (strided_part(op.x, op.y, (0, 0), op.shape, pitches(op.shape, itemsize), source, itemsize),)


KERNELS = movement_kernels(Expand, _parts)
