"""How the Helium kernels want weights and parameters in flash."""

from __future__ import annotations

import numpy as np

from ...ir.types import DType
from ...ir.weighted import WeightedOp
from ...passes.planner.kernel import Const, Field, Tensors
from ..ops.packing import Fields, channel_fields, has_type

FEATURES = frozenset({"arm", "mve"})
LANES = 16
"""Products of one VMLADAVA.S8."""

_UP, _AWAY, _ANY = 0, 1, 2
"""PL_MVE_UP, PL_MVE_AWAY, PL_MVE_ANY."""


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def is_int8(op: WeightedOp, tensors: Tensors) -> bool:
    """int8 activations, and weights whose zero point is 0."""
    return has_type(op, tensors, DType.INT8)


def channels(op: WeightedOp, tensors: Tensors) -> Fields:
    """Fields of a pl_mve_channels called `channels`: bias, multiplier and shift in groups of 4 channels."""
    fields = dict(channel_fields(op, tensors))
    zero_point, low, high = (_integer(fields[f"channels.{n}"]) for n in ("zero_point", "low", "high"))
    parts = [_array(fields[f"channels.{n}"]).astype(np.int32) for n in ("bias", "multiplier", "shift")]
    count = len(parts[0])
    shift = -parts[2]
    table = np.zeros((ceil_div(count, 4) * 4, 3), np.int32)
    table[:count] = np.stack([parts[0], parts[1], shift], axis=1)
    rounding = _UP if low >= zero_point else _AWAY
    return (
        ("channels.count", count),
        ("channels.rounding", rounding if (shift < 0).all() else _ANY),
        ("channels.clamp", int(low > -128 or high < 127)),
        ("channels.zero_point", zero_point),
        ("channels.low", low),
        ("channels.high", high),
        ("channels.table", Const("channels", table.reshape(-1, 4, 3).transpose(0, 2, 1).reshape(-1))),
    )


def _integer(field: Field) -> int:
    assert isinstance(field, int)
    return field


def _array(field: Field) -> np.ndarray:
    assert isinstance(field, Const)
    return field.data


def blocks(weights: np.ndarray, rows: int = 4) -> np.ndarray:
    """[outputs, inputs] weights as [outputs / rows][inputs / 16][rows][16], filled up with zeros."""
    outputs, inputs = weights.shape
    padded = np.zeros((ceil_div(outputs, rows) * rows, ceil_div(inputs, LANES) * LANES), np.int8)
    padded[:outputs, :inputs] = weights
    cut = padded.reshape(-1, rows, padded.shape[1] // LANES, LANES)
    return np.ascontiguousarray(cut.transpose(0, 2, 1, 3)).reshape(-1)
