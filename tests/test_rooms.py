"""Values in several memories: right results, as little traffic in the slow ones as there can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patchloom.ir import Graph
from patchloom.passes.planner import Place, Plan, PlanError, Room, check, plan, plan_in
from patchloom.passes.planner.alias import Overlaps
from patchloom.passes.planner.demand import demand
from patchloom.passes.planner.lives import scratch_name, timeline
from patchloom.passes.planner.order import order
from planner_fakes import KERNELS, Build, random_graph, random_inputs
from planner_machine import execute, expected


def spread(graph: Graph, rooms: Sequence[Room], limit: int | None = None) -> Plan | None:
    """The checked plan, whose arenas fit their memories."""
    found = plan_in(graph, frozenset(), KERNELS, rooms, limit=limit)
    if found is not None:
        check(graph, found, KERNELS)
        sizes = {r.name: r.size_bytes for r in rooms}
        assert all(0 < size <= sizes[name] for name, size in found.arenas.items())
        assert found.arena_bytes == sum(found.arenas.values())
    return found


def traffic(graph: Graph) -> dict[str, int]:
    """Bytes that move to and from each value of a graph of the operators in planner_fakes, and scratch."""
    given = dict.fromkeys(graph.inputs, 1)
    taken = dict.fromkeys(graph.outputs, 1)
    times = {v: given.get(v, 0) + taken.get(v, 0) for v in graph.tensors}
    for op in graph.ops:
        for v in (*dict.fromkeys(op.inputs), *op.outputs):
            times[v] += 1
    moved = {v: times[v] * graph[v].size_bytes for v in graph.tensors if not graph[v].constant}
    return moved | {scratch_name(op.name): 2 * op.scratch for op in graph.ops if getattr(op, "scratch", 0)}


def moved_in(graph: Graph, found: Plan, rooms: Sequence[Room]) -> tuple[int, ...]:
    """Bytes that move in each memory but the fastest, the slowest first."""
    places = dict(found.places) | {scratch_name(s.op): s.scratch for s in found.steps if s.scratch}
    weights = traffic(graph)
    return tuple(
        sum(weights[v] for v, p in places.items() if p.region == "arena" and p.owner == room.name)
        for room in reversed(rooms[1:])
    )


def test_plans_in_several_memories_compute_what_the_reference_does() -> None:
    several = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        graph = random_graph(rng, int(rng.integers(3, 12)))
        peak = plan(graph, frozenset(), KERNELS, time_limit_s=0).arena_bytes
        rooms = [Room(f"r{i}", int(peak * rng.uniform(0.3, 0.9))) for i in range(int(rng.integers(2, 5)))]
        found = spread(graph, rooms)
        if found is None:
            continue
        several += len(found.arenas) > 1
        inputs = random_inputs(rng, graph)
        assert execute(graph, found, inputs) == expected(graph, inputs)
    assert several > 20


@st.composite
def small_graphs(draw: st.DrawFn) -> Graph:
    """Up to seven blocks, some of which may share bytes."""
    b = Build()
    values = [b.input(4 * draw(st.integers(1, 4)))]
    for _ in range(draw(st.integers(1, 4))):
        x = values[-draw(st.integers(1, min(2, len(values))))]
        kind = draw(st.sampled_from(("mix", "mix", "two", "map", "cut")))
        if kind == "map":
            values.append(b.map(x))
        elif kind == "cut" and b.size(x) > 4:
            values += b.cut(x, 4, b.size(x) - 4)
        else:
            xs = (x,) if kind == "mix" else (x, values[-1])
            scratch = draw(st.sampled_from((0, 0, 8))) if len(values) < 4 else 0
            values.append(b.mix(*dict.fromkeys(xs), size=4 * draw(st.integers(1, 4)), scratch=scratch))
    return b.graph(values[-1])


def cheapest(graph: Graph, rooms: Sequence[Room]) -> tuple[int, ...] | None:
    """By trying all: the least that the memories but the fastest move, the slowest first; None where the
    graph fits in no way. The order of the ops is that which the planner takes."""
    need = demand(graph, frozenset(), KERNELS)
    overlaps = Overlaps(need, timeline(need, order(need).ops))
    blocks, weights = list(overlaps.time.blocks.values()), traffic(graph)
    best: list[tuple[int, ...]] = []

    def fits(name: str, room: int, offset: int, placed: Mapping[str, tuple[int, int]]) -> bool:
        block = overlaps.time.blocks[name]
        return all(
            r != room
            or not overlaps.time.blocks[other].meets(block)
            or overlaps.legal(other, name, offset - at)
            for other, (r, at) in placed.items()
        )

    def search(i: int, placed: dict[str, tuple[int, int]], moved: tuple[int, ...]) -> None:
        if best and moved >= best[0]:
            return
        if i == len(blocks):
            best[:] = [moved]
            return
        b = blocks[i]
        for room, r in enumerate(rooms):
            cost = list(moved)
            if room:
                cost[len(rooms) - 1 - room] += weights[b.name]
            for offset in range(0, r.size_bytes - b.size + 1, 4):
                if fits(b.name, room, offset, placed):
                    search(i + 1, {**placed, b.name: (room, offset)}, tuple(cost))

    search(0, {}, (0,) * (len(rooms) - 1))
    return best[0] if best else None


@settings(max_examples=60, deadline=None, derandomize=True)
@given(small_graphs(), st.lists(st.sampled_from((16, 32)), min_size=2, max_size=3))
def test_no_placement_moves_less_in_slow_memories(graph: Graph, sizes: list[int]) -> None:
    rooms = [Room(f"r{i}", size) for i, size in enumerate(sizes)]
    found = spread(graph, rooms)
    least = cheapest(graph, rooms)
    assert (found is None) == (least is None)
    if found is not None:
        assert found.arenas_optimal
        assert moved_in(graph, found, rooms) == least


def hot_and_cold() -> tuple[Graph, dict[str, str]]:
    """Three values of one size that are needed at the same time, of which one is read often."""
    b = Build()
    x = b.input(64)
    hot, cold = b.mix(x, size=64), b.mix(x, size=64)
    sums = [b.mix(hot, size=4)]
    for _ in range(5):
        sums.append(b.mix(hot, sums[-1], size=4))
    return b.graph(b.mix(hot, cold, *sums[-1:], size=4)), {"hot": hot, "cold": cold, "x": x}


def test_the_value_read_most_lies_in_the_fastest_memory() -> None:
    graph, names = hot_and_cold()
    found = spread(graph, [Room("fast", 80), Room("slow", 256)])
    assert found is not None
    assert found.arenas_optimal
    assert found.places[names["hot"]].owner == "fast"
    assert found.places[names["cold"]].owner == "slow"


def test_the_order_of_the_memories_decides_not_their_size() -> None:
    graph, _ = hot_and_cold()
    found = spread(graph, [Room("large", 256), Room("small", 80)])
    assert found is not None
    assert set(found.arenas) == {"large"}  # all of it fits there
    assert found.arenas["large"] == plan(graph, frozenset(), KERNELS).arena_bytes


def test_the_slowest_memory_stays_empty_where_the_others_suffice() -> None:
    graph, _ = hot_and_cold()
    found = spread(graph, [Room("fast", 80), Room("slow", 144), Room("slowest", 1 << 20)])
    assert found is not None
    assert set(found.arenas) == {"fast", "slow"}


def test_a_limit_holds_for_all_memories_together() -> None:
    graph, _ = hot_and_cold()
    whole = plan(graph, frozenset(), KERNELS).arena_bytes
    rooms = [Room("fast", 80), Room("slow", 256)]
    least = spread(graph, rooms, limit=whole)
    assert least is not None
    assert least.arena_bytes == whole
    assert spread(graph, rooms, limit=whole - 4) is None


def test_no_value_lies_across_two_memories() -> None:
    b = Build()
    graph = b.graph(b.mix(b.input(64), size=64))
    assert spread(graph, [Room("a", 64), Room("b", 48), Room("c", 48)]) is None
    assert spread(graph, [Room("a", 64), Room("b", 64)]) is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: replace(p, arenas={"fast": 80, "slow": 0}), "together"),
        (lambda p: replace(p, arenas={"fast": -4, "slow": p.arena_bytes + 4}), "together"),
        (lambda p: moved(p, Place("arena", 0, "other")), "outside"),
        (lambda p: moved(p, Place("arena", 0)), "outside"),
        (lambda p: moved(p, Place("arena", p.arenas["fast"] - 4, "fast")), "outside"),
        (lambda p: moved(p, Place("arena", 0, "fast")), "lost"),
    ],
)
def test_the_checker_rejects_wrong_places_in_several_memories(change: object, message: str) -> None:
    graph, _ = hot_and_cold()
    found = spread(graph, [Room("fast", 80), Room("slow", 256)])
    assert callable(change)
    with pytest.raises(PlanError, match=message):
        check(graph, change(found), KERNELS)


def moved(found: Plan, place: Place) -> Plan:
    """The plan with the value that is read seldom somewhere else."""
    _, names = hot_and_cold()
    return replace(found, places={**found.places, names["cold"]: place})
