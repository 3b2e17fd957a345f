"""Kernels of sub: those of add with the sign of b reversed."""

from __future__ import annotations

from ...ir.ops.sub import Sub
from .additive import additive_kernels

KERNELS = additive_kernels(Sub, sign=-1)
