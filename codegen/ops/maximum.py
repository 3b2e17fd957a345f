"""Kernels of maximum."""

from __future__ import annotations

from ...ir.elementwise import SELECTABLE
from ...ir.ops.maximum import Maximum
from ...passes.planner.kernel import Field, Tensors
from .elementwise import binary_kernel


def _fields(op: Maximum, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    return (("largest", 1),)


KERNELS = tuple(binary_kernel(Maximum, f"pl_minmax_{d.suffix}", (d, d, d), _fields) for d in SELECTABLE)
