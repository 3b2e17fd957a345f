"""Kernels of softmax."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from ...ir import DType
from ...ir.float_requant import exponentials_f32, softmax_factor
from ...ir.ops.softmax import Softmax
from ...ir.rounding import ONNX_ROUNDINGS, TFLITE_ROUNDINGS, Rounding
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


def _onnx(op: Softmax, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    x, y = tensors[op.x], tensors[op.y]
    rows, depth = _rows(op, tensors)
    low, high = (float(v - y.zero_point) for v in y.dtype.integer_range)
    return (
        ("rows", rows),
        ("depth", depth),
        ("exponentials", Const("exponentials", exponentials_f32(x, depth))),
        ("steps", float(softmax_factor(y))),
        ("low", low),
        ("high", high),
        ("zero_y", y.zero_point),
    )


def _emit_onnx(op: Softmax, tensors: Tensors) -> tuple[Call, ...]:
    struct = Struct("pl_softmax_s8_onnx_params", _onnx(op, tensors))
    return (Call("pl_softmax_s8_onnx", _pointers(op, tensors), ("x", "y", "&p"), struct),)


def _emit_f32(op: Softmax, tensors: Tensors) -> tuple[Call, ...]:
    shape = tensors[op.x].shape
    axis = len(shape) + op.axis
    sizes = (prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]))
    function = "pl_log_softmax_f32" if op.log else "pl_softmax_f32"
    return (Call(function, _pointers(op, tensors), ("x", "y", *sizes, float(op.beta))),)


def _work(op: Softmax, tensors: Tensors) -> dict[str, int]:
    """Rows, elements of them, and, of int8, how many of these have exponentials if all are as likely."""
    x = tensors[op.x]
    work = {"calls": 1, "rows": x.elements // x.shape[op.axis], "elements": x.elements}
    if x.dtype is DType.INT8 and op.rounding in TFLITE_ROUNDINGS:
        work["exponentials"] = x.elements * _count(op, tensors) // 256
    return work


def _kernel(
    name: str,
    dtypes: tuple[DType, DType],
    emit: Emit,
    log: bool = False,
    roundings: frozenset[Rounding] = TFLITE_ROUNDINGS,
) -> Kernel:
    right_types = has_types(("x", "y"), dtypes)

    def accepts(op: Softmax, tensors: Tensors) -> bool:
        return op.log is log and right_types(op, tensors)

    header = f"portable/{name.removeprefix('pl_')}.h"
    return Kernel(
        name, header, Softmax, accepts, emit, aliases=in_place("x"), roundings=roundings, work=_work
    )


KERNELS = (
    _kernel("pl_softmax_s8", (DType.INT8, DType.INT8), _emit_s8),
    _kernel("pl_softmax_s8_onnx", (DType.INT8, DType.INT8), _emit_onnx, roundings=ONNX_ROUNDINGS),
    _kernel("pl_softmax_s8_s16", (DType.INT8, DType.INT16), _emit_s8),
    _kernel("pl_softmax_s16", (DType.INT16, DType.INT16), _emit_s16),
    _kernel("pl_softmax_f32", (DType.FLOAT32, DType.FLOAT32), _emit_f32),
    _kernel("pl_log_softmax_f32", (DType.FLOAT32, DType.FLOAT32), _emit_f32, log=True),
)
