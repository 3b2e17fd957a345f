"""Rigid groups: blocks whose distance to each other is fixed because they share bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import product

from .alias import Overlaps
from .kernel import Alias


@dataclass(frozen=True)
class Group:
    """Blocks at fixed offsets from a common origin.

    offsets   of each block from the origin (may be negative)
    pin       ("state", name) or ("input", name) when the origin is the start of that buffer; None: arena
    """

    offsets: dict[str, int]
    pin: tuple[str, str] | None = None


def pinned_groups(overlaps: Overlaps) -> list[Group]:
    """What lives in the state buffer and in the caller's inputs: as much as aliases allow.

    A block there needs no arena, so this is settled before anything is placed in the arena.
    """
    joined = Joined(overlaps, overlaps.time.blocks)
    left, grown = edges(overlaps), True
    while grown:
        grown = False
        for edge in left:
            if joined.pinned(edge.a) != joined.pinned(edge.b):
                grown |= joined.join(edge)
    return [g for g in joined.groups() if g.pin is not None]


def free_groups(
    overlaps: Overlaps, pinned: Collection[Group], dropped: Collection[Alias] = ()
) -> list[Group]:
    """All other blocks, joined along aliases (but `dropped`) as long as that is legal."""
    outside = {name for g in pinned for name in g.offsets}
    joined = Joined(overlaps, [name for name in overlaps.time.blocks if name not in outside])
    for edge in edges(overlaps):
        if edge not in dropped and edge.a not in outside and edge.b not in outside:
            joined.join(edge)
    return joined.groups()


def edges(overlaps: Overlaps) -> list[Alias]:
    """All aliases, those that share most bytes first: the order in which they are tried."""
    blocks = overlaps.time.blocks

    def shared(alias: Alias) -> int:
        a, b = blocks[alias.a].size, blocks[alias.b].size
        return min(a, alias.delta + b) - max(0, alias.delta)

    return sorted(dict.fromkeys(overlaps.time.aliases), key=shared, reverse=True)


class Joined:
    """Groups of some blocks while they grow."""

    def __init__(self, overlaps: Overlaps, names: Iterable[str]) -> None:
        self._overlaps = overlaps
        self._group: dict[str, Group] = {}
        pinned: dict[tuple[str, str], dict[str, int]] = {}
        for name in names:
            pin = overlaps.time.pins.get(name)
            offsets = {name: 0} if pin is None else pinned.setdefault(pin, {})
            offsets[name] = 0
            self._group[name] = Group(offsets, pin)
        self._group |= {m: Group(offsets, pin) for pin, offsets in pinned.items() for m in offsets}

    def groups(self) -> list[Group]:
        """The groups in order of their first block."""
        return list({id(g.offsets): g for g in self._group.values()}.values())

    def pinned(self, name: str) -> bool:
        """Whether a block's group has its place given."""
        return self._group[name].pin is not None

    def join(self, edge: Alias) -> bool:
        """Join the groups of both ends of an alias; False, and nothing changes, where that is illegal."""
        a, b = self._group[edge.a], self._group[edge.b]
        if a.offsets is b.offsets:
            return a.offsets[edge.b] - a.offsets[edge.a] == edge.delta
        shift = a.offsets[edge.a] + edge.delta - b.offsets[edge.b]
        if a.pin is None:
            a, b, shift = b, a, -shift
        moved = {name: offset + shift for name, offset in b.offsets.items()}
        if b.pin is not None or not self._legal(a, moved):
            return False
        union = Group({**a.offsets, **moved}, a.pin)
        self._group.update(dict.fromkeys(union.offsets, union))
        return True

    def _legal(self, a: Group, moved: dict[str, int]) -> bool:
        blocks = self._overlaps.time.blocks
        if a.pin is not None and not all(
            self._may_pin(a.pin, name, offset) for name, offset in moved.items()
        ):
            return False
        if not self._aligned({**a.offsets, **moved}, a.pin is not None):
            return False
        return all(
            not blocks[x].meets(blocks[y]) or self._overlaps.legal(x, y, moved[y] - a.offsets[x])
            for x, y in product(a.offsets, moved)
        )

    def _aligned(self, offsets: dict[str, int], pinned: bool) -> bool:
        """Whether some origin (0 when pinned) aligns all blocks; alignments are powers of two."""
        blocks = self._overlaps.time.blocks
        strictest = max(offsets, key=lambda name: blocks[name].align)
        origin = 0 if pinned else -offsets[strictest]
        return all((origin + offset) % blocks[name].align == 0 for name, offset in offsets.items())

    def _may_pin(self, pin: tuple[str, str], name: str, offset: int) -> bool:
        """Whether a block may live in a state or an extern input at that offset.

        Graph inputs and outputs may not: the caller looks for them in the arena. Into an extern input
        only pure views of it go, as nobody may write there.
        """
        need, block = self._overlaps.need, self._overlaps.time.blocks[name]
        graph = need.graph
        owner = graph.state(pin[1]) if pin[0] == "state" else graph[pin[1]]
        if (
            name in graph.inputs
            or name in graph.outputs
            or offset < 0
            or offset + block.size > owner.size_bytes
        ):
            return False
        if block.align > max(need.alignment, owner.dtype.itemsize):
            return False
        content = self._overlaps.contents[name]
        return pin[0] == "state" or all(r.origin == pin[1] and r.offset == offset + r.start for r in content)
