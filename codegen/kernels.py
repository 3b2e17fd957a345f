"""All kernel variants. Where costs are unknown the first that accepts an op is used, so the order counts."""

from __future__ import annotations

from ..passes.planner.kernel import Kernel
from . import ops
from .isa import dsp, fpu, m0, mve, rvv, scalar
from .phases import phase_kernels

_KERNELS: tuple[Kernel, ...] = (
    *mve.KERNELS,
    *dsp.KERNELS,
    *rvv.KERNELS,
    *fpu.KERNELS,
    *ops.KERNELS,
    *m0.KERNELS,
    *scalar.KERNELS,
)

KERNELS = (*phase_kernels(_KERNELS), *_KERNELS)
