"""Where every value lives, once order, kernels and stages are settled."""

from __future__ import annotations

from collections.abc import Sequence

from .alias import Overlaps
from .demand import Demand
from .groups import pinned_groups
from .lives import scratch_name
from .offsets import lower_bound, pack, round_up
from .order import Order
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


def _plan(need: Demand, chosen: Order, solution: Solution, stages: tuple[Stage, ...]) -> Plan:
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
        stages,
    )
