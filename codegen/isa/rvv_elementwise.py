"""Sums, differences, products and lookups with RISC-V vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...ir.fixed_point import activation_range, quantize_multiplier
from ...ir.op import Op
from ...ir.ops.add import Add
from ...ir.ops.lookup import Lookup
from ...ir.ops.mul import Mul
from ...ir.ops.sub import Sub
from ...ir.types import DType
from ...passes.planner.kernel import Call, Field, Kernel, Pointer, Struct, Tensors
from ..ops.elementwise import broadcast_fields, has_types, in_place
from .rvv_packing import BYTES, FEATURES, LANES, ceil_div

Fields = tuple[tuple[str, Field], ...]

_LEFT = 20
"""int8 operands of a sum are shifted to the left by this before they are rescaled."""


def _walk(op: Any, tensors: Tensors) -> dict[str, Field]:
    return dict(broadcast_fields(*(tensors[n].shape for n in (op.a, op.b, op.y))))


def _runs_together(op: Any, tensors: Tensors) -> bool:
    """int8, and both operands advance along a run."""
    if not has_types(("a", "b", "y"), (DType.INT8,) * 3)(op, tensors):
        return False
    walk = _walk(op, tensors)
    return walk["step_a"] == walk["step_b"] == 1


def _call(name: str, op: Any, tensors: Tensors, fields: Fields) -> tuple[Call, ...]:
    used = (
        Pointer("a", op.a, "int8_t"),
        Pointer("b", op.b, "int8_t"),
        Pointer("y", op.y, "int8_t", writable=True),
    )
    walk, (low, high) = _walk(op, tensors), activation_range(op.activation, tensors[op.y])
    block: Fields = (
        *((f"walk.{part}", walk[part]) for part in ("runs", "n", "outer_dims", "outer")),
        *fields,
        ("zero_y", tensors[op.y].zero_point),
        ("low", low),
        ("high", high),
    )
    return (Call(name, used, ("a", "b", "y", "&p"), Struct(f"{name}_params", block)),)


def _accepts_sum(op: Add | Sub, tensors: Tensors) -> bool:
    """The sum's factor is below 1/2; a factor of an operand that is not is 1/2 exactly."""
    if not _runs_together(op, tensors):
        return False
    scales = op.scales(tensors)
    operands = (quantize_multiplier(s) for s in (scales.a, scales.b))
    exact = all(shift < 0 or (shift == 0 and factor == 1 << 30) for factor, shift in operands)
    return exact and quantize_multiplier(scales.y)[1] < 0


def _operand(suffix: str, zero_point: int, scale: float) -> Fields:
    multiplier, shift = quantize_multiplier(scale)
    return (
        (f"zero_{suffix}", zero_point),
        (f"left_{suffix}", _LEFT if shift < 0 else _LEFT + 1),
        (f"multiplier_{suffix}", multiplier),
        (f"right_{suffix}", max(-shift, 1)),
    )


def _emit_sum(op: Add | Sub, tensors: Tensors) -> tuple[Call, ...]:
    scales = op.scales(tensors)
    multiplier, shift = quantize_multiplier(scales.y)
    fields: Fields = (
        *_operand("a", tensors[op.a].zero_point, scales.a),
        *_operand("b", tensors[op.b].zero_point, scales.b),
        ("sign", 1 if isinstance(op, Add) else -1),
        ("multiplier_y", multiplier),
        ("right_y", -shift),
    )
    return _call("pl_add_s8__rvv", op, tensors, fields)


def _accepts_product(op: Mul, tensors: Tensors) -> bool:
    return _runs_together(op, tensors) and quantize_multiplier(op.ratio(tensors))[1] < 0


def _emit_product(op: Mul, tensors: Tensors) -> tuple[Call, ...]:
    multiplier, shift = quantize_multiplier(op.ratio(tensors))
    fields: Fields = (
        ("zero_a", tensors[op.a].zero_point),
        ("zero_b", tensors[op.b].zero_point),
        ("multiplier", multiplier),
        ("right", -shift),
    )
    return _call("pl_mul_s8__rvv", op, tensors, fields)


def _work(op: Any, tensors: Tensors) -> Mapping[str, int]:
    walk = _walk(op, tensors)
    runs, n, dims = (v for v in (walk["runs"], walk["n"], walk["outer_dims"]) if isinstance(v, int))
    return {"calls": 1, "runs": runs, "dims": runs * dims, "vectors": runs * ceil_div(n, LANES)}


def _binary(
    name: str,
    op: type[Op],
    accepts: Callable[[Any, Tensors], bool],
    emit: Callable[[Any, Tensors], tuple[Call, ...]],
) -> Kernel:
    aliases = in_place("a", "b")
    return Kernel(
        f"pl_{name}", f"rvv/{name}.h", op, accepts, emit, aliases=aliases, features=FEATURES, work=_work
    )


def _accepts_lookup(op: Lookup, tensors: Tensors) -> bool:
    return True


def _emit_lookup(op: Lookup, tensors: Tensors) -> tuple[Call, ...]:
    used = (
        Pointer("x", op.x, "uint8_t"),
        Pointer("table", op.table, "uint8_t"),
        Pointer("y", op.y, "uint8_t", writable=True),
    )
    return (Call("pl_lookup__rvv", used, ("x", "y", tensors[op.y].elements, "table")),)


def _lookup_work(op: Lookup, tensors: Tensors) -> Mapping[str, int]:
    return {"calls": 1, "vectors": ceil_div(tensors[op.y].elements, BYTES)}


KERNELS: tuple[Kernel, ...] = (
    _binary("add_s8__rvv", Add, _accepts_sum, _emit_sum),
    _binary("add_s8__rvv", Sub, _accepts_sum, _emit_sum),
    _binary("mul_s8__rvv", Mul, _accepts_product, _emit_product),
    Kernel(
        "pl_lookup__rvv",
        "rvv/lookup__rvv.h",
        Lookup,
        _accepts_lookup,
        _emit_lookup,
        aliases=in_place("x"),
        features=FEATURES,
        work=_lookup_work,
    ),
)
