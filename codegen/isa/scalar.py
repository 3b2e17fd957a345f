"""Kernel variants for cores without SIMD.

`scalar_pairs` kernels get two products out of one multiplication (see runtime_c/scalar/pairs.h), with four
pixels at a time; `scalar_pairs8` with eight, for cores with more than 20 registers.
"""

from __future__ import annotations

from ...passes.planner.kernel import Kernel
from . import scalar_dense, scalar_depthwise, scalar_elementwise, scalar_pairs

KERNELS: tuple[Kernel, ...] = (
    *scalar_pairs.KERNELS,
    *scalar_dense.KERNELS,
    *scalar_depthwise.KERNELS,
    *scalar_elementwise.KERNELS,
)
