"""Kernel variants for small Arm cores (ARMv6-M): blocks of Thumb-1 assembly."""

from __future__ import annotations

from ...passes.planner.kernel import Kernel
from . import m0_dense, m0_depthwise, m0_elementwise

KERNELS: tuple[Kernel, ...] = (*m0_dense.KERNELS, *m0_depthwise.KERNELS, *m0_elementwise.KERNELS)
