"""Observers: from the distribution of a value to the range that int8 covers.

All work on a histogram, so that memory does not grow with the number of calibration inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import gcd

import numpy as np

BINS = 2048
"""Bins of a histogram: 8 per step of int8 over the full range."""

_DENSE = 16 * BINS
"""Elements from which on a histogram's shape says something about the distribution."""

_COUNTED = 1 << 16
"""Elements of one inference's value that a histogram takes: more change nothing, and take time."""

_CLIPPED = 1e-3
"""Share of the elements that entropy may clip: behind a ReLU most are near 0, and telling those apart would
be worth more to it than the large ones that decide."""

LEVELS = 256
"""Values of an 8-bit type."""


@dataclass(eq=False)
class Distribution:
    """What is known of a value: extremes first, then a histogram between them.

    low, high   smallest and largest element seen
    counts      float64[BINS], elements per bin of equal width between low and high
    """

    low: float = np.inf
    high: float = -np.inf
    counts: np.ndarray = field(default_factory=lambda: np.zeros(BINS))

    def extend(self, x: np.ndarray) -> None:
        """First pass: widen the extremes."""
        self.low = min(self.low, float(x.min(initial=np.inf)))
        self.high = max(self.high, float(x.max(initial=-np.inf)))

    def count(self, x: np.ndarray) -> None:
        """Second pass: add the elements to the histogram."""
        width = self.high - self.low
        scale = BINS / width if width > 0 else 0.0
        chosen = x.reshape(-1)[:: _stride(x)]
        index = ((chosen - np.float32(self.low)) * np.float32(scale)).astype(np.intp)
        self.counts += np.bincount(np.clip(index, 0, BINS - 1), minlength=BINS)

    @property
    def centres(self) -> np.ndarray:
        """The value in the middle of each bin, float64[BINS]."""
        return self.low + (np.arange(BINS) + 0.5) * (self.high - self.low) / BINS


def _stride(x: np.ndarray) -> int:
    """Every how many elements are counted: at most about _COUNTED, and all channels alike."""
    wanted = x.size // _COUNTED
    if wanted < 2:
        return 1
    channels = x.shape[-1]
    return next(n for n in range(wanted, wanted + channels + 2) if gcd(n, channels) == 1)


Range = tuple[float, float]
Observer = Callable[[Distribution], Range]


def minmax(d: Distribution) -> Range:
    """Everything seen."""
    return d.low, d.high


def percentile(d: Distribution, share: float = 0.9999) -> Range:
    """The range that leaves out (1 - share) / 2 of the elements on each side."""
    total = d.counts.sum()
    if total == 0 or d.high <= d.low:
        return minmax(d)
    below = np.cumsum(d.counts) / total
    width = (d.high - d.low) / BINS
    first = int(np.searchsorted(below, (1 - share) / 2, side="right"))
    last = int(np.searchsorted(below, 1 - (1 - share) / 2, side="left"))
    return d.low + first * width, d.low + (min(last, BINS - 1) + 1) * width


def mse(d: Distribution) -> Range:
    """The range of least mean squared error: rounding inside it, clipping outside.

    A step s costs s^2 / 12 per element inside (uniform rounding error), an element outside costs its squared
    distance. Searched over shrunk ranges, first coarse on both sides, then fine around the best.
    """
    if d.high <= d.low or d.counts.sum() == 0:
        return minmax(d)
    low = high = np.float64(1.0)
    for reach in (0.95, 0.06, 0.005):
        axes = [np.clip(np.linspace(c - reach, c + reach, 41), 0.02, 1.0) for c in (low, high)]
        lows, highs = (a.reshape(-1) for a in np.meshgrid(*axes, indexing="ij"))
        best = int(np.argmin(_squared_errors(d, d.low * lows, d.high * highs)))
        low, high = lows[best], highs[best]
    return float(d.low * low), float(d.high * high)


def _squared_errors(d: Distribution, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Sums of squared errors when [min(low, 0), max(high, 0)] is quantized to 8 bits, per candidate.

    Sums over all elements below or above a bound come from prefix sums of the histogram's moments.
    """
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    step = (high - low) / (LEVELS - 1)
    centres, counts = d.centres, d.counts.copy()
    if d.low >= 0 or d.high <= 0:
        # The zeros of a ReLU are exact in every range.
        counts[np.abs(centres) <= (d.high - d.low) / BINS / 2 * (1 + 1e-6)] = 0.0
    moments = [np.concatenate(([0.0], np.cumsum(counts * centres**p))) for p in range(3)]
    below = np.searchsorted(centres, low - step / 2)
    above = np.searchsorted(centres, high + step / 2, side="right")
    under = low * low * moments[0][below] - 2 * low * moments[1][below] + moments[2][below]
    rest = [m[-1] - m[above] for m in moments]
    over = rest[2] - 2 * high * rest[1] + high * high * rest[0]
    inside = moments[0][above] - moments[0][below]
    return np.asarray(under + over + inside * step * step / 12)


def entropy(d: Distribution) -> Range:
    """The range of least Kullback-Leibler divergence between the histogram and its 8-bit version.

    For ends that shrink together: elements outside are counted in the outermost bins (the clipped reference
    P); Q spreads each quantized level evenly over the bins of P that are not empty. Migacz 2017, "8-bit
    inference with TensorRT". Values of few elements (logits) cover all that was seen.
    """
    if d.high <= d.low or d.counts.sum() < _DENSE:
        return minmax(d)
    zero = int(np.clip(np.floor(-d.low / (d.high - d.low) * BINS), 0, BINS))
    counts = d.counts.copy()
    # The zeros behind a ReLU are exact in every range; counted, they would outweigh all that is at stake.
    counts[min(zero, BINS - 1)] = 0.0
    best, divergence = minmax(d), np.inf
    width = (d.high - d.low) / BINS
    for share in np.linspace(1.0, 0.1, 91):
        first = zero - max(1, round(zero * share)) if zero else 0
        last = zero + max(1, round((BINS - zero) * share)) if zero < BINS else BINS
        clipped = counts[:first].sum() + counts[last:].sum()
        if last - first < LEVELS // 2 or clipped > _CLIPPED * counts.sum():
            break
        found = _divergence(counts, first, last)
        if found < divergence:
            best, divergence = (d.low + first * width, d.low + last * width), found
    return best


def _divergence(counts: np.ndarray, first: int, last: int) -> float:
    """KL(P || Q) of the bins [first, last), those outside added to the outermost."""
    inner = counts[first:last]
    p = inner.copy()
    p[0] += counts[:first].sum()
    p[-1] += counts[last:].sum()
    level = np.arange(inner.size) * LEVELS // inner.size
    occupied = inner > 0
    sums = np.bincount(level, weights=inner, minlength=LEVELS)
    members = np.bincount(level, weights=occupied.astype(np.float64), minlength=LEVELS)
    q = np.where(occupied, sums[level] / np.maximum(members[level], 1), 0.0)
    p, q = p / max(p.sum(), 1e-300), q / max(q.sum(), 1e-300)
    # A level that only the clipped elements reach has q = 0: give it the least mass there is.
    floor = 1e-12
    return float((p * np.log(np.maximum(p, floor) / np.maximum(q, floor)))[p > 0].sum())


OBSERVERS: Mapping[str, Observer] = {
    "minmax": minmax,
    "percentile": percentile,
    "mse": mse,
    "entropy": entropy,
}
