"""Kernels of prelu."""

from __future__ import annotations

from ...ir import DType
from ...ir.ops.prelu import PRelu
from ...passes.planner.kernel import Field, Tensors
from .elementwise import binary_kernel, scale_fields


def _integer(op: PRelu, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    positive, negative = op.ratios(tensors)
    return (
        ("zero_x", tensors[op.x].zero_point),
        ("zero_alpha", tensors[op.alpha].zero_point),
        ("zero_y", tensors[op.y].zero_point),
        *scale_fields(positive),
        *scale_fields(negative, "_a"),
    )


def _floating(op: PRelu, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    return ()


_OPERANDS = ("x", "alpha")

KERNELS = (
    binary_kernel(PRelu, "pl_prelu_s8", (DType.INT8,) * 3, _integer, _OPERANDS),
    binary_kernel(PRelu, "pl_prelu_s16", (DType.INT16, DType.INT8, DType.INT16), _integer, _OPERANDS),
    binary_kernel(PRelu, "pl_prelu_f32", (DType.FLOAT32,) * 3, _floating, _OPERANDS),
)
