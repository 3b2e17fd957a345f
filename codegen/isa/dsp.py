"""Kernel variants for Arm cores with the DSP extension (ARMv7E-M, ARMv8-M.main with DSP)."""

from __future__ import annotations

from ...passes.planner.kernel import Kernel
from . import dsp_conv, dsp_other, dsp_sums, dsp_winograd

KERNELS: tuple[Kernel, ...] = (
    *dsp_conv.KERNELS,
    *dsp_winograd.KERNELS,
    *dsp_sums.KERNELS,
    *dsp_other.KERNELS,
)
