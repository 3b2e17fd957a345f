"""Several memories for activations: which values live in which, and a greedy placement.

The memories ("rooms") lie behind one another in one space, the fastest first, and no block may lie across a
border. Blocks in different rooms are then apart like any others, and blocks that overlap are in the same
room; so all that holds for offsets in one arena holds for offsets in that space.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from .alias import Overlaps
from .demand import Demand
from .groups import Group, edges, free_groups
from .kernel import Alias
from .lives import Timeline, scratch_name
from .offsets import MAX_TRIALS, forbidden, group_unit, normal, place_groups, round_up

ALIGNMENT = 16
"""Bytes to which arenas are aligned; so are the borders between rooms."""


@dataclass(frozen=True)
class Room:
    """`size_bytes` of the memory `name` may be used."""

    name: str
    size_bytes: int


@dataclass(frozen=True)
class Spread:
    """Offsets in the space of all rooms.

    moved   bytes read and written per inference in each room but the fastest, the slowest first
    sizes   bytes taken of each room
    """

    offsets: Mapping[str, int]
    moved: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def cost(self) -> tuple[int, ...]:
        """What is to be small: what the slowest room moves, then the next, then the bytes taken."""
        return (*self.moved, sum(self.sizes))


class Space:
    """Rooms behind one another, and what blocks in them cost.

    limit     bytes that may be taken of all rooms together
    traffic   bytes read and written of each block per inference
    """

    def __init__(self, rooms: Sequence[Room], limit: int | None, traffic: Mapping[str, int]) -> None:
        self.rooms, self.traffic = tuple(rooms), traffic
        self.sizes = tuple(r.size_bytes // ALIGNMENT * ALIGNMENT for r in rooms)
        self.starts = tuple(sum(self.sizes[:i]) for i in range(len(rooms)))
        self.end = sum(self.sizes)
        total = sum(r.size_bytes for r in rooms)
        self.limit = total if limit is None else min(limit, total)

    def room_of(self, offset: int) -> int:
        """Number of the room that an offset is in."""
        return max(i for i, start in enumerate(self.starts) if (start <= offset and self.sizes[i]) or not i)

    def spread(self, overlaps: Overlaps, offsets: Mapping[str, int]) -> Spread:
        """Offsets with what they cost."""
        sizes, moved = [0] * len(self.rooms), [0] * len(self.rooms)
        for name, offset in offsets.items():
            room = self.room_of(offset)
            end = offset - self.starts[room] + overlaps.time.blocks[name].size
            sizes[room] = max(sizes[room], round_up(end, overlaps.need.alignment))
            moved[room] += self.traffic[name]
        return Spread(offsets, tuple(moved[:0:-1]), tuple(sizes))

    def walls(self, height: int) -> list[tuple[int, int]]:
        """(low, high) between which, strictly, something of that height must not start."""
        ends = [start + size for start, size in zip(self.starts, self.sizes, strict=True)]
        return [(end - height, end) for end in ends[:-1]]


def traffic(need: Demand, time: Timeline) -> dict[str, int]:
    """Bytes read and written of every block per inference.

    Each multiply-accumulate reads one element; other ops read each element once. The caller writes inputs and
    reads outputs; scratch memory is written and then read like an input.
    """
    graph = need.graph
    moved = dict.fromkeys(time.blocks, 0)
    for name in (*graph.inputs, *dict.fromkeys(graph.outputs)):
        if name in moved:
            moved[name] += graph[name].size_bytes
    for op in time.order:
        macs = op.macs(graph.tensors)
        for x in dict.fromkeys(op.inputs):
            if x in moved:
                moved[x] += max(graph[x].elements, macs) * graph[x].dtype.itemsize
        for y in op.outputs:
            if y in moved:
                moved[y] += graph[y].size_bytes
        scratch = scratch_name(op.name)
        if scratch in moved:
            size = time.blocks[scratch].size
            moved[scratch] += size + max(size, macs)
    return moved


def spread_greedily(overlaps: Overlaps, pinned: tuple[Group, ...], space: Space) -> Spread | None:
    """The best greedy placement found: with all legal aliases first, then without those that cost something.

    None where none is found.
    """
    best = _first_fit(overlaps, space, free_groups(overlaps, pinned))
    dropped: set[Alias] = set()
    trials, improved = 0, True
    outside = {name for g in pinned for name in g.offsets}
    candidates = [e for e in edges(overlaps) if e.a not in outside and e.b not in outside]
    while improved:
        improved = False
        for edge in candidates:
            if trials >= MAX_TRIALS or (best is not None and not any(best.moved)):
                return best
            if edge in dropped:
                continue
            trials += 1
            found = _first_fit(overlaps, space, free_groups(overlaps, pinned, {*dropped, edge}))
            if found is not None and (best is None or found.cost < best.cost):
                best, improved = found, True
                dropped.add(edge)
    return best


def _first_fit(overlaps: Overlaps, space: Space, groups: Collection[Group]) -> Spread | None:
    """Groups one by one at the lowest free offset, so in the fastest room with space, in several orders."""
    blocks = overlaps.time.blocks
    free = [normal(g, blocks) for g in groups]
    gaps = forbidden(free, blocks, overlaps.time.slides)
    height = [max(offset + blocks[n].size for n, offset in g.offsets.items()) for g in free]
    walls = [space.walls(h) for h in height]
    units = [group_unit(g, blocks) for g in free]
    moved = [sum(space.traffic[n] for n in g.offsets) for g in free]
    span = [max(blocks[n].end for n in g.offsets) - min(blocks[n].start for n in g.offsets) for g in free]
    rules = (
        lambda i: (-moved[i] / max(1, height[i]), i),
        lambda i: (-moved[i] / max(1, height[i] * (span[i] + 1)), i),
        lambda i: (-moved[i], i),
        lambda i: (-height[i], -moved[i], i),
        lambda i: (-height[i] * (span[i] + 1), i),
    )
    best: Spread | None = None
    for rule in rules:
        placed = place_groups(units, sorted(range(len(free)), key=rule), gaps, walls)
        if any(placed[i] + height[i] > space.end for i in placed):
            continue
        offsets = {name: placed[i] + at for i in placed for name, at in free[i].offsets.items()}
        found = space.spread(overlaps, offsets)
        if sum(found.sizes) <= space.limit and (best is None or found.cost < best.cost):
            best = found
    return best
