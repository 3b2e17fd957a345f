"""Kernel variants for RISC-V with vectors (V 1.0): lanes are channels or pixels, however many there are."""

from __future__ import annotations

from ...passes.planner.kernel import Kernel
from . import rvv_dense, rvv_depthwise, rvv_elementwise, rvv_lanes, rvv_pooling

KERNELS: tuple[Kernel, ...] = (
    *rvv_dense.KERNELS,
    *rvv_depthwise.KERNELS,
    *rvv_lanes.KERNELS,
    *rvv_elementwise.KERNELS,
    *rvv_pooling.KERNELS,
)
