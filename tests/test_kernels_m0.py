"""Kernels for ARMv6-M equal the reference bit by bit: their C on the host, their assembly on the core."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from emulation_support import need, need_host
from patchloom import boards
from patchloom.codegen.isa import m0
from patchloom.emulation.trial import merge, run_trial
from patchloom.ir import DType, Graph, Op, Quant, Tensor, evaluate
from patchloom.ir.cases import RandomDraw, one_op_graph
from patchloom.ir.op import Activation
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.window import Window
from patchloom.passes.planner.kernel import Kernel

BOARD = "generic-cortex-m0"
ISA = frozenset({"arm"})


def quantized(name: str, shape: tuple[int, ...], scale: float, zero_point: int) -> Tensor:
    return Tensor(name, shape, DType.INT8, Quant((float(np.float32(scale)),), (zero_point,)))


def weights_of(rng: np.random.Generator, shape: tuple[int, ...], axis: int, kind: str) -> Tensor:
    """Random weights, or those with the largest sums that two products may have."""
    data = rng.integers(-127, 128, shape)
    if kind == "extreme":
        data = rng.choice([-127, 127], shape)
    elif kind in ("small", "left"):
        data = rng.integers(-1, 2, shape)
    scales = tuple(float(np.float32(s)) for s in rng.uniform(0.002, 0.02, shape[axis]))
    quant = Quant(scales, (0,) * len(scales), axis)
    return Tensor("weights", shape, DType.INT8, quant, data.astype(np.int8))


def weighted(
    op: type[Conv2D] | type[DepthwiseConv2D] | type[FullyConnected],
    x_shape: tuple[int, ...],
    weights_shape: tuple[int, ...],
    window: Window | None = None,
    *,
    kind: str = "random",
    seed: int = 0,
) -> Graph:
    """A layer; `kind` "left" has so small an output scale that channels shift left, "huge" a bias near the
    largest accumulator."""
    rng = np.random.default_rng((seed, *x_shape, *weights_shape))
    axis = op.CHANNEL_AXIS % len(weights_shape)
    taps = int(np.prod(weights_shape)) // weights_shape[axis]
    x = quantized("x", x_shape, 0.05, int(rng.integers(-128, 128)))
    weights = weights_of(rng, weights_shape, axis, kind)
    unit = 0.05 * 0.01  # of an accumulator
    y_scale = unit * {"left": 0.3, "small": 1.5 * taps**0.5, "huge": 2.0**22}.get(kind, 150 * taps**0.5)
    y = quantized("y", (), y_scale, int(rng.integers(-128, 128)))
    count = weights_shape[axis]
    largest = {"left": 20, "small": 20, "huge": 1 << 29}.get(kind, 9000)
    data = rng.integers(-largest, largest, count).astype(np.int32)
    bias = Tensor("bias", (count,), DType.INT32, None, data)
    activation = list(Activation)[seed % 2]
    instance: Op
    if op is FullyConnected:
        instance = FullyConnected("fc", "x", "weights", "bias", "y", False, activation)
    else:
        assert window is not None
        instance = op("conv", "x", "weights", "bias", "y", window, activation)  # type: ignore[call-arg]
    return one_op_graph(instance, (x, weights, bias, y))


def pointwise_cases() -> Iterator[Graph]:
    """Every tail of pixels, input channels, pairs and blocks of output channels; segments of inputs."""
    one = Window((1, 1))
    kinds = ("random", "extreme", "left", "small")
    for n, (in_c, out_c) in enumerate(product((1, 2, 3, 4, 7, 8), (1, 2, 3, 9, 16, 17, 33))):
        x_shape, kind = (1, 1, 1 + n % 7, in_c), kinds[n % 4]
        yield weighted(Conv2D, x_shape, (out_c, 1, 1, in_c), one, kind=kind, seed=n)
    for in_c in (4, 5):
        yield weighted(Conv2D, (1, 1, 4, in_c), (200, 1, 1, in_c), one, kind="huge")
        yield weighted(FullyConnected, (1, in_c), (200, in_c), kind="huge")
    for in_c in (577, 580, 1154):
        yield weighted(Conv2D, (1, 1, 3, in_c), (18, 1, 1, in_c), one, kind="extreme")
    for n, (in_c, out_c) in enumerate(product((1, 3, 4, 8, 12, 640), (1, 3, 4, 5, 16, 18))):
        yield weighted(FullyConnected, (1, in_c), (out_c, in_c), kind=kinds[n % 4], seed=n)
    yield weighted(FullyConnected, (5, 24), (7, 24))


def conv2d_cases() -> Iterator[Graph]:
    """Kernels, strides, borders, dilations, odd and even rows, one row, windows in segments."""
    pads = (((0, 0), (0, 0)), ((1, 1), (1, 1)), ((0, 1), (2, 0)), ((2, 1), (1, 3)))
    kernels = ((3, 3), (1, 3), (5, 2), (10, 4), (1, 1), (4, 1))
    for n, (kernel, pad) in enumerate(product(kernels, pads)):
        stride = ((1, 1), (2, 2), (1, 3))[n % 5 % 3]
        in_c, out_c = (1, 3, 4, 5)[n % 4], (1, 4, 7, 18)[n // 3 % 4]
        window = Window(kernel, stride, (1, 1), pad)
        if not window.pointwise:
            x_shape, kind = (1, 10 + n % 3, 5 + n % 4, in_c), ("random", "extreme")[n % 2]
            yield weighted(Conv2D, x_shape, (out_c, *kernel, in_c), window, kind=kind, seed=n)
    for dilation in ((2, 1), (1, 2), (2, 3)):
        window = Window((3, 3), (1, 1), dilation, ((2, 2), (3, 3)))
        yield weighted(Conv2D, (1, 7, 7, 2), (3, 3, 3, 2), window)
    for kernel, in_c in (((3, 3), 80), ((5, 1), 300), ((2, 2), 300)):
        yield weighted(Conv2D, (1, 6, 3, in_c), (17, *kernel, in_c), Window(kernel), kind="extreme")


def depthwise_cases() -> Iterator[Graph]:
    """Kernels, strides, borders, depth multipliers, odd and even rows."""
    pads = (((0, 0), (0, 0)), ((1, 1), (1, 1)), ((0, 1), (0, 1)), ((2, 2), (3, 3)))
    kernels = ((3, 3), (5, 5), (1, 4), (3, 1), (7, 7), (2, 3))
    for n, (kernel, pad) in enumerate(product(kernels, pads)):
        stride = ((1, 1), (2, 2), (3, 1))[n % 5 % 3]
        channels, depth = (1, 3, 4, 9)[n % 4], (1, 1, 2)[n % 3]
        kind = ("random", "extreme", "left", "small")[n // 2 % 4]
        window = Window(kernel, stride, (1, 1), pad)
        x_shape = (1, 8 + n % 4, 7 + n % 5, channels)
        yield weighted(DepthwiseConv2D, x_shape, (1, *kernel, channels * depth), window, kind=kind, seed=n)
    yield weighted(DepthwiseConv2D, (1, 4, 4, 99), (1, 2, 2, 99), Window((2, 2)), kind="huge")
    window = Window((3, 2), (1, 1), (2, 1), ((1, 1), (1, 1)))
    yield weighted(DepthwiseConv2D, (1, 8, 5, 3), (1, 3, 2, 3), window)
    for kernel, stride, length in product((1, 4), (1, 2), (6, 7, 9)):
        tall, wide = Window((kernel, 1), (stride, 1)), Window((1, kernel), (1, stride))
        padded = Window((1, kernel), (1, stride), (1, 1), ((0, 0), (1, 1)))
        yield weighted(DepthwiseConv2D, (1, length, 1, 4), (1, kernel, 1, 4), tall)
        yield weighted(DepthwiseConv2D, (1, 1, length, 4), (1, 1, kernel, 4), wide)
        yield weighted(DepthwiseConv2D, (1, 1, length, 4), (1, 1, kernel, 4), padded)
    yield weighted(DepthwiseConv2D, (1, 3, 9, 4), (1, 3, 2, 8), Window((3, 2)))


def add_cases() -> Iterator[Graph]:
    """Scales in every relation, zero points at the ends of their range, one element and more."""
    ratios = (1.0, 0.5, 0.9999, 1.0001, 3.7, 1e-3, 700.0)
    for n, (ratio, y_scale) in enumerate(product(ratios, (0.03, 0.2, 0.001))):
        zeros = [(-128, 127, 0), (127, 127, -128), (-128, -128, -128), (5, -7, 127)][n % 4]
        shape, scale = (1, 1 + n % 5, 3), 0.04 * max(1.0, ratio)
        a, b = quantized("a", shape, 0.04, zeros[0]), quantized("b", shape, 0.04 * ratio, zeros[1])
        y = quantized("y", (), max(y_scale, scale / 8), zeros[2])
        yield one_op_graph(Add("add", "a", "b", "y", list(Activation)[n % 4]), (a, b, y))


def random_cases(op: type[Op], count: int) -> Iterator[Graph]:
    """`count` layers drawn at random that some kernel accepts."""
    for seed in range(100_000):
        graph = op.case(RandomDraw(seed))
        if kernel_of(graph) is not None:
            yield graph
            count -= 1
            if count == 0:
                return


def kernel_of(graph: Graph) -> Kernel | None:
    """The first kernel that accepts the layer."""
    (op,) = graph.ops
    kernels = (k for k in m0.KERNELS if k.op is type(op) and k.accepts(op, graph.tensors))
    return next(kernels, None)


FAMILIES = {
    "pointwise": lambda: [*pointwise_cases(), *random_cases(FullyConnected, 10)],
    "conv2d": lambda: [*conv2d_cases(), *random_cases(Conv2D, 15)],
    "depthwise": lambda: [*depthwise_cases(), *random_cases(DepthwiseConv2D, 15)],
    "add": lambda: [*add_cases(), *random_cases(Add, 10)],
}


def samples_of(graph: Graph) -> list[dict[str, np.ndarray]]:
    """Random bytes, only the ends of the range at random, the lowest value alone, values near zero."""
    rng = np.random.default_rng(len(graph.ops))
    inputs = [graph[n] for n in graph.inputs]
    near = {t.name: t.zero_point + rng.integers(-2, 3, t.shape) for t in inputs}
    return [
        {t.name: rng.integers(-128, 128, t.shape).astype(np.int8) for t in inputs},
        {t.name: rng.choice([-128, 127], t.shape).astype(np.int8) for t in inputs},
        {t.name: np.full(t.shape, -128, np.int8) for t in inputs},
        {name: np.clip(values, -128, 127).astype(np.int8) for name, values in near.items()},
    ]


def check(cases: list[Graph], board: boards.Board | None) -> None:
    """Run the cases by the kernels of this ISA alone and compare all outputs with the reference."""
    graph = merge(cases)
    samples = samples_of(graph)
    trial = run_trial(cases, board, m0.KERNELS, samples, isa=ISA)
    for sample, outputs in zip(samples, trial.outputs, strict=True):
        want = evaluate(graph, sample)
        for name in graph.outputs:
            np.testing.assert_array_equal(outputs[name], want[name], err_msg=name)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_c_of_every_kernel_equals_the_reference(family: str) -> None:
    need_host()
    check(FAMILIES[family](), None)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_assembly_of_every_kernel_equals_the_reference(family: str) -> None:
    board = boards.load(BOARD)
    need(board)
    check(FAMILIES[family](), board)


def test_the_shapes_reach_every_kernel() -> None:
    reached = {kernel_of(case) for cases in FAMILIES.values() for case in cases()}
    assert reached == set(m0.KERNELS)


def test_weights_whose_products_need_more_than_16_bits_are_refused() -> None:
    """-128 * -128 + -128 * -128 is 2^15: the kernels that multiply two pixels at once must not run."""
    graph = weighted(Conv2D, (1, 1, 4, 8), (4, 1, 1, 8), Window((1, 1)))
    weights = graph["weights"]
    assert weights.data is not None
    assert kernel_of(graph) is not None
    weights.data[2, 0, 0, 4:6] = -128
    assert kernel_of(graph) is None
