"""How the DSP kernels of multiply-heavy layers want weights and channel constants: streams of words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir.types import DType
from ...ir.weighted import WeightedOp, centred_weights, weight_zero_point
from ...passes.planner.kernel import Const, Field, Tensors
from ..ops.packing import Fields, channel_fields

FEATURES = frozenset({"arm", "dsp", "unaligned"})
FC_CHANNELS = 6
BLOCKS_BYTES = 256
"""Scratch memory for more than one block of pixels: it may raise the arena's peak, so little."""


@dataclass(frozen=True, eq=False)
class Channels:
    """Constants of pl_channel_dsp per output channel, int32[OC]; see runtime_c/dsp/store_s8__dsp.h."""

    bias2: np.ndarray
    multiplier: np.ndarray
    merged: np.ndarray
    shift: np.ndarray

    @property
    def words(self) -> np.ndarray:
        """int32[OC, 4] in the order of the C structure."""
        return np.stack([self.bias2, self.multiplier, self.merged, self.shift], axis=1).astype(np.int32)


def accumulator_bounds(op: WeightedOp, tensors: Tensors) -> np.ndarray:
    """Largest |sum of products + merged bias| for any input, float64[OC]."""
    x = tensors[op.x]
    low, high = x.dtype.integer_range
    bound = op.weight_sums(tensors) * max(x.zero_point - low, high - x.zero_point)
    bias = tensors[op.bias].data if op.bias is not None else None
    return bound if bias is None else bound + np.abs(bias.reshape(-1).astype(np.float64))


def channels(op: WeightedOp, tensors: Tensors) -> Channels | None:
    """The channel constants; None where some channel does not fit the form (it shifts left, say)."""
    fields: dict[str, Field] = dict(channel_fields(op, tensors))
    bias, multiplier, shift = (
        _data(fields[f"channels.{n}"]).astype(np.int64) for n in ("bias", "multiplier", "shift")
    )
    zero_point = fields["channels.zero_point"]
    assert isinstance(zero_point, int)
    return merged_channels(bias, multiplier, shift, zero_point, accumulator_bounds(op, tensors))


def merged_channels(
    bias: np.ndarray, multiplier: np.ndarray, shift: np.ndarray, zero_point: int, bound: np.ndarray
) -> Channels | None:
    """The constants of channels whose accumulators, bias included, stay within `bound`; shift to the right.

    A channel whose scaled accumulators are always below half a step is constant: multiplier 0, shift 1.
    """
    bound = np.maximum(bound, np.abs(bias))
    scaled = bound * multiplier / 2.0**31 + 2
    constant = (multiplier == 0) | (scaled < 2.0 ** (shift - 1))
    bias, multiplier, shift = (np.where(constant, v, w) for v, w in ((0, bias), (0, multiplier), (1, shift)))
    if (shift < 1).any():
        return None
    merged = (np.int64(1) << (shift - 1)) + zero_point * (np.int64(1) << shift)
    if (np.where(constant, 0, scaled) + np.abs(merged) >= 2.0**31).any():
        return None
    return Channels(2 * bias, multiplier, merged, shift)


def _data(field: Field) -> np.ndarray:
    assert isinstance(field, Const)
    return field.data


def weight_rows(op: WeightedOp, tensors: Tensors) -> np.ndarray:
    """Weights as int64[OC, K]: one row per output channel, in the order of the model."""
    weights = np.moveaxis(centred_weights(tensors[op.weights]), op.CHANNEL_AXIS, 0)
    return weights.reshape(weights.shape[0], -1).astype(np.int64)


def word_order(count: int) -> np.ndarray:
    """Order of int8 values in lanes when words of four are widened: 0, 2, 1, 3 of each; then the rest."""
    whole = np.arange(count // 4 * 4).reshape(-1, 4)[:, [0, 2, 1, 3]].reshape(-1)
    return np.concatenate([whole, np.arange(len(whole), count)]).astype(np.int64)


def pair_lanes(rows: np.ndarray) -> np.ndarray:
    """int64[OC/2, K]: 256 * w1 + w0 of each two channels (OC even)."""
    return 256 * rows[1::2] + rows[0::2]


def lanes_fit(rows: np.ndarray) -> bool:
    """Whether 256 * w1 + w0 fits int16 in each lane, and 256 * sum1 + sum0 fits int32 for any activations."""
    lanes = pair_lanes(rows)
    sums = 128.0 * np.abs(rows).sum(axis=1)
    return bool(lanes.min(initial=0) >= -(1 << 15) and (256 * sums[1::2] + sums[0::2] < 2.0**31).all())


def paired(rows: np.ndarray) -> np.ndarray:
    """Rows by twos: with an odd number of channels the last pair repeats the one before."""
    count = len(rows)
    return rows if count % 2 == 0 else np.concatenate([rows[:-1], rows[-2:]])


def words(lanes: np.ndarray) -> np.ndarray:
    """int32[..., K/2] of lanes [..., K]; a missing last lane is 0."""
    if lanes.shape[-1] % 2:
        lanes = np.concatenate([lanes, np.zeros((*lanes.shape[:-1], 1), lanes.dtype)], axis=-1)
    return np.ascontiguousarray(lanes.astype("<i2")).view("<i4")


def byte_words(rows: np.ndarray) -> np.ndarray:
    """int32[OC/2, K/2] of int8 rows [OC, K]: w0, w1 of one k, then of the next."""
    if rows.shape[1] % 2:
        rows = np.concatenate([rows, np.zeros((len(rows), 1), rows.dtype)], axis=1)
    together = np.stack([rows[0::2], rows[1::2]], axis=-1).reshape(len(rows) // 2, -1)
    return np.ascontiguousarray(together.astype(np.int8)).view("<i4")


def gemm_stream(rows: np.ndarray, constants: Channels, variant: str) -> np.ndarray:
    """The stream of gemm_dsp.h: rows [OC, K] in lane order, then constants, two channels at a time."""
    weights = byte_words(paired(rows)) if variant == "any" else words(pair_lanes(paired(rows)))
    pair_constants = paired(constants.words).reshape(len(weights), -1)
    return np.concatenate([weights, pair_constants], axis=1).reshape(-1).astype(np.int32)


def blocks_at_once(lanes: int) -> int:
    """Blocks of 4 pixels that are widened before they are multiplied, so that calls weigh less."""
    return max(1, BLOCKS_BYTES // block_bytes(lanes))


def block_bytes(lanes: int) -> int:
    """Bytes of a block of 4 pixels with so many lanes each."""
    return (lanes + 1) // 2 * 16


def gemm_scratch(lanes: int) -> int:
    """Scratch memory for the blocks."""
    return blocks_at_once(lanes) * block_bytes(lanes)


def gemm_fields(op: WeightedOp, tensors: Tensors, order: np.ndarray, variant: str) -> Fields:
    """pl_gemm_dsp_params, as member `gemm`, of an op whose lanes hold the weights `order` of its rows
    (-1: none)."""
    constants, requant = channels(op, tensors), op.requant(tensors)
    assert constants is not None
    rows = np.where(order < 0, 0, weight_rows(op, tensors)[:, order])
    return (
        ("gemm.pairs", (len(order) + 1) // 2),
        ("gemm.out_c", len(rows)),
        ("gemm.low", requant.low),
        ("gemm.high", requant.high),
        ("gemm.blocks", blocks_at_once(len(order))),
        ("gemm.stream", Const("stream", gemm_stream(rows, constants, variant))),
    )


def is_plain_int8(op: WeightedOp, tensors: Tensors) -> bool:
    """int8 activations, weights without zero point."""
    return tensors[op.x].dtype is DType.INT8 and weight_zero_point(tensors[op.weights]) == 0


def gemm_accepts(op: WeightedOp, tensors: Tensors, variant: str) -> bool:
    """Whether weights and scales of an int8 op fit a variant of gemm_dsp.h: "" (lanes), "relu" or "any".

    "relu" does what "" does in fewer instructions, so no library gets both for layers that fit either.
    """
    if not is_plain_int8(op, tensors) or tensors[op.weights].shape[op.CHANNEL_AXIS] < 2:
        return False
    requant = op.requant(tensors)
    if variant != "any" and (variant == "relu") != (requant.low >= requant.zero_point):
        return False
    fits = variant == "any" or lanes_fit(paired(weight_rows(op, tensors)))
    return fits and channels(op, tensors) is not None


def fc_channels(out_c: int) -> np.ndarray:
    """Channels of each group of fully_connected_dsp.h: the last six are the layer's last."""
    if out_c < FC_CHANNELS:
        return np.minimum(np.arange(FC_CHANNELS), out_c - 1)
    starts = [*range(0, out_c - FC_CHANNELS, FC_CHANNELS), out_c - FC_CHANNELS]
    return np.concatenate([np.arange(s, s + FC_CHANNELS) for s in starts])


def fc_stream(rows: np.ndarray, constants: Channels, variant: str) -> np.ndarray:
    """The stream of fully_connected_dsp.h for rows [OC, K], K >= 4."""
    extra = -rows.shape[1] % 4
    if extra:
        # the first word's last values come again in the second word
        first = np.concatenate([rows[:, : 4 - extra], np.zeros((len(rows), extra), rows.dtype)], axis=1)
        rows = np.concatenate([first, rows[:, 4 - extra :]], axis=1)
    chosen = fc_channels(len(rows))
    ordered = rows[chosen][:, word_order(rows.shape[1])]
    groups = len(chosen) // FC_CHANNELS
    packed = byte_words(ordered) if variant == "any" else words(pair_lanes(ordered))
    weights = packed.reshape(groups, FC_CHANNELS // 2, -1).transpose(0, 2, 1).reshape(groups, -1)
    group_constants = constants.words[chosen].reshape(groups, -1)
    return np.concatenate([weights, group_constants], axis=1).reshape(-1).astype(np.int32)


def fc_accepts(op: WeightedOp, tensors: Tensors, variant: str) -> bool:
    """Whether weights and scales of an int8 op fit a variant of fully_connected_dsp.h."""
    if not is_plain_int8(op, tensors):
        return False
    rows = weight_rows(op, tensors)
    fits = variant == "any" or lanes_fit(rows[fc_channels(len(rows))])
    return rows.shape[1] >= 4 and fits and channels(op, tensors) is not None
