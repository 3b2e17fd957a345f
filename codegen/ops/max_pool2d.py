"""Kernels of max_pool2d."""

from __future__ import annotations

from ...ir.ops.max_pool2d import MaxPool2D
from .pooling import pool_kernels

KERNELS = pool_kernels(MaxPool2D)
