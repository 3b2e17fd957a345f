"""int8 sums and differences by one multiplication per operand.

The reference rescales both operands and the sum, each with two roundings. As there are only 65536 pairs of
operands, a cheaper formula can be proven equal by trying all of them:

    y = clamp((offset + (factor_a * a >> drop) + (factor_b * b >> drop)) >> fraction, low, high)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...ir.fixed_point import activation_range, quantize_multiplier, requantize_double
from ...ir.ops.add import Add
from ...ir.ops.sub import Sub
from ...passes.planner.kernel import Tensors

Scale = tuple[int, int]
"""(multiplier, shift) of a real factor."""

_LIMIT = 1 << 31


@dataclass(frozen=True)
class LinearSum:
    """Constants of the formula, with which no intermediate value leaves int32."""

    factor_a: int
    factor_b: int
    offset: int
    low: int
    high: int


@dataclass(frozen=True)
class _Sum:
    """What to compute: zero points of a, b and y; the factors of additive_scales; bounds of y."""

    zeros: tuple[int, int, int]
    a: Scale
    b: Scale
    y: Scale
    sign: int
    low: int
    high: int

    def outputs(self) -> np.ndarray:
        """int64[256, 256]: the reference's outputs for all pairs of operands."""
        values = np.arange(-128, 128)
        part_a = requantize_double((values - self.zeros[0]) << 20, *self.a)
        part_b = requantize_double((values - self.zeros[1]) << 20, *self.b)
        total = requantize_double(part_a[:, None] + self.sign * part_b, *self.y) + self.zeros[2]
        return np.clip(total, self.low, self.high)

    def factors(self, bits: int) -> Iterator[tuple[int, int]]:
        """Factors of a and b with `bits` fractional bits, and those around them."""
        real = [m * 2.0 ** (s - 31) for m, s in (self.a, self.b, self.y)]
        near = [round(r * real[2] * 2.0 ** (20 + bits)) for r in (real[0], self.sign * real[1])]
        for change in range(81):
            steps = ((c + 1) // 2 * (-1) ** c for c in divmod(change, 9))
            a, b = (f + step for f, step in zip(near, steps, strict=True))
            yield a, b


@lru_cache(maxsize=1024)
def _solve(wanted: _Sum, fraction: int, drop: int) -> LinearSum | None:
    """For given factors the possible offsets are an interval: each pair of operands says where its sum
    must lie, bounded on one side only where its output is clamped."""
    values, want = np.arange(-128, 128), wanted.outputs()
    for factor_a, factor_b in wanted.factors(fraction + drop):
        sums = (values * factor_a >> drop)[:, None] + (values * factor_b >> drop)
        first = np.where(want > wanted.low, (want << fraction) - sums, -_LIMIT).max()
        last = np.where(want < wanted.high, (want + 1 << fraction) - sums - 1, _LIMIT).min()
        offset = int(first + last) // 2
        part = abs(offset) + 128 * abs(factor_a)
        largest = max(part, part + 128 * abs(factor_b)) if drop == 0 else 2 * int(abs(sums + offset).max())
        if first <= last and max(abs(factor_a), abs(factor_b), largest) < _LIMIT:
            return LinearSum(factor_a, factor_b, offset, wanted.low, wanted.high)
    return None


def linear_sum(op: Add | Sub, tensors: Tensors, fraction: int, drop: int) -> LinearSum | None:
    """The constants for an int8 op, None where none are found that are exact."""
    a, b, y = (tensors[n] for n in (op.a, op.b, op.y))
    scales = op.scales(tensors)
    wanted = _Sum(
        (a.zero_point, b.zero_point, y.zero_point),
        quantize_multiplier(scales.a),
        quantize_multiplier(scales.b),
        quantize_multiplier(scales.y),
        1 if isinstance(op, Add) else -1,
        *activation_range(op.activation, y),
    )
    return _solve(wanted, fraction, drop)
