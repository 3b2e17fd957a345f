"""Kernels of softmax."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...ir import DType
from ...ir.ops.softmax import Softmax
from ...passes.planner.kernel import Call, Const, Field, Kernel, Pointer, Struct, Tensors
from .elementwise import has_types, in_place

Emit = Callable[[Softmax, Tensors], tuple[Call, ...]]

_NEGLIGIBLE = 1 << 11
"""Exponentials below this add nothing to the sum (rounded by 12 bits) nor to any output."""


def _rows(op: Softmax, tensors: Tensors) -> tuple[int, int]:
    x = tensors[op.x]
    return x.elements // x.shape[-1], x.shape[-1]


def _count(op: Softmax, tensors: Tensors) -> int:
    """How many exponentials can change an output.

    Of two elements outputs depend on the difference alone, so all can be tried: the smaller one's may be
    taken for 0 from where on outputs are the ends of their range, which a share of 1 saturates to.
    """
    table, (_, depth) = op.exponentials(tensors), _rows(op, tensors)
    matters = table >= _NEGLIGIBLE
    if depth <= 2:
        differences = np.arange(256 if depth == 2 else 1)
        x = np.stack([np.full(len(differences), 127), 127 - differences], axis=1).astype(np.int8)
        (y,) = op.reference(tensors, x)
        low, high = tensors[op.y].dtype.integer_range
        matters = (y != (high, low)).any(axis=1)
    return int(np.flatnonzero(matters)[-1]) + 1


def _s8(op: Softmax, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    table, count = op.exponentials(tensors), _count(op, tensors)
    rows, depth = _rows(op, tensors)
    exponentials = Const("exponentials", table[:count])
    return ("rows", rows), ("depth", depth), ("count", count), ("exponentials", exponentials)


def _s16(op: Softmax, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    rows, depth = _rows(op, tensors)
    multiplier, shift = op.multiplier(tensors)
    exp_table, reciprocal_table = op.tables()
    return (
        ("rows", rows),
        ("depth", depth),
        ("multiplier", multiplier),
        ("shift", shift),
        ("exp_table", Const("exp", exp_table)),
        ("reciprocal_table", Const("reciprocal", reciprocal_table)),
    )


def _pointers(op: Softmax, tensors: Tensors) -> tuple[Pointer, Pointer]:
    x, y = tensors[op.x], tensors[op.y]
    return Pointer("x", op.x, x.dtype.ctype), Pointer("y", op.y, y.dtype.ctype, writable=True)


def _emit_s8(op: Softmax, tensors: Tensors) -> tuple[Call, ...]:
    function = "pl_softmax_s8" if tensors[op.y].dtype is DType.INT8 else "pl_softmax_s8_s16"
    struct = Struct("pl_softmax_s8_params", _s8(op, tensors))
    return (Call(function, _pointers(op, tensors), ("x", "y", "&p"), struct),)


def _emit_s16(op: Softmax, tensors: Tensors) -> tuple[Call, ...]:
    struct = Struct("pl_softmax_s16_params", _s16(op, tensors))
    return (Call("pl_softmax_s16", _pointers(op, tensors), ("x", "y", "&p"), struct),)


def _emit_f32(op: Softmax, tensors: Tensors) -> tuple[Call, ...]:
    args = ("x", "y", *_rows(op, tensors), float(op.beta))
    return (Call("pl_softmax_f32", _pointers(op, tensors), args),)


def _kernel(name: str, dtypes: tuple[DType, DType], emit: Emit) -> Kernel:
    accepts = has_types(("x", "y"), dtypes)
    header = f"portable/{name.removeprefix('pl_')}.h"
    return Kernel(name, header, Softmax, accepts, emit, aliases=in_place("x"))


KERNELS = (
    _kernel("pl_softmax_s8", (DType.INT8, DType.INT8), _emit_s8),
    _kernel("pl_softmax_s8_s16", (DType.INT8, DType.INT16), _emit_s8),
    _kernel("pl_softmax_s16", (DType.INT16, DType.INT16), _emit_s16),
    _kernel("pl_softmax_f32", (DType.FLOAT32, DType.FLOAT32), _emit_f32),
)
