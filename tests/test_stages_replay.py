"""Rings and slides of stages against a slow simulation that shares no code with the planner's."""

from __future__ import annotations

from collections.abc import Iterator
from math import lcm

import numpy as np
from patchloom.passes.planner.stages.reach import Reach
from patchloom.passes.planner.stages.replay import Flow, replay

Call = tuple[int, int, int]
"""(number of the op, first row, end) that is computed."""


def random_flows(rng: np.random.Generator) -> list[Flow]:
    """A chain of windows on up to 17 rows, some with a branch joined again, some in blocks of rows."""
    rows = {"x": int(rng.integers(5, 18))}
    flows: list[Flow] = []

    def add(inputs: dict[str, Reach], height: int, unit: int, joined: bool) -> str:
        name = f"v{len(flows)}"
        flows.append(Flow(inputs, name, height, unit, joined=joined))
        rows[name] = height
        return name

    last = "x"
    for _ in range(int(rng.integers(2, 6))):
        size = rows[last]
        if rng.random() < 0.25:
            reach, height = random_resize(rng, size)
            last = add({last: reach}, height, 1, False)
            continue
        reach = random_reach(rng, size)
        height = (size + 2 * reach.before - reach.extent) // reach.stride + 1
        made = add({last: reach}, height, int(rng.integers(1, 4)), False)
        side = last
        if height == size and rng.random() < 0.6:
            made = add({made: Reach(size), side: Reach(size)}, size, int(rng.integers(1, 3)), True)
        last = made
    return flows


def random_reach(rng: np.random.Generator, size: int) -> Reach:
    extent = int(rng.integers(1, min(4, size) + 1))
    if extent % 2 and rng.random() < 0.5:
        return Reach(size, 1, extent // 2, extent)
    return Reach(size, int(rng.integers(1, 3)), int(rng.integers(0, extent)), extent)


def random_resize(rng: np.random.Generator, size: int) -> tuple[Reach, int]:
    """A reach of any slope from 1 / 4 to 3 / 2, and output rows that all meet some input."""
    up, stride = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    extent = int(rng.integers(1, 3 * up))
    before = int(rng.integers(1 - up, extent))
    most = (size * up + before - 1) // stride + 1
    return Reach(size, stride, before, extent, up), min(25, max(1, most - int(rng.integers(0, 3))))


def needed(flow: Flow, value: str, row: int) -> list[int]:
    """Rows of an input that one row of the output is made from: those `up` steps high that a window of
    `extent` steps meets."""
    r = flow.inputs[value]
    window = range(row * r.stride - r.before, row * r.stride - r.before + r.extent)
    return [j for j in range(r.size) if j * r.up < window.stop and window.start < (j + 1) * r.up]


def schedule(flows: list[Flow]) -> Iterator[Call]:
    """All calls in order: in every round each op computes its next rows once, if what they need is there and
    its own rows so far do not do for the next call of anybody; at the end what nobody needs."""
    done = [0] * len(flows)
    made_by = {f.output: i for i, f in enumerate(flows)}
    while any(d < f.rows for d, f in zip(done, flows, strict=True)):
        before = list(done)
        for i, f in enumerate(flows):
            rows = range(done[i], min(done[i] + f.unit, f.rows))
            there = all(
                max(needed(f, x, row), default=-1) < done[made_by[x]]
                for row in rows
                for x in f.inputs
                if x in made_by
            )
            if rows and there and wanted(flows, done, i):
                yield i, rows.start, rows.stop
                done[i] = rows.stop
        assert done != before, "it waits for ever"


def wanted(flows: list[Flow], done: list[int], i: int) -> bool:
    """Whether the next call of a user lacks a row, or there is no user left."""
    working = [u for u, f in enumerate(flows) if flows[i].output in f.inputs and done[u] < f.rows]
    lacks = (
        max(needed(flows[u], flows[i].output, row), default=-1) >= done[i]
        for u in working
        for row in range(done[u], min(done[u] + flows[u].unit, flows[u].rows))
    )
    return not working or any(lacks)


def ring_works(flows: list[Flow], value: str, ring: int) -> bool:
    """Whether all who read a value find its rows in a ring of so many, when each call is played."""
    slots = [-1] * ring
    for i, first, end in schedule(flows):
        f = flows[i]
        if value in f.inputs:
            reads = [r for row in range(first, end) for r in needed(f, value, row)]
            if any(slots[r % ring] != r for r in reads):
                return False
            if f.joined and reads and reads[0] % ring + reads[-1] - reads[0] >= ring:
                return False  # a kernel without row pointers takes rows that follow each other in memory
        if f.output == value:
            if first % ring + end - first > ring:
                return False  # the rows of a call follow each other in memory
            for r in range(first, end):
                slots[r % ring] = r
    return True


def test_rings_work_and_none_is_larger_than_needed() -> None:
    rings = held = blocks = 0
    for seed in range(250):
        flows = random_flows(np.random.default_rng(seed))
        run = replay(flows)
        assert run is not None
        held += bool(run.held)
        for i, f in enumerate(flows):
            if not any(f.output in g.inputs for g in flows):
                continue
            kept = run.kept(f.output)
            step = lcm(f.unit, *(g.unit for g in flows if g.joined and f.output in g.inputs))
            assert kept.rows % step == 0
            assert ring_works(flows, f.output, kept.rows), (seed, f.output)
            if kept.rows > step:
                assert not ring_works(flows, f.output, kept.rows - step), (seed, f.output)
            rings, blocks = rings + (kept.rows > 1), blocks + (f.unit > 1)
            assert i < len(flows) - 1
    assert rings > 100 and held > 20 and blocks > 100


def test_calls_happen_in_the_order_of_the_simulation() -> None:
    for seed in range(100):
        flows = random_flows(np.random.default_rng(seed))
        run = replay(flows)
        assert run is not None
        found = sorted((int(t), i) for i, times in enumerate(run.times) for t in times)
        assert [i for _, i in found] == [i for i, _, _ in schedule(flows)]


def slide_works(flows: list[Flow], x_row: int, y_row: int, distance: int) -> bool:
    """Whether the last value may be written `distance` bytes behind the input's start, byte by byte."""
    rows = max(r.size for f in flows for v, r in f.inputs.items() if v == "x")
    memory = {at: at for at in range(rows * x_row)}
    for i, first, end in schedule(flows):
        f = flows[i]
        reads = [r for row in range(first, end) for r in needed(f, "x", row)] if "x" in f.inputs else []
        if i == len(flows) - 1:  # what is written early in a call must not be read later in it
            memory |= dict.fromkeys(range(distance + first * y_row, distance + end * y_row), -1)
        if any(memory[at] != at for r in reads for at in range(r * x_row, (r + 1) * x_row)):
            return False
    return True


def test_outputs_slide_over_inputs_as_far_as_bytes_allow_and_no_further() -> None:
    limited = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        flows = random_flows(rng)
        run = replay(flows)
        assert run is not None
        x_row, y_row = (int(n) for n in rng.integers(1, 9, 2))
        limit = run.overlap_distance("x", x_row, flows[-1].output, y_row)
        if limit is None:
            assert all(slide_works(flows, x_row, y_row, d) for d in (0, x_row, 40 * x_row)), seed
            continue
        limited += 1
        assert slide_works(flows, x_row, y_row, limit), seed
        assert slide_works(flows, x_row, y_row, limit - int(rng.integers(1, 60))), seed
        assert not slide_works(flows, x_row, y_row, limit + 1), seed
    assert limited > 100


def test_the_first_ops_of_a_stage_do_the_same_where_the_others_do_not_make_them_wait() -> None:
    alike = waiting = 0
    for seed in range(120):
        flows = random_flows(np.random.default_rng(seed))
        run = replay(flows)
        assert run is not None
        for count in range(1, len(flows)):
            first = run.prefix(count)
            if first is None:
                continue
            alone = replay(flows[:count], may_wait=first.held)
            assert alone is not None and alone.held == first.held
            for a, b in zip(first.times, alone.times, strict=True):
                assert np.array_equal(a // first.span, b // alone.span)
            made = {f.output for f in flows[:count]}
            inner = {x for f in flows[:count] for x in f.inputs if x in made}
            for v in inner - {x for f in flows[count:] for x in f.inputs}:
                assert first.kept(v) == alone.kept(v)
                alike += 1
            waiting += bool(first.held)
    assert alike > 50 and waiting > 10
