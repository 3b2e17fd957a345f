"""Kernels of mul."""

from __future__ import annotations

from ...ir import DType
from ...ir.fixed_point import activation_range
from ...ir.float_requant import activation_range_f32
from ...ir.ops.mul import Mul
from ...ir.rounding import ONNX_ROUNDINGS
from ...passes.planner.kernel import Field, Tensors
from .elementwise import binary_kernel, scale_fields


def _integer(op: Mul, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    y = tensors[op.y]
    low, high = activation_range(op.activation, y)
    return (
        ("zero_a", tensors[op.a].zero_point),
        ("zero_b", tensors[op.b].zero_point),
        ("zero_y", y.zero_point),
        *scale_fields(op.ratio(tensors)),
        ("low", low),
        ("high", high),
    )


def _onnx(op: Mul, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    y, offset = tensors[op.y], op.rounding.offset
    low, high = activation_range_f32(op.activation, y)
    return (
        ("zero_a", tensors[op.a].zero_point),
        ("zero_b", tensors[op.b].zero_point),
        ("offset", offset),
        ("factor", float(op.float_ratio(tensors))),
        ("zero_y", float(y.zero_point + offset)),
        ("low", float(low + offset)),
        ("high", float(high + offset)),
    )


def _floating(op: Mul, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    low, high = op.activation.bounds
    return ("low", low), ("high", high)


KERNELS = (
    binary_kernel(Mul, "pl_mul_s8", (DType.INT8,) * 3, _integer),
    binary_kernel(Mul, "pl_mul_s8_onnx", (DType.INT8,) * 3, _onnx, roundings=ONNX_ROUNDINGS),
    binary_kernel(Mul, "pl_mul_s16", (DType.INT16,) * 3, _integer),
    binary_kernel(Mul, "pl_mul_f32", (DType.FLOAT32,) * 3, _floating),
)
