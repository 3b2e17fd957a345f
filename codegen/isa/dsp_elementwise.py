"""Sums, differences and products for Arm cores with the DSP extension."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...ir.fixed_point import activation_range, quantize_multiplier
from ...ir.op import Op
from ...ir.ops.add import Add
from ...ir.ops.mul import Mul
from ...ir.ops.sub import Sub
from ...passes.planner.kernel import Call, Field, Kernel, Tensors
from ..ops.elementwise import in_place
from .broadcast import broadcast_call, broadcast_work, is_int8
from .linear_sum import LinearSum, linear_sum

_FEATURES = frozenset({"arm", "dsp", "unaligned"})


def _constants(op: Add | Sub, tensors: Tensors) -> LinearSum | None:
    """Constants of pl_add_s8__dsp: sums have 20 fractional bits, products lose 8."""
    return linear_sum(op, tensors, fraction=20, drop=8)


def _accepts_add(op: Add | Sub, tensors: Tensors) -> bool:
    if not is_int8(op, tensors) or activation_range(op.activation, tensors[op.y]) != (-128, 127):
        return False
    return _constants(op, tensors) is not None


def _emit_add(op: Add | Sub, tensors: Tensors) -> tuple[Call, ...]:
    form = _constants(op, tensors)
    assert form is not None
    fields = (("factor_a", form.factor_a), ("factor_b", form.factor_b), ("offset", form.offset))
    return broadcast_call("pl_add_s8__dsp", op, tensors, fields)


def _accepts_mul(op: Mul, tensors: Tensors) -> bool:
    if not is_int8(op, tensors):
        return False
    whole = activation_range(op.activation, tensors[op.y]) == (-128, 127)
    return whole and -22 <= quantize_multiplier(op.ratio(tensors))[1] <= -1


def _emit_mul(op: Mul, tensors: Tensors) -> tuple[Call, ...]:
    multiplier, shift = quantize_multiplier(op.ratio(tensors))
    fields: tuple[tuple[str, Field], ...] = (
        ("zero_a", tensors[op.a].zero_point),
        ("zero_b", tensors[op.b].zero_point),
        ("multiplier", multiplier),
        ("right", -shift),
        ("offset", tensors[op.y].zero_point * (1 << -shift) + (1 << -shift - 1)),
    )
    return broadcast_call("pl_mul_s8__dsp", op, tensors, fields)


def _kernel(
    name: str,
    op: type[Op],
    accepts: Callable[[Any, Tensors], bool],
    emit: Callable[[Any, Tensors], tuple[Call, ...]],
) -> Kernel:
    return Kernel(
        f"pl_{name}",
        f"dsp/{name}.h",
        op,
        accepts,
        emit,
        aliases=in_place("a", "b"),
        features=_FEATURES,
        work=broadcast_work,
    )


KERNELS: tuple[Kernel, ...] = (
    _kernel("add_s8__dsp", Add, _accepts_add, _emit_add),
    _kernel("add_s8__dsp", Sub, _accepts_add, _emit_add),
    _kernel("mul_s8__dsp", Mul, _accepts_mul, _emit_mul),
)
