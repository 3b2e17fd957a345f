"""Which blocks may share bytes while both are needed, and rigid groups of blocks that do.

Two blocks needed at the same step may overlap in three ways only:
- they hold the same bytes where they overlap (views: reshape, concat, split, state content), or
- one is overwritten by the other as an op reads it and writes that, by an alias its kernel declares;
  then the overwritten one must not be needed after the op;
- a stage writes its output over rows of its input that it has used, at any distance up to a limit ("slides").
An input and an output of one op overlap only at a distance its kernel declares, views included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property

from .content import Contents, Run, clip
from .demand import Demand
from .lives import Timeline

Distance = int


class Overlaps:
    """Answers, for two blocks and the distance between them, whether they may overlap like that."""

    def __init__(self, need: Demand, time: Timeline) -> None:
        self.need = need
        self.time = time
        self.contents = Contents({b.name: b.size for b in time.blocks.values()}, time.aliases)
        self._declared: dict[tuple[str, str], set[Distance]] = defaultdict(set)
        self._overwrites: dict[tuple[str, str], set[Distance]] = defaultdict(set)
        for alias in time.aliases:
            self._declared[alias.a, alias.b].add(alias.delta)
            if not alias.view:
                self._overwrites[alias.a, alias.b].add(alias.delta)
        self._operands = {(x, y) for op in time.order for x in op.inputs for y in op.outputs}

    def legal(self, a: str, b: str, distance: Distance) -> bool:
        """Whether `b` may lie `distance` bytes after `a` while both are needed."""
        low, high = max(0, distance), min(self.time.blocks[a].size, distance + self.time.blocks[b].size)
        if low >= high:
            return True
        if self._slid(a, b, distance):
            return True
        if (a, b) in self._siblings:
            return False
        for x, y, d in ((a, b, distance), (b, a, -distance)):
            if (x, y) in self._operands and d not in self._declared[x, y]:
                return False
            if self._overwritten(x, y, d):
                return True
        return self._same_bytes(a, b, distance, low, high)

    def _slid(self, a: str, b: str, distance: Distance) -> bool:
        """Whether a stage may write one over the other at that distance."""
        slides = self.time.slides
        return distance <= slides.get((a, b), distance - 1) or -distance <= slides.get((b, a), -distance - 1)

    @cached_property
    def _siblings(self) -> set[tuple[str, str]]:
        """Pairs of outputs of one op, both ways round: always apart."""
        return {(x, y) for op in self.time.order for x in op.outputs for y in op.outputs if x != y}

    def _overwritten(self, a: str, b: str, distance: Distance) -> bool:
        """Whether the op that writes `b` may do so over `a`, which is needed no longer then."""
        blocks = self.time.blocks
        return (
            distance in self._overwrites[a, b]
            and blocks[a].end == blocks[b].start
            and a not in self.need.extern
        )

    def _same_bytes(self, a: str, b: str, distance: Distance, low: int, high: int) -> bool:
        """Whether bytes [low, high) of `a` are those of `b` at that distance."""
        mine = clip(self.contents[a], low, high)
        theirs = clip((r.moved(distance) for r in self.contents[b]), low, high)
        cuts = sorted({r.start for r in (*mine, *theirs)})
        return all(_origin(mine, at) == _origin(theirs, at) for at in cuts)

    @cached_property
    def distances(self) -> dict[tuple[str, str], tuple[Distance, ...]]:
        """Every pair needed at one step (a before b in name table order) -> legal overlapping distances."""
        sources: dict[str, list[tuple[str, Run]]] = defaultdict(list)
        for name in self.time.blocks:
            for run in self.contents[name]:
                sources[run.origin].append((name, run))
        index = {name: i for i, name in enumerate(self.time.blocks)}
        found: dict[tuple[str, str], set[Distance]] = defaultdict(set)
        for uses in sources.values():
            for i, (a, mine) in enumerate(uses):
                for b, theirs in uses[i + 1 :]:
                    if (
                        a != b
                        and mine.offset < theirs.offset + theirs.size
                        and theirs.offset < mine.offset + mine.size
                    ):
                        _add(found, index, a, b, (mine.start - mine.offset) - (theirs.start - theirs.offset))
        for (a, b), deltas in self._overwrites.items():
            for delta in deltas:
                _add(found, index, a, b, delta)
        return {
            (a, b): tuple(
                sorted(d for d in found.get((a, b), ()) if self._fits(a, b, d) and self.legal(a, b, d))
            )
            for a, b in self._pairs()
        }

    @cached_property
    def heaviest_step(self) -> int:
        """The step at which most bytes are needed, overlaps not counted."""
        blocks = self.time.blocks.values()
        weight = {t: sum(b.size for b in blocks if b.start <= t <= b.end) for t in {b.start for b in blocks}}
        return min(weight, key=lambda t: (-weight[t], t), default=0)

    def _pairs(self) -> Iterable[tuple[str, str]]:
        blocks = list(self.time.blocks.values())
        for i, a in enumerate(blocks):
            for b in blocks[i + 1 :]:
                if a.meets(b):
                    yield a.name, b.name

    def _fits(self, a: str, b: str, distance: Distance) -> bool:
        """Whether both can be aligned at that distance."""
        return distance % min(self.time.blocks[a].align, self.time.blocks[b].align) == 0


def _add(found: dict[tuple[str, str], set[int]], index: dict[str, int], a: str, b: str, delta: int) -> None:
    if index[a] < index[b]:
        found[a, b].add(delta)
    else:
        found[b, a].add(-delta)


def _origin(runs: list[Run], at: int) -> tuple[str, int]:
    return next((r.origin, r.offset + at - r.start) for r in runs if r.start <= at < r.start + r.size)
