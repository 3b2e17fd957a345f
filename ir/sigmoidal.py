"""What logistic and tanh share: fixed output quantization and the scaling of their argument."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from .elementwise import unary_problems
from .fixed_point import quantize_multiplier, requantize_double
from .op import Problem, Tensors
from .types import DType, Quant, Tensor

_INTEGER_BITS = 4
"""The int8 argument is a Q4 number: it reaches from -16 to 16."""


def fixed_output_problems(
    tensors: Tensors, x: str, y: str, outputs: Mapping[DType, Quant]
) -> Iterable[Problem]:
    """Rules of a unary op whose integer outputs have a fixed quantization."""
    problems = list(unary_problems(tensors, x, y))
    yield from problems
    tx, ty = tensors[x], tensors[y]
    if problems or ty.dtype not in outputs:
        return
    want = outputs[ty.dtype]
    assert tx.quant and ty.quant
    if ty.quant != want:
        rule = f"{ty.dtype.value} output has scale {want.s:g} and zero point {want.z}"
        yield Problem(rule, f"scale {ty.quant.s:g}, zero point {ty.quant.z}")
    if tx.dtype is DType.INT8 and tx.quant.s < 2.0**-26:
        yield Problem("int8 input has a scale of at least 2^-26", f"{tx.quant.s:g}")
    if tx.dtype is DType.INT16 and not 2.0**-28 <= tx.quant.s <= 2.5:
        yield Problem("int16 input has a scale between 2^-28 and 2.5", f"{tx.quant.s:g}")


def in_fixed_point(t: Tensor, q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(Q4 value, whether |real| < 15, side) of int8 stored values; the value is 0 outside.

    side is negative where the op saturates low. Beyond 15 both functions have reached their limit.
    """
    assert t.quant
    multiplier, shift = quantize_multiplier(t.quant.s * 2.0 ** (31 - _INTEGER_BITS))
    radius = math.floor(((1 << _INTEGER_BITS) - 1) * 2.0 ** (31 - _INTEGER_BITS) / 2.0**shift)
    centred = q.astype(np.int64) - t.zero_point
    inside = np.abs(centred) < radius
    value = requantize_double(np.where(inside, centred, 0), multiplier, min(shift, 31))
    return value, inside, np.where(centred <= -radius, -1, 1)


def _log2(x: float) -> tuple[int, bool]:
    """(nearest integer to log2(x), whether x is within 0.1 % of that power of two), in float32."""
    f = np.float32
    exact = f(np.log(f(x))) * (f(1) / f(np.log(f(2))))
    nearest = f(math.floor(abs(float(exact)) + 0.5) * math.copysign(1, float(exact)))
    return int(nearest), bool(abs(exact - nearest) < f(1e-3))


def argument_int16(scale: float, power_of_two_shifts: tuple[int, ...]) -> tuple[int, int]:
    """(multiplier, right shift) that bring int16 values of `scale` to steps of 1/(3 * 4096).

    Scales of 2**-12 (and twice that, where `power_of_two_shifts` has 1) take the exact multiplier 3
    (or 6); others a multiplier of 15 bits, truncated.
    """
    exponent, power_of_two = _log2(scale)
    if power_of_two and exponent + 12 in power_of_two_shifts:
        return 3 << (exponent + 12), 0
    multiplier, shift = scale * 4096.0 * 3.0, 0
    while multiplier <= 32767.0 / 2.0 and shift <= 30:
        multiplier, shift = multiplier * 2.0, shift + 1
    return int(multiplier), shift
