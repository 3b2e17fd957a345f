"""Kernels of quantize. Conversions between 8-bit types become lookups."""

from __future__ import annotations

from ...ir import DType
from ...ir.ops.quantize import TYPES, Quantize
from ...ir.rounding import ONNX_ROUNDINGS
from ...passes.planner.kernel import Field, Kernel, Tensors
from .elementwise import scale_fields, unary_kernel


def _integer(op: Quantize, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    y = tensors[op.y]
    low, high = y.dtype.integer_range
    return (
        ("zero_x", tensors[op.x].zero_point),
        ("zero_y", y.zero_point),
        *scale_fields(op.ratio(tensors)),
        ("low", low),
        ("high", high),
    )


def _floating(op: Quantize, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    y = tensors[op.y]
    assert y.quant
    low, high = (float(v - y.quant.z) for v in y.dtype.integer_range)
    return ("scale", y.quant.s), ("low", low), ("high", high), ("zero_y", y.quant.z)


def _kernel(x: DType, y: DType) -> Kernel:
    name = f"pl_quantize_{x.suffix}_{y.suffix}"
    if x is DType.FLOAT32:
        return unary_kernel(Quantize, name, (x, y), _floating, struct="pl_quantize_f32_params")
    return unary_kernel(Quantize, name, (x, y), _integer, struct="pl_quantize_params")


def _onnx_kernel(y: DType) -> Kernel:
    name, struct = f"pl_quantize_f32_{y.suffix}_onnx", "pl_quantize_f32_onnx_params"
    types = (DType.FLOAT32, y)
    return unary_kernel(Quantize, name, types, _floating, struct=struct, roundings=ONNX_ROUNDINGS)


KERNELS = (
    *(_kernel(x, y) for x, outputs in TYPES.items() for y in outputs if x.itemsize > 1 or y.itemsize > 1),
    *(_onnx_kernel(y) for y in TYPES[DType.FLOAT32]),
)
