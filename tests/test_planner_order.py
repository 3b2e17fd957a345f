"""The order of ops: exact against brute force, bounded where it is not exact."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from patchloom.ir import Graph
from patchloom.ir.ops.read_state import ReadState
from patchloom.ir.ops.write_state import WriteState
from patchloom.passes.planner import check, plan
from patchloom.passes.planner.demand import InputMode, demand
from patchloom.passes.planner.livebytes import LiveBytes, bits
from patchloom.passes.planner.order import Order, order
from planner_fakes import KERNELS, Build, random_graph


def all_orders(memory: LiveBytes, done: int = 0) -> Iterator[tuple[int, ...]]:
    """Every order that respects data and state."""
    count = len(memory.ops)
    if done.bit_count() == count:
        yield ()
    for t in range(count):
        if not done >> t & 1 and not memory.before[t] & ~done:
            for rest in all_orders(memory, done | 1 << t):
                yield (t, *rest)


def peak(memory: LiveBytes, way: tuple[int, ...]) -> int:
    live, done, worst = memory.start, 0, memory.cost(memory.given, 0)
    for t in way:
        needed, live = memory.step(t, live, done)
        worst, done = max(worst, needed), done | 1 << t
    return worst


def ordered(graph: Graph, **limit: int) -> Order:
    return order(demand(graph, frozenset(), KERNELS), **limit)


@pytest.mark.parametrize("mode", ["arena", "extern"])
def test_no_order_of_small_random_graphs_has_a_smaller_peak(mode: InputMode) -> None:
    for seed in range(80):
        graph = random_graph(np.random.default_rng(seed), 4 + seed % 5)
        need = demand(graph, frozenset(), KERNELS, mode)
        memory, found = LiveBytes(need), order(need)
        best = min(peak(memory, way) for way in all_orders(memory))
        assert found.peak_bytes == found.lower_bound_bytes == best, seed


def test_the_peak_of_plain_graphs_is_the_sum_of_live_values() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        b = Build()
        values = [b.input(4 * int(rng.integers(1, 9)))]
        for _ in range(8):
            chosen = {str(v) for v in rng.choice(values, 2)}
            values.append(
                b.mix(*sorted(chosen), size=4 * int(rng.integers(1, 9)), scratch=4 * int(rng.integers(0, 4)))
            )
        graph = b.graph(values[-1])
        assert ordered(graph).peak_bytes == min(
            plain_peak(graph, way) for way in all_orders(memory_of(graph))
        )


def memory_of(graph: Graph) -> LiveBytes:
    return LiveBytes(demand(graph, frozenset(), KERNELS))


def plain_peak(graph: Graph, way: tuple[int, ...]) -> int:
    """Live bytes by the definition of liveness, for graphs where nothing shares memory."""
    ops = [graph.ops[t] for t in way]
    start = dict.fromkeys(graph.inputs, -1) | {op.outputs[0]: t for t, op in enumerate(ops)}
    end = {v: max([s, *(t for t, op in enumerate(ops) if v in op.inputs)]) for v, s in start.items()}
    end |= dict.fromkeys(graph.outputs, len(ops))
    scratch = {t: op.scratch for t, op in enumerate(ops)}  # type: ignore[attr-defined]
    return max(
        sum(graph[v].size_bytes for v in start if start[v] <= t <= end[v]) + scratch.get(t, 0)
        for t in range(-1, len(ops))
    )


def test_branches_run_one_after_another_when_that_needs_less() -> None:
    b = Build()
    x = b.input(8)
    wide = [b.mix(x, size=100) for _ in range(3)]
    narrow = [b.mix(w, size=4) for w in wide]
    graph = b.graph(b.mix(*narrow, size=4))
    found = plan(graph, frozenset(), KERNELS)
    check(graph, found, KERNELS)
    assert found.arena_bytes == 8 + 100 + 2 * 4
    assert [step.op for step in found.steps] != [op.name for op in graph.ops]


def test_the_given_order_is_kept_when_no_other_is_better() -> None:
    b = Build()
    x = b.input(8)
    y = b.mix(b.mix(x, size=16), b.mix(x, size=16), size=4)
    graph = b.graph(y)
    assert ordered(graph).ops == graph.ops


def test_accesses_to_a_state_keep_their_order() -> None:
    for seed in range(60):
        graph = random_graph(np.random.default_rng(seed), 25)
        found = ordered(graph).ops
        for state in graph.states:
            access = [
                op for op in graph.ops if isinstance(op, ReadState | WriteState) and op.state == state.name
            ]
            assert [op for op in found if op in access] == access


def test_a_search_cut_short_gives_a_valid_order_and_bound() -> None:
    for seed in range(20):
        graph = random_graph(np.random.default_rng(seed), 25)
        full, cut = ordered(graph), ordered(graph, limit=3)
        assert sorted(op.name for op in cut.ops) == sorted(op.name for op in graph.ops)
        assert cut.lower_bound_bytes <= full.peak_bytes <= cut.peak_bytes


def test_a_set_of_bits_lists_its_indices() -> None:
    assert bits(0b101001) == [0, 3, 5]
