"""Sums and differences of int8 in plain C, one 32-bit multiplication per operand."""

from __future__ import annotations

from ...ir.ops.add import Add
from ...ir.ops.sub import Sub
from ...passes.planner.kernel import Call, Kernel, Tensors
from ..ops.elementwise import in_place
from .broadcast import broadcast_call, broadcast_work, is_int8
from .linear_sum import LinearSum, linear_sum

_FRACTIONS = range(23, 11, -1)
"""Fractional bits of a sum, most exact first; with more, outputs of usual scales leave 32 bits."""


def _constants(op: Add | Sub, tensors: Tensors) -> tuple[LinearSum, int] | None:
    """(constants, fractional bits) of pl_add_s8__scalar, None where none are exact."""
    forms = ((linear_sum(op, tensors, fraction, drop=0), fraction) for fraction in _FRACTIONS)
    return next(((form, fraction) for form, fraction in forms if form is not None), None)


def _accepts(op: Add | Sub, tensors: Tensors) -> bool:
    return is_int8(op, tensors) and _constants(op, tensors) is not None


def _emit(op: Add | Sub, tensors: Tensors) -> tuple[Call, ...]:
    found = _constants(op, tensors)
    assert found is not None
    form, fraction = found
    fields = (
        ("factor_a", form.factor_a),
        ("factor_b", form.factor_b),
        ("offset", form.offset),
        ("right", fraction),
        ("low", form.low),
        ("high", form.high),
    )
    return broadcast_call("pl_add_s8__scalar", op, tensors, fields)


KERNELS: tuple[Kernel, ...] = tuple(
    Kernel(
        "pl_add_s8__scalar",
        "scalar/add_s8__scalar.h",
        op,
        _accepts,
        _emit,
        aliases=in_place("a", "b"),
        work=broadcast_work,
    )
    for op in (Add, Sub)
)
