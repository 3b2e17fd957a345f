"""Kernels of slice."""

from __future__ import annotations

from dataclasses import replace

from ...ir.ops.slice import Slice
from ...passes.planner.kernel import Alias, Kernel, Tensors
from .movement import Part, movement_kernels, pitches, strided_part


def _parts(op: Slice, tensors: Tensors) -> tuple[Part, ...]:
    itemsize = tensors[op.x].dtype.itemsize
    dense = pitches(tensors[op.x].shape, itemsize)
    first = sum(b * pitch for b, pitch in zip(op.begin, dense, strict=True))
    source = tuple(step * pitch for step, pitch in zip(op.stride, dense, strict=True))
    return (strided_part(op.x, op.y, (first, 0), op.size, pitches(op.size, itemsize), source, itemsize),)


def _moving(kernel: Kernel) -> Kernel:
    """One run of bytes may also move to the front of its input, over what it leaves out (memmove)."""

    def aliases(op: Slice, tensors: Tensors) -> tuple[Alias, ...]:
        (part,) = _parts(op, tensors)
        over = (Alias(op.x, op.y, 0),) if not part.loops and part.x_offset else ()
        return (*kernel.aliases(op, tensors), *over)

    return replace(kernel, aliases=aliases)


KERNELS = tuple(_moving(kernel) for kernel in movement_kernels(Slice, _parts))
