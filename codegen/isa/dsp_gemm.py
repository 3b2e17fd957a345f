"""How the DSP kernels of multiply-heavy layers want weights and channel constants: streams of words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir.types import DType
from ...ir.weighted import WeightedOp, centred_weights, weight_zero_point
from ...passes.planner.kernel import Const, Field, Tensors
from ..ops.packing import Fields, channel_fields

FEATURES = frozenset({"arm", "dsp"})


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
    """The channel constants; None where some channel does not fit the form (it shifts left, say).

    A channel whose scaled accumulators are always below half a step is constant: multiplier 0, shift 1.
    """
    fields: dict[str, Field] = dict(channel_fields(op, tensors))
    bias, multiplier, shift = (
        _data(fields[f"channels.{n}"]).astype(np.int64) for n in ("bias", "multiplier", "shift")
    )
    bound = np.maximum(accumulator_bounds(op, tensors), np.abs(bias))
    scaled = bound * multiplier / 2.0**31 + 2
    constant = (multiplier == 0) | (scaled < 2.0 ** (shift - 1))
    bias, multiplier, shift = (np.where(constant, v, w) for v, w in ((0, bias), (0, multiplier), (1, shift)))
    if (shift < 1).any():
        return None
    zero_point = fields["channels.zero_point"]
    assert isinstance(zero_point, int)
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


def gemm_stream(rows: np.ndarray, constants: Channels) -> np.ndarray:
    """The stream of gemm_s8__dsp.h: rows [OC, K] in lane order, then constants, two channels at a time."""
    weights = words(pair_lanes(paired(rows)))
    pair_constants = paired(constants.words).reshape(len(weights), -1)
    return np.concatenate([weights, pair_constants], axis=1).reshape(-1).astype(np.int32)


def gemm_fields(op: WeightedOp, tensors: Tensors, order: np.ndarray) -> Fields:
    """pl_gemm_dsp_params, as member `gemm`, of an op whose lanes hold the weights `order` of its rows."""
    constants, requant = channels(op, tensors), op.requant(tensors)
    assert constants is not None
    rows = weight_rows(op, tensors)[:, order]
    return (
        ("gemm.pairs", (len(order) + 1) // 2),
        ("gemm.out_c", len(rows)),
        ("gemm.low", requant.low),
        ("gemm.high", requant.high),
        ("gemm.stream", Const("stream", gemm_stream(rows, constants))),
    )


def gemm_accepts(op: WeightedOp, tensors: Tensors) -> bool:
    """Whether weights and scales of an int8 op fit gemm_s8__dsp.h."""
    if tensors[op.x].dtype is not DType.INT8 or weight_zero_point(tensors[op.weights]) != 0:
        return False
    rows = weight_rows(op, tensors)
    return len(rows) >= 2 and lanes_fit(paired(rows)) and channels(op, tensors) is not None
