"""Weights as int8: views as matrices per channel group, scales, rounding to nearest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import DType, Graph
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from .kinds import Weighted

LIMIT = 127
"""int8 weights are symmetric: -127 to 127."""

_BIAS_LIMIT = 2.0**28
"""Largest stored bias: half of what the accumulator may reach, a quarter of int32."""


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """Quantized weights of one layer.

    stored  int8, shape of the float weights
    scale   float32[OC], or one
    bias    float64[OC], the real bias: corrected, not yet rounded
    """

    stored: np.ndarray
    scale: np.ndarray
    bias: np.ndarray


def to_rows(op: Weighted, weights: np.ndarray, channels: int) -> np.ndarray:
    """Weights as [G, O, K]: G groups of O output channels, each a row of K taps.

    channels   of the input. Depthwise: G = C, K = kernel size; convolution: G groups, K = KH * KW * C / G.
    """
    if isinstance(op, DepthwiseConv2D):
        return weights.reshape(-1, channels, weights.shape[3] // channels).transpose(1, 2, 0)
    groups = 1 if isinstance(op, FullyConnected) else channels // weights.shape[3]
    return weights.reshape(groups, weights.shape[0] // groups, -1)


def from_rows(op: Weighted, rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The inverse of `to_rows`."""
    return (rows.transpose(2, 0, 1) if isinstance(op, DepthwiseConv2D) else rows).reshape(shape)


def input_channels(graph: Graph, op: Weighted) -> int:
    return graph[op.weights].shape[1] if isinstance(op, FullyConnected) else graph[op.x].shape[-1]


def bias_of(graph: Graph, op: Weighted) -> np.ndarray:
    """float64[OC]; zeros where the op has none."""
    data = graph[op.bias].data if op.bias is not None else None
    outputs = graph[op.weights].shape[op.CHANNEL_AXIS]
    return np.zeros(outputs) if data is None else data.reshape(-1).astype(np.float64)


def weight_scales(rows: np.ndarray, bias: np.ndarray, x_scale: float, per_channel: bool) -> np.ndarray:
    """float32[OC] (or [1]) scales of rows [G, O, K]: the largest weight becomes LIMIT.

    per_channel   False: one scale for all
    The scale of a channel with (nearly) no weights follows from its bias, which must fit int32.
    """
    flat = rows.reshape(-1, rows.shape[2]).astype(np.float64)
    flat = flat if per_channel else flat.reshape(1, -1)
    scale = np.abs(flat).max(axis=1, initial=0.0) / LIMIT
    needed = np.abs(bias) / (x_scale * _BIAS_LIMIT)
    scale = np.maximum(scale, needed if per_channel else needed.max(initial=0.0))
    return np.where(scale > 2.0**-100, scale, 2.0**-20).astype(np.float32)


def nearest(scaled: np.ndarray) -> np.ndarray:
    """Stored weights of weights over their scale, float64 of whole numbers."""
    return np.clip(np.round(scaled), -LIMIT, LIMIT)


def per_channel(op: Weighted, dtype: DType) -> bool:
    """Whether weights have a scale per output channel: TFLM's 16-bit fully-connected has one for all."""
    return not (isinstance(op, FullyConnected) and dtype is DType.INT16)
