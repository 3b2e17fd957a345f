"""Kernels of mean."""

from __future__ import annotations

from math import prod

import numpy as np

from ...ir import DType
from ...ir.elementwise import ACTIVATIONS
from ...ir.ops.mean import Mean
from ...passes.planner.kernel import Call, Const, Field, Kernel, Pointer, Struct, Tensors
from .elementwise import has_types, unsplit


def _dims(op: Mean, tensors: Tensors, reduced: bool) -> list[tuple[int, int]]:
    """(count, stride in elements) of the reduced or of the kept dimensions, innermost first."""
    shape = tensors[op.x].shape
    axes = [d for d in reversed(range(len(shape))) if (d in op.axes) is reduced]
    return unsplit([(shape[d], prod(shape[d + 1 :])) for d in axes])


def _table(name: str, dims: list[tuple[int, int]]) -> Field:
    return Const(name, np.array(dims, np.int32).reshape(-1)) if dims else "NULL"


def _fields(op: Mean, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    x, y = tensors[op.x], tensors[op.y]
    kept, reduced = _dims(op, tensors, False), _dims(op, tensors, True)
    n, stride = reduced[0] if reduced else (1, 1)
    count = op.count(tensors)
    walk: tuple[tuple[str, Field], ...] = (
        ("outputs", y.elements),
        ("kept_dims", len(kept)),
        ("kept", _table("kept", kept)),
        ("runs", count // n),
        ("n", n),
        ("stride", stride),
        ("outer_dims", len(reduced[1:])),
        ("outer", _table("outer", reduced[1:])),
    )
    if x.dtype is DType.FLOAT32:
        return (*walk, ("count", float(count)))
    multiplier, shift = op.requant(tensors)
    offset = -x.zero_point * count
    scale = (("offset", offset), ("multiplier", multiplier), ("shift", shift), ("zero_y", y.zero_point))
    return *walk, *scale


def _kernel(dtype: DType) -> Kernel:
    name = f"pl_mean_{dtype.suffix}"

    def emit(op: Mean, tensors: Tensors) -> tuple[Call, ...]:
        pointers = (Pointer("x", op.x, dtype.ctype), Pointer("y", op.y, dtype.ctype, writable=True))
        return (Call(name, pointers, ("x", "y", "&p"), Struct(f"{name}_params", _fields(op, tensors))),)

    return Kernel(name, f"portable/mean_{dtype.suffix}.h", Mean, has_types(("x", "y"), (dtype, dtype)), emit)


KERNELS = tuple(_kernel(dtype) for dtype in ACTIVATIONS)
