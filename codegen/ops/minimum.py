"""Kernels of minimum."""

from __future__ import annotations

from ...ir.elementwise import SELECTABLE
from ...ir.ops.minimum import Minimum
from ...passes.planner.kernel import Field, Tensors
from .elementwise import binary_kernel


def _fields(op: Minimum, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    return (("largest", 0),)


KERNELS = tuple(binary_kernel(Minimum, f"pl_minmax_{d.suffix}", (d, d, d), _fields) for d in SELECTABLE)
