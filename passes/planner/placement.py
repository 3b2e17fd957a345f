"""Where every value lives, once order, kernels and stages are settled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ...ir import Graph
from .alias import Overlaps
from .demand import Demand
from .groups import pinned_groups
from .lives import scratch_name
from .offsets import Packing, lower_bound, pack, round_up
from .order import Order
from .rooms import Room, Space, spread_greedily, traffic
from .rooms_solver import spread_exactly
from .solver import Solution, solve
from .stages.lives import Staged, staged_timeline
from .types import Place, Plan, Stage, Step


def placed(need: Demand, chosen: Order, staged: Sequence[Staged], time_limit_s: float) -> Plan:
    """The plan of an order whose ops run in stages."""
    overlaps = Overlaps(need, staged_timeline(need, chosen.ops, staged))
    pinned = tuple(pinned_groups(overlaps))
    bound = lower_bound(overlaps, {name for g in pinned for name in g.offsets})
    solution = solve(overlaps, pack(overlaps, pinned, bound), bound, time_limit_s)
    return _plan(need, chosen, solution, tuple(s.stage for s in staged))


def packed_bytes(need: Demand, chosen: Order, staged: Sequence[Staged], enough: int) -> int:
    """The arena that the greedy placement finds; it stops looking at `enough` bytes."""
    overlaps = Overlaps(need, staged_timeline(need, chosen.ops, staged))
    return pack(overlaps, tuple(pinned_groups(overlaps)), enough).size


def placed_in(
    need: Demand,
    chosen: Order,
    staged: Sequence[Staged],
    rooms: Sequence[Room],
    limit: int | None,
    time_limit_s: float,
) -> Plan | None:
    """The plan of an order whose ops run in stages, its values in several memories, the fastest first.

    limit   bytes that may be taken of all rooms together
    All of it is in the fastest room where it fits there. Else what the slowest room moves is least, then what
    the next does. None where no placement is found.
    """
    overlaps = Overlaps(need, staged_timeline(need, chosen.ops, staged))
    pinned = tuple(pinned_groups(overlaps))
    outside = {name for g in pinned for name in g.offsets}
    inside = [name for name in overlaps.time.blocks if name not in outside]
    space = Space(rooms, limit, traffic(need, overlaps.time))
    bound = lower_bound(overlaps, outside)
    largest = max((overlaps.time.blocks[name].size for name in inside), default=0)
    if bound > space.limit or largest > max(r.size_bytes for r in rooms):
        return None
    if bound <= min(rooms[0].size_bytes, space.limit):
        one = placed(need, chosen, staged, time_limit_s)
        if one.arena_bytes <= min(rooms[0].size_bytes, space.limit):
            return _named(one, rooms[0].name)
    if len(rooms) < 2 or largest > max(space.sizes):
        return None
    start = spread_greedily(overlaps, pinned, space)
    found = spread_exactly(overlaps, space, inside, start, time_limit_s)
    if found is None:
        return None
    used = {r.name: size for r, size in zip(rooms, found.spread.sizes, strict=True) if size}
    packing = Packing(sum(used.values()), dict(found.spread.offsets), pinned)
    flat = _plan(need, chosen, Solution(packing, bound), tuple(s.stage for s in staged))

    def moved(place: Place) -> Place:
        room = space.room_of(place.offset)
        return Place("arena", place.offset - space.starts[room], rooms[room].name)

    return replace(_moved(flat, moved), arenas=used, arenas_optimal=found.proven)


def _named(plan: Plan, room: str) -> Plan:
    """The plan with its one arena in that memory."""
    named = _moved(plan, lambda place: replace(place, owner=room))
    return replace(named, arenas={room: plan.arena_bytes}, arenas_optimal=True)


def _moved(plan: Plan, moved: Callable[[Place], Place]) -> Plan:
    """The plan with other places in the arena."""
    places = {n: moved(p) if p.region == "arena" else p for n, p in plan.places.items()}
    steps = tuple(replace(s, scratch=moved(s.scratch) if s.scratch else None) for s in plan.steps)
    return replace(plan, steps=steps, places=places)


def state_layout(graph: Graph, alignment: int = 4) -> tuple[dict[str, int], int]:
    """(offset of each state in the state buffer, bytes of that buffer)."""
    states: dict[str, int] = {}
    size = 0
    for state in graph.states:
        states[state.name] = round_up(size, max(alignment, state.dtype.itemsize))
        size = states[state.name] + state.size_bytes
    return states, round_up(size, alignment)


def _plan(need: Demand, chosen: Order, solution: Solution, stages: tuple[Stage, ...]) -> Plan:
    graph, packing = need.graph, solution.packing
    states, state_bytes = state_layout(graph, need.alignment)
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
        state_bytes,
        solution.bound,
        chosen.peak_bytes,
        chosen.lower_bound_bytes,
        stages,
    )
