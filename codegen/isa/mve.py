"""Kernel variants for Arm cores with Helium (M-profile vector extension, integer)."""

from __future__ import annotations

from ...passes.planner.kernel import Kernel
from . import mve_conv2d, mve_depthwise, mve_elementwise, mve_line, mve_other, mve_pointwise

KERNELS: tuple[Kernel, ...] = (
    *mve_pointwise.KERNELS,
    *mve_conv2d.KERNELS,
    *mve_line.KERNELS,
    *mve_depthwise.KERNELS,
    *mve_elementwise.KERNELS,
    *mve_other.KERNELS,
)
