"""Kernels of read_state."""

from __future__ import annotations

from ...ir.ops.read_state import ReadState
from ...passes.planner.kernel import STATE_PREFIX, Tensors
from .movement import Part, movement_kernels


def _parts(op: ReadState, tensors: Tensors) -> tuple[Part, ...]:
    return (Part(STATE_PREFIX + op.state, op.y, 0, 0, tensors[op.y].size_bytes),)


KERNELS = movement_kernels(ReadState, _parts)
