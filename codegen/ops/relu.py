"""Kernels of relu. int8 becomes a lookup; int16 is a requantization with clamp."""

from __future__ import annotations

from ...ir import DType
from ...ir.fixed_point import activation_range
from ...ir.ops.relu import Relu
from ...passes.planner.kernel import Field, Tensors
from .elementwise import scale_fields, unary_kernel


def _integer(op: Relu, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    y = tensors[op.y]
    low, high = activation_range(op.activation, y)
    return (
        ("zero_x", tensors[op.x].zero_point),
        ("zero_y", y.zero_point),
        *scale_fields(op.ratio(tensors)),
        ("low", low),
        ("high", high),
    )


def _bounds(op: Relu, tensors: Tensors) -> tuple[str | int | float, ...]:
    return op.activation.bounds


KERNELS = (
    unary_kernel(Relu, "pl_quantize_s16_s16", (DType.INT16,) * 2, _integer, struct="pl_quantize_params"),
    unary_kernel(Relu, "pl_relu_f32", (DType.FLOAT32,) * 2, args=_bounds),
)
