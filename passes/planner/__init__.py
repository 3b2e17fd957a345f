"""The planner: in which order the ops run, by which kernels, and where every value lives."""

from __future__ import annotations

from ...ir import Graph
from .alias import Overlaps
from .checker import PlanError, check
from .choose import Choice, Goal
from .demand import STATE_COPY, Demand, InputMode, demand
from .groups import pinned_groups
from .kernel import Kernel
from .lives import scratch_name, timeline
from .offsets import lower_bound, pack, round_up
from .order import Order, given_order, order
from .solver import Solution, solve
from .types import Place, Plan, Step

__all__ = ["STATE_COPY", "Choice", "Goal", "Place", "Plan", "PlanError", "Step", "check", "plan"]


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
        return _placed(need, given_order(need, 0), time_limit_s)
    found = order(need)
    best = _placed(need, found, time_limit_s)
    if found.ops != graph.ops and best.arena_bytes > found.peak_bytes:
        # The search counts live bytes, not fragmentation: the given order may pack better after all.
        given = _placed(need, given_order(need, found.lower_bound_bytes), time_limit_s)
        best = min(best, given, key=lambda p: p.arena_bytes)
    return best


def _placed(need: Demand, chosen: Order, time_limit_s: float) -> Plan:
    overlaps = Overlaps(need, timeline(need, chosen.ops))
    pinned = tuple(pinned_groups(overlaps))
    bound = lower_bound(overlaps, {name for g in pinned for name in g.offsets})
    solution = solve(overlaps, pack(overlaps, pinned, bound), bound, time_limit_s)
    return _plan(need, chosen, solution)


def _plan(need: Demand, chosen: Order, solution: Solution) -> Plan:
    graph, packing = need.graph, solution.packing
    states: dict[str, int] = {}
    state_bytes = 0
    for state in graph.states:
        states[state.name] = round_up(state_bytes, max(need.alignment, state.dtype.itemsize))
        state_bytes = states[state.name] + state.size_bytes
    places = {name: Place("arena", offset) for name, offset in packing.offsets.items()}
    for group in packing.pinned:
        assert group.pin is not None
        region, owner = group.pin
        for name, offset in group.offsets.items():
            base = states[owner] if region == "state" else 0
            places[name] = Place(region, base + offset, owner)
    places |= {y: Place("const", 0) for y in graph.outputs if graph[y].constant}
    steps = tuple(
        Step(op.name, need.kernels[op.name], places.get(scratch_name(op.name))) for op in chosen.ops
    )
    return Plan(
        steps,
        {name: places[name] for name in graph.tensors if name in places},
        states,
        packing.size,
        round_up(state_bytes, need.alignment),
        solution.bound,
        chosen.peak_bytes,
        chosen.lower_bound_bytes,
    )
