"""How the Helium kernels want weights and parameters in flash."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir.types import DType
from ...ir.weighted import WeightedOp
from ...passes.planner.kernel import Const, Field, Tensors
from ..ops.packing import Fields, channel_fields, has_type

FEATURES = frozenset({"arm", "mve"})
LANES = 16
"""Products of one VMLADAVA.S8."""

_ANY, _AWAY, _CLAMP = 1, 2, 4
"""PL_MVE_ANY, PL_MVE_AWAY, PL_MVE_CLAMP."""

SLOW = 1 << 31
"""PL_MVE_SLOW."""


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def is_int8(op: WeightedOp, tensors: Tensors) -> bool:
    """int8 activations, and weights whose zero point is 0."""
    return has_type(op, tensors, DType.INT8)


@dataclass(frozen=True, eq=False)
class Scalars:
    """Requantization of a layer: int32[channels] bias, multiplier and shift to the left, and its clamp.

    up    ties may be rounded up: an activation cuts all below the zero point
    any   not every shift is to the right by at least 1
    """

    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray
    zero_point: int
    low: int
    high: int

    @property
    def up(self) -> bool:
        return self.low >= self.zero_point

    @property
    def any(self) -> bool:
        return bool((self.shift >= 0).any())

    @property
    def clamp(self) -> bool:
        """Narrower than int8."""
        return self.low > -128 or self.high < 127

    @property
    def slow(self) -> bool:
        """Kernels take the general way."""
        return self.any or self.clamp


def scalars(op: WeightedOp, tensors: Tensors) -> Scalars:
    """channel_fields as arrays."""
    fields = dict(channel_fields(op, tensors))
    bias, multiplier, shift = (
        _array(fields[f"channels.{n}"]).astype(np.int32) for n in ("bias", "multiplier", "shift")
    )
    zero_point, low, high = (_integer(fields[f"channels.{n}"]) for n in ("zero_point", "low", "high"))
    return Scalars(bias, multiplier, -shift, zero_point, low, high)


def channels(op: WeightedOp, tensors: Tensors) -> Fields:
    """Fields of a pl_mve_channels called `channels`: bias, multiplier and shift in groups of 4 channels."""
    s = scalars(op, tensors)
    table = np.stack([s.bias, s.multiplier, s.shift], axis=1)[grouped(len(s.bias))]
    flags = _ANY if s.any else 0 if s.up else _AWAY
    return (
        ("channels.count", len(s.bias)),
        ("channels.flags", flags | (_CLAMP if s.clamp else 0)),
        ("channels.zero_point", s.zero_point),
        ("channels.low", f"{(s.low & 255) * 0x01010101}u"),
        ("channels.high", f"{(s.high & 255) * 0x01010101}u"),
        ("channels.table", Const("channels", table.reshape(-1, 4, 3).transpose(0, 2, 1).reshape(-1))),
    )


def _integer(field: Field) -> int:
    assert isinstance(field, int)
    return field


def _array(field: Field) -> np.ndarray:
    assert isinstance(field, Const)
    return field.data


def records(op: WeightedOp, tensors: Tensors, vectors: np.ndarray) -> np.ndarray:
    """int32 records of pl_mve_walk per channel: the channel's `vectors` of weights, bias, multiplier, shift,
    zero point."""
    channels = len(vectors)
    words = np.ascontiguousarray(vectors).reshape(channels, -1).view(np.int32)
    head = scalars(op, tensors)
    zero = np.int64(head.zero_point & 0xFFFF) | (SLOW if head.slow else 0)
    zeros = np.full(channels, zero, np.int64).astype(np.uint32).view(np.int32)
    return np.concatenate([words, np.stack([head.bias, head.multiplier, head.shift, zeros], axis=1)], axis=1)


def grouped(count: int) -> np.ndarray:
    """Channels in groups of 4; the last group ends with the last channel, repeating some."""
    firsts = [max(min(first, count - 4), 0) for first in range(0, count, 4)]
    return np.array([min(first + i, count - 1) for first in firsts for i in range(4)])


def blocks(weights: np.ndarray, size: int = 4) -> np.ndarray:
    """[outputs, inputs] weights, a multiple of `size` outputs, as [groups of outputs][inputs / 16][size][16],
    filled up with zeros."""
    outputs, inputs = weights.shape
    padded = np.zeros((outputs, ceil_div(inputs, LANES) * LANES), np.int8)
    padded[:, :inputs] = weights
    cut = padded.reshape(-1, size, padded.shape[1] // LANES, LANES)
    return np.ascontiguousarray(cut.transpose(0, 2, 1, 3)).reshape(-1)
