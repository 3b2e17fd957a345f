"""Cut points and strategies: the cheapest way through the order that stays within a limit of bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from .segments import Segment

Way = tuple[Segment, ...]


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
