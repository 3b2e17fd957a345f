"""Kernel variants for Arm cores with the DSP extension (ARMv7E-M, ARMv8-M.main with DSP)."""

from __future__ import annotations

from ...passes.planner.kernel import Kernel
from . import dsp_conv

KERNELS: tuple[Kernel, ...] = dsp_conv.KERNELS
