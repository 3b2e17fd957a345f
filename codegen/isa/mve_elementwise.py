"""Helium kernels of sums, differences and products."""

from __future__ import annotations

from typing import Any

from ...ir import DType, Op
from ...ir.fixed_point import activation_range, quantize_multiplier
from ...ir.ops.add import Add
from ...ir.ops.mul import Mul
from ...ir.ops.sub import Sub
from ...passes.planner.kernel import Call, Field, Kernel, Pointer, Struct, Tensors
from ..ops.elementwise import broadcast_fields, has_types, in_place, scale_fields
from .mve_packing import FEATURES, ceil_div

_LEFT = 20
"""int8 operands of a sum are shifted to the left by this before they are rescaled."""


def _walk(op: Any, tensors: Tensors, names: tuple[str, str]) -> dict[str, Field]:
    """How operands `names` are walked; both must advance along a run."""
    shapes = [tensors[n].shape for n in names]
    return dict(broadcast_fields(shapes[0], shapes[1], tensors[op.y].shape))


def _runs_together(op: Any, tensors: Tensors) -> bool:
    walk = _walk(op, tensors, (op.a, op.b))
    return (
        has_types(("a", "b", "y"), (DType.INT8,) * 3)(op, tensors) and walk["step_a"] == walk["step_b"] == 1
    )


def _outer(walk: dict[str, Field]) -> tuple[tuple[str, Field], ...]:
    return tuple((name, walk[name]) for name in ("runs", "n", "outer_dims", "outer"))


def _accepts_sum(op: Add | Sub, tensors: Tensors) -> bool:
    return _runs_together(op, tensors) and quantize_multiplier(op.scales(tensors).y)[1] < 0


def _emit_sum(op: Add | Sub, tensors: Tensors) -> tuple[Call, ...]:
    scales, y = op.scales(tensors), tensors[op.y]
    low, high = activation_range(op.activation, y)
    signs = {"a": 1, "b": 1 if isinstance(op, Add) else -1}
    # The operand of the larger scale has the factor 1/2.
    exact, scaled = ("a", "b") if scales.a >= scales.b else ("b", "a")
    factor = signs[exact] << (_LEFT - 1)
    e, s = (tensors[getattr(op, name)] for name in (exact, scaled))
    multiplier, shift = quantize_multiplier(getattr(scales, scaled))
    # A factor of 1/2 here too: the kernel wants a shift to the right, so take the double.
    left = _LEFT if shift < 0 else _LEFT + 1
    fields = (
        *_outer(_walk(op, tensors, (e.name, s.name))),
        ("exact_factor", factor),
        ("scaled_factor", 1 << left),
        ("exact_offset", -e.zero_point * factor),
        ("scaled_offset", -s.zero_point << left),
        ("scaled_multiplier", multiplier),
        ("scaled_shift", min(shift, -1)),
        ("sign", signs[scaled]),
        ("zero_y", y.zero_point),
        *scale_fields(scales.y, "_y"),
        ("low", low),
        ("high", high),
    )
    return _call("pl_add_s8__mve", (e.name, s.name, op.y), fields)


def _call(
    name: str, operands: tuple[str, str, str], fields: tuple[tuple[str, Field], ...]
) -> tuple[Call, ...]:
    a, b, y = operands
    pointers = (
        Pointer("a", a, "int8_t"),
        Pointer("b", b, "int8_t"),
        Pointer("y", y, "int8_t", writable=True),
    )
    return (Call(name, pointers, ("a", "b", "y", "&p"), Struct(f"{name}_params", fields)),)


def _accepts_product(op: Mul, tensors: Tensors) -> bool:
    return _runs_together(op, tensors) and quantize_multiplier(op.ratio(tensors))[1] < 0


def _emit_product(op: Mul, tensors: Tensors) -> tuple[Call, ...]:
    y = tensors[op.y]
    low, high = activation_range(op.activation, y)
    fields = (
        *_outer(_walk(op, tensors, (op.a, op.b))),
        ("zero_a", tensors[op.a].zero_point),
        ("zero_b", tensors[op.b].zero_point),
        ("zero_y", y.zero_point),
        *scale_fields(op.ratio(tensors)),
        ("low", low),
        ("high", high),
    )
    return _call("pl_mul_s8__mve", (op.a, op.b, op.y), fields)


def _work(op: Any, tensors: Tensors) -> dict[str, int]:
    walk = _walk(op, tensors, (op.a, op.b))
    runs, n, dims = (v for v in (walk["runs"], walk["n"], walk["outer_dims"]) if isinstance(v, int))
    return {"calls": 1, "runs": runs, "dims": runs * dims, "vectors": runs * ceil_div(n, 4)}


def _kernel(name: str, op: type[Op], accepts: Any, emit: Any) -> Kernel:
    return Kernel(
        f"pl_{name}",
        f"mve/{name}.h",
        op,
        accepts,
        emit,
        aliases=in_place("a", "b"),
        features=FEATURES,
        work=_work,
    )


KERNELS = (
    _kernel("add_s8__mve", Add, _accepts_sum, _emit_sum),
    _kernel("add_s8__mve", Sub, _accepts_sum, _emit_sum),
    _kernel("mul_s8__mve", Mul, _accepts_product, _emit_product),
)
