"""Hypothesis as the source of an operator's random cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st

T = TypeVar("T")


class HypothesisDraw:
    """patchloom.ir.cases.Draw on top of Hypothesis, so that failing cases shrink."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        return int(self._draw(st.integers(low, high)))

    def choice(self, options: Sequence[T]) -> T:
        return self._draw(st.sampled_from(list(options)))

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self._draw(st.integers(0, 2**32 - 1)))


@st.composite
def cases(draw: Any, op: Any) -> Any:
    """A random one-operator graph of the operator class `op`."""
    return op.case(HypothesisDraw(draw))
