"""Kernel of rnn."""

from __future__ import annotations

from ...ir.ops.rnn import Rnn
from .recurrent import recurrent_kernels

KERNELS = recurrent_kernels(Rnn, scratch=2)
