"""Where time lies in a value, and which of its rows are a shift of older ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import gcd, lcm, prod

from ...ir import Tensor

Rows = tuple[int, int]
"""Rows [first, end) of a value along time."""


@dataclass(frozen=True)
class TimeAxis:
    """Time runs along dimension `axis`, `unit` indices of it to a row, `rows` rows in the whole window."""

    axis: int
    unit: int
    rows: int

    def shape(self, whole: tuple[int, ...], rows: int) -> tuple[int, ...]:
        """The shape of `rows` rows of a value of shape `whole`."""
        return (*whole[: self.axis], rows * self.unit, *whole[self.axis + 1 :])

    def outer(self, t: Tensor) -> int:
        """Elements in front of the time axis: 1 where a row is one run of memory."""
        return prod(t.shape[: self.axis])

    def row_elements(self, t: Tensor) -> int:
        return t.elements // self.rows

    def row_bytes(self, t: Tensor) -> int:
        return t.size_bytes // self.rows


@dataclass(frozen=True)
class Taps:
    """Row j of a result reads rows j * stride - before + [0, extent) of its operands; others are padding."""

    stride: int = 1
    before: int = 0
    extent: int = 1

    def reads(self, rows: Rows) -> Rows:
        """Rows read for `rows`, padding included: the first may be negative."""
        first, end = rows
        return first * self.stride - self.before, (end - 1) * self.stride - self.before + self.extent


@dataclass(frozen=True)
class Track:
    """A value whose rows in `stable` move through time.

    Call after call, row j of `stable` is what row j + shift was `phases` calls ago, where that was in
    `stable` too. Strides that do not divide the shift give several phases: calls take turns.
    """

    time: TimeAxis
    stable: Rows
    phases: int
    shift: int

    def behind(self, taps: Taps, time: TimeAxis) -> Track | None:
        """The track of a result whose rows are computed by `taps`; None when every row sees the border."""
        low, high = self.stable
        first = max(0, -(-(low + taps.before) // taps.stride))
        end = min(time.rows, (high - taps.extent + taps.before) // taps.stride + 1)
        if end <= first:
            return None
        turns = taps.stride // gcd(taps.stride, self.shift)
        return Track(time, (first, end), self.phases * turns, self.shift * turns // taps.stride)

    def meet(self, other: Track) -> Track | None:
        """The track of a row-by-row combination of two values; None when they move at different speeds."""
        if self.shift * other.phases != other.shift * self.phases:
            return None
        stable = max(self.stable[0], other.stable[0]), min(self.stable[1], other.stable[1])
        if stable[1] <= stable[0]:
            return None
        phases = lcm(self.phases, other.phases)
        return replace(self, stable=stable, phases=phases, shift=self.shift * phases // self.phases)


def union(parts: Iterable[Rows]) -> tuple[Rows, ...]:
    """The same rows as disjoint ranges, neighbours joined, in order; empty ones are left out."""
    result: list[Rows] = []
    for first, end in sorted(p for p in parts if p[0] < p[1]):
        if result and first <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((first, end))
    return tuple(result)


def without(parts: Iterable[Rows], gone: Rows) -> tuple[Rows, ...]:
    """The rows of `parts` that are not in `gone`."""
    pieces = []
    for first, end in parts:
        pieces += (
            [(first, min(end, gone[0])), (max(first, gone[1]), end)] if gone[0] < gone[1] else [(first, end)]
        )
    return union(pieces)


def within(parts: Iterable[Rows], bounds: Rows) -> tuple[Rows, ...]:
    """The rows of `parts` that are in `bounds`."""
    return union((max(first, bounds[0]), min(end, bounds[1])) for first, end in parts)


def count(parts: Iterable[Rows]) -> int:
    """How many rows `parts` has."""
    return sum(end - first for first, end in parts)
