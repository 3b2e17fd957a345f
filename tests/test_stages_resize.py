"""Maps that change their size inside stages: resizing by any factor, and transposed convolutions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from emulation_support import need, need_host
from map_cases import global_cases, resize_case, transposed_case
from nets import Net
from patchloom import boards
from patchloom.codegen import KERNELS
from patchloom.emulation.trial import merge, run_trial
from patchloom.ir import Activation, DType, Graph, Op, evaluate
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.resize_bilinear import ResizeBilinear
from patchloom.ir.ops.resize_nearest import ResizeNearest
from patchloom.passes.planner import check
from patchloom.passes.planner.stages.pieces import strip
from patchloom.passes.planner.stages.reach import COLUMNS, ROWS, Reach, reaches
from stage_nets import (
    QUANTS,
    features,
    front_of,
    library_of,
    prepared,
    random_stage_net,
    random_ways,
    run,
    through,
    wrong,
)


def cases(count: int) -> list[Graph]:
    """Resizing ops and transposed convolutions of all types."""
    found: list[Graph] = []
    for seed in range(count):
        draw = RandomDraw(seed)
        dtype = draw.choice([DType.INT8, DType.INT16, DType.FLOAT32])
        found.append(transposed_case(draw, dtype) if seed % 3 == 0 else resize_case(draw, dtype))
    return found


def reach_of(graph: Graph, axis: int) -> Reach:
    (op,) = graph.ops
    found = reaches(op, graph.tensors, axis)
    assert found is not None
    return found["x"]


def computed(graph: Graph, x: np.ndarray) -> np.ndarray:
    return np.asarray(evaluate(graph, {"x": x})[graph.outputs[0]])


@pytest.mark.parametrize("axis", [ROWS, COLUMNS])
def test_what_lies_outside_its_reach_does_not_change_an_output(axis: int) -> None:
    tight = 0
    for seed, graph in enumerate(cases(60)):
        rng, reach = np.random.default_rng(seed), reach_of(graph, axis)
        x = rng.integers(-100, 100, graph["x"].shape).astype(graph["x"].dtype.numpy)
        y, meets = computed(graph, x), 0
        for j in range(x.shape[axis]):
            other = x.copy()
            np.moveaxis(other, axis, 0)[j] += 27
            apart = tuple(a for a in range(4) if a != axis)
            changed = (computed(graph, other) != y).any(axis=apart)
            for i in np.flatnonzero(changed).tolist():
                assert reach.first(i) <= j < reach.end(i), (seed, i, j)
            meets += int(changed.sum())
        named = sum(reach.end(i) - reach.first(i) for i in range(y.shape[axis]))
        tight += named <= meets + y.shape[axis] // 3
    assert tight > 50, "reaches are no wider than they have to be"


def test_counted_from_the_end_reaches_are_the_same() -> None:
    for graph in cases(60):
        reach, rows = reach_of(graph, ROWS), graph[graph.outputs[0]].shape[ROWS]
        turned = reach.mirrored(rows)
        for i in range(rows):
            assert turned.first(rows - 1 - i) == reach.size - reach.end(i)
            assert turned.end(rows - 1 - i) == reach.size - reach.first(i)


def test_columns_cut_out_of_a_resized_map_are_those_of_the_whole() -> None:
    cut = 0
    for seed, graph in enumerate(cases(90)):
        rng, (op,) = np.random.default_rng(seed), graph.ops
        x = rng.integers(-100, 100, graph["x"].shape).astype(graph["x"].dtype.numpy)
        y = computed(graph, x)
        start, end = sorted(rng.choice(y.shape[2] + 1, 2, replace=False).tolist())
        reach = reach_of(graph, COLUMNS)
        if reach.first(start) == reach.end(end - 1):
            continue  # nothing of the input is met
        piece = strip(op, graph.tensors, (start, end))
        first = piece.starts.get("x", 0)
        part = x[:, :, first : first + piece.tensors["x"].shape[2]]
        constants = [piece.tensors[v].data for v in op.inputs[1:]]
        (got,) = piece.op.reference(piece.tensors, part, *constants)  # type: ignore[arg-type]
        np.testing.assert_array_equal(got, y[:, :, start:end], err_msg=f"case {seed}")
        cut += bool(piece.cut)
    assert cut > 50


def assert_as_reference(graphs: list[Graph], kernels: list[object], board: str = "") -> None:
    """The kernels compute what the reference does; floats within the tolerance of float graphs."""
    rng, graph = np.random.default_rng(len(graphs)), merge(graphs)
    sample = {n: rng.integers(-128, 128, graph[n].shape).astype(graph[n].dtype.numpy) for n in graph.inputs}
    chosen = boards.load(board) if board else None
    trial = run_trial(graphs, chosen, kernels, [sample])  # type: ignore[arg-type]
    want = evaluate(trial.graph, sample)
    for y in trial.graph.outputs:
        got = trial.outputs[0][y].reshape(want[y].shape)
        if want[y].dtype == np.float32:
            np.testing.assert_allclose(got, want[y], rtol=1e-4, atol=1e-4, err_msg=y)
        else:
            np.testing.assert_array_equal(got, want[y], err_msg=y)


def only(kind: type[Op], stem: str) -> list[object]:
    """Kernels of an operator with this in their names, free to run whole maps."""
    return [replace(k, sums=False) for k in KERNELS if k.op is kind and stem in k.name and not k.features]


def test_sums_row_by_row_are_means_and_averages() -> None:
    need_host()
    graphs = global_cases(3)
    for kind in {type(g.ops[0]) for g in graphs}:
        kernels = only(kind, "_map_")
        assert len(kernels) == 4
        assert_as_reference([g for g in graphs if type(g.ops[0]) is kind], kernels)


def test_rows_of_nearest_neighbours_are_those_of_the_whole_map() -> None:
    need_host()
    graphs = [g for g in cases(40) if isinstance(g.ops[0], ResizeNearest)]
    assert len(graphs) > 5
    assert_as_reference(graphs, only(ResizeNearest, "_row"))


def net_of(seed: int, dtype: DType = DType.INT8) -> Graph:
    draw = RandomDraw(seed)
    return random_stage_net(draw, dtype, draw.integer(3, 6), resizes=True)


def test_the_checker_accepts_plans_with_maps_that_change_their_size() -> None:
    seen: set[str] = set()
    for seed in range(8):
        p = prepared(net_of(seed), input_mode="extern" if seed % 4 == 3 else "arena")
        front = front_of(p, random_ways(np.random.default_rng(seed), 4, strips=0.5))
        for way in front.ways:
            plan = front.point(way, 0.1).plan
            check(p.graph, plan, KERNELS)
            told = {op.name: type(op).__name__ for op in p.graph.ops}
            seen |= features(way)
            seen |= {told[name] + " in strips" * bool(s.strips) for s in plan.stages for name in s.ops}
    for kind in ("ResizeNearest", "ResizeBilinear", "TransposeConv"):
        assert {kind, f"{kind} in strips"} <= seen, kind
    assert {"held", "sums", "outputs", "uneven strips"} <= seen


@pytest.mark.parametrize(
    ("seed", "dtype"),
    [(500, DType.INT8), (501, DType.INT8), (502, DType.FLOAT32), (503, DType.INT16), (504, DType.FLOAT32)],
)
def test_stages_with_maps_that_change_their_size_compute_what_the_reference_does(
    seed: int, dtype: DType
) -> None:
    need_host()
    p = prepared(net_of(seed, dtype), input_mode="extern" if seed % 4 == 3 else "arena")
    front = front_of(p, random_ways(np.random.default_rng(seed), 2, strips=0.5))
    staged = 0
    for way in front.ways:
        plan = front.point(way, 0.1).plan
        staged += len(plan.stages)
        assert not wrong(run(library_of(p, plan))), plan.stages
    assert staged


def test_they_run_on_the_machine() -> None:
    board = "generic-cortex-m4"
    need(boards.load(board))
    left = {"ResizeNearest", "ResizeBilinear", "TransposeConv", "Mean", "AveragePool2D"}
    for seed in range(600, 640):
        p = prepared(net_of(seed, DType.FLOAT32 if seed % 5 == 0 else DType.INT8), board)
        kinds = {type(op).__name__ for op in p.graph.ops} & left
        if len(kinds) < min(2, len(left)):
            continue
        front = front_of(p, random_ways(np.random.default_rng(seed), 1, strips=0.5))
        plan = front.point(front.ways[0], 0.1).plan
        told = {op.name: type(op).__name__ for op in p.graph.ops}
        left -= {told[name] for s in plan.stages for name in s.ops}
        assert not wrong(run(library_of(p, plan), "qemu", samples=1)), plan.stages
        if not left:
            break
    assert not left


def test_a_layer_that_makes_all_its_columns_in_a_strip_is_given_all_of_its_input() -> None:
    net = Net()
    x = net.input("x", (1, 5, 3, 2), DType.INT8, QUANTS[DType.INT8])
    first = net.add(Relu("first", x, "first", Activation.RELU))
    narrow = net.add(ResizeBilinear("narrow", first, "narrow", (8, 1), False, False))
    p = prepared(net.graph(net.add(ResizeBilinear("wide", narrow, "wide", (9, 4), False, True))))
    front = front_of(p, through(lambda s: len(s.strips) == 2 and s.end - s.start == 3))
    plan = front.point(front.ways[0], 0.1).plan
    check(p.graph, plan, KERNELS)
    (stage,) = plan.stages
    assert all(columns["first"] == (0, 3) and columns["narrow"] == (0, 1) for columns in stage.strips)
