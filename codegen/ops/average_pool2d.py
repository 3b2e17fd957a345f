"""Kernels of average_pool2d."""

from __future__ import annotations

from ...ir.ops.average_pool2d import AveragePool2D
from .pooling import pool_kernels

KERNELS = pool_kernels(AveragePool2D)
