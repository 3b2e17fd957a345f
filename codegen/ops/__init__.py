"""Kernel descriptors, one file per operator; KERNELS lists them all, preferred ones first per operator."""

from __future__ import annotations

from ...passes.planner.kernel import Kernel
from . import conv2d

KERNELS: tuple[Kernel, ...] = (
    *conv2d.KERNELS,
)
