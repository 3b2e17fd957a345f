"""Kernels of leaky_relu. int8 becomes a lookup."""

from __future__ import annotations

from ...ir import DType
from ...ir.ops.leaky_relu import LeakyRelu
from ...passes.planner.kernel import Field, Tensors
from .elementwise import scale_fields, unary_kernel


def _integer(op: LeakyRelu, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    positive, negative = op.ratios(tensors)
    return *scale_fields(positive), *scale_fields(negative, "_alpha")


def _alpha(op: LeakyRelu, tensors: Tensors) -> tuple[str | int | float, ...]:
    return (float(op.alpha),)


KERNELS = (
    unary_kernel(LeakyRelu, "pl_leaky_relu_s16", (DType.INT16,) * 2, _integer),
    unary_kernel(LeakyRelu, "pl_leaky_relu_f32", (DType.FLOAT32,) * 2, args=_alpha),
)
