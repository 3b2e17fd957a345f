"""Kernels of split."""

from __future__ import annotations

from ...ir.movement import normal_axis
from ...ir.ops.split import Split
from ...passes.planner.kernel import Tensors
from .movement import Part, movement_kernels, pitches, strided_part


def _parts(op: Split, tensors: Tensors) -> tuple[Part, ...]:
    x = tensors[op.x]
    itemsize = x.dtype.itemsize
    axis = normal_axis(op.axis, len(x.shape))
    source = pitches(x.shape, itemsize)
    parts: list[Part] = []
    offset = 0
    for name in op.ys:
        y = tensors[name]
        parts.append(
            strided_part(op.x, name, (offset, 0), y.shape, pitches(y.shape, itemsize), source, itemsize)
        )
        offset += y.shape[axis] * source[axis]
    return tuple(parts)


KERNELS = movement_kernels(Split, _parts)
