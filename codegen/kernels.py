"""All kernel variants. Where costs are unknown the first that accepts an op is used, so the order counts."""

from __future__ import annotations

from ..passes.planner.kernel import Kernel
from . import ops
from .isa import dsp, m0, mve, rvv, scalar

KERNELS: tuple[Kernel, ...] = (
    *mve.KERNELS,
    *dsp.KERNELS,
    *rvv.KERNELS,
    *ops.KERNELS,
    *m0.KERNELS,
    *scalar.KERNELS,
)
