"""Kernels of logistic. int8 becomes a lookup."""

from __future__ import annotations

import numpy as np

from ...ir import DType
from ...ir.ops.logistic import Logistic
from ...ir.transcendental import sigmoid_table
from ...passes.planner.kernel import Const, Field, Tensors
from .elementwise import unary_kernel


def _fields(op: Logistic, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    multiplier, shift = op.argument(tensors)
    # Entries are at least one half: without it they fit int16.
    table = (sigmoid_table().astype(np.int32) - 32768).astype(np.int16)
    return ("multiplier", multiplier), ("shift", shift), ("table", Const("sigmoid", table))


KERNELS = (
    unary_kernel(Logistic, "pl_logistic_s16", (DType.INT16,) * 2, _fields, struct="pl_sigmoid_s16_params"),
    unary_kernel(Logistic, "pl_logistic_f32", (DType.FLOAT32,) * 2),
)
