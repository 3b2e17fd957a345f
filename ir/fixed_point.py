"""Fixed-point arithmetic of TFLite's reference kernels, on NumPy integers.

`requantize_double` is gemmlowp's saturating rounding doubling high multiply followed by a rounding
right shift (TFLite `MultiplyByQuantizedMultiplier`, double rounding); `requantize_int64` is the
16x8 rule with an int64 accumulator. Source: TFLite quantization specification and the gemmlowp
paper (Jacob et al. 2018, section 2.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .op import Activation
from .types import Tensor

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def round_half_away(x: float) -> int:
    """C's round(): to nearest, ties away from zero."""
    return math.floor(abs(x) + 0.5) * (1 if x >= 0 else -1) if math.isfinite(x) else 0


@lru_cache(maxsize=1 << 16)
def quantize_multiplier(real: float) -> tuple[int, int]:
    """(multiplier, shift) with real = multiplier * 2**(shift - 31), multiplier in [2**30, 2**31).

    A positive shift is a left shift. Reals below 2**-32 become (0, 0).
    """
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = round_half_away(fraction * (1 << 31))
    if multiplier == 1 << 31:
        multiplier, shift = 1 << 30, shift + 1
    if shift < -31:
        return 0, 0
    return multiplier, shift


def doubling_high_mul(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    """Round-to-nearest (a * b) / 2**31 of int32 values, ties up; saturates for both INT32_MIN.

    gemmlowp's nudge-and-truncate equals floor((a*b + 2**30) / 2**31).
    """
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.minimum((product + (1 << 30)) >> 31, INT32_MAX)


def rounding_shift_right(x: np.ndarray, exponent: np.ndarray | int) -> np.ndarray:
    """x / 2**exponent, to nearest, ties away from zero (gemmlowp RoundingDivideByPOT)."""
    x = np.asarray(x, np.int64)
    exponent = np.asarray(exponent, np.int64)
    half = (np.int64(1) << exponent) >> 1
    return np.where(exponent > 0, (x + half - ((x < 0) & (exponent > 0))) >> exponent, x)


def requantize_double(acc: np.ndarray, multiplier: np.ndarray | int, shift: np.ndarray | int) -> np.ndarray:
    """acc * multiplier * 2**(shift - 31), rounded twice as TFLite does; int64 array of int32 values.

    The left shift must not leave int32 (callers prove it); then this equals TFLite bit for bit.
    """
    shift = np.asarray(shift, np.int64)
    left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
    return rounding_shift_right(doubling_high_mul(np.asarray(acc, np.int64) << left, multiplier), right)


def reduced_multiplier(multiplier: np.ndarray | int) -> np.ndarray:
    """A 31-bit multiplier rounded to 15 bits, as the 16x8 rule uses it."""
    m = np.asarray(multiplier, np.int64)
    return np.where(m < 0x7FFF0000, (m + (1 << 15)) >> 16, 0x7FFF)


def requantize_int64(acc: np.ndarray, multiplier: np.ndarray | int, shift: np.ndarray | int) -> np.ndarray:
    """16x8 rule: (acc * reduced_multiplier + half) >> (15 - shift), |acc| < 2**47."""
    total = 15 - np.asarray(shift, np.int64)
    return (
        np.asarray(acc, np.int64) * reduced_multiplier(multiplier) + (np.int64(1) << (total - 1))
    ) >> total


def activation_range(activation: Activation, y: Tensor) -> tuple[int, int]:
    """Smallest and largest stored value of `y` under a fused activation (TFLite CalculateActivationRange)."""
    low, high = y.dtype.integer_range
    if y.quant is None:
        return low, high
    real_low, real_high = activation.bounds
    scale, zero = np.float32(y.quant.s), y.quant.z
    if math.isfinite(real_low):
        low = max(low, zero + round_half_away(float(np.float32(real_low) / scale)))
    if math.isfinite(real_high):
        high = min(high, zero + round_half_away(float(np.float32(real_high) / scale)))
    return low, high


@dataclass(frozen=True, eq=False)
class Requant:
    """How an accumulator becomes an output element, per output channel (or one entry for all).

    multiplier  int32[n], shift int32[n] (positive = left), as of `quantize_multiplier`
    zero_point  added after scaling; low, high: final clamp
    """

    multiplier: np.ndarray
    shift: np.ndarray
    zero_point: int
    low: int
    high: int

    def apply(self, acc: np.ndarray) -> np.ndarray:
        """Clamped int64 outputs of int32-valued accumulators whose last axis is the channel."""
        scaled = requantize_double(acc, self.multiplier, self.shift)
        return np.clip(scaled + self.zero_point, self.low, self.high)

    def apply_int64(self, acc: np.ndarray) -> np.ndarray:
        """As `apply`, by the 16x8 rule."""
        scaled = requantize_int64(acc, self.multiplier, self.shift)
        return np.clip(scaled + self.zero_point, self.low, self.high)


def requant_for(real: np.ndarray, y: Tensor, activation: Activation) -> Requant:
    """The Requant of real scale factors `real` (float64[n]) into the quantization of `y`."""
    pairs = [quantize_multiplier(float(r)) for r in np.atleast_1d(real)]
    low, high = activation_range(activation, y)
    return Requant(
        multiplier=np.array([p[0] for p in pairs], np.int32),
        shift=np.array([p[1] for p in pairs], np.int32),
        zero_point=y.zero_point,
        low=low,
        high=high,
    )
