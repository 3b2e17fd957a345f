"""Values that hold the same elements in another shape: dimensions of 1, channels first or last."""

from __future__ import annotations

import numpy as np

Shape = tuple[int, ...]

_PERMUTATIONS = ((0, 2, 3, 1), (0, 3, 1, 2))


def squeezed(shape: Shape) -> Shape:
    """The shape without dimensions of 1, in which elements have the same order."""
    return tuple(d for d in shape if d != 1)


def same_elements(a: Shape, b: Shape) -> bool:
    """Whether `reorder` brings a value of shape `a` into shape `b`."""
    return _permutation(a, b) is not None or squeezed(a) == squeezed(b)


def reorder(x: np.ndarray, shape: Shape) -> np.ndarray:
    """`x` in another shape: channels moved to the end or the front where that gives it, else as it lies."""
    permutation = _permutation(x.shape, shape)
    return x.reshape(shape) if permutation is None else np.ascontiguousarray(x.transpose(permutation))


def _permutation(a: Shape, b: Shape) -> Shape | None:
    if a == b or len(a) != 4 or len(b) != 4:
        return None
    return next((p for p in _PERMUTATIONS if tuple(a[i] for i in p) == b), None)
