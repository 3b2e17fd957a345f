"""What the scatter operators share: how an update meets the element it goes to."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .op import Problem, Tensors
from .plain import NUMBERS, alike_problems, type_problems

REDUCTIONS = ("none", "add", "mul", "max", "min")
"""What becomes of an element: the last update, or its combination with all updates, in their order."""


def reduction_problems(tensors: Tensors, names: tuple[str, str, str], reduction: str) -> Iterable[Problem]:
    """(x, updates, y) are stored alike, and plain numbers where they are computed with."""
    if reduction not in REDUCTIONS:
        yield Problem(f"the reduction must be one of {', '.join(REDUCTIONS)}", reduction)
    yield from alike_problems(tensors, names)
    if reduction != "none":
        yield from type_problems(tensors, names[0], NUMBERS)


def scatter(data: np.ndarray, places: tuple[np.ndarray, ...], updates: np.ndarray, reduction: str) -> None:
    """Let `updates` meet `data` at `places`, in order, in place; integers wrap."""
    with np.errstate(all="ignore"):
        if reduction == "none":
            for at, value in zip(
                zip(*(p.ravel() for p in places), strict=True), updates.ravel(), strict=True
            ):
                data[at] = value
        else:
            function = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}[reduction]
            function.at(data, places, updates)
