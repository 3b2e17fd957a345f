"""Random networks in stages: every plan is accepted by the checker and computes what the reference does."""

from __future__ import annotations

import numpy as np
import pytest
from emulation_support import need_host
from patchloom.ir import DType, Graph
from patchloom.ir.cases import RandomDraw
from patchloom.passes.planner import check
from stage_nets import (
    KERNELS,
    features,
    front_of,
    library_of,
    prepared,
    random_stage_net,
    random_ways,
    run,
    spread,
    wrong,
)

EVERYTHING = {
    *("stage", "held", "outputs", "units", "sums", "repeats", "strips", "uneven strips", "left over"),
}


def net_of(seed: int, dtype: DType = DType.INT8) -> Graph:
    draw = RandomDraw(seed)
    return random_stage_net(draw, dtype, draw.integer(4, 9))


def test_the_checker_accepts_plans_of_the_front_and_of_random_stages() -> None:
    seen: set[str] = set()
    for seed in range(14):
        mode = "extern" if seed % 4 == 3 else "arena"
        p = prepared(net_of(seed), input_mode=mode)
        front = front_of(p)
        others = front_of(p, random_ways(np.random.default_rng(seed), 3))
        for ways, made in ((spread(front.ways, 4), front), (others.ways, others)):
            for way in ways:
                plan = made.point(way, 0.1).plan
                check(p.graph, plan, KERNELS)
                seen |= features(way)
    assert seen == EVERYTHING


@pytest.mark.parametrize("seed", range(100, 106))
def test_plans_of_the_front_compute_what_the_reference_does(seed: int) -> None:
    need_host()
    board = "generic-cortex-m55" if seed % 4 == 2 else "generic-cortex-m4"
    p = prepared(net_of(seed), board, input_mode="extern" if seed % 4 == 3 else "arena")
    front = front_of(p)
    for way in spread(front.ways, 3)[1:]:
        point = front.point(way, 0.1)
        assert not wrong(run(library_of(p, point.plan))), point.plan.stages


@pytest.mark.parametrize("seed", range(200, 206))
def test_random_stages_compute_what_the_reference_does(seed: int) -> None:
    need_host()
    p = prepared(net_of(seed), input_mode="extern" if seed % 4 == 3 else "arena")
    front = front_of(p, random_ways(np.random.default_rng(seed), 2, strips=0.7))
    for way in front.ways:
        point = front.point(way, 0.1)
        assert not wrong(run(library_of(p, point.plan))), point.plan.stages


@pytest.mark.parametrize("board", ["generic-cortex-m4", "generic-cortex-m3", "generic-cortex-m0plus"])
def test_maps_of_one_column_compute_what_the_reference_does(board: str) -> None:
    """Some kernels walk such a map as one row, which is not there in stages."""
    need_host()
    staged = 0
    for seed in (500, 501):
        p = prepared(random_stage_net(RandomDraw(seed), columns=1), board)
        for way in spread(front_of(p).ways, 2)[1:]:
            plan = front_of(p).point(way, 0.1).plan
            staged += len(plan.stages)
            assert not wrong(run(library_of(p, plan))), plan.stages
    assert staged


@pytest.mark.parametrize("seed", [401, 402, 403])
def test_networks_fed_by_rows_compute_what_the_reference_does(seed: int) -> None:
    need_host()
    p = prepared(net_of(seed), input_mode="rows")
    front = front_of(p)
    for way in spread(front.ways, 2):
        point = front.point(way, 0.1)
        assert point.plan.stages[0].fed
        assert not wrong(run(library_of(p, point.plan))), point.plan.stages


@pytest.mark.parametrize("dtype", [DType.FLOAT32, DType.INT16])
def test_stages_of_other_types_compute_what_the_reference_does(dtype: DType) -> None:
    need_host()
    staged = 0
    for seed in (300, 301, 302):
        p = prepared(net_of(seed, dtype), "generic-cortex-m0plus")
        front = front_of(p, random_ways(np.random.default_rng(seed), 1))
        point = front.point(front.ways[0], 0.1)
        staged += len(point.plan.stages)
        assert not wrong(run(library_of(p, point.plan))), point.plan.stages
    assert staged
