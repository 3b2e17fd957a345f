"""Kernels with RISC-V vectors equal the reference bit by bit: C on the host, assembly on the cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from emulation_support import need, need_host
from patchloom import boards
from patchloom.boards import Board
from patchloom.codegen.isa import rvv, rvv_dense, rvv_depthwise, rvv_lanes
from patchloom.emulation import machines
from patchloom.emulation.trial import merge, run_trial
from patchloom.ir import Graph, evaluate
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.window import Window
from patchloom.passes import planner
from patchloom.passes.planner.order import given_order
from test_kernels_m0 import samples_of, weighted
from test_kernels_scalar import (
    KINDS,
    accepts,
    conv2d_cases,
    depthwise_cases,
    pointwise_cases,
    random_cases,
)

ISA = frozenset({"riscv", "rvv"})
KERNELS = (*rvv_dense.KERNELS, *rvv_depthwise.KERNELS, *rvv_lanes.KERNELS)
NAMES = sorted({k.name for k in KERNELS})


@pytest.fixture(autouse=True)
def _given_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Independent layers need no order: looking for a better one takes longer than running them."""
    monkeypatch.setattr(planner, "order", lambda need: given_order(need, 0))


def wide_cases() -> Iterator[Graph]:
    """More channels or more pixels than a vector holds, in every kind of kernel."""
    one, same = Window((1, 1)), Window((3, 3), padding=((1, 1), (1, 1)))
    for i, n in enumerate((31, 32, 33, 64, 65, 97, 130)):
        yield weighted(Conv2D, (1, 1, 4, 5), (n, 1, 1, 5), one, kind=KINDS[i % 4])
        yield weighted(Conv2D, (1, 1, n, 6), (1 + i, 1, 1, 6), one, kind=KINDS[i % 4])
    for n in (16, 63, 70):
        yield weighted(FullyConnected, (1, 21), (n, 21), kind="left")
    for i, n in enumerate((40, 66)):
        yield weighted(Conv2D, (1, 4, 7, 3), (n, 3, 3, 3), same, kind="extreme")
        strided = Window((3, 3), (1, 2), padding=((1, 1), (1, 1)))
        yield weighted(Conv2D, (1, 3, n, 2), (4, 3, 3, 2), same, kind=KINDS[i])
        yield weighted(Conv2D, (1, 3, 2 * n, 1), (2, 3, 3, 1), strided, kind=KINDS[2 + i])
    for n in (32, 47, 64, 101):
        yield weighted(DepthwiseConv2D, (1, 4, 5, n), (1, 3, 3, n), same)


def series_cases() -> Iterator[Graph]:
    """One column of rows, under windows of one column of taps and of more; not a multiple of a vector."""
    for i, (n, taps, stride) in enumerate(((9, 3, 1), (40, 5, 2), (70, 4, 1), (131, 2, 2))):
        tall = Window((taps, 1), (stride, 1), padding=((i, 1), (0, 0)))
        full = Window((taps, 3), (stride, 1), padding=((i, 1), (1, 1)))
        for window in (tall, full):
            kernel, kind = window.kernel, KINDS[i]
            yield weighted(Conv2D, (1, n, 1, 4), (3 + i, *kernel, 4), window, kind=kind)
            yield weighted(DepthwiseConv2D, (1, n, 1, 6), (1, *kernel, 6), window, kind=kind)


def merged_cases() -> Iterator[Graph]:
    """Depthwise with the channels of several pixels in a vector: threes of them, single ones, pixels."""
    for i, (channels, width) in enumerate(((1, 130), (2, 70), (3, 41), (8, 48), (8, 13), (15, 11), (16, 18))):
        for pad in (0, 1, 2):
            window = Window((2, 3), padding=((pad, 0), (pad, 1)))
            shape, kind = (1, 3, width, channels), KINDS[(i + pad) % 4]
            yield weighted(DepthwiseConv2D, shape, (1, 2, 3, channels), window, kind=kind, seed=i)
        gaps = Window((1, 3), dilation=(1, 2), padding=((0, 0), (2, 2)))
        yield weighted(DepthwiseConv2D, (1, 2, width, channels), (1, 1, 3, channels), gaps, seed=i)


def long_cases(name: str) -> list[Graph]:
    """Those of the cases above that the kernel of that name accepts."""
    kernels = [k for k in KERNELS if k.name == name]
    return [
        g for g in (*wide_cases(), *series_cases(), *merged_cases()) if any(accepts(k, g) for k in kernels)
    ]


def cases_for(name: str) -> list[Graph]:
    """Cases that the kernel of that name accepts, for each operator it is for."""
    kernels = [k for k in KERNELS if k.name == name]
    others = (g for cases in (pointwise_cases, conv2d_cases, depthwise_cases) for g in cases())
    found = [*long_cases(name), *(g for g in others if any(accepts(k, g) for k in kernels))]
    assert {type(g.ops[0]) for g in found} == {k.op for k in kernels}
    return [*found, *(g for k in kernels for g in random_cases(k.op, [k], 4))]


def check(name: str, board: Board | None, cases: Sequence[Graph]) -> None:
    """Run the kernel on the cases and compare all outputs with the reference."""
    graph = merge(cases)
    samples = samples_of(graph)
    trial = run_trial(cases, board, [k for k in KERNELS if k.name == name], samples, isa=ISA)
    for sample, outputs in zip(samples, trial.outputs, strict=True):
        want = evaluate(graph, sample)
        for output in graph.outputs:
            np.testing.assert_array_equal(outputs[output], want[output], err_msg=output)


def board_of(core: str) -> Board:
    board = boards.load(f"generic-{core}")
    need(board)
    return board


@pytest.mark.parametrize("name", NAMES)
def test_the_c_of_a_kernel_equals_the_reference(name: str) -> None:
    need_host()
    check(name, None, cases_for(name)[::2])


@pytest.mark.parametrize("name", NAMES)
def test_the_assembly_of_a_kernel_equals_the_reference(name: str) -> None:
    check(name, board_of("rv64gcv"), cases_for(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_assembly_of_a_kernel_equals_the_reference_on_32_bits(name: str) -> None:
    check(name, board_of("rv32gcv"), cases_for(name)[::4])


@pytest.mark.parametrize("bits", [256, 1024])
@pytest.mark.parametrize("name", NAMES)
def test_kernels_do_not_depend_on_the_length_of_vectors(
    name: str, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, original = board_of("rv64gcv"), machines.cpu_arguments

    def longer(board: Board) -> tuple[str, ...]:
        return tuple(option.replace("vlen=128", f"vlen={bits}") for option in original(board))

    monkeypatch.setattr(machines, "cpu_arguments", longer)
    assert any(f"vlen={bits}" in option for option in machines.cpu_arguments(board))
    check(name, board, long_cases(name))


def test_cores_without_vectors_do_not_get_these_kernels() -> None:
    assert all(k.features <= boards.load("generic-rv64gcv").isa for k in rvv.KERNELS)
    assert not any(k.features <= boards.load("generic-rv32imc").isa for k in rvv.KERNELS)
