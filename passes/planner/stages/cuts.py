"""Stages cut into strips of columns: what each computes, worked out once for all stages that end alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ....ir import Op
from .options import Options, Taste, Weighed
from .pieces import Columns
from .reach import COLUMNS, Geometry

STRIPS = (2, 3, 4, 6, 8)
"""Numbers of strips tried."""

TASTES = (Taste(extra=256.0), Taste(extra=0.0))
"""What kernels are tried: stages in strips are for the smallest arenas."""


@dataclass(frozen=True, eq=False)
class CutOp:
    """One op of a stage in strips.

    pitch   columns of a row of the ring of its output
    macs    of all strips, what two of them compute counted twice
    picked  its kernel for each of TASTES; None where no kernel can compute the strips
    """

    pitch: int
    macs: int
    picked: tuple[Weighed | None, ...]


class Cut:
    """The output of op `end` - 1 of an order in `count` strips, followed backwards through the ops before it.

    Stages that end with this op and begin with different ones need the same columns of all values that they
    make: every op is looked at once.
    """

    def __init__(
        self, order: Sequence[Op], makers: Mapping[str, int], geometry: Geometry, options: Options, end: int
    ) -> None:
        self._order, self._makers, self._geometry, self._options = order, makers, geometry, options
        self.end = self._at = end
        self.ops: dict[int, CutOp] = {}
        self._need: list[dict[str, tuple[int, int]]] = []
        self._blocked = -1

    def into(self, count: int) -> Cut:
        """Begin to follow `count` strips of the same width, or almost."""
        output = self._order[self.end - 1].outputs[0]
        shape = self._geometry.graph[output].shape
        if len(shape) != 4 or count > shape[COLUMNS]:
            self._blocked = self.end
        else:
            cuts = [shape[COLUMNS] * i // count for i in range(count + 1)]
            self._need = [{output: (a, b)} for a, b in pairwise(cuts)]
        return self

    def reaches(self, start: int) -> bool:
        """Whether the stage that begins with op `start` can be cut so."""
        while self._blocked < start < self._at:
            self._at -= 1
            self._follow(self._at)
        return self._blocked < start

    def strips(self, ops: Sequence[Op]) -> tuple[Columns, ...]:
        """The columns of every value made by some of the ops, per strip."""
        return tuple({op.outputs[0]: need[op.outputs[0]] for op in ops} for need in self._need)

    def _follow(self, at: int) -> None:
        op = self._order[at]
        found = self._geometry.reaches(op, COLUMNS)
        y = op.outputs[0]
        if found is None or any(y not in need for need in self._need):
            self._blocked = at
            return
        whole = (self._makers[x] for x in op.inputs if x in self._makers and x not in found)
        self._blocked = max([self._blocked, *whole])  # what is needed whole is made in another stage
        for need in self._need:
            start, end = need[y]
            for x, reach in found.items():
                low, high = reach.first(start), reach.end(end - 1)
                if end - start == self._options.width(op):
                    low, high = 0, reach.size  # no part of the op, so of its inputs neither
                if low >= high:  # columns that no input meets
                    self._blocked = at
                    return
                a, b = need.get(x, (low, high))
                need[x] = min(low, a), max(high, b)
        self.ops[at] = self._weigh(op)

    def _weigh(self, op: Op) -> CutOp:
        parts = tuple(need[op.outputs[0]] for need in self._need)
        widths = [b - a for a, b in parts]
        macs = op.macs(self._geometry.graph.tensors) * sum(widths) // self._options.width(op)
        picked = tuple(self._options.in_strips(op, taste, parts) for taste in TASTES)
        return CutOp(max(widths), macs, picked)


class Cuts:
    """All cuts of an order."""

    def __init__(self, order: Sequence[Op], geometry: Geometry, options: Options) -> None:
        self._order, self._geometry, self._options = order, geometry, options
        self._makers = {y: t for t, op in enumerate(order) for y in op.outputs}
        self._known: dict[tuple[int, int], Cut] = {}

    def of(self, start: int, end: int, count: int) -> Cut | None:
        """Ops [start, end) in so many strips; None where they cannot be cut so."""
        key = end, count
        if key not in self._known:
            made = Cut(self._order, self._makers, self._geometry, self._options, end)
            self._known[key] = made.into(count)
        cut = self._known[key]
        return cut if cut.reaches(start) else None
