"""Kernels of average_pool2d."""

from __future__ import annotations

from ...ir import DType
from ...ir.elementwise import ACTIVATIONS
from ...ir.ops.average_pool2d import AveragePool2D
from ...passes.planner.kernel import Tensors
from .map_sums import Fields, map_kernel
from .pooling import ONNX_AVERAGE_POOL, bounds, onnx_fields, pool_kernels


def _bound_fields(op: AveragePool2D, tensors: Tensors) -> Fields:
    low, high = bounds(op, tensors)
    return ("low", low), ("high", high)


KERNELS = (
    *pool_kernels(AveragePool2D),
    ONNX_AVERAGE_POOL,
    *(map_kernel(AveragePool2D, "average", dtype, _bound_fields) for dtype in ACTIVATIONS),
    map_kernel(AveragePool2D, "average", DType.INT8, onnx_fields, onnx=True),
)
