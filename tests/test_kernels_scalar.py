"""Scalar kernels equal the reference bit by bit: C on the host and RV32, assembly on Cortex-M3."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from emulation_support import need, need_host
from patchloom import boards
from patchloom.boards import Board
from patchloom.codegen.isa import scalar
from patchloom.codegen.isa.scalar_packing import LONGEST_CHUNK, chunk_bytes, chunk_lengths, paired_words
from patchloom.emulation.trial import merge, run_trial
from patchloom.ir import Graph, Op, evaluate
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.weighted import WeightedOp
from patchloom.ir.window import Window
from patchloom.passes import planner
from patchloom.passes.planner.kernel import Kernel
from patchloom.passes.planner.order import given_order
from test_kernels_m0 import samples_of, weighted

KINDS = ("random", "extreme", "left", "small")


@pytest.fixture(autouse=True)
def _given_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Independent layers need no order: looking for a better one takes longer than running them."""
    monkeypatch.setattr(planner, "order", lambda need: given_order(need, 0))


def lowest(graph: Graph) -> Graph:
    """The same layer with weights of -128, whose products with -128 are the largest there are."""
    data = graph["weights"].data
    assert data is not None
    data[...] = np.where(np.arange(data.size).reshape(data.shape) % 3, -128, data)
    return graph


def pointwise_cases() -> Iterator[Graph]:
    """Every tail of pixels and output channels, chunks of every length."""
    one = Window((1, 1))
    for n, (in_c, out_c) in enumerate(product((1, 2, 3, 5, 8, 16, 17, 33), (1, 2, 3, 4, 9))):
        shape = (1, 1, 1 + n % 17, in_c)
        yield weighted(Conv2D, shape, (out_c, 1, 1, in_c), one, kind=KINDS[n % 4], seed=n)
    for n, (in_c, out_c) in enumerate(product((1, 3, 4, 15, 64), (1, 3, 4, 5, 18))):
        yield weighted(FullyConnected, (1 + n % 2, in_c), (out_c, in_c), kind=KINDS[n % 4], seed=n)
    yield lowest(weighted(Conv2D, (1, 3, 5, 24), (6, 1, 1, 24), one))
    yield lowest(weighted(FullyConnected, (3, 24), (6, 24)))


def conv2d_cases() -> Iterator[Graph]:
    """Kernels, strides, borders, dilations, blocks of rows and the rows left over, one column."""
    pads = (((0, 0), (0, 0)), ((1, 1), (1, 1)), ((0, 1), (2, 0)), ((2, 1), (1, 3)))
    kernels = ((3, 3), (1, 3), (5, 2), (10, 4), (1, 1), (4, 1))
    for n, (kernel, stride, pad) in enumerate(product(kernels, ((1, 1), (2, 2), (1, 3)), pads)):
        in_c, out_c = (1, 3, 4, 5)[n % 4], (1, 4, 7)[n // 3 % 3]
        window = Window(kernel, stride, (1, 1), pad)
        if not window.pointwise:
            shape, kind = (1, 10 + n % 4, 5 + n % 9, in_c), KINDS[n // 2 % 4]
            yield weighted(Conv2D, shape, (out_c, *kernel, in_c), window, kind=kind, seed=n)
    for dilation in ((2, 1), (1, 2), (2, 3)):
        window = Window((3, 3), (1, 1), dilation, ((2, 2), (3, 3)))
        yield weighted(Conv2D, (1, 7, 7, 2), (3, 3, 3, 2), window)
    yield weighted(Conv2D, (1, 20, 1, 6), (5, 4, 1, 6), Window((4, 1), (2, 1), (2, 1), ((1, 3), (0, 0))))
    yield weighted(Conv2D, (1, 4, 40, 2), (3, 3, 3, 2), Window((3, 3), padding=((1, 1), (1, 1))))
    same = Window((3, 3), padding=((1, 1), (1, 1)))
    yield weighted(DepthwiseConv2D, (1, 9, 6, 1), (1, 3, 3, 5), same)
    yield lowest(weighted(Conv2D, (1, 5, 9, 3), (4, 3, 3, 3), same))


def depthwise_cases() -> Iterator[Graph]:
    """Kernels, strides, borders, lanes left over, tiles, blocks of rows and rows left over, one row."""
    pads = (((0, 0), (0, 0)), ((1, 1), (1, 1)), ((0, 1), (0, 1)), ((2, 2), (3, 3)))
    kernels = ((3, 3), (5, 5), (1, 4), (3, 1), (7, 7), (2, 3))
    for n, (kernel, stride, pad) in enumerate(product(kernels, ((1, 1), (2, 2), (3, 1), (2, 1)), pads)):
        channels, window = (1, 3, 8, 9, 16, 21)[n % 6], Window(kernel, stride, (1, 1), pad)
        shape = (1, 8 + n % 7, 7 + n % 5, channels)
        kind = KINDS[n // 2 % 4]
        yield weighted(DepthwiseConv2D, shape, (1, *kernel, channels), window, kind=kind, seed=n)
    same = Window((3, 3), padding=((1, 1), (1, 1)))
    yield weighted(DepthwiseConv2D, (1, 9, 60, 8), (1, 3, 3, 8), same)
    yield weighted(DepthwiseConv2D, (1, 1, 13, 9), (1, 1, 4, 9), Window((1, 4), padding=((0, 0), (1, 2))))
    yield weighted(DepthwiseConv2D, (1, 6, 9, 4), (1, 3, 3, 4), Window((3, 3), dilation=(1, 2)))
    yield weighted(DepthwiseConv2D, (1, 3, 2, 5), (1, 3, 2, 5), Window((3, 2)))


def random_cases(op: type[Op], kernels: list[Kernel], count: int) -> Iterator[Graph]:
    """`count` layers drawn at random that one of the kernels accepts."""
    for seed in range(100_000):
        graph = op.case(RandomDraw(seed))
        if any(accepts(k, graph) for k in kernels):
            yield graph
            count -= 1
            if count == 0:
                return


def accepts(kernel: Kernel, graph: Graph) -> bool:
    (op,) = graph.ops
    return kernel.op is type(op) and kernel.accepts(op, graph.tensors)


def cases_for(name: str) -> list[Graph]:
    """Cases that the kernel of that name accepts, for each operator it is for."""
    kernels = [k for k in WEIGHTED if k.name == name]
    cases = [*pointwise_cases(), *conv2d_cases(), *depthwise_cases()]
    found = [g for g in cases if any(accepts(k, g) for k in kernels)]
    assert {type(g.ops[0]) for g in found} == {k.op for k in kernels}
    return [*found, *(g for k in kernels for g in random_cases(k.op, [k], 4))]


WEIGHTED = [k for k in scalar.KERNELS if issubclass(k.op, WeightedOp)]
NAMES = sorted({k.name for k in WEIGHTED})


def check(name: str, board: Board | None) -> None:
    """Run the kernel's cases and compare all outputs with the reference."""
    cases = cases_for(name)
    graph = merge(cases)
    samples = samples_of(graph)
    trial = run_trial(cases, board, [k for k in WEIGHTED if k.name == name], samples)
    for sample, outputs in zip(samples, trial.outputs, strict=True):
        want = evaluate(graph, sample)
        for output in graph.outputs:
            np.testing.assert_array_equal(outputs[output], want[output], err_msg=output)


@pytest.mark.parametrize("name", NAMES)
def test_the_c_of_a_kernel_equals_the_reference(name: str) -> None:
    need_host()
    check(name, None)


@pytest.mark.parametrize("name", NAMES)
def test_the_assembly_of_a_kernel_equals_the_reference(name: str) -> None:
    board = boards.load("generic-cortex-m3")
    need(board)
    check(name, board)


@pytest.mark.parametrize("name", ["pl_conv2d_s8__scalar_pairs8"])
def test_kernels_for_many_registers_equal_the_reference_on_rv32(name: str) -> None:
    board = boards.load("generic-rv32imc")
    need(board)
    check(name, board)


def test_chunks_are_as_long_as_the_worst_input_allows() -> None:
    """Every chunk's extreme sums fit 16 bits, and one more weight would not, or the chunk is the longest."""
    weights = np.random.default_rng(1).integers(-128, 128, (20, 97, 2))
    weights[3:6] //= 60
    for rows, lengths in zip(weights, chunk_lengths(weights), strict=True):
        assert sum(lengths) == len(rows)
        start = 0
        for n in lengths:
            assert fits(rows[start : start + n])
            longer = rows[start : start + n + 1]
            assert n == LONGEST_CHUNK or len(longer) == n or not fits(longer)
            start += n


def fits(weights: np.ndarray) -> bool:
    """The sums of products with the worst inputs are in [-2^15, 2^15)."""
    highest = np.where(weights < 0, weights * -128, weights * 127).sum(axis=0)
    low = np.where(weights < 0, weights * 127, weights * -128).sum(axis=0)
    return bool((highest < 1 << 15).all() and (low >= -(1 << 15)).all())


def test_lists_of_chunks_end_in_zero() -> None:
    assert chunk_bytes([[3, 16], [1]]).tolist() == [3, 16, 0, 1, 0]


def test_words_hold_two_channels() -> None:
    words = paired_words(np.array([[1, -1], [2, -2], [-128, 127]], np.int8))
    assert words.tolist() == [[[1 + (2 << 16), -128], [-1 - (2 << 16), 127]]]
