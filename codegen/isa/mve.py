"""Kernel variants for Arm cores with Helium (M-profile vector extension, integer)."""

from __future__ import annotations

from ...passes.planner.kernel import Kernel
from . import mve_pointwise

KERNELS: tuple[Kernel, ...] = (*mve_pointwise.KERNELS,)
