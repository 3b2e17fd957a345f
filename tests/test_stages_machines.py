"""Stages on the emulated cores: each kind of stage there is, computed as the reference does."""

from __future__ import annotations

import numpy as np
import pytest
from emulation_support import need, need_host
from patchloom import boards
from patchloom.ir import DType
from patchloom.ir.cases import RandomDraw
from patchloom.passes.planner.stages.segments import Segment
from stage_nets import (
    features,
    front_of,
    library_of,
    prepared,
    random_stage_net,
    random_ways,
    run,
    spread,
    through,
    wrong,
)
from test_checker_stages import block_net

KINDS = ("outputs", "units", "sums", "held", "repeats", "uneven strips")


def is_cut(count: int):  # type: ignore[no-untyped-def]
    """Segments in so many strips."""

    def chosen(s: Segment) -> bool:
        return len(s.strips) == count

    return chosen


@pytest.mark.parametrize("count", [2, 3, 4])
def test_strips_of_columns_compute_what_the_reference_does(count: int) -> None:
    need_host()
    p = prepared(block_net())
    front = front_of(p, through(is_cut(count)))
    (way,) = front.ways
    assert "uneven strips" in features(way)
    point = front.point(way, 0.1)
    assert point.macs > p.graph.macs
    assert not wrong(run(library_of(p, point.plan)))


@pytest.mark.parametrize("board", ["generic-cortex-m4", "generic-cortex-m55", "generic-rv32imc"])
def test_the_smallest_plan_runs_on_the_machine(board: str) -> None:
    need(boards.load(board))
    p = prepared(block_net(), board)
    front = front_of(p)
    point = front.point(front.ways[-1], 0.1)
    assert point.plan.stages
    assert not wrong(run(library_of(p, point.plan), "qemu", samples=2))


def test_all_kinds_of_stages_run_on_the_machine() -> None:
    board = "generic-cortex-m4"
    need(boards.load(board))
    left = set(KINDS)
    for seed in range(700, 740):
        draw = RandomDraw(seed)
        p = prepared(random_stage_net(draw, DType.INT8, 6), board)
        front = front_of(p, random_ways(np.random.default_rng(seed), 1, strips=0.5))
        (way,) = spread(front.ways, 1)
        new = features(way) & left
        if len(new) >= min(2, len(left)):
            left -= new
            point = front.point(way, 0.1)
            assert not wrong(run(library_of(p, point.plan), "qemu", samples=1)), point.plan.stages
        if not left:
            break
    assert not left
