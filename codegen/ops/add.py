"""Kernels of add."""

from __future__ import annotations

from ...ir.ops.add import Add
from .additive import ONNX_ADD, additive_kernels

KERNELS = (*additive_kernels(Add, sign=1), ONNX_ADD)
