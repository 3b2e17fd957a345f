"""The planner: in which order the ops run, by which kernels, and where every value lives."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir import Graph
from .checker import PlanError, check
from .choose import Choice, Goal
from .demand import STATE_COPY, InputMode, demand
from .kernel import Kernel
from .order import given_order, order
from .placement import placed, placed_in
from .rooms import Room
from .types import Place, Plan, Stage, Step

__all__ = [
    "STATE_COPY",
    "Choice",
    "Goal",
    "Place",
    "Plan",
    "PlanError",
    "Room",
    "Stage",
    "Step",
    "check",
    "plan",
    "plan_in",
]


def plan(
    graph: Graph,
    board_features: frozenset[str],
    kernels: tuple[Kernel, ...],
    *,
    input_mode: InputMode = "arena",
    time_limit_s: float = 5.0,
    alignment: int = 4,
    choice: Choice | None = None,
    reorder: bool = True,
) -> Plan:
    """Order, kernels and places with the smallest arena found.

    input_mode     "arena": the caller writes inputs into the arena, where they may be overwritten later;
                   "extern": inputs stay in the caller's buffers, need no arena and are never written
    time_limit_s   effort of the offset solver in its deterministic time units, about a second each
    choice         how kernels are chosen; by default the first that accepts an op
    reorder        look for an order of smaller peak; otherwise the graph's own is kept
    alignment      every offset is a multiple of this (a power of two) and of the element size, in bytes

    Deterministic: equal arguments give equal plans on every machine. Raises UnsupportedModel naming
    every op that no kernel accepts.
    """
    need = demand(graph, board_features, kernels, input_mode, alignment, choice)
    if not reorder:
        return placed(need, given_order(need, 0), (), time_limit_s)
    found = order(need)
    best = placed(need, found, (), time_limit_s)
    if found.ops != graph.ops and best.arena_bytes > found.peak_bytes:
        # The search counts live bytes, not fragmentation: the given order may pack better after all.
        given = placed(need, given_order(need, found.lower_bound_bytes), (), time_limit_s)
        best = min(best, given, key=lambda p: p.arena_bytes)
    return best


def plan_in(
    graph: Graph,
    board_features: frozenset[str],
    kernels: tuple[Kernel, ...],
    rooms: Sequence[Room],
    *,
    limit: int | None = None,
    input_mode: InputMode = "arena",
    time_limit_s: float = 5.0,
    alignment: int = 4,
    choice: Choice | None = None,
) -> Plan | None:
    """As `plan`, with the values in several memories, the fastest first, so that the slow ones move least.

    limit   bytes that may be taken of all together
    None where no placement is found.
    """
    need = demand(graph, board_features, kernels, input_mode, alignment, choice)
    return placed_in(need, order(need), (), rooms, limit, time_limit_s)
