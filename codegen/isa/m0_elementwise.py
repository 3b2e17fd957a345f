"""Element-wise kernels of int8 on ARMv6-M."""

from __future__ import annotations

from collections.abc import Mapping

from ...ir.fixed_point import activation_range, quantize_multiplier
from ...ir.ops.add import Add
from ...ir.types import DType
from ...passes.planner.kernel import Call, Kernel, Pointer, Struct, Tensors
from ..ops.elementwise import has_types, in_place
from .m0_dense import FEATURES

_HALF = (1 << 30, 0)
"""Multiplier and shift of 1/2, the factor of the operand with the larger scale."""

_INT8 = has_types(("a", "b", "y"), (DType.INT8,) * 3)


def _halved(op: Add, tensors: Tensors) -> bool | None:
    """Whether `a` is the operand that is halved; None where neither is."""
    scales = op.scales(tensors)
    if quantize_multiplier(scales.a) == _HALF:
        return True
    return False if quantize_multiplier(scales.b) == _HALF else None


def _accepts_add(op: Add, tensors: Tensors) -> bool:
    same = tensors[op.a].shape == tensors[op.b].shape == tensors[op.y].shape
    if not _INT8(op, tensors) or not same or _halved(op, tensors) is None:
        return False
    return quantize_multiplier(op.scales(tensors).y)[1] < 0


def _emit_add(op: Add, tensors: Tensors) -> tuple[Call, ...]:
    scales, y = op.scales(tensors), tensors[op.y]
    a, b, scale_b = op.a, op.b, scales.b
    if not _halved(op, tensors):
        a, b, scale_b = op.b, op.a, scales.a
    multiplier_b, shift_b = quantize_multiplier(scale_b)
    if shift_b == 0:  # 1/2 or 0, which are exact: the same factor with a shift of 1
        multiplier_b, shift_b = 2 * multiplier_b, -1
    multiplier_y, shift_y = quantize_multiplier(scales.y)
    low, high = activation_range(op.activation, y)
    fields = (
        ("zero_y", y.zero_point),
        ("low", low),
        ("high", high),
        ("right_y", -shift_y),
        ("multiplier_y", multiplier_y),
        ("zero_b", tensors[b].zero_point),
        ("low_b", multiplier_b & 0xFFFF),
        ("high_b", multiplier_b >> 16),
        ("right_b", -shift_b),
        ("offset", -tensors[a].zero_point * (1 << 19)),
    )
    pointers = (
        Pointer("a", a, "int8_t"),
        Pointer("b", b, "int8_t"),
        Pointer("y", op.y, "int8_t", writable=True),
    )
    name = "pl_add_s8__m0"
    return (Call(name, pointers, ("a", "b", "y", y.elements, "&p"), Struct(f"{name}_params", fields)),)


def _add_work(op: Add, tensors: Tensors) -> Mapping[str, int]:
    return {"calls": 1, "outputs": tensors[op.y].elements}


KERNELS: tuple[Kernel, ...] = (
    Kernel(
        "pl_add_s8__m0",
        "m0/add_s8__m0.h",
        Add,
        _accepts_add,
        _emit_add,
        aliases=in_place("a", "b"),
        features=FEATURES,
        work=_add_work,
    ),
)
