"""Kernels for Arm cores with the DSP extension, convolutions with shared weights apart."""

from __future__ import annotations

from ...passes.planner.kernel import Kernel
from . import dsp_depthwise

KERNELS: tuple[Kernel, ...] = (*dsp_depthwise.KERNELS,)
