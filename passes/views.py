"""A value as another one seen with its dimensions in another order: arithmetic on shapes only."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

Shape = tuple[int, ...]


@dataclass(frozen=True)
class View:
    """reshape(transpose(base, perm), shape); without `shape` the transposed value itself.

    base   name of a value of the graph
    perm   dimension d of the transposed value is dimension perm[d] of the base
    """

    base: str
    perm: Shape
    shape: Shape | None = None

    @property
    def plain(self) -> bool:
        """Whether it is the base itself."""
        return self.shape is None and self.perm == tuple(range(len(self.perm)))


def inverse(perm: Shape) -> Shape:
    """The permutation that undoes `perm`."""
    return tuple(perm.index(d) for d in range(len(perm)))


def permuted(shape: Shape, perm: Shape) -> Shape:
    """Shape of a transposed value."""
    return tuple(shape[d] for d in perm)


def moves(shape: Shape, perm: Shape) -> bool:
    """Whether a transpose changes the order of elements: dimensions of size 1 do not count."""
    order = [d for d in perm if shape[d] != 1]
    return order != sorted(order)


def _groups(old: Shape, new: Shape) -> list[tuple[range, range]]:
    """The finest partition of two shapes of as many elements into runs of dimensions of equal products."""
    groups = []
    i = j = 0
    while i < len(old) or j < len(new):
        first = i, j
        left = right = 1
        if i < len(old):
            left, i = old[i], i + 1
        if j < len(new):
            right, j = new[j], j + 1
        while left != right:
            if left < right:
                left, i = left * old[i], i + 1
            else:
                right, j = right * new[j], j + 1
        groups.append((range(first[0], i), range(first[1], j)))
    return groups


def reshaped_base(base: Shape, perm: Shape, target: Shape) -> tuple[Shape, Shape] | None:
    """(shape of the base, permutation) that make transpose(base, perm) reshaped to `target` a transpose.

    None when dimensions are joined that are not neighbours in this order in the base.
    """
    if not prod(base):
        return None
    logical = permuted(base, perm)
    placed: list[tuple[int, range]] = []
    for old, new in _groups(logical, target):
        dims = [perm[d] for d in old if logical[d] != 1]
        if dims:
            between = range(dims[0], dims[-1] + 1)
            if dims != sorted(dims) or any(base[d] != 1 and d not in dims for d in between):
                return None
        placed.append((dims[0] if dims else -1, new))
    order = [d for _, new in sorted(placed, key=lambda p: p[0]) for d in new]
    return permuted(target, tuple(order)), inverse(tuple(order))


def joinable_order(base: Shape, perm: Shape, target: Shape) -> Shape | None:
    """An order of the base's dimensions in which those that `target` joins are neighbours.

    Groups stay where their last dimension is in the base, so that channels remain behind rows and
    columns. None for an empty base.
    """
    if not prod(base):
        return None
    groups = [[perm[d] for d in old] for old, _ in _groups(permuted(base, perm), target) if old]
    placed = sorted(groups, key=lambda g: max((d for d in g if base[d] != 1), default=-1))
    return tuple(d for g in placed for d in g)
