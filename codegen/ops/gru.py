"""Kernel of gru."""

from __future__ import annotations

from ...ir.ops.gru import Gru
from .recurrent import recurrent_kernels

KERNELS = recurrent_kernels(Gru, scratch=6, extra=lambda op: (("linear", int(op.linear_before_reset)),))
