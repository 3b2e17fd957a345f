"""Kernels of tile."""

from __future__ import annotations

from ...ir.ops.tile import Tile
from ...passes.planner.kernel import Tensors
from .movement import Part, movement_kernels, pitches, strided_part


def _parts(op: Tile, tensors: Tensors) -> tuple[Part, ...]:
    x, y = tensors[op.x], tensors[op.y]
    itemsize = x.dtype.itemsize
    dense, wide = pitches(x.shape, itemsize), pitches(y.shape, itemsize)
    counts, to, source = [], [], []
    for n, times, pitch, y_pitch in zip(x.shape, op.repeats, dense, wide, strict=True):
        counts += [times, n]
        to += [n * y_pitch, y_pitch]
        source += [0, pitch]
    return (strided_part(op.x, op.y, (0, 0), counts, to, source, itemsize),)


KERNELS = movement_kernels(Tile, _parts)
