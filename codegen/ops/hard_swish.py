"""Kernels of hard_swish. int8 becomes a lookup; there is no int16."""

from __future__ import annotations

from ...ir import DType
from ...ir.ops.hard_swish import HardSwish
from .elementwise import unary_kernel

KERNELS = (unary_kernel(HardSwish, "pl_hard_swish_f32", (DType.FLOAT32,) * 2),)
