"""The arithmetic of the ONNX roundings: float32 products, to the nearest integer, ties to even.

What onnxruntime's QLinear operators compute on x86-64 (docs/onnx_rounding.md): NumPy's float32 operations are
the same IEEE 754 operations, each rounded once to nearest even.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .op import Activation, Problem
from .rounding import Rounding
from .types import DType, Tensor


def nearest_even(x: np.ndarray | np.floating) -> np.ndarray:
    """To the nearest integer, ties to even; int64. Not a number gives the smallest int32."""
    wide = np.asarray(x, np.float64)
    return np.rint(np.clip(np.where(np.isnan(wide), -(2.0**31), wide), -(2.0**31), 2.0**31)).astype(np.int64)


def activation_range_f32(activation: Activation, y: Tensor) -> tuple[int, int]:
    """Smallest and largest stored value of `y` under a fused activation, quantized as ONNX does."""
    low, high = y.dtype.integer_range
    if y.quant is None:
        return low, high
    limits = (np.float32(b) for b in activation.bounds)
    ends = [
        int(nearest_even(b / np.float32(y.quant.s))) + y.quant.z if math.isfinite(b) else None for b in limits
    ]
    return low if ends[0] is None else max(low, ends[0]), high if ends[1] is None else min(high, ends[1])


@dataclass(frozen=True, eq=False)
class FloatRequant:
    """How an int32 accumulator becomes an output element, per output channel (or one entry for all).

    scale       float32[n]
    zero_point  added after rounding; low, high: clamp of the result
    """

    scale: np.ndarray
    zero_point: int
    low: int
    high: int

    def apply(self, acc: np.ndarray) -> np.ndarray:
        """Clamped int64 outputs of int32-valued accumulators whose last axis is the channel."""
        with np.errstate(over="ignore"):
            scaled = acc.astype(np.float32) * self.scale
        return np.clip(nearest_even(scaled) + self.zero_point, self.low, self.high)


def float_requant(scale: np.ndarray, y: Tensor, activation: Activation) -> FloatRequant:
    """The FloatRequant of float32 factors into the quantization of `y`."""
    low, high = activation_range_f32(activation, y)
    return FloatRequant(np.atleast_1d(scale).astype(np.float32), y.zero_point, low, high)


def fused_multiply_add(x: np.ndarray, factor: np.float32, addend: np.ndarray | np.float32) -> np.ndarray:
    """x * factor + addend, rounded once to float32; x are integers of at most 9 bits.

    In float64 the product is exact, and so is the sum of numbers that are multiples of 2**-35 and below
    2**18: see `sum_problems` in additive.py.
    """
    wide = x.astype(np.float64) * np.float64(factor) + np.asarray(addend, np.float64)
    return wide.astype(np.float32)


def quantize_f32(x: np.ndarray, y: Tensor, rounding: Rounding) -> np.ndarray:
    """Stored values (int64, clamped) of float32 `x`: x / scale to nearest even, plus the zero point."""
    assert y.quant and rounding.onnx
    with np.errstate(over="ignore"):
        scaled = x / np.float32(y.quant.s)
    return np.clip(nearest_even(scaled) + y.quant.z, *y.dtype.integer_range)


def quantize_sum_f32(x: np.ndarray, y: Tensor, rounding: Rounding) -> np.ndarray:
    """As `quantize_f32` of values over the scale, the zero point added in float32 before rounding."""
    assert y.quant and rounding.onnx
    shifted = x + np.float32(y.quant.z + rounding.offset)
    return np.clip(nearest_even(shifted) - rounding.offset, *y.dtype.integer_range)


def rounding_problems(rounding: Rounding, x: Tensor) -> Iterable[Problem]:
    """ONNX roundings are for int8 activations; the shift from uint8 keeps their results."""
    if rounding.onnx and x.dtype is not DType.INT8:
        yield Problem(f"{rounding.value} rounding takes int8 activations", x.dtype.value)


def exponentials_f32(x: Tensor, depth: int) -> np.ndarray:
    """float32[256]: exp(-i * scale of x) for differences i from the largest element, times one factor.

    onnxruntime's QLinearSoftmax: a sum of `depth` of them just stays finite, with e^5 to spare.
    """
    assert x.quant
    scale = np.float64(np.float32(x.quant.s))
    largest = float(np.finfo(np.float32).max) / depth
    headroom = max(0.0, math.log(np.float32(largest)) - 5.0) / float(scale)
    differences = np.arange(256, dtype=np.float64)
    return np.exp((headroom - differences) * scale).astype(np.float32)


def softmax_f32(x: Tensor, q: np.ndarray, y: Tensor) -> np.ndarray:
    """Softmax of stored values along the last axis, under an ONNX rounding; int64, clamped.

    Sums run along the axis in float32; the factor 1 / scale of y is a whole number, rounded down.
    """
    assert y.quant
    table = exponentials_f32(x, q.shape[-1])
    e = table[q.max(axis=-1, keepdims=True).astype(np.int64) - q]
    total = np.zeros(q.shape[:-1], np.float32)
    for i in range(q.shape[-1]):
        total = total + e[..., i]
    with np.errstate(over="ignore"):
        shares = e * softmax_factor(y) / total[..., np.newaxis]
    return np.clip(nearest_even(shares) + y.quant.z, *y.dtype.integer_range)


def softmax_factor(y: Tensor) -> np.float32:
    """Output steps of a share of 1."""
    assert y.quant
    return np.floor(np.float32(1.0) / np.float32(y.quant.s))
