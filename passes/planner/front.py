"""The RAM/latency front: plans whose ops run whole or in stages, from the fastest to the smallest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ...ir import Graph
from .choose import Choice, Goal
from .demand import Demand, InputMode, demand
from .kernel import Kernel
from .order import Order, given_order, order
from .placement import placed
from .stages.lives import Staged
from .stages.options import Options
from .stages.search import Way, cheapest_ways, predicted_bytes
from .stages.segments import Segments
from .stages.shape import stage_of
from .types import Plan

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
    ) -> None:
        choice = choice or Choice()
        goals: tuple[Goal, ...] = (choice.goal, "ram")
        demands = [
            demand(graph, features, kernels, input_mode, alignment, replace(choice, goal=goal))
            for goal in goals
        ]
        self._need = demands[0]
        self._aliases = {(op, d.kernels[op]): d.aliases[op] for d in demands for op in d.kernels}
        self._order: Order = given_order(self._need, 0) if input_mode == "rows" else order(self._need)
        options = Options(graph, features, kernels, choice.costs)
        fed = input_mode == "rows"
        self._segments = Segments(demands, self._order.ops, options, kernels, choice.costs, fed)
        self.ways: tuple[Way, ...] = tuple(cheapest_ways(len(self._order.ops), self._segments.all()))

    def point(self, way: Way, time_limit_s: float = 5.0) -> Point:
        """The plan of a way, with exact bytes."""
        chosen = {name: figures for s in way for name, figures in s.kernels.items()}
        need = replace(
            self._need,
            kernels={name: kernel for name, (kernel, _) in chosen.items()},
            scratch={name: scratch for name, (_, scratch) in chosen.items()},
            aliases={name: self._aliases.get((name, kernel), ()) for name, (kernel, _) in chosen.items()},
        )
        staged, plan = self._directed(need, way)
        if not plan.optimal and time_limit_s:
            plan = placed(need, self._order, staged, time_limit_s)
        return Point(plan, sum(s.cycles for s in way), sum(s.macs for s in way))

    def _directed(self, need: Demand, way: Way) -> tuple[list[Staged], Plan]:
        """The stages of a way, each downwards or upwards, and the plan that gives.

        A stage that writes its output over its input moves it a little towards where it began; the next
        one has room on that side only if it goes the other way. So all go downwards, or they alternate; then
        single ones are turned as long as that saves bytes.
        """
        down = [Staged(stage_of(s.rows, s.strips), s.rows) for s in way if s.rows is not None]
        turned = [self._segments.upwards(s) for s in way if s.rows is not None]
        up = {i: Staged(stage_of(rows), rows) for i, rows in enumerate(turned) if rows is not None}

        def staged(ups: frozenset[int]) -> list[Staged]:
            return [up[i] if i in ups else d for i, d in enumerate(down)]

        plans: dict[frozenset[int], Plan] = {}

        def size(ups: frozenset[int]) -> int:
            if ups not in plans:
                plans[ups] = placed(need, self._order, staged(ups), 0.0)
            return plans[ups].arena_bytes

        starts = [frozenset[int](), *(frozenset(i for i in up if i % 2 == first) for first in (0, 1))]
        best, least = min(starts, key=size), predicted_bytes(way)
        better = True
        while better and size(best) > least and len(plans) < _TURNS:
            better = False
            for i in up:
                if size(best ^ {i}) < size(best):
                    best, better = best ^ {i}, True
        return staged(best), plans[best]

    def fastest_within(self, limit_bytes: int) -> Point | None:
        """The fastest plan whose arena and state take at most `limit_bytes`; None where none is found."""
        for way in self.ways:
            if predicted_bytes(way) > limit_bytes:
                continue
            point = self.point(way)
            if point.plan.arena_bytes + point.plan.state_bytes <= limit_bytes:
                return point
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
