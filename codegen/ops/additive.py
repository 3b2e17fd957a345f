"""Descriptors of sums and differences, which share their kernels."""

from __future__ import annotations

from ...ir import DType
from ...ir.additive import float_sum
from ...ir.fixed_point import activation_range
from ...ir.float_requant import activation_range_f32
from ...ir.ops.add import Add
from ...ir.ops.sub import Sub
from ...ir.rounding import ONNX_ROUNDINGS
from ...passes.planner.kernel import Field, Kernel, Tensors
from .elementwise import binary_kernel, scale_fields


def additive_kernels(op: type[Add] | type[Sub], sign: int) -> tuple[Kernel, ...]:
    """Kernels of y = a + sign * b."""

    def integer(instance: Add | Sub, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
        y = tensors[instance.y]
        low, high = activation_range(instance.activation, y)
        scales = instance.scales(tensors)
        return (
            ("zero_a", tensors[instance.a].zero_point),
            *scale_fields(scales.a, "_a"),
            ("zero_b", tensors[instance.b].zero_point),
            *scale_fields(scales.b, "_b"),
            ("sign", sign),
            ("zero_y", y.zero_point),
            *scale_fields(scales.y, "_y"),
            ("low", low),
            ("high", high),
        )

    def floating(instance: Add | Sub, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
        low, high = instance.activation.bounds
        return ("sign", float(sign)), ("low", low), ("high", high)

    s8, s16, f32 = DType.INT8, DType.INT16, DType.FLOAT32
    return (
        binary_kernel(op, "pl_add_s8", (s8, s8, s8), integer),
        binary_kernel(op, "pl_add_s16", (s16, s16, s16), integer),
        binary_kernel(op, "pl_add_f32", (f32, f32, f32), floating),
    )


def _onnx(op: Add, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    low, high = activation_range_f32(op.activation, tensors[op.y])
    factors = float_sum(tensors, op.a, op.b, op.y, op.rounding)
    return (
        ("factor_a", float(factors.a)),
        ("factor_b", float(factors.b)),
        ("rest", float(factors.rest)),
        ("offset", op.rounding.offset),
        ("low", low),
        ("high", high),
    )


ONNX_ADD = binary_kernel(Add, "pl_add_s8_onnx", (DType.INT8,) * 3, _onnx, roundings=ONNX_ROUNDINGS)
