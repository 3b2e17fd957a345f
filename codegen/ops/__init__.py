"""Kernel descriptors, one file per operator; KERNELS lists them all, preferred ones first per operator."""

from __future__ import annotations

from ...passes.planner.kernel import Kernel
from . import (
    concat,
    conv2d,
    pad,
    read_state,
    reshape,
    resize_bilinear,
    resize_nearest,
    slice,
    split,
    transpose,
    write_state,
)

KERNELS: tuple[Kernel, ...] = (
    *conv2d.KERNELS,
    *concat.KERNELS,
    *pad.KERNELS,
    *read_state.KERNELS,
    *reshape.KERNELS,
    *resize_bilinear.KERNELS,
    *resize_nearest.KERNELS,
    *slice.KERNELS,
    *split.KERNELS,
    *transpose.KERNELS,
    *write_state.KERNELS,
)
