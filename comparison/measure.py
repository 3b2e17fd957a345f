"""How far two values are apart, summed over samples."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..emulation.differences import largest_difference, tolerance
from ..emulation.layer_values import LayerValue
from ..ir import Tensor
from ..passes.quantize import sqnr_db
from .feeding import to_real
from .order import reorder

MIN_SQNR_DB = 10.0
"""Noise at a tenth of the power of the signal: more than the layers of good int8 models have."""

Kind = Literal["integers", "floats", "noise"]
Status = Literal["equal", "within", "differs"]


class Tally:
    """Differences of one pair of values.

    kind      "integers" of equal scale are compared exactly (a step is allowed where one depends on float
              arithmetic: `rounded`), "floats" with the tolerance of `verify`, all else by its "noise"
              (MIN_SQNR_DB): signal is the first value, noise the difference
    """

    def __init__(self, a: Tensor, b: Tensor, kind: Kind, rounded: bool) -> None:
        self._a, self._b, self._kind, self._rounded = a, b, kind, rounded
        self._signal = self._noise = self._worst = 0.0
        self.elements = self.differing = self._samples = 0
        self.first_sample: int | None = None
        self.max_abs_error = 0.0

    def add(self, a: LayerValue, b: LayerValue) -> None:
        """Compare the elements that both sides made."""
        x, y = a.data, reorder(b.data, a.data.shape)
        made = np.ones(x.shape, bool) if a.made is None else a.made
        if b.made is not None:
            made = made & reorder(b.made, x.shape)
        x, y = x[made], y[made]
        real_x, real_y = to_real(x, self._a), to_real(y, self._b)
        self.elements += x.size
        self._add_noise(real_x, real_y)
        self.max_abs_error = max(self.max_abs_error, largest_difference(real_x, real_y))
        if self._kind == "integers":
            x, y = x.astype(np.int64) - self._a.zero_point, y.astype(np.int64) - self._b.zero_point
        if self._kind != "noise":
            allowed = tolerance(x, self._rounded)
            found = largest_difference(x, y)
            worst = found / allowed if allowed else np.inf if found else 0.0
            if worst > 1 and self.first_sample is None:
                self.first_sample = self._samples
            self._worst = max(self._worst, worst)
        self._samples += 1

    def _add_noise(self, x: np.ndarray, y: np.ndarray) -> None:
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        self.differing += int(x.size - same.sum())
        with np.errstate(invalid="ignore", over="ignore"):
            noise = np.where(same, 0.0, np.square(x - y))
        self._noise += float(np.where(np.isnan(noise), np.inf, noise).sum())
        self._signal += float(np.square(x[np.isfinite(x)]).sum())

    @property
    def sqnr_db(self) -> float:
        """10 log10(sum of squares of the first / sum of squares of the differences); infinite: equal."""
        return float("-inf") if np.isinf(self._noise) else sqnr_db(self._signal, self._noise)

    def status(self, min_sqnr_db: float | None) -> Status:
        """Whether the values are equal, as close as they have to be, or not.

        min_sqnr_db   what is enough for every value, instead of what is expected of their types
        """
        if self.differing == 0:
            return "equal"
        if min_sqnr_db is None and self._kind != "noise":
            return "within" if self._worst <= 1 else "differs"
        return (
            "within" if self.sqnr_db >= (MIN_SQNR_DB if min_sqnr_db is None else min_sqnr_db) else "differs"
        )
