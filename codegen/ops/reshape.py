"""Kernels of reshape."""

from __future__ import annotations

from ...ir.ops.reshape import Reshape
from ...passes.planner.kernel import Tensors
from .movement import Part, movement_kernels


def _parts(op: Reshape, tensors: Tensors) -> tuple[Part, ...]:
    return (Part(op.x, op.y, 0, 0, tensors[op.x].size_bytes),)


KERNELS = movement_kernels(Reshape, _parts)
