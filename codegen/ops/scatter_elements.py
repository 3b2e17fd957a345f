"""Kernels of scatter_elements."""

from __future__ import annotations

from ...ir.ops.scatter_elements import ScatterElements
from ...passes.planner.kernel import Field, Tensors
from .scatter import scatter_kernel
from .typed import element_walk


def _fields(op: ScatterElements, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    return element_walk(tensors[op.x].shape, tensors[op.indices].shape, op.axis)


KERNELS = (scatter_kernel(ScatterElements, "pl_scatter_elements", _fields),)
