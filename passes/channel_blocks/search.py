"""Fronts of a graph with and without channel blocks, joined."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ...ir import Graph
from ..planner.front import Front, Point
from ..planner.rooms import Room
from ..planner.stages.search import Way, predicted_bytes
from ..planner.types import Plan
from .runs import Run, runs_of
from .split import Blocks, split_channels

COUNTS = (2, 4, 8, 16, 32)
"""Numbers of blocks tried for a run, until nothing is gained."""

FEWEST = 4
"""Channels in a block at least."""

MOST = 12
EFFORT = 200
"""Rewritten graphs whose fronts are looked at for one limit: MOST, but no more than EFFORT over the number of
ops, because fronts of large graphs take seconds each."""

GAIN = 0.01
"""Share of bytes or cycles that a rewriting must save to be worth its calls."""

SLOWER = 1.1
"""When the whole front is asked for, others are looked for at its smallest bytes, and at those of the first
plan that takes so many times the cycles of the fastest."""

MakeFront = Callable[[Graph, Front], Front]
"""(rewritten graph, front of the graph before one more of its runs was split) -> its front."""


@dataclass(frozen=True, eq=False)
class Variant:
    """A graph with some runs in channel blocks, and its front."""

    blocks: Blocks
    front: Front

    @property
    def bytes_(self) -> int:
        """Predicted bytes of its smallest plan."""
        return predicted_bytes(self.front.ways[-1])

    def within(self, limit: int) -> Way | None:
        """The fastest way that is predicted to take at most so many bytes."""
        return next((way for way in self.front.ways if predicted_bytes(way) <= limit), None)

    def score(self, limit: int) -> tuple[int, float]:
        """(bytes above the limit, cycles within it): less is better."""
        way = self.within(limit)
        return (self.bytes_ - limit, 0.0) if way is None else (0, _cycles(way))

    def marked(self, plan: Plan) -> Plan:
        """The plan, saying which graph it is for."""
        return replace(plan, channel_blocks=self.blocks)

    def point(self, way: Way, time_limit_s: float) -> Point:
        """The plan of a way, with exact bytes."""
        found = self.front.point(way, time_limit_s)
        return replace(found, plan=self.marked(found.plan))


def _cycles(way: Way) -> float:
    return sum(s.cycles for s in way)


def _better(new: tuple[int, float], old: tuple[int, float]) -> bool:
    """Whether a score saves enough: bytes as long as the limit is exceeded, then cycles."""
    if new[0] or old[0]:
        return new[0] < old[0] - GAIN * old[0]
    return new[1] < old[1] * (1 - GAIN)


class Fronts:
    """As Front, of all graphs that differ in what is computed in channel blocks.

    For a limit of bytes, runs are split greedily: while it is exceeded, one whose ops limit the smallest
    plan; then those that lose most cycles because they run a few rows at a time. What is found for a limit
    does not depend on what was asked before. `plain` is the front of `graph`; extern: inputs are not in the
    arena.
    """

    def __init__(self, graph: Graph, plain: Front, make: MakeFront, extern: bool) -> None:
        self._plain, self._make, self._extern = Variant((), plain), make, extern
        self._graph = graph.rewritten(plain.ops)
        self._most = max(1, min(MOST, EFFORT // max(1, len(graph.ops))))
        self._runs = runs_of(graph)
        self._known: dict[Blocks, Variant] = {(): self._plain}
        self._looked: dict[int, tuple[Variant, ...]] = {}

    @property
    def ways(self) -> tuple[Way, ...]:
        """The ways of the graph as it is, the fastest first."""
        return self._plain.front.ways

    # --- variants ----------------------------------------------------------------------------------

    def variants(self, limit: int = 0) -> tuple[Variant, ...]:
        """The graph as it is, and others with faster plans within a limit of bytes, or smaller ones."""
        if limit not in self._looked:
            self._looked[limit] = tuple(self._look(limit))
        return self._looked[limit]

    def _look(self, limit: int) -> list[Variant]:
        found, base = [self._plain], self._plain
        hopeless: set[str] = set()
        while len(found) < self._most:
            name = self._promising(base, limit, hopeless)
            if name is None:
                break
            tried = list(self._split(base, name, limit))
            found += tried
            best = min(tried, key=lambda v: v.score(limit), default=base)
            freed = [v for v in tried if not self._limits(v)] if base.within(limit) is None else []
            if _better(best.score(limit), base.score(limit)):
                base = best
            elif freed:
                base = freed[0]
            else:
                hopeless.add(name)
        return found

    def _promising(self, base: Variant, limit: int, hopeless: set[str]) -> str | None:
        """The run to split next."""
        taken = {op.name for name, _ in base.blocks for op in self._runs[name].ops}
        way = base.within(limit)
        most = base.bytes_ if way is None else limit
        free = {
            name: run
            for name, run in self._runs.items()
            if name not in hopeless
            and self._least_bytes(run) < most
            and taken.isdisjoint(op.name for op in run.ops)
        }
        if way is None:
            names = set(base.front.limit())
            able = [n for n, run in free.items() if names & {op.name for op in run.ops}]
            return min(able, key=lambda n: self._least_bytes(free[n]), default=None)
        losses = {name: _loss(base.front, way, run) for name, run in free.items()}
        worst = max(losses, key=lambda name: losses[name], default=None)
        return worst if worst is not None and losses[worst] > GAIN * _cycles(way) else None

    def _least_bytes(self, run: Run) -> int:
        """What any number of blocks takes: the input is needed to the last block, beside the sums."""
        x, y = self._graph[run.expand.x], self._graph[run.project.y]
        outside = self._extern and x.name in self._graph.inputs
        return (0 if outside else x.size_bytes) + 4 * y.elements

    def _split(self, base: Variant, name: str, limit: int) -> Iterator[Variant]:
        """The run in more and more blocks, until that gains nothing."""
        last: Variant | None = None
        for count in COUNTS:
            if count * FEWEST > self._runs[name].channels:
                return
            made = self._variant((*base.blocks, (name, count)), base)
            yield made
            reached = made.within(limit) is not None or not self._limits(made)
            if reached and last is not None and not _better(made.score(limit), last.score(limit)):
                return
            if not reached and last is not None and made.bytes_ > last.bytes_ * (1 - GAIN):
                return
            if made.within(limit) is None and not self._limits(made):
                return
            last = made

    def _variant(self, blocks: Blocks, base: Variant) -> Variant:
        if blocks not in self._known:
            made = self._make(split_channels(self._graph, blocks), base.front)
            self._known[blocks] = Variant(blocks, made)
        return self._known[blocks]

    def _limits(self, v: Variant) -> bool:
        """Whether ops in channel blocks limit the smallest plan."""
        return not set(v.front.limit()) <= {op.name for op in self._graph.ops}

    # --- plans -------------------------------------------------------------------------------------

    def fastest_within(self, limit_bytes: int) -> Point | None:
        """The fastest plan whose arena and state take at most `limit_bytes`; None where none is found."""
        fastest = self.ways[0]
        if predicted_bytes(fastest) <= limit_bytes:  # nothing is faster: no need to look at variants
            point = self._plain.point(fastest, 5.0)
            if _fits(point, limit_bytes):
                return point
        for v, way in _joined(self.variants(limit_bytes)):
            if predicted_bytes(way) <= limit_bytes:
                point = v.point(way, 5.0)
                if _fits(point, limit_bytes):
                    return point
        return None

    def within(
        self, rooms: Sequence[Room], limit_bytes: int, *, smallest: bool = False, time_limit_s: float = 5.0
    ) -> Plan | None:
        """As `Front.within`, of the first variant that has such a plan; for the smallest, of the last.

        Looking for variants takes long, so this is not done where the graph as it is has a plan.
        """
        if not smallest:
            plan = self._plain.front.within(rooms, limit_bytes, time_limit_s=time_limit_s)
            if plan is not None:
                return self._plain.marked(plan)
        found = self.variants(0 if smallest else limit_bytes)
        for v in reversed(found) if smallest else found:
            plan = v.front.within(rooms, limit_bytes, smallest=smallest, time_limit_s=time_limit_s)
            if plan is not None:
                return v.marked(plan)
        return None

    def smallest(self) -> Point:
        """The plan of the smallest arena."""
        points = [v.point(way, 5.0) for v, way in _joined(self.variants())[-3:]]
        return min(points, key=lambda p: (p.plan.arena_bytes, p.cycles))

    def limit(self) -> tuple[str, ...]:
        """Names of the ops that keep the smallest plan from being smaller."""
        return min(self.variants(), key=lambda v: v.bytes_).front.limit()

    def points(self, time_limit_s: float = 1.0) -> Iterator[Point]:
        """The front with exact bytes, from the fastest plan to the smallest; no plan that another beats."""
        slow = _cycles(self.ways[0]) * SLOWER
        limits = {predicted_bytes(way) for way in self.ways if _cycles(way) > slow}
        limits = {max(limits)} if limits else set()
        every = [v for limit in sorted({0, *limits}) for v in self.variants(limit)]
        smallest: float = float("inf")
        for v, way in _joined(list(dict.fromkeys(every))):
            point = v.point(way, time_limit_s)
            if point.plan.arena_bytes < smallest:
                smallest = point.plan.arena_bytes
                yield point


def _joined(variants: Sequence[Variant]) -> list[tuple[Variant, Way]]:
    """Ways of all variants, from the fastest to the smallest; none that another beats."""
    every = [(v, way) for v in variants for way in v.front.ways]
    every.sort(key=lambda e: (_cycles(e[1]), predicted_bytes(e[1]), len(e[0].blocks)))
    kept: list[tuple[Variant, Way]] = []
    for v, way in every:
        if not kept or predicted_bytes(way) < predicted_bytes(kept[-1][1]):
            kept.append((v, way))
    return kept


def _loss(front: Front, way: Way, run: Run) -> float:
    """Cycles that the segments of a way with ops of a run take beyond those of their ops one by one."""
    names, alone = {op.name for op in run.ops}, front.alone
    with_run = [s for s in way if any(op.name in names for op in front.ops[s.start : s.end])]
    return sum(s.cycles - sum(alone[s.start : s.end]) for s in with_run)


def _fits(point: Point, limit_bytes: int) -> bool:
    return point.plan.arena_bytes + point.plan.state_bytes <= limit_bytes
