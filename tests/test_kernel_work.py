"""What cost tables count: rounds of loops equal to those walked one by one, and costs fitted to them."""

from __future__ import annotations

import sys
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from patchloom.codegen import KERNELS, costs
from patchloom.codegen.ops.float_work import (
    binary_work,
    compare_work,
    lane_work,
    recurrent_work,
    reduce_work,
    unary_work,
)
from patchloom.codegen.ops.movement import Loop, Part, copy_work
from patchloom.codegen.ops.work import skipping_conv_work, skipping_depthwise_work
from patchloom.errors import UserError
from patchloom.ir import DType, Graph, check_rules, verify
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.svdf import Svdf
from patchloom.passes.planner.kernel import Kernel

sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))

from costs import nonnegative
from shapes import STATEFUL, between_states

SEEDS = 40
PORTABLE = [k for k in KERNELS if k.header.startswith("portable/") and k.op not in STATEFUL]

NAMED = (unary_work, binary_work, compare_work, reduce_work, lane_work, recurrent_work)
"""They count loop bodies by the name of a function or type, and only those that run for a layer."""


def drawn(kind: type[Conv2D] | type[DepthwiseConv2D], dtype: DType) -> list[Graph]:
    graphs = [kind.case(RandomDraw(seed)) for seed in range(SEEDS)]
    return [g for g in graphs if g[g.inputs[0]].dtype is dtype]


@pytest.mark.parametrize("seed", range(20))
def test_rows_that_start_at_words_are_those_that_do_when_all_are_walked(seed: int) -> None:
    rng = np.random.default_rng(seed)
    loops = tuple(
        Loop(int(rng.integers(1, 9)), *(int(p) for p in rng.integers(-40, 41, 2) * rng.choice([1, 2, 4])))
        for _ in range(rng.integers(0, 4))
    )
    offsets = [int(n) for n in rng.choice([0, 1, 2, 4, 6], 2)]
    size = int(rng.choice([3, 5, 15, 16, 23, 70]))
    part = Part("x", "y", offsets[0], offsets[1], size, loops)
    want = dict.fromkeys(("rows", "blocks", "words", "tails", "short", "loose"), 0)
    for index in product(*(range(loop.count) for loop in loops)):
        x = offsets[0] + sum(i * loop.x_pitch for i, loop in zip(index, loops, strict=True))
        y = offsets[1] + sum(i * loop.y_pitch for i, loop in zip(index, loops, strict=True))
        want["rows"] += 1
        if x % 4 or y % 4:
            want["loose"] += size
        elif size < 16:
            want["short"] += size
        else:
            left = size % 16
            for name, n in (("blocks", size // 16), ("words", left // 4), ("tails", left % 4)):
                want[name] += n
    found = copy_work([part])
    assert {name: found[name] for name in want} == want


def walked(graph: Graph) -> tuple[int, int, int]:
    """(taps inside the input, in rows outside it, in columns outside it) of all output pixels."""
    (op,) = graph.ops
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    (_, height, width, _), window = graph[op.x].shape, op.window
    inside = zeros = skipped = 0
    for oy, ox in product(*(range(n) for n in graph[op.y].shape[1:3])):
        for ky, kx in product(*(range(n) for n in window.kernel)):
            iy = oy * window.stride[0] - window.padding[0][0] + ky * window.dilation[0]
            ix = ox * window.stride[1] - window.padding[1][0] + kx * window.dilation[1]
            if not 0 <= ix < width:
                skipped += 1
            elif 0 <= iy < height:
                inside += 1
            else:
                zeros += 1
    return inside, zeros, skipped


@pytest.mark.parametrize("dtype", [DType.INT16, DType.FLOAT32], ids=lambda d: d.value)
def test_taps_of_convolutions_that_skip_columns_are_counted_as_they_run(dtype: DType) -> None:
    cases = drawn(Conv2D, dtype)
    assert any(walked(g)[1] for g in cases) and any(walked(g)[2] for g in cases)
    for graph in cases:
        (op,) = graph.ops
        assert isinstance(op, Conv2D)
        inside, zeros, skipped = walked(graph)
        work, depth = skipping_conv_work(op, graph.tensors), graph[op.weights].shape[3]
        channels = graph[op.y].shape[3]
        assert 4 * work["fours_inner"] + work["ones_inner"] == inside * depth * channels
        assert work["zeros"] == zeros * depth * channels
        assert work["skipped"] * work["outputs"] == skipped * channels * (work["fours"] + work["ones"])


@pytest.mark.parametrize("dtype", [DType.INT16, DType.FLOAT32], ids=lambda d: d.value)
def test_taps_of_depthwise_convolutions_are_counted_as_they_run(dtype: DType) -> None:
    for graph in drawn(DepthwiseConv2D, dtype):
        (op,) = graph.ops
        assert isinstance(op, DepthwiseConv2D)
        work, channels = skipping_depthwise_work(op, graph.tensors), graph[op.y].shape[3]
        inside, zeros, _ = walked(graph)
        assert (work["taps"], work["zeros"]) == (inside * channels, zeros * channels)


def accepted(kernel: Kernel) -> list[Graph]:
    """Valid cases of the kernel's operator that it can run."""
    found = []
    for seed in range(SEEDS):
        try:
            graph = verify(kernel.op.case(RandomDraw(seed)))
            check_rules(graph)
        except UserError:
            continue
        op = next(op for op in graph.ops if type(op) is kernel.op)
        if kernel.accepts(op, graph.tensors):
            found.append(graph)
    return found


@pytest.mark.parametrize("kernel", PORTABLE, ids=lambda k: f"{k.name}-{k.op.kind()}")
def test_a_kernel_counts_the_same_loops_for_every_layer(kernel: Kernel) -> None:
    """A cost table can only tell the cost of layers that have its counts."""
    works = [
        kernel.work(op, graph.tensors)
        for graph in accepted(kernel)
        for op in graph.ops
        if type(op) is kernel.op
    ]
    if not works:
        pytest.skip("no case of the operator is for this kernel")
    if kernel.work not in NAMED:
        assert len({tuple(work) for work in works}) == 1
    assert all(count >= 0 for work in works for count in work.values())
    assert all(sum(work.values()) > 0 for work in works)


@pytest.mark.parametrize(
    "kernel", [k for k in PORTABLE if k.work in NAMED], ids=lambda k: f"{k.name}-{k.op.kind()}"
)
def test_the_cost_of_every_function_is_known_on_the_cortex_m4(kernel: Kernel) -> None:
    table, found = costs.load("cortex-m4"), accepted(kernel)
    assert found
    for graph in found:
        (op,) = graph.ops
        cost = table.of(kernel, op, graph.tensors)
        assert cost is not None and cost > 0, kernel.work(op, graph.tensors)


def test_the_cost_of_recurrent_filters_is_known_on_every_core() -> None:
    for core in ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m33", "cortex-m55", "rv32imc"):
        table = costs.load(core)
        for seed in range(10):
            graph = between_states(verify(Svdf.case(RandomDraw(seed))))
            (op,) = graph.ops
            (kernel,) = [k for k in KERNELS if k.op is Svdf and k.accepts(op, graph.tensors)]
            cost = table.of(kernel, op, graph.tensors)
            assert cost is not None and cost > op.macs(graph.tensors)


@pytest.mark.parametrize("seed", range(12))
def test_fitted_costs_are_the_best_that_are_not_negative(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.uniform(0, 1, (12, 5)) * 10.0 ** rng.integers(-4, 5, 5)
    a[:, 3] = a[:, 1] * 2  # which of two equal loops is charged does not matter
    b = rng.uniform(-0.5, 1.5, 12)
    x = nonnegative(a, b)
    assert (x >= 0).all()
    least = float(b @ b)
    for count in range(1, 6):
        for some in map(list, combinations(range(5), count)):
            solution = np.linalg.lstsq(a[:, some], b, rcond=1e-9)[0]
            if (solution >= 0).all():
                least = min(least, float(((a[:, some] @ solution - b) ** 2).sum()))
    assert float(((a @ x - b) ** 2).sum()) <= least * (1 + 1e-6) + 1e-12


def test_costs_without_noise_are_found_again() -> None:
    rng = np.random.default_rng(3)
    work, true = rng.integers(1, 1000, (20, 4)).astype(float), np.array([3.0, 0.0, 17.5, 0.25])
    measured = work @ true
    found = nonnegative(work / measured[:, None], np.ones(20))
    np.testing.assert_allclose(found, true, rtol=1e-6, atol=1e-6)
