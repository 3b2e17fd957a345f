"""The RAM/latency front: plans whose ops run whole or in stages, from the fastest to the smallest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ...ir import Graph, Op
from ...ir.ops.partial_sums import PartialSums
from .choose import Choice, Goal
from .demand import Demand, InputMode, demand
from .kernel import Alias, Kernel
from .order import Order, given_order, order
from .placement import packed_bytes, placed, placed_in
from .rooms import Room
from .stages.lives import Staged
from .stages.options import Options
from .stages.search import Useful, Way, cheapest_ways, predicted_bytes
from .stages.segments import Segment, Segments
from .stages.shape import stage_of
from .types import Plan

_STAGED_BLOCKS = 8
"""Blocks of channels that may run in stages; more stages take long to place."""

_FIRST_EFFORT = 0.5
"""Time units of the offset solver for a plan in several memories to be found at all."""

_TURNS = 64
"""Choices of directions that are tried for one plan, before the last round."""


@dataclass(frozen=True, eq=False)
class Point:
    """A plan of the front.

    cycles   predicted by the cost tables (guessed from MACs where they know nothing)
    macs     with what is computed more than once
    """

    plan: Plan
    cycles: float
    macs: int


class Front:
    """All ways to run a graph on a board, by predicted bytes; plans are made when asked for.

    input_mode   as for `plan`; "rows": the first op of the graph takes the rows of the input one by one
    like         a front of a graph with the same ops in the same order but for one run of them: only that run
                 is looked at. Stages in it have two ops or more and end where products are added to sums
    """

    def __init__(
        self,
        graph: Graph,
        features: frozenset[str],
        kernels: tuple[Kernel, ...],
        *,
        input_mode: InputMode = "arena",
        alignment: int = 4,
        choice: Choice | None = None,
        like: Front | None = None,
    ) -> None:
        choice = choice or Choice()
        goals: tuple[Goal, ...] = (choice.goal, "ram")
        demands = [
            demand(graph, features, kernels, input_mode, alignment, replace(choice, goal=goal))
            for goal in goals
        ]
        self._need = demands[0]
        self._aliases: dict[tuple[str, str], tuple[Alias, ...]] = dict(like._aliases) if like else {}
        self._aliases |= {(op, d.kernels[op]): d.aliases[op] for d in demands for op in d.kernels}
        given = input_mode == "rows" or like is not None
        self._order: Order = given_order(self._need, 0) if given else order(self._need)
        options = Options(graph, features, kernels, choice.costs)
        fed = input_mode == "rows"
        self._segments = Segments(demands, self._order.ops, options, kernels, choice.costs, fed)
        self._useful = Useful()
        found = self._useful.watch(self._segments.all() if like is None else self._changed(like))
        self.ways: tuple[Way, ...] = tuple(cheapest_ways(len(self._order.ops), found))

    @property
    def ops(self) -> tuple[Op, ...]:
        """The ops in the order in which they run."""
        return self._order.ops

    @property
    def alone(self) -> list[float]:
        """The fewest cycles of each op by itself."""
        whole = {s.start: s.cycles for s in sorted(self._useful, key=lambda s: -s.cycles) if s.rows is None}
        return [whole.get(i, 0.0) for i in range(len(self.ops))]

    def _changed(self, like: Front) -> Iterator[Segment]:
        """The segments of `like` before and behind the ops that differ, and those among these ops."""
        old, new = like.ops, self.ops
        shift, most = len(new) - len(old), min(len(new), len(old))
        head = next((i for i in range(most) if old[i] != new[i]), most)
        tail = next((i for i in range(most - head) if old[-1 - i] != new[-1 - i]), most - head)
        for s in like._useful:
            if s.end <= head:
                yield s
            elif s.start >= len(old) - tail:
                yield replace(s, start=s.start + shift, end=s.end + shift)
        ends = [i + 1 for i in range(head, len(new) - tail) if isinstance(new[i], PartialSums)]
        for start, end in pairwise([head, *ends, len(new) - tail]):
            for s in self._segments.between(start, end, stages=len(ends) <= _STAGED_BLOCKS):
                if s.rows is None or s.end - s.start > 1:
                    yield s

    def point(self, way: Way, time_limit_s: float = 5.0) -> Point:
        """The plan of a way, with exact bytes, or of a leaner one where these exceed the predicted."""
        found = self._placed(way, time_limit_s)
        if found.plan.arena_bytes > predicted_bytes(way):
            leaner = self._placed(self._useful.leaner(way), time_limit_s)
            if leaner.plan.arena_bytes < found.plan.arena_bytes:
                return leaner
        return found

    def _placed(self, way: Way, time_limit_s: float) -> Point:
        need = self._demand(way)
        plan = placed(need, self._order, self._directed(need, way), time_limit_s)
        return Point(plan, sum(s.cycles for s in way), sum(s.macs for s in way))

    def _demand(self, way: Way) -> Demand:
        """What the kernels of a way demand."""
        chosen = {name: figures for s in way for name, figures in s.kernels.items()}
        return replace(
            self._need,
            kernels={name: kernel for name, (kernel, _) in chosen.items()},
            scratch={name: scratch for name, (_, scratch) in chosen.items()},
            aliases={name: self._aliases.get((name, kernel), ()) for name, (kernel, _) in chosen.items()},
        )

    def _directed(self, need: Demand, way: Way) -> list[Staged]:
        """The stages of a way, each downwards or upwards.

        A stage that writes its output over its input moves it a little towards where it began; the next
        one has room on that side only if it goes the other way. So all go downwards, or they alternate; then
        single ones are turned as long as that saves bytes.
        """
        down = [Staged(stage_of(s.rows, s.strips), s.rows) for s in way if s.rows is not None]
        turned = [self._segments.upwards(s) for s in way if s.rows is not None]
        up = {i: Staged(stage_of(rows), rows) for i, rows in enumerate(turned) if rows is not None}

        def staged(ups: frozenset[int]) -> list[Staged]:
            return [up[i] if i in ups else d for i, d in enumerate(down)]

        least, sizes = predicted_bytes(way), dict[frozenset[int], int]()

        def size(ups: frozenset[int]) -> int:
            if ups not in sizes:
                sizes[ups] = packed_bytes(need, self._order, staged(ups), least)
            return sizes[ups]

        best = frozenset[int]()
        for first in (0, 1):
            if size(best) > least:
                best = min(best, frozenset(i for i in up if i % 2 == first), key=size)
        better = True
        while better and len(sizes) < _TURNS:
            better = False
            for i in up:
                if size(best) > least and size(best ^ {i}) < size(best):
                    best, better = best ^ {i}, True
        return staged(best)

    def fastest_within(self, limit_bytes: int) -> Point | None:
        """The fastest plan whose arena and state take at most `limit_bytes`; None where none is found."""
        for way in self.ways:
            if predicted_bytes(way) > limit_bytes:
                continue
            point = self.point(way)
            if point.plan.arena_bytes + point.plan.state_bytes <= limit_bytes:
                return point
        return None

    def within(
        self, rooms: Sequence[Room], limit_bytes: int, *, smallest: bool = False, time_limit_s: float = 5.0
    ) -> Plan | None:
        """The fastest plan (or the smallest) that fits several memories, the one to be filled first in front.

        limit_bytes   what may be taken of all together
        """
        for way in reversed(self.ways) if smallest else self.ways:
            if predicted_bytes(way) > min(limit_bytes, sum(r.size_bytes for r in rooms)):
                continue
            need = self._demand(way)
            staged = self._directed(need, way)
            effort = min(_FIRST_EFFORT, time_limit_s)
            plan = placed_in(need, self._order, staged, rooms, limit_bytes, effort)
            if plan is not None and not plan.arenas_optimal and effort < time_limit_s:
                plan = placed_in(need, self._order, staged, rooms, limit_bytes, time_limit_s) or plan
            if plan is not None:
                return plan
        return None

    def smallest(self) -> Point:
        """The plan of the smallest arena."""
        points = [self.point(way) for way in self.ways[-3:]]
        return min(points, key=lambda p: (p.plan.arena_bytes, p.cycles))

    def limit(self) -> tuple[str, ...]:
        """Names of the ops that keep the smallest plan from being smaller: those of the segment that needs
        most."""
        worst = max(self.ways[-1], key=lambda s: s.bytes_, default=None)
        return tuple(op.name for op in self._order.ops[worst.start : worst.end]) if worst else ()

    def points(self, time_limit_s: float = 1.0) -> Iterator[Point]:
        """The front with exact bytes, from the fastest plan to the smallest; no plan that another beats."""
        smallest: float = float("inf")
        for way in self.ways:
            point = self.point(way, time_limit_s)
            if point.plan.arena_bytes < smallest:
                smallest = point.plan.arena_bytes
                yield point
