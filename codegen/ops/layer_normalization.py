"""Kernels of layer_normalization."""

from __future__ import annotations

from ...ir import DType
from ...ir.fixed_point import reduced_multiplier
from ...ir.ops.layer_normalization import LayerNormalization
from ...passes.planner.kernel import Call, Const, Field, Kernel, Pointer, Struct, Tensors
from .elementwise import has_types, in_place
from .float_work import layer_normalization_work


def _rows(op: LayerNormalization, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    n = op.count(tensors)
    return ("rows", tensors[op.x].elements // n), ("n", n), ("centred", int(op.centred))


def _pointers(op: LayerNormalization, tensors: Tensors) -> tuple[Pointer, ...]:
    ctype = tensors[op.x].dtype.ctype
    return Pointer("x", op.x, ctype), Pointer("y", op.y, ctype, writable=True)


def _emit_f32(op: LayerNormalization, tensors: Tensors) -> tuple[Call, ...]:
    affine = {"scale": op.scale, "bias": op.bias}
    pointers = [Pointer(name, value, "float") for name, value in affine.items() if value is not None]
    args = ("x", *(name if value is not None else "NULL" for name, value in affine.items()), "y", "&p")
    name = "pl_layer_normalization_f32"
    struct = Struct(f"{name}_params", (*_rows(op, tensors), ("epsilon", float(op.epsilon))))
    return (Call(name, (*_pointers(op, tensors), *pointers), args, struct),)


def _constant(name: str, value: str | None, tensors: Tensors) -> Field:
    data = tensors[value].data if value is not None else None
    return "NULL" if data is None else Const(name, data.reshape(-1))


def _emit_integer(op: LayerNormalization, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    multiplier, shift = op.requant(tensors)
    fields: tuple[tuple[str, Field], ...] = (
        *_rows(op, tensors),
        ("zero_x", x.zero_point),
        ("epsilon", f"INT64_C({op.offset(tensors)})"),
        ("multiplier", int(reduced_multiplier(multiplier))),
        ("shift", 15 - shift),
        ("zero_y", y.zero_point),
        ("scale", _constant("scale", op.scale, tensors)),
        ("bias", _constant("bias", op.bias, tensors)),
    )
    struct = Struct("pl_layer_normalization_params", fields)
    name = f"pl_layer_normalization_{x.dtype.suffix}"
    return (Call(name, _pointers(op, tensors), ("x", "y", "&p"), struct),)


KERNELS = tuple(
    Kernel(
        f"pl_layer_normalization_{dtype.suffix}",
        f"portable/layer_normalization_{dtype.suffix}.h",
        LayerNormalization,
        has_types(("x", "y"), (dtype, dtype)),
        _emit_f32 if dtype is DType.FLOAT32 else _emit_integer,
        aliases=in_place("x"),
        work=layer_normalization_work,
    )
    for dtype in (DType.INT8, DType.INT16, DType.FLOAT32)
)
