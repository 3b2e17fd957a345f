"""Kernels of dequantize."""

from __future__ import annotations

from ...ir import DType
from ...ir.ops.dequantize import TYPES, Dequantize
from ...passes.planner.kernel import Tensors
from .elementwise import unary_kernel


def _args(op: Dequantize, tensors: Tensors) -> tuple[str | int | float, ...]:
    quant = tensors[op.x].quant
    assert quant
    return quant.z, quant.s


KERNELS = tuple(
    unary_kernel(Dequantize, f"pl_dequantize_{d.suffix}", (d, DType.FLOAT32), args=_args) for d in TYPES
)
