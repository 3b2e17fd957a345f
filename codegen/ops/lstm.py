"""Kernel of lstm."""

from __future__ import annotations

from ...ir.ops.lstm import Lstm
from .recurrent import recurrent_kernels

KERNELS = recurrent_kernels(Lstm, scratch=6, extra=lambda op: (("coupled", int(op.input_forget)),))
