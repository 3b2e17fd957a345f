"""Plans of graphs whose runs are split into blocks of channels: searched, checked, run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from block_nets import Fixed, Q, conv, random_block_net, some_blocks, tiny_map
from emulation_support import need, need_host
from nets import Net
from patchloom import boards
from patchloom.codegen import KERNELS
from patchloom.codegen.pipeline import front
from patchloom.ir import DType
from patchloom.ir.cases import RandomDraw
from patchloom.passes.channel_blocks import split_channels
from patchloom.passes.planner import check
from patchloom.passes.planner.front import Front
from stage_nets import library_of, prepared, run, wrong

BOARD = "generic-cortex-m4"


@pytest.mark.parametrize("seed", range(4))
def test_plans_of_split_graphs_run_bit_exact(seed: int) -> None:
    """Any rewriting, planned whole and in stages, on the host with sanitizers."""
    need_host()
    p = prepared(random_block_net(RandomDraw(seed)))
    blocks = some_blocks(p.graph, np.random.default_rng(seed))
    split = split_channels(p.graph, blocks)
    board = boards.load(BOARD)
    found = Front(split, board.isa, KERNELS)
    for way in (found.ways[0], found.ways[-1]):
        plan = replace(found.point(way, 0.1).plan, channel_blocks=blocks)
        check(split, plan, KERNELS)
        assert not wrong(run(library_of(p, plan)))


def test_the_front_with_blocks_is_bit_exact_on_the_core() -> None:
    board = boards.load(BOARD)
    need(board)
    p = prepared(tiny_map(160))
    found = [q for q in front(p.graph, board, p.options).points(0.1) if q.plan.channel_blocks]
    assert found
    for q in (found[0], found[-1]):
        assert not wrong(run(library_of(p, q.plan), "qemu", 1))


def test_a_stage_inside_a_block_adds_row_by_row() -> None:
    """Rows of a block are added to sums in place, a row apart."""
    need_host()
    net, draw = Net(), Fixed(np.random.default_rng(3))
    x = net.input("x", (1, 9, 9, 4), DType.INT8, Q)
    y = conv(net, draw, "e", x, 64)
    p = prepared(net.graph(conv(net, draw, "p", y, 4)))
    board = boards.load(BOARD)
    plain = Front(p.graph, board.isa, KERNELS)
    split = split_channels(p.graph.rewritten(plain.ops), (("p", 4),))
    staged = Front(split, board.isa, KERNELS, like=plain)
    plan = replace(staged.point(staged.ways[-1], 0.1).plan, channel_blocks=(("p", 4),))
    assert any(op.endswith("block 2") for s in plan.stages for op in s.ops if op.startswith("p"))
    assert not wrong(run(library_of(p, plan)))


def test_a_front_made_from_another_has_the_ways_of_one_made_anew() -> None:
    p = prepared(tiny_map(64))
    board = boards.load(BOARD)
    plain = Front(p.graph, board.isa, KERNELS)
    split = split_channels(p.graph, (("project", 4),))
    like, anew = Front(split, board.isa, KERNELS, like=plain), Front(split, board.isa, KERNELS)
    sizes = [max(s.bytes_ for s in f.ways[0]) for f in (like, anew)]
    assert sizes[0] <= sizes[1] * 1.3  # stages across blocks, which only the second has, save little
    assert like.ops == split.ops


def test_answers_do_not_depend_on_what_was_asked_before() -> None:
    p = prepared(tiny_map(96))
    board = boards.load(BOARD)

    def asked(first: bool) -> tuple[int, int]:
        fronts = front(p.graph if first else replace(p.graph), board, p.options)
        if not first:
            list(fronts.points(0.0))
        found, least = fronts.fastest_within(1400), fronts.smallest()
        assert found is not None
        return found.plan.arena_bytes, least.plan.arena_bytes

    assert asked(True) == asked(False)
