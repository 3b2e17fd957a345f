"""Offsets in the arena: greedy first fit of rigid groups, and a lower bound that is always valid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass

from .alias import Overlaps
from .groups import Group, edges, free_groups
from .kernel import Alias
from .lives import Block

MAX_TRIALS = 200
"""Alias choices tried; each costs one greedy placement."""

BLOCKED_LIMIT = 50_000
"""Steps of the exact clique search per component before it settles for the largest block."""


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
    blocks = overlaps.time.blocks
    free = [_normal(g, blocks) for g in grouped]
    gaps = _forbidden(free, blocks)
    heaviest = _heaviest_step(free, blocks)

    def height(g: Group) -> int:
        return max(offset + blocks[name].size for name, offset in g.offsets.items())

    def span(g: Group) -> int:
        return max(blocks[n].end for n in g.offsets) - min(blocks[n].start for n in g.offsets) + 1

    def at_peak(g: Group) -> bool:
        return any(blocks[n].start <= heaviest <= blocks[n].end for n in g.offsets)

    rules: tuple[Callable[[Group], tuple[int, ...]], ...] = (
        lambda g: (-height(g), -span(g)),
        lambda g: (-at_peak(g), -height(g)),
        lambda g: (-height(g) * span(g), -height(g)),
        lambda g: (-span(g), -height(g)),
        lambda g: (-at_peak(g), -span(g), -height(g)),
    )
    best: Packing | None = None
    for rule in rules:
        order = sorted(range(len(free)), key=lambda i: (*rule(free[i]), i))
        offsets = _place(free, order, gaps, overlaps)
        size = max((offset + blocks[name].size for name, offset in offsets.items()), default=0)
        size = round_up(size, overlaps.need.alignment)
        if best is None or size < best.size:
            best = Packing(size, offsets, pinned)
    assert best is not None
    return best


def _normal(group: Group, blocks: dict[str, Block]) -> Group:
    """The group with its lowest block at the lowest offset >= 0 that aligns all."""
    low = min(group.offsets.values())
    strictest = max(group.offsets, key=lambda name: blocks[name].align)
    shift = (low - group.offsets[strictest]) % blocks[strictest].align - low
    return Group({name: offset + shift for name, offset in group.offsets.items()})


def _forbidden(free: list[Group], blocks: dict[str, Block]) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """For groups i and j, open intervals of offset(i) - offset(j) in which two of their blocks collide."""
    gaps: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    flat = [(i, blocks[name], offset) for i, g in enumerate(free) for name, offset in g.offsets.items()]
    flat.sort(key=lambda item: item[1].start)
    for k, (i, a, x) in enumerate(flat):
        for j, b, y in flat[k + 1 :]:
            if b.start > a.end:
                break
            if i != j and a.size and b.size:
                gaps[i, j].append((y - x - a.size, y - x + b.size))
                gaps[j, i].append((x - y - b.size, x - y + a.size))
    return gaps


def _heaviest_step(free: list[Group], blocks: dict[str, Block]) -> int:
    """The step at which most bytes are needed."""
    weight: dict[int, int] = defaultdict(int)
    for g in free:
        for name in g.offsets:
            weight[blocks[name].start] += 0
    for step in weight:
        weight[step] = sum(
            blocks[n].size for g in free for n in g.offsets if blocks[n].start <= step <= blocks[n].end
        )
    return max(sorted(weight), key=lambda step: weight[step], default=0)


def _place(
    free: list[Group],
    order: list[int],
    gaps: dict[tuple[int, int], list[tuple[int, int]]],
    overlaps: Overlaps,
) -> dict[str, int]:
    blocks = overlaps.time.blocks
    placed: dict[int, int] = {}
    for i in order:
        unit = max(blocks[name].align for name in free[i].offsets)
        taken = sorted(
            (placed[j] + low, placed[j] + high) for j in placed for low, high in gaps.get((i, j), ())
        )
        offset = 0
        for low, high in taken:
            if low < offset < high:
                offset = round_up(high, unit)
        placed[i] = offset
    return {name: placed[i] + rel for i in placed for name, rel in free[i].offsets.items()}


# --- lower bound ---------------------------------------------------------------------------------


def lower_bound(overlaps: Overlaps, pinned: Collection[str] = ()) -> int:
    """Bytes no placement of the order can go below, whichever aliases it uses.

    At each step, blocks that may never overlap each other add up; the heaviest such set counts. Sizes
    are rounded up to the alignment, as every offset is a multiple of it. `pinned` blocks need no arena.
    """
    blocks = [b for b in overlaps.time.blocks.values() if b.name not in pinned and b.size]
    unit = overlaps.need.alignment
    apart = {pair for pair, distances in overlaps.distances.items() if not distances}
    best = 0
    for step in sorted({b.start for b in blocks}):
        needed = [b for b in blocks if b.start <= step <= b.end]
        best = max(best, sum(_heaviest_set(part, apart, unit) for part in _components(needed, apart)))
    return best


def _separate(a: Block, b: Block, apart: set[tuple[str, str]]) -> bool:
    return (a.name, b.name) in apart or (b.name, a.name) in apart


def _components(needed: list[Block], apart: set[tuple[str, str]]) -> list[list[Block]]:
    """Blocks connected by being allowed to overlap; blocks of different components never do."""
    parts: list[list[Block]] = []
    for block in needed:
        touching = [p for p in parts if any(not _separate(block, other, apart) for other in p)]
        parts = [p for p in parts if not any(p is t for t in touching)]
        parts.append([block, *(b for p in touching for b in p)])
    return parts


def _heaviest_set(part: list[Block], apart: set[tuple[str, str]], unit: int) -> int:
    """Weight of the heaviest set of blocks that are pairwise apart (exact up to a step limit)."""
    budget = BLOCKED_LIMIT

    def search(candidates: list[Block]) -> int:
        nonlocal budget
        budget -= 1
        if not candidates or budget < 0:
            return 0
        first, rest = candidates[0], candidates[1:]
        compatible = [b for b in rest if _separate(first, b, apart)]
        taken = round_up(first.size, unit) + search(compatible)
        if len(compatible) == len(rest):
            return taken
        return max(taken, search(rest))

    return search(sorted(part, key=lambda b: (-b.size, b.name)))
