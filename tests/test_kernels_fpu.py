"""Kernels for FPUs equal the portable kernels bit by bit: C on the host and RISC-V, assembly on Cortex-M4."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product

import numpy as np
import pytest
from emulation_support import need, need_host
from patchloom import boards
from patchloom.boards import Board
from patchloom.codegen import ops
from patchloom.codegen.isa import fpu
from patchloom.emulation.differences import tolerance
from patchloom.emulation.trial import merge, run_trial
from patchloom.ir import Activation, DType, Graph, Op, Tensor, evaluate
from patchloom.ir.cases import RandomDraw, one_op_graph
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.window import Window
from patchloom.passes import planner
from patchloom.passes.planner.kernel import Kernel
from patchloom.passes.planner.order import given_order

F32 = DType.FLOAT32
Inputs = Mapping[str, np.ndarray]
CLAMPS = (Activation.NONE, Activation.RELU, Activation.RELU6, Activation.RELU_N1_TO_1)
PADS = (((0, 0), (0, 0)), ((1, 1), (1, 1)), ((0, 1), (2, 0)), ((2, 1), (1, 2)))
NAMES = sorted({k.name for k in fpu.KERNELS})
PORTABLE = [k for k in ops.KERNELS if k.header.startswith("portable/") and not k.sums]


@pytest.fixture(autouse=True)
def _given_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Independent layers need no order: looking for a better one takes longer than running them."""
    monkeypatch.setattr(planner, "order", lambda need: given_order(need, 0))


Kind = type[Conv2D] | type[DepthwiseConv2D] | type[FullyConnected]


def layer(kind: Kind, x: tuple[int, ...], shape: tuple[int, ...], seed: int, window: Window | None) -> Graph:
    """A layer with weights of `shape`; every third weight is small, some are 0."""
    rng, count = np.random.default_rng(seed), shape[kind.CHANNEL_AXIS]
    w = rng.normal(0, 1, shape) * rng.choice([1, 1e-3, 0], shape, p=[0.6, 0.3, 0.1])
    tensors = [
        Tensor("x", x, F32),
        Tensor("w", shape, F32, None, w.astype(np.float32)),
        Tensor("b", (count,), F32, None, rng.normal(0, 1, count).astype(np.float32)),
        Tensor("y", (), F32),
    ]
    attributes = {"keep_dims": False} if window is None else {"window": window}
    bias = "b" if seed % 3 else None
    op = kind("op", "x", "w", bias, "y", activation=CLAMPS[seed % 4], **attributes)
    return one_op_graph(op, [t for t in tensors if bias or t.name != "b"])


def dense_cases() -> Iterator[Graph]:
    """Every tail of pixels, input and output channels."""
    for n, (in_c, out_c) in enumerate(product((1, 2, 3, 4, 5, 8, 18), (1, 2, 3, 4, 7, 8))):
        shape = (1, 1, 1 + n % 9, in_c)
        yield layer(Conv2D, shape, (out_c, 1, 1, in_c), n, Window((1, 1)))
    for n, (in_c, out_c) in enumerate(product((1, 6, 33), (1, 4, 5))):
        yield layer(FullyConnected, (1 + n % 6, in_c), (out_c, in_c), n, None)


def conv2d_cases() -> Iterator[Graph]:
    """Kernels, strides, borders, dilations, rows that are no multiple of four pixels, one column."""
    kernels = ((3, 3), (1, 3), (5, 2), (10, 4), (1, 1), (4, 1))
    for n, (kernel, stride, pad) in enumerate(product(kernels, ((1, 1), (2, 2), (1, 3)), PADS)):
        in_c, out_c = (1, 3, 4, 5)[n % 4], (1, 4, 7)[n // 3 % 3]
        window = Window(kernel, stride, (1, 1), pad)
        if not window.pointwise:
            yield layer(Conv2D, (1, 10 + n % 4, 5 + n % 9, in_c), (out_c, *kernel, in_c), n, window)
    for n, dilation in enumerate(((2, 1), (1, 2), (2, 3))):
        window = Window((3, 3), (1, 1), dilation, ((2, 2), (3, 3)))
        yield layer(Conv2D, (1, 7, 7, 2), (3, 3, 3, 2), n, window)
        yield layer(Conv2D, (1, 7, 9, 2), (3, 3, 3, 2), n, Window((3, 3), dilation=dilation))
    yield layer(Conv2D, (1, 20, 1, 6), (5, 4, 1, 6), 1, Window((4, 1), (2, 1), (1, 1), ((1, 3), (0, 0))))


def depthwise_cases() -> Iterator[Graph]:
    """Kernels, strides, borders on each side, single columns and rows."""
    kernels = ((3, 3), (3, 3), (5, 5), (1, 4))
    strides = ((1, 1), (2, 2), (1, 2), (3, 1))
    for n, (kernel, stride, pad) in enumerate(product(kernels, strides, PADS)):
        channels = (1, 3, 4, 8, 12)[n % 5]
        shape = (1, 6 + n % 4, 5 + n % 5, channels)
        yield layer(DepthwiseConv2D, shape, (1, *kernel, channels), n, Window(kernel, stride, (1, 1), pad))
    for n, (width, pad) in enumerate(product((1, 2, 3, 4), ((1, 1), (2, 2), (0, 2), (2, 0)))):
        if width + sum(pad) >= 3:
            for stride in (1, 2):
                window = Window((3, 3), (1, stride), (1, 1), ((1, 1), pad))
                yield layer(DepthwiseConv2D, (1, 3, width, 4), (1, 3, 3, 4), n, window)
    yield layer(DepthwiseConv2D, (1, 8, 9, 4), (1, 3, 3, 4), 1, Window((3, 3), dilation=(2, 2)))
    yield layer(DepthwiseConv2D, (1, 8, 9, 4), (1, 3, 3, 4), 2, Window((3, 3), dilation=(2, 1)))


def random_cases(op: type[Op], kernels: list[Kernel], count: int) -> Iterator[Graph]:
    """`count` layers drawn at random that one of the kernels accepts."""
    for seed in range(100_000):
        graph = op.case(RandomDraw(seed))
        if any(k.op is op and k.accepts(graph.ops[0], graph.tensors) for k in kernels):
            yield graph
            count -= 1
            if count == 0:
                return


def cases_for(name: str) -> list[Graph]:
    """Cases that the kernel of that name accepts, for each operator it is for."""
    kernels = [k for k in fpu.KERNELS if k.name == name]
    cases = [*dense_cases(), *conv2d_cases(), *depthwise_cases()]
    found = [
        g for g in cases if any(k.op is type(g.ops[0]) and k.accepts(g.ops[0], g.tensors) for k in kernels)
    ]
    assert {type(g.ops[0]) for g in found} == {k.op for k in kernels}
    return [*found, *(g for k in kernels for g in random_cases(k.op, [k], 4))]


@cache
def expected(name: str) -> tuple[list[Graph], list[Inputs], Inputs, Inputs]:
    """Cases of a kernel, a sample, its outputs by the portable kernels on the host, and by the reference."""
    cases = cases_for(name)
    graph, rng = merge(cases), np.random.default_rng(5)
    samples = [{n: rng.normal(0, 3, graph[n].shape).astype(np.float32) for n in graph.inputs}]
    portable = run_trial(cases, None, PORTABLE, samples).outputs[0]
    values = evaluate(graph, samples[0])
    return cases, samples, portable, {y: values[y] for y in graph.outputs}


def check(name: str, board: Board | None) -> None:
    """The kernel's outputs have the bits of the portable kernels', on whatever core, and are right."""
    cases, samples, portable, want = expected(name)
    kernels = [k for k in fpu.KERNELS if k.name == name]
    trial = run_trial(cases, board, kernels, samples, isa=fpu.FEATURES)
    for y, right in want.items():
        got = trial.outputs[0][y]
        np.testing.assert_array_equal(got.view(np.int32), portable[y].view(np.int32), err_msg=y)
        assert np.abs(got - right).max() <= tolerance(right, True)


@pytest.mark.parametrize("name", NAMES)
def test_the_c_of_a_kernel_equals_the_portable_kernel(name: str) -> None:
    need_host()
    check(name, None)


@pytest.mark.parametrize("name", NAMES)
def test_the_assembly_of_a_kernel_equals_the_portable_kernel(name: str) -> None:
    need_host()
    board = boards.load("generic-cortex-m4")
    need(board)
    check(name, board)


def test_kernels_equal_the_portable_ones_on_risc_v() -> None:
    need_host()
    board = boards.load("generic-rv32gcv")
    need(board)
    check("pl_conv2d_f32__fpu", board)


def test_not_a_number_stays_behind_a_clamp() -> None:
    board = boards.load("generic-cortex-m4")
    need(board)
    cases = [layer(Conv2D, (1, 1, 4, 3), (4, 1, 1, 3), 2, Window((1, 1)))]
    x = np.ones((1, 1, 4, 3), np.float32)
    x[0, 0, 1, 2], x[0, 0, 2, 0] = np.nan, np.inf
    kernels = [k for k in fpu.KERNELS if k.name == "pl_pointwise_f32__fpu"]
    trial = run_trial(cases, board, kernels, [{"c0_x": x}])
    want = evaluate(merge(cases), {"c0_x": x})["c0_y"]
    np.testing.assert_allclose(trial.outputs[0]["c0_y"], want, rtol=1e-5)
    assert np.isnan(want[0, 0, 1]).all() and not np.isnan(want[0, 0, 2]).all()
