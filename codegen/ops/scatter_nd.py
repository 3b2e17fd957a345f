"""Kernels of scatter_nd."""

from __future__ import annotations

from math import prod

from ...ir.ops.scatter_nd import ScatterND
from ...passes.planner.kernel import Field, Tensors
from .movement import pitches
from .scatter import scatter_kernel
from .typed import table


def _fields(op: ScatterND, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    shape, indices = tensors[op.x].shape, tensors[op.indices]
    depth = indices.shape[-1]
    dense = pitches(shape, 1)
    return (
        ("tuples", indices.elements // depth),
        ("depth", depth),
        ("width", prod(shape[depth:])),
        ("dims", table("dims", [(shape[d], dense[d]) for d in range(depth)])),
    )


KERNELS = (scatter_kernel(ScatterND, "pl_scatter_nd", _fields),)
