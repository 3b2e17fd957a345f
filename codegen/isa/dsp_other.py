"""Kernels for Arm cores with the DSP extension, convolutions with shared weights apart."""

from __future__ import annotations

from ...passes.planner.kernel import Kernel
from . import dsp_depthwise, dsp_depthwise_row, dsp_depthwise_tiles, dsp_elementwise, dsp_pooling

KERNELS: tuple[Kernel, ...] = (
    *dsp_depthwise.KERNELS,
    *dsp_depthwise_row.KERNELS,
    *dsp_depthwise_tiles.KERNELS,
    *dsp_elementwise.KERNELS,
    *dsp_pooling.KERNELS,
)
