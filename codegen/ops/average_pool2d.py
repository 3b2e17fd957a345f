"""Kernels of average_pool2d."""

from __future__ import annotations

from ...ir.ops.average_pool2d import AveragePool2D
from .map_sums import map_kernel
from .pooling import ONNX_AVERAGE_POOL, pool_kernels

KERNELS = (*pool_kernels(AveragePool2D), ONNX_AVERAGE_POOL, map_kernel(AveragePool2D, "average"))
