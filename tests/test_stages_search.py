"""What the search for stages looks at: kernels by limits and prices, columns of strips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import pytest
from patchloom import boards
from patchloom.codegen.pipeline import choice_of
from patchloom.ir import Graph
from patchloom.ir.cases import RandomDraw
from patchloom.passes.planner.stages.options import Options, Taste
from patchloom.passes.planner.stages.reach import COLUMNS, reaches
from patchloom.passes.planner.stages.search import Way
from patchloom.passes.planner.stages.segments import Segment
from stage_nets import KERNELS, front_of, prepared, random_stage_net
from test_checker_stages import block_net


def segments_of(graph: Graph) -> tuple[Graph, list[Segment]]:
    """The graph behind all passes, and all its segments."""
    found: list[Segment] = []

    def pick(count: int, segments: list[Segment]) -> Iterable[Way]:
        found.extend(segments)
        return ()

    p = prepared(graph)
    front_of(p, pick)
    return p.graph, found


@pytest.fixture(scope="module")
def searched() -> list[tuple[Graph, list[Segment]]]:
    nets = [block_net(), *(random_stage_net(RandomDraw(seed)) for seed in range(8))]
    return [segments_of(net) for net in nets]


def options_of(graph: Graph) -> Options:
    p = prepared(graph)
    board = boards.load(p.options.board)
    choice = choice_of(p.graph, board, p.options)
    return Options(p.graph, board.isa, [k for k in KERNELS if k.features <= board.isa], choice.costs)


def test_a_taste_takes_the_cheapest_kernel_within_its_limits() -> None:
    options, several = options_of(block_net()), 0
    limits = [0.0, 64.0, 300.0, float("inf")]
    for op in options.graph.ops:
        menu = options.menu(op)
        several += len(menu) > 2
        for scratch, price, extra in product(limits, [0.0, 10.0, 1e9], limits):
            chosen = Taste(scratch, price, extra).choose(menu)
            assert chosen is not None
            fitting = [w for w in menu if w.scratch <= scratch and w.scratch + w.growth <= extra]
            if fitting:
                assert chosen in fitting
                assert all(
                    chosen.cycles + price * chosen.growth <= w.cycles + price * w.growth for w in fitting
                )
            else:
                assert chosen.scratch + chosen.growth == min(w.scratch + w.growth for w in menu)
    assert several >= 3


def test_no_kernel_of_a_menu_beats_another() -> None:
    options = options_of(block_net())
    for op in options.graph.ops:
        for single in (False, True):
            menu = options.menu(op, single)
            assert menu and not any(a.beats(b) for a in menu for b in menu)
            assert all(w.option.unit == 1 for w in menu) or not single


def needed_columns(graph: Graph, s: Segment, wanted: range) -> dict[str, tuple[int, int]]:
    """The columns of every value of a stage that `wanted` columns of its output are made from, one by one."""
    assert s.rows is not None
    made = {op.outputs[0] for op in s.rows.ops}
    (output,) = s.rows.escapes
    need: dict[str, set[int]] = {v: set() for v in made}
    need[output] = set(wanted)
    for op in reversed(s.rows.ops):
        found = reaches(op, graph.tensors, COLUMNS)
        assert found is not None
        mine = need[op.outputs[0]]
        for i in range(min(mine), max(mine) + 1):
            for x in made & set(found):
                need[x] |= set(range(found[x].first(i), found[x].end(i)))
    return {v: (min(columns), max(columns) + 1) for v, columns in need.items()}


def cut(segments: Iterable[Segment]) -> Iterator[Segment]:
    return (s for s in segments if s.strips)


def test_strips_have_the_columns_that_are_needed_and_no_more(
    searched: list[tuple[Graph, list[Segment]]],
) -> None:
    checked = overlapping = 0
    for graph, segments in searched:
        for s in cut(segments):
            assert s.rows is not None
            (output,) = s.rows.escapes
            width, at = graph[output].shape[COLUMNS], 0
            for columns in s.strips:
                start, end = columns[output]
                assert start == at and end > start
                assert columns == needed_columns(graph, s, range(start, end))
                at = end
            assert at == width
            whole = sum(op.macs(graph.tensors) for op in s.rows.ops)
            overlapping += s.macs > whole
            checked += 1
    assert checked > 50 and overlapping > 20


def test_segments_name_a_kernel_for_each_of_their_ops(searched: list[tuple[Graph, list[Segment]]]) -> None:
    for graph, segments in searched:
        names = [op.name for op in graph.ops]
        for s in segments:
            assert set(s.kernels) <= set(names) and len(s.kernels) == s.end - s.start
            assert s.rows is None or [op.name for op in s.rows.ops] == list(s.kernels)
            assert s.bytes_ > 0 and s.cycles >= 0


def test_more_memory_never_costs_cycles(searched: list[tuple[Graph, list[Segment]]]) -> None:
    """Among stages of the same ops and whole rows, the fastest has the fastest kernel of every op."""
    for graph, segments in searched:
        options = options_of(graph)
        best: dict[tuple[int, int], float] = {}
        for s in segments:
            if s.rows is not None and not s.strips:
                best[s.start, s.end] = min(s.cycles, best.get((s.start, s.end), float("inf")))
        for s in segments:
            if s.rows is not None and not s.strips and not any(f.whole for f in s.rows.run.flows):
                least = sum(min(w.cycles for w in options.menu(op)) for op in s.rows.ops)
                assert best[s.start, s.end] == pytest.approx(least)
