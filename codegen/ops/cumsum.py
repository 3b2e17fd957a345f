"""Kernels of cumsum."""

from __future__ import annotations

from ...ir import DType
from ...ir.ops.cumsum import CumSum
from ...ir.plain import INTEGERS
from ...passes.planner.kernel import Call, Kernel, Pointer, Tensors
from .elementwise import in_place
from .float_work import lane_work
from .typed import bytes_of, first_is, lanes, type_of


def _emit_floats(op: CumSum, tensors: Tensors) -> tuple[Call, ...]:
    pointers = (Pointer("x", op.x, "float"), Pointer("y", op.y, "float", writable=True))
    arguments = (*lanes(tensors[op.x].shape, op.axis), *_flags(op))
    return (Call("pl_cumsum_f32", pointers, ("x", "y", *arguments)),)


def _emit_integers(op: CumSum, tensors: Tensors) -> tuple[Call, ...]:
    x = tensors[op.x]
    pointers = (bytes_of("x", op.x), bytes_of("y", op.y, writable=True))
    arguments = (*lanes(x.shape, op.axis), type_of(x), *_flags(op))
    return (Call("pl_cumsum_int", pointers, ("x", "y", *arguments)),)


def _flags(op: CumSum) -> tuple[int, int, int]:
    return int(op.exclusive), int(op.reverse), int(op.product)


_IN_PLACE, _FLOATS = in_place("x"), first_is((DType.FLOAT32,))

KERNELS = (
    Kernel(
        "pl_cumsum_f32",
        "portable/cumsum_f32.h",
        CumSum,
        _FLOATS,
        _emit_floats,
        aliases=_IN_PLACE,
        work=lane_work,
    ),
    Kernel(
        "pl_cumsum_int",
        "portable/cumsum_int.h",
        CumSum,
        first_is(INTEGERS),
        _emit_integers,
        aliases=_IN_PLACE,
        work=lane_work,
    ),
)
