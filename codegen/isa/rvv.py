"""Kernel variants for RISC-V with vectors (V 1.0)."""

from __future__ import annotations

from ...passes.planner.kernel import Kernel

KERNELS: tuple[Kernel, ...] = ()
