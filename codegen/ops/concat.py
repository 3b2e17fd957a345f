"""Kernels of concat."""

from __future__ import annotations

from ...ir.movement import normal_axis
from ...ir.ops.concat import Concat
from ...passes.planner.kernel import Tensors
from .movement import Part, movement_kernels, pitches, strided_part


def _parts(op: Concat, tensors: Tensors) -> tuple[Part, ...]:
    y = tensors[op.y]
    itemsize = y.dtype.itemsize
    axis = normal_axis(op.axis, len(y.shape))
    to = pitches(y.shape, itemsize)
    parts: list[Part] = []
    offset = 0
    for name in op.xs:
        x = tensors[name]
        parts.append(strided_part(name, op.y, (0, offset), x.shape, to, pitches(x.shape, itemsize), itemsize))
        offset += x.shape[axis] * to[axis]
    return tuple(parts)


KERNELS = movement_kernels(Concat, _parts)
