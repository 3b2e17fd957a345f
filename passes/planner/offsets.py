"""Offsets in the arena: greedy first fit of rigid groups, and a lower bound that is always valid."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from .alias import Overlaps
from .groups import Group, edges, free_groups
from .kernel import Alias
from .lives import Block

MAX_TRIALS = 30
"""Alias choices tried; each costs one greedy placement."""

BLOCKED_LIMIT = 1_000_000
"""Blocks looked at by the exact clique search per component before it settles for what it found."""

DEPTH_LIMIT = 200
"""Nested steps of that search; each is a Python frame."""


@dataclass(frozen=True)
class Packing:
    """Offsets of the arena's blocks and the groups outside it.

    size   bytes of arena, a multiple of the alignment
    """

    size: int
    offsets: dict[str, int]
    pinned: tuple[Group, ...]


def pack(overlaps: Overlaps, pinned: tuple[Group, ...], bound: int) -> Packing:
    """The best greedy packing found: all legal aliases first, then without those that cost memory.

    Stops early at `bound`, a size known to be unbeatable.
    """
    best = first_fit(overlaps, pinned, free_groups(overlaps, pinned))
    candidates = [e for e in edges(overlaps) if e.a in best.offsets and e.b in best.offsets]
    dropped: set[Alias] = set()
    trials, improved = 0, True
    while improved:
        improved = False
        for edge in candidates:
            if best.size <= bound or trials >= MAX_TRIALS:
                return best
            if edge in dropped:
                continue
            trials += 1
            trial = first_fit(overlaps, pinned, free_groups(overlaps, pinned, {*dropped, edge}))
            if trial.size < best.size:
                best, improved = trial, True
                dropped.add(edge)
    return best


def round_up(size: int, unit: int) -> int:
    """The smallest multiple of `unit` that is at least `size`."""
    return -(-size // unit) * unit


# --- greedy --------------------------------------------------------------------------------------


def first_fit(overlaps: Overlaps, pinned: tuple[Group, ...], grouped: list[Group]) -> Packing:
    """Place free groups one by one at the lowest free offset, in several orders; the best result."""
    blocks, heaviest = overlaps.time.blocks, overlaps.heaviest_step
    free = [normal(g, blocks) for g in grouped]
    gaps = forbidden(free, blocks, overlaps.time.slides)
    height = [max(offset + blocks[name].size for name, offset in g.offsets.items()) for g in free]
    starts = [min(blocks[n].start for n in g.offsets) for g in free]
    span = [max(blocks[n].end for n in g.offsets) - start + 1 for g, start in zip(free, starts, strict=True)]
    at_peak = [any(blocks[n].start <= heaviest <= blocks[n].end for n in g.offsets) for g in free]
    units = [group_unit(g, blocks) for g in free]
    rules: tuple[Callable[[int], tuple[int, ...]], ...] = (
        lambda i: (-height[i], -span[i], i),
        lambda i: (-at_peak[i], -height[i], i),
        lambda i: (-height[i] * span[i], -height[i], i),
        lambda i: (-span[i], -height[i], i),
        lambda i: (-at_peak[i], -span[i], -height[i], i),
        lambda i: (-starts[i], -height[i], i),  # what slides below an input is placed before it
    )
    best: Packing | None = None
    for rule in rules:
        placed = place_groups(units, sorted(range(len(free)), key=rule), gaps)
        size = max((placed[i] + height[i] for i in placed), default=0)
        size = round_up(size, overlaps.need.alignment)
        if best is None or size < best.size:
            offsets = {name: placed[i] + rel for i in placed for name, rel in free[i].offsets.items()}
            best = Packing(size, offsets, pinned)
    assert best is not None
    return best


def group_unit(group: Group, blocks: dict[str, Block]) -> int:
    """Multiples of this may be added to a normal group's offsets."""
    return max(blocks[name].align for name in group.offsets)


def normal(group: Group, blocks: dict[str, Block]) -> Group:
    """The group with its lowest block at the lowest offset >= 0 that aligns all."""
    low = min(group.offsets.values())
    strictest = max(group.offsets, key=lambda name: blocks[name].align)
    shift = (low - group.offsets[strictest]) % blocks[strictest].align - low
    return Group({name: offset + shift for name, offset in group.offsets.items()})


Gap = tuple[int, int, int]
"""(group j, low, high): a group's offset minus that of j must not be strictly between low and high."""


def forbidden(
    free: list[Group], blocks: dict[str, Block], slides: Mapping[tuple[str, str], int]
) -> list[list[Gap]]:
    """Per group, the distances to others at which two of their blocks collide."""
    gaps: list[list[Gap]] = [[] for _ in free]
    flat = [(i, blocks[name], offset) for i, g in enumerate(free) for name, offset in g.offsets.items()]
    flat = sorted((item for item in flat if item[1].size), key=lambda item: item[1].start)
    for k, (i, a, x) in enumerate(flat):
        for m in range(k + 1, len(flat)):
            j, b, y = flat[m]
            if b.start > a.end:
                break
            if i != j:
                # b must not start between these distances after a
                low = max(-b.size, slides.get((a.name, b.name), -b.size))
                high = min(a.size, -slides.get((b.name, a.name), -a.size))
                if low < high:
                    gaps[i].append((j, y - x - high, y - x - low))
                    gaps[j].append((i, x - y + low, x - y + high))
    return gaps


def place_groups(
    units: list[int], order: list[int], gaps: list[list[Gap]], walls: Sequence[Sequence[tuple[int, int]]] = ()
) -> dict[int, int]:
    """Offsets of groups, each the lowest that is free when its turn comes.

    walls   by group: (low, high) between which, strictly, its offset must not be
    """
    placed: dict[int, int] = {}
    for i in order:
        taken = [(placed[j] + low, placed[j] + high) for j, low, high in gaps[i] if j in placed]
        taken = sorted([*taken, *walls[i]] if walls else taken)
        offset = 0
        for low, high in taken:
            if low >= offset:
                break
            if offset < high:
                offset = round_up(high, units[i])
        placed[i] = offset
    return placed


# --- lower bound ---------------------------------------------------------------------------------


def lower_bound(overlaps: Overlaps, pinned: Collection[str] = ()) -> int:
    """Bytes no placement of the order can go below, whichever aliases it uses.

    At each step, blocks that may never overlap each other add up; the heaviest such set counts. Sizes
    are rounded up to the alignment, as every offset is a multiple of it. `pinned` blocks need no arena.
    """
    blocks = [b for b in overlaps.time.blocks.values() if b.name not in pinned and b.size]
    unit = overlaps.need.alignment
    linked: Links = {b.name: set() for b in blocks}
    slides = overlaps.time.slides
    for (a, b), distances in overlaps.distances.items():
        slid = (a, b) in slides or (b, a) in slides
        if (distances or slid) and a in linked and b in linked:
            linked[a].add(b)
            linked[b].add(a)
    best = 0
    for step in sorted({b.start for b in blocks}):
        needed = {b.name: b for b in blocks if b.start <= step <= b.end}
        best = max(best, sum(_heaviest_set(part, linked, unit) for part in _components(needed, linked)))
    return best


Links = dict[str, set[str]]
"""Per block, those it may overlap while both are needed."""


def _components(needed: dict[str, Block], linked: Links) -> list[list[Block]]:
    """Blocks connected by being allowed to overlap; blocks of different components never do."""
    parts: list[list[Block]] = []
    left = dict.fromkeys(needed)
    while left:
        part, waiting = list[Block](), [left.popitem()[0]]
        while waiting:
            name = waiting.pop()
            part.append(needed[name])
            new = [n for n in linked[name] if n in left]
            waiting += new
            for n in new:
                del left[n]
        parts.append(part)
    return parts


def _heaviest_set(part: list[Block], linked: Links, unit: int) -> int:
    """Weight of the heaviest set of blocks that are pairwise apart (exact up to a step limit)."""
    budget = BLOCKED_LIMIT

    def search(candidates: list[Block], depth: int) -> int:
        nonlocal budget
        budget -= 1 + len(candidates)
        names = {b.name for b in candidates}
        if all(linked[n].isdisjoint(names) for n in names):
            return sum(round_up(b.size, unit) for b in candidates)
        if budget < 0 or depth > DEPTH_LIMIT:
            return 0
        first, rest = candidates[0], candidates[1:]
        compatible = [b for b in rest if b.name not in linked[first.name]]
        taken = round_up(first.size, unit) + search(compatible, depth + 1)
        if len(compatible) == len(rest):
            return taken
        return max(taken, search(rest, depth + 1))

    return search(sorted(part, key=lambda b: (-b.size, b.name)), 0)
