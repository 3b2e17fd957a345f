"""Kernels of write_state."""

from __future__ import annotations

from ...ir.ops.write_state import WriteState
from ...passes.planner.kernel import STATE_PREFIX, Tensors
from .movement import Part, movement_kernels


def _parts(op: WriteState, tensors: Tensors) -> tuple[Part, ...]:
    return (Part(op.x, STATE_PREFIX + op.state, 0, 0, tensors[op.x].size_bytes),)


KERNELS = movement_kernels(WriteState, _parts)
