"""Fixed-point exp, reciprocal, sigmoid and tanh of TFLite's integer kernels, on NumPy integers.

A number in Qn format has n integer bits: real = raw / 2**(31 - n), raw an int32. The algorithms are
those of the gemmlowp fixed-point library: exp by a fourth-order polynomial on [-1/4, 0) times powers
of e, division by three Newton-Raphson steps. Constants below are rounded to 31 bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .fixed_point import INT32_MAX, INT32_MIN, doubling_high_mul, rounding_shift_right

_EXP_EIGHTH = round(math.exp(-1 / 8) * 2**31)
_THIRD = round(2**31 / 3)
_48_OVER_17 = round(48 / 17 * 2**29)
_NEG_32_OVER_17 = -round(32 / 17 * 2**29)
_ONE_Q2 = 1 << 29


def _shift_left(x: np.ndarray, bits: int) -> np.ndarray:
    return np.clip(np.asarray(x, np.int64) << bits, INT32_MIN, INT32_MAX)


def exp_on_negative_values(a: np.ndarray, integer_bits: int) -> np.ndarray:
    """exp of non-positive Q`integer_bits` values, as Q0; exp(0) is 2**31 - 1."""
    a = np.asarray(a, np.int64)
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    rest = (a & (quarter - 1)) - quarter
    x = (rest << integer_bits) + (1 << 28)
    x2 = doubling_high_mul(x, x)
    x3, x4 = doubling_high_mul(x2, x), doubling_high_mul(x2, x2)
    sixth = doubling_high_mul(rounding_shift_right(x4, 2) + x3, _THIRD) + x2
    result = _EXP_EIGHTH + doubling_high_mul(x + rounding_shift_right(sixth, 1), _EXP_EIGHTH)
    remainder = rest - a
    for exponent in range(-2, integer_bits):
        factor = round(math.exp(-(2.0**exponent)) * 2**31)
        taken = remainder & (1 << (fraction_bits + exponent))
        result = np.where(taken != 0, doubling_high_mul(result, factor), result)
    return np.where(a == 0, INT32_MAX, result)


def _newton_reciprocal(a: np.ndarray) -> np.ndarray:
    """2 / (1 + a) of Q0 values in [0, 1), as Q2."""
    total = np.asarray(a, np.int64) + INT32_MAX
    half = (total + 1) >> 1
    x = _48_OVER_17 + doubling_high_mul(half, _NEG_32_OVER_17)
    for _ in range(3):
        error = _ONE_Q2 - doubling_high_mul(half, x)
        x = x + _shift_left(doubling_high_mul(x, error), 2)
    return x


def one_over_one_plus_x(a: np.ndarray) -> np.ndarray:
    """1 / (1 + a) of Q0 values in [0, 1), as Q0."""
    return _shift_left(_newton_reciprocal(a), 1)


def logistic_q4(a: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-a)) of Q4 values, as Q0."""
    a = np.asarray(a, np.int64)
    positive = one_over_one_plus_x(exp_on_negative_values(-np.abs(a), 4))
    return np.where(a == 0, 1 << 30, np.where(a > 0, positive, INT32_MAX - positive))


def tanh_q4(a: np.ndarray) -> np.ndarray:
    """tanh of Q4 values, as Q0."""
    a = np.asarray(a, np.int64)
    # Halving the integer bits' weight doubles the value: -2|a| in Q5 is the same raw number.
    negative = exp_on_negative_values(-np.abs(a), 5)
    magnitude = _shift_left(_newton_reciprocal(negative) - _ONE_Q2, 2)
    return np.where(a == 0, 0, np.sign(a) * magnitude)


def reciprocal(x: np.ndarray, integer_digits: int) -> tuple[np.ndarray, np.ndarray]:
    """(1/x as Q0 times 2**bits, bits) for positive int32 `x` with `integer_digits` integer bits."""
    x = np.asarray(x, np.int64)
    headroom = 32 - np.frompyfunc(int.bit_length, 1, 1)(x.astype(object)).astype(np.int64)
    return one_over_one_plus_x((x << headroom) - (1 << 31)), integer_digits - headroom


def sigmoid_table() -> np.ndarray:
    """uint16[256]: 65536 * sigmoid(i / 24), the table of TFLite's int16 logistic and tanh.

    Entries are raised by half of what a straight line to the next one misses in the middle, so that
    linear interpolation errs to both sides; the last entry is the largest value.
    """

    def sigmoid(i: float) -> float:
        return 65536.0 / (1.0 + math.exp(-i / 24.0))

    entries = [sigmoid(i) + (sigmoid(i + 0.5) - (sigmoid(i) + sigmoid(i + 1)) / 2) / 2 for i in range(255)]
    return np.array([*(math.floor(e + 0.5) for e in entries), 65535], np.uint16)


def interpolated_table(function: Callable[[float], float], low: float, high: float) -> np.ndarray:
    """int16[513]: `function` on [low, high] scaled by 2**15, corrected for the error at the midpoints.

    TFLite's 16-bit look-up tables, computed in float32 as TFLite does. See `interpolate`.
    """
    f = np.float32
    step = (f(high) - f(low)) / f(512)
    scaled = [f(function(float(f(low) + f(i) * step))) * f(32768) for i in range(513)]
    middle = [f(function(float(f(low) + f(i) * step + step / f(2)))) * f(32768) for i in range(512)]
    entries = []
    for i in range(512):
        interpolated = _round((scaled[i + 1] + _round(scaled[i])) / f(2))
        bias = _round((interpolated - _round(middle[i])) / f(2))
        entries.append(_round(scaled[i]) - bias)
    entries.append(_round(f(function(high)) * f(32768)))
    return np.clip(np.array(entries, np.float64), -32768, 32767).astype(np.int16)


def _round(x: np.float32) -> np.float32:
    return np.float32(math.copysign(math.floor(abs(float(x)) + 0.5), float(x)))


def interpolate(x: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Look int16 values up in a table of `interpolated_table`, linear between its entries; int64."""
    x, table = np.asarray(x, np.int64), np.asarray(table, np.int64)
    index = 256 + (x >> 7)
    return table[index] + (((table[index + 1] - table[index]) * (x & 127) + 64) >> 7)
