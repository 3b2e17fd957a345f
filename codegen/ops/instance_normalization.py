"""Kernel of instance_normalization."""

from __future__ import annotations

from math import prod

from ...ir import DType
from ...ir.ops.instance_normalization import InstanceNormalization
from ...passes.planner.kernel import Call, Kernel, Pointer, Struct, Tensors
from .elementwise import has_types, in_place

_NAME = "pl_instance_normalization_f32"


def _emit(op: InstanceNormalization, tensors: Tensors) -> tuple[Call, ...]:
    items, *positions, channels = tensors[op.x].shape
    fields = (
        ("items", items),
        ("positions", prod(positions)),
        ("channels", channels),
        ("groups", op.groups),
        ("epsilon", float(op.epsilon)),
    )
    pointers = (
        Pointer("x", op.x, "float"),
        Pointer("scale", op.scale, "float"),
        Pointer("bias", op.bias, "float"),
        Pointer("y", op.y, "float", writable=True),
    )
    args = ("x", "scale", "bias", "y", "&p")
    return (Call(_NAME, pointers, args, Struct(f"{_NAME}_params", fields)),)


KERNELS = (
    Kernel(
        _NAME,
        "portable/instance_normalization_f32.h",
        InstanceNormalization,
        has_types(("x", "y"), (DType.FLOAT32,) * 2),
        _emit,
        aliases=in_place("x"),
    ),
)
