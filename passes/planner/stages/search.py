"""Cut points and strategies: the cheapest way through the order that stays within a limit of bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from .segments import Segment

Way = tuple[Segment, ...]

_LITTLE, _LARGE = 0.002, 0.75
"""Share of all cycles that a segment may cost more to be smaller, and share of the largest one's bytes from
which on it is looked at."""


def cheapest_ways(count: int, segments: Iterable[Segment]) -> Iterator[Way]:
    """The Pareto front of (most bytes of a segment, cycles), from the fastest way to the smallest.

    count   ops; a way is segments that follow each other from op 0 to op `count`
    Each is the shortest path among the segments that need less than the way before.
    """
    if not count:
        yield ()
        return
    by_start = _useful(segments)
    limit = float("inf")
    while (way := _shortest(count, by_start, limit)) is not None:
        yield way
        limit = max(s.bytes_ for s in way)


class Useful:
    """Keeps those of the segments seen that no other over the same ops beats in bytes and cycles."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, int], list[Segment]] = defaultdict(list)

    def watch(self, segments: Iterable[Segment]) -> Iterator[Segment]:
        """The segments, each looked at as it passes."""
        for s in segments:
            same = self._found[s.start, s.end]
            if not any(o.bytes_ <= s.bytes_ and o.cycles <= s.cycles for o in same):
                same[:] = [o for o in same if o.bytes_ < s.bytes_ or o.cycles < s.cycles] + [s]
            yield s

    def leaner(self, way: Way) -> Way:
        """The way, with less memory where that costs next to nothing, so that fewer bytes between others stay
        unused."""
        most = predicted_bytes(way)
        little = sum(s.cycles for s in way) * _LITTLE
        return tuple(s if s.bytes_ < most * _LARGE else self._smallest(s, little) for s in way)

    def _smallest(self, segment: Segment, extra: float) -> Segment:
        """The smallest segment over the same ops that costs at most `extra` cycles more."""
        same = self._found[segment.start, segment.end]
        return min((s for s in same if s.cycles <= segment.cycles + extra), key=lambda s: s.bytes_)

    def __iter__(self) -> Iterator[Segment]:
        for same in self._found.values():
            yield from same


def _useful(segments: Iterable[Segment]) -> dict[int, list[Segment]]:
    """By start, without segments that another over the same ops beats in bytes and cycles."""
    same: dict[tuple[int, int], list[Segment]] = defaultdict(list)
    for s in segments:
        same[s.start, s.end].append(s)
    found: dict[int, list[Segment]] = defaultdict(list)
    for (start, _), options in same.items():
        best = float("inf")
        for s in sorted(options, key=lambda s: (s.bytes_, s.cycles)):
            if s.cycles < best:
                best = s.cycles
                found[start].append(s)
    return found


def _shortest(count: int, by_start: dict[int, list[Segment]], limit: float) -> Way | None:
    """The way of fewest cycles whose segments need less than `limit` bytes; of equal ones the smallest."""
    infinity = (float("inf"), float("inf"))
    best: list[tuple[float, float]] = [infinity] * (count + 1)
    came: list[Segment | None] = [None] * (count + 1)
    best[0] = (0.0, 0.0)
    for start in range(count):
        cycles, peak = best[start]
        if cycles == float("inf"):
            continue
        for s in by_start[start]:
            reached = cycles + s.cycles, max(peak, float(s.bytes_))
            if s.bytes_ < limit and reached < best[s.end]:
                best[s.end], came[s.end] = reached, s
    if came[count] is None:
        return None
    way: list[Segment] = []
    at = count
    while at:
        last = came[at]
        assert last is not None
        way.append(last)
        at = last.start
    return tuple(reversed(way))


def predicted_bytes(way: Sequence[Segment]) -> int:
    """The most any segment needs; fragmentation may add to it."""
    return max((s.bytes_ for s in way), default=0)
