"""The plan checker rejects stages that would lose rows: one thing is wrong with each plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from nets import Net
from patchloom.codegen.pipeline import Prepared
from patchloom.ir import Activation, DType, Graph, Window
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.resize_nearest import ResizeNearest
from patchloom.passes.planner import PlanError, check
from patchloom.passes.planner.stages.segments import Segment
from patchloom.passes.planner.stages.shape import row_bytes
from patchloom.passes.planner.types import Place, Plan, Stage
from stage_nets import KERNELS, QUANTS, front_of, prepared, through, weights

SAME = Window((3, 3), padding=((1, 1), (1, 1)))


def block_net() -> Graph:
    """An inverted bottleneck: expand, depthwise, project, and the residual connection around them."""
    net, draw = Net(), RandomDraw(0)
    x = net.input("x", (1, 12, 11, 4), DType.INT8, QUANTS[DType.INT8])
    first = _conv(net, draw, "first", x, 8, SAME)
    wide = _conv(net, draw, "wide", first, 16, Window((1, 1)))
    w, b = weights(net, draw, "deep", wide, (1, 3, 3, 16), 16)
    deep = net.add(DepthwiseConv2D("deep", wide, w, b, "deep", SAME, Activation.RELU))
    thin = _conv(net, draw, "thin", deep, 8, Window((1, 1)))
    total = net.add(Add("total", thin, first, "total", Activation.NONE))
    return net.graph(_conv(net, draw, "last", total, 6, Window((3, 3), (2, 2), padding=((1, 1), (0, 1)))))


def _conv(net: Net, draw: RandomDraw, y: str, x: str, count: int, window: Window) -> str:
    shape = (count, *window.kernel, net.tensors[x].shape[3])
    w, b = weights(net, draw, y, x, shape, count)
    return net.add(Conv2D(y, x, w, b, y, window, Activation.RELU))


def planned(chosen: Callable[[Segment], bool]) -> tuple[Prepared, Plan]:
    """The network in one stage of this kind, accepted by the checker."""
    p = prepared(block_net())
    front = front_of(p, through(lambda s: s.rows is not None and chosen(s)))
    plan = front.point(front.ways[0], 0.1).plan
    check(p.graph, plan, KERNELS)
    assert len(plan.stages) == 1
    return p, plan


def _single_rows(s: Segment) -> bool:
    assert s.rows is not None
    return not s.strips and not s.rows.upwards and all(f.unit == 1 for f in s.rows.run.flows)


@cache
def by_rows() -> tuple[Prepared, Plan]:
    return planned(_single_rows)


@cache
def segment() -> Segment:
    """The stage of `by_rows` as the planner weighs it."""
    front = front_of(by_rows()[0], through(lambda s: s.rows is not None and _single_rows(s)))
    return next(s for s in front.ways[0] if s.rows is not None)


@cache
def by_strips() -> tuple[Prepared, Plan]:
    return planned(lambda s: len(s.strips) == 2)


def changed(plan: Plan, **stage: object) -> Plan:
    (old,) = plan.stages
    return replace(plan, stages=(replace(old, **stage),))  # type: ignore[arg-type]


def moved(plan: Plan, value: str, place: Place) -> Plan:
    return replace(plan, places={**plan.places, value: place})


def rejected(p: Prepared, plan: Plan) -> str:
    """What the checker says."""
    with pytest.raises(PlanError) as failure:
        check(p.graph, plan, KERNELS)
    return str(failure.value)


@pytest.mark.parametrize("make", [by_rows, by_strips])
def test_rings_that_are_a_row_too_short_are_rejected(make: Callable[[], tuple[Prepared, Plan]]) -> None:
    p, plan = make()
    (stage,) = plan.stages
    longer = [v for v, rows in stage.rings.items() if rows > 1]
    assert len(longer) >= 3
    for value in longer:
        bad = changed(plan, rings={**stage.rings, value: stage.rings[value] - 1})
        assert "not there" in rejected(p, bad), value


@pytest.mark.parametrize("rows", [0, -1])
def test_rings_without_rows_are_rejected(rows: int) -> None:
    p, plan = by_rows()
    (stage,) = plan.stages
    rejected(p, changed(plan, rings=dict.fromkeys(stage.rings, rows)))


def test_rings_moved_onto_other_rings_are_rejected() -> None:
    p, plan = by_rows()
    (stage,) = plan.stages
    longer = [v for v, rows in stage.rings.items() if rows > 1]
    for value in longer:
        for other in longer:
            if other != value:
                rejected(p, moved(plan, value, plan.places[other]))


def test_rings_outside_the_arena_are_rejected() -> None:
    p, plan = by_rows()
    for value in plan.stages[0].rings:
        assert "outside" in rejected(p, moved(plan, value, Place("arena", plan.arena_bytes - 4)))


def test_outputs_that_slide_one_step_too_far_are_rejected() -> None:
    p, plan = by_rows()
    (y,) = p.graph.outputs
    x_at, y_at = plan.places["x"].offset, plan.places[y].offset
    size = p.graph[y].size_bytes
    assert x_at < y_at + size and y_at < x_at + p.graph["x"].size_bytes, "the output overlaps the input"
    assert "'x'" in rejected(p, _slid(plan, y, _steps_free(p, plan, y) + 4))


def _steps_free(p: Prepared, plan: Plan, y: str) -> int:
    """Bytes the output may still slide: the allocator need not have used all of the distance."""
    limit = segment().rows.run.overlap_distance("x", row_bytes(p.graph["x"]), y, row_bytes(p.graph[y]))  # type: ignore[union-attr]
    assert limit is not None
    free = limit - (plan.places[y].offset - plan.places["x"].offset)
    assert free >= 0
    return free // 4 * 4


def _slid(plan: Plan, y: str, by: int) -> Plan:
    """The output `by` bytes further on, in an arena that has room for it."""
    return moved(
        replace(plan, arena_bytes=plan.arena_bytes + by), y, Place("arena", plan.places[y].offset + by)
    )


def accepted(p: Prepared, plan: Plan) -> bool:
    try:
        check(p.graph, plan, KERNELS)
    except PlanError:
        return False
    return True


def test_rows_per_call_that_no_kernel_has_are_rejected() -> None:
    p, plan = by_rows()
    (stage,) = plan.stages
    for op in stage.ops:
        for unit in (0, -1, 7):
            assert "rows at a time" in rejected(p, changed(plan, units={**stage.units, op: unit}))


def test_ops_in_another_order_are_rejected() -> None:
    p, plan = by_rows()
    (stage,) = plan.stages
    names = list(stage.ops)
    for i in range(len(names) - 1):
        ops = (*names[:i], names[i + 1], names[i], *names[i + 2 :])
        assert "do not follow each other" in rejected(p, changed(plan, ops=ops))
    steps = {s.op: s for s in plan.steps}
    backwards = replace(
        changed(plan, ops=tuple(reversed(names))), steps=tuple(map(steps.get, reversed(names)))
    )  # type: ignore[arg-type]
    rejected(p, backwards)


@pytest.mark.parametrize("ops", [(), ("first", "first"), ("nobody",)])
def test_stages_of_other_ops_are_rejected(ops: tuple[str, ...]) -> None:
    p, plan = by_rows()
    assert "stage of" in rejected(p, changed(plan, ops=ops))


def test_arenas_of_absurd_size_are_rejected() -> None:
    p, plan = by_rows()
    for size in (-4, 1 << 60):
        assert "arena of" in rejected(p, replace(plan, arena_bytes=size))


def test_stages_that_are_fed_several_rows_at_a_time_are_rejected() -> None:
    p = prepared(block_net(), input_mode="rows")
    front = front_of(p)
    plan = front.point(front.ways[0], 0.1).plan
    check(p.graph, plan, KERNELS)
    first, *others = plan.stages
    bad = replace(first, units={**first.units, first.ops[0]: 2})
    assert "single rows" in rejected(p, replace(plan, stages=(bad, *others)))


def test_strips_of_a_grown_map_hold_the_columns_that_are_needed_and_no_fewer() -> None:
    net = Net()
    x = net.input("x", (1, 6, 6, 4), DType.INT8, QUANTS[DType.INT8])
    grown = net.add(ResizeNearest("grown", x, "grown", (12, 12), False, False))
    p = prepared(net.graph(net.add(MaxPool2D("pool", grown, "pool", SAME, Activation.NONE))))
    front = front_of(p, through(lambda s: len(s.strips) == 2 and s.end - s.start == 2))
    plan = front.point(front.ways[0], 0.1).plan
    check(p.graph, plan, KERNELS)
    (stage,) = plan.stages
    assert stage.strips[0]["grown"] == (0, 7)
    bad = changed(plan, strips=_with_columns(stage, 0, "grown", (0, 6)))
    assert "not there" in rejected(p, bad)


def test_strips_that_lack_a_column_are_rejected() -> None:
    p, plan = by_strips()
    (stage,) = plan.stages
    for s, strip in enumerate(stage.strips):
        for value, (start, end) in strip.items():
            for columns in ((start + 1, end), (start, end - 1)):
                strips = _with_columns(stage, s, value, columns)
                assert not accepted(p, changed(plan, strips=strips)), (value, columns)


def test_strips_outside_the_map_are_rejected() -> None:
    p, plan = by_strips()
    (stage,) = plan.stages
    for value, (start, end) in stage.strips[-1].items():
        for columns in ((start, end + 1), (-1, end), (end, start), (start, start)):
            rejected(p, changed(plan, strips=_with_columns(stage, len(stage.strips) - 1, value, columns)))


def _with_columns(
    stage: Stage, s: int, value: str, columns: tuple[int, int]
) -> tuple[dict[str, tuple[int, int]], ...]:
    return tuple({**strip, value: columns} if i == s else dict(strip) for i, strip in enumerate(stage.strips))


def test_a_missing_strip_is_rejected() -> None:
    p, plan = by_strips()
    (stage,) = plan.stages
    rejected(p, changed(plan, strips=stage.strips[:1]))
    rejected(p, changed(plan, strips=stage.strips[1:]))
