"""How kernels want weights, bias and requantization parameters in flash."""

from __future__ import annotations

import numpy as np

from ...ir.fixed_point import Requant
from ...ir.types import Tensor
from ...passes.planner.kernel import Const, Field


def requant_fields(requant: Requant, channels: int) -> tuple[tuple[str, Field], ...]:
    """zero_point, low, high, multiplier[channels] and shift[channels] of a parameter struct."""
    return (
        ("zero_point", requant.zero_point),
        ("low", requant.low),
        ("high", requant.high),
        ("multiplier", Const("multiplier", np.broadcast_to(requant.multiplier, channels).astype(np.int32))),
        ("shift", Const("shift", np.broadcast_to(requant.shift, channels).astype(np.int8))),
    )


def merged_bias(weights_by_channel: np.ndarray, bias: Tensor | None, zero_point: int) -> Const:
    """bias - zero_point * sum(weights), int32[channels]: kernels then multiply raw activations.

    weights_by_channel is [channels, ...] integers.
    """
    sums = weights_by_channel.reshape(weights_by_channel.shape[0], -1).astype(np.int64).sum(axis=1)
    base = np.zeros(len(sums), np.int64) if bias is None or bias.data is None else bias.data.astype(np.int64)
    return Const("bias", (base.reshape(-1) - zero_point * sums).astype(np.int32))
