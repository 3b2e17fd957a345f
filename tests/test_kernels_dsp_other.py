"""DSP kernels of depthwise convolution, element-wise operators, pooling and means: equal to the reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from emulation_support import need, need_host
from patchloom import boards
from patchloom.codegen.isa.dsp_depthwise import merged_channels
from patchloom.codegen.isa.dsp_other import KERNELS
from patchloom.emulation.trial import merge, run_trial
from patchloom.ir import Activation, DType, Graph, Op, Quant, Tensor, Window, evaluate
from patchloom.ir.cases import RandomDraw, one_op_graph
from patchloom.ir.fixed_point import Requant
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.sub import Sub
from patchloom.ir.window import same_padding
from patchloom.passes.planner.kernel import Kernel

M4 = "generic-cortex-m4"
ISA = frozenset({"arm", "dsp", "unaligned"})
PER_KERNEL = 40


def int8(name: str, shape: tuple[int, ...], scale: float, zero: int) -> Tensor:
    return Tensor(name, shape, DType.INT8, Quant((float(np.float32(scale)),), (zero,)))


def depthwise(
    rng: np.random.Generator, size: tuple[int, int], channels: int, window: Window, *, relu: bool
) -> Graph:
    """Weights are random, many of them extremes; every fourth layer has scales that are powers of two, so
    that many accumulators lie exactly between two outputs."""
    shape = (1, *window.kernel, channels)
    data = rng.integers(-128, 128, shape)
    data = np.where(rng.random(shape) < 0.3, rng.choice([-128, 127], shape), data).astype(np.int8)
    taps = window.kernel[0] * window.kernel[1]
    scales = 2.0 ** rng.uniform(-3, 1, channels) / (40.0 * taps**0.5)
    scales = 2.0 ** np.floor(np.log2(scales)) if rng.random() < 0.25 else scales
    quant = Quant(tuple(float(np.float32(s)) for s in scales), (0,) * channels, 3)
    bias = rng.integers(-(1 << 13), 1 << 13, channels).astype(np.int32)
    x = int8("x", (1, *size, channels), 1.0, int(rng.choice([-128, -3, 127])))
    w = Tensor("w", shape, DType.INT8, quant, data)
    b = Tensor("b", (channels,), DType.INT32, Quant(quant.scale, (0,) * channels, 0), bias)
    y = int8("y", (), 1.0, -128 if relu else int(rng.choice([-128, 5, 100])))
    clamp = Activation.RELU if relu else Activation.NONE
    return one_op_graph(DepthwiseConv2D("op", "x", "w", "b", "y", window, clamp), [x, w, b, y])


def same(kernel: tuple[int, int], size: tuple[int, int], stride: tuple[int, int]) -> Window:
    pads = [same_padding(n, k, s) for n, k, s in zip(size, kernel, stride, strict=True)]
    return Window(kernel, stride, (1, 1), (pads[0], pads[1]))


def depthwise_3x3(rng: np.random.Generator) -> Iterator[Graph]:
    """Every width to beyond two runs, heights to beyond a block, channels with every remainder; higher than
    wide; borders on all sides or none, and wide ones."""
    for i, n in enumerate((*range(3, 12), 16, 17, 18, 19, 33, 35)):
        channels, stride = 4 + i % 7, (1 + i % 2,) * 2
        for size in ((3 + i % 11, n), (n, 3 + i % 3), (n, n)):
            for steps in (stride, (1, 1)):
                window = Window((3, 3), steps) if i % 5 == 0 else same((3, 3), size, steps)
                yield depthwise(rng, size, channels, window, relu=True)
    for pads in (((2, 2), (2, 2)), ((0, 2), (2, 0)), ((1, 0), (0, 1))):
        for size, stride in (((4, 5), (1, 1)), ((6, 2), (1, 1)), ((2, 3), (2, 2)), ((9, 4), (2, 2))):
            yield depthwise(rng, size, 6, Window((3, 3), stride, (1, 1), pads), relu=True)
    yield depthwise(rng, (2, 2), 4, same((3, 3), (2, 2), (1, 1)), relu=True)


def depthwise_clamped(rng: np.random.Generator) -> Iterator[Graph]:
    """Outputs that end above the lowest byte or below the highest, some rows no whole number of words."""
    for i, width in enumerate((*range(1, 9), 13, 16)):
        for zero, clamp in ((-128, Activation.RELU6), (-27, Activation.RELU), (90, Activation.RELU6)):
            window = same((3, 3), (4, width), (1 + i % 2,) * 2)
            graph = depthwise(rng, (4, width), 4 + i % 5, window, relu=True)
            (op,) = graph.ops
            assert isinstance(op, DepthwiseConv2D)
            y = int8("y", (), float(rng.uniform(0.05, 1.0)), zero)
            tensors = [graph[n] for n in op.inputs] + [y]
            yield one_op_graph(replace(op, activation=clamp), tensors)


def depthwise_tiles(rng: np.random.Generator) -> Iterator[Graph]:
    """Windows of all kinds with outputs of any range: 1 to 40 wide, strides, time series."""
    kernels = ((5, 5), (7, 7), (3, 3), (1, 7), (6, 2), (8, 1), (2, 6), (4, 3))
    for i, width in enumerate((*range(1, 18), 23, 40)):
        kernel, stride = kernels[i % len(kernels)], (1 + i % 2, 1 + i // 2 % 2)
        size = (kernel[0] + i % 5, width)
        yield depthwise(rng, size, 4 + i % 5, same(kernel, size, stride), relu=i % 3 == 0)
        yield depthwise(rng, (9, 9 + i), 5, Window((5, 7), stride), relu=i % 2 == 0)
    for i, taps in enumerate((*range(2, 22), 30)):
        length, stride = taps + i % 9, (1 + i % 3 % 2, 1)
        window = Window((taps, 1), stride) if i % 2 else same((taps, 1), (length, 1), stride)
        yield depthwise(rng, (length, 1), 4 + i % 6, window, relu=i % 4 == 0)
    yield depthwise(rng, (60, 1), 8, Window((5, 1)), relu=False)
    for i, width in enumerate((*range(1, 10), 12, 13, 17, 23)):  # the unrolled ones
        kernel = (5 + 2 * (i % 2),) * 2
        for size in ((width, 24 - width), (7 + i, width)):
            yield depthwise(rng, size, 4 + i % 5, same(kernel, size, (1, 1)), relu=i % 3 == 0)
        yield depthwise(rng, (13, 9 + i), 6, Window((12 - kernel[0],) * 2), relu=False)
    for dilation in ((1, 2), (2, 1), (3, 2)):
        pads = ((2, 2), (3, 1))
        yield depthwise(rng, (9, 10), 7, Window((3, 3), (1, 2), dilation, pads), relu=False)


def elementwise(rng: np.random.Generator) -> Iterator[Graph]:
    """Every remainder of elements, operands of other scales and signs, broadcasting of rows and of one."""
    shapes = [((n,), (n,)) for n in range(1, 10)]
    shapes += [((3, 5), (5,)), ((2, 7), (1,)), ((1,), (2, 6)), ((4, 1), (4, 9)), ((2, 3, 5), (2, 1, 5))]
    for a_shape, b_shape in shapes:
        for kind in (Add, Sub, Mul):
            a = int8("a", a_shape, 2.0 ** rng.uniform(-4, 0), int(rng.integers(-128, 128)))
            b = int8("b", b_shape, 2.0 ** rng.uniform(-4, 0), int(rng.integers(-128, 128)))
            y = int8("y", (), 2.0 ** rng.uniform(-3, 1), int(rng.integers(-128, 128)))
            yield one_op_graph(kind("op", "a", "b", "y", Activation.NONE), [a, b, y])


def pooling(rng: np.random.Generator) -> Iterator[Graph]:
    """Small windows with and without borders, whole maps, more pixels than 16 bits can sum."""
    for i, channels in enumerate((4, 5, 6, 7, 8, 9, 16, 17, 21)):
        size, kernel = (3 + i % 4, 3 + i % 5), (2 + i % 2, 1 + i % 3)
        windows = [same(kernel, size, (1 + i % 2, 2)), Window(size), Window((2, size[1]), (1, 1))]
        zero = int(rng.integers(-128, 128))
        x = int8("x", (1, *size, channels), 0.5, zero)
        for window in windows:
            for kind in (AveragePool2D, MaxPool2D):
                clamp = Activation.RELU6 if i % 3 == 0 else Activation.NONE
                yield one_op_graph(kind("op", "x", "y", window, clamp), [x, int8("y", (), 0.5, zero)])
        for shape in ((1, *size, channels), (1, 20, 13, channels)):
            y = int8("y", (), 0.4, int(rng.integers(-128, 128)))
            yield one_op_graph(Mean("op", "x", "y", (1, 2), i % 2 == 0), [int8("x", shape, 0.5, zero), y])
    big = int8("x", (1, 15, 17, 4), 0.5, 0)
    yield one_op_graph(AveragePool2D("op", "x", "y", Window((15, 17))), [big, int8("y", (), 0.5, 0)])


def drawn(kind: type[Op], count: int) -> Iterator[Graph]:
    """Random int8 layers of an operator."""
    for seed in range(count):
        graph = kind.case(RandomDraw(seed))
        if all(graph[n].dtype is DType.INT8 for n in (*graph.inputs, *graph.outputs)):
            yield graph


def all_layers() -> list[Graph]:
    rng = np.random.default_rng(2)
    families = (depthwise_3x3, depthwise_clamped, depthwise_tiles, elementwise, pooling)
    kinds = (DepthwiseConv2D, Add, Sub, Mul, AveragePool2D, MaxPool2D, Mean)
    layers = [g for family in families for g in family(rng)]
    return layers + [g for kind in kinds for g in drawn(kind, 150)]


def accepted(kernel: Kernel, layers: list[Graph]) -> list[Graph]:
    """Layers the kernel accepts, spread over all of them."""
    found = [g for g in layers if type(g.ops[0]) is kernel.op and kernel.accepts(g.ops[0], g.tensors)]
    step = max(1.0, len(found) / PER_KERNEL)
    return [found[int(i * step)] for i in range(min(len(found), PER_KERNEL))]


@pytest.fixture(scope="module")
def layers() -> list[Graph]:
    return all_layers()


def samples_of(graph: Graph) -> list[dict[str, np.ndarray]]:
    """Inputs: any bytes, only the extremes, only the lowest."""
    rng = np.random.default_rng(3)
    shapes = {n: graph[n].shape for n in graph.inputs}
    return [
        {n: rng.integers(-128, 128, s).astype(np.int8) for n, s in shapes.items()},
        {n: rng.choice([-128, 127], s).astype(np.int8) for n, s in shapes.items()},
        {n: np.full(s, -128, np.int8) for n, s in shapes.items()},
    ]


def assert_equal_to_reference(kernel: Kernel, layers: list[Graph], board: boards.Board | None) -> None:
    cases = accepted(kernel, layers)
    assert len(cases) >= 10
    graph = merge(cases)
    samples = samples_of(graph)
    trial = run_trial(cases, board, [kernel], samples, isa=ISA)
    for sample, outputs in zip(samples, trial.outputs, strict=True):
        want = evaluate(graph, sample)
        wrong = [n for n in graph.outputs if not np.array_equal(want[n], outputs[n])]
        assert wrong == []


def label(kernel: Kernel) -> str:
    return f"{kernel.name}-{kernel.op.kind()}"


@pytest.mark.parametrize("kernel", KERNELS, ids=label)
def test_kernel_equals_the_reference_on_the_host_with_sanitizers(kernel: Kernel, layers: list[Graph]) -> None:
    need_host()
    assert_equal_to_reference(kernel, layers, None)


@pytest.mark.parametrize("kernel", KERNELS, ids=label)
def test_kernel_equals_the_reference_on_a_cortex_m4(kernel: Kernel, layers: list[Graph]) -> None:
    board = boards.load(M4)
    need(board)
    assert_equal_to_reference(kernel, layers, board)


def test_work_is_whole_numbers_of_the_same_loops_for_every_layer(layers: list[Graph]) -> None:
    for kernel in KERNELS:
        counts = [dict(kernel.work(g.ops[0], g.tensors)) for g in accepted(kernel, layers)]
        assert all(c["calls"] >= 1 and min(c.values()) >= 0 for c in counts)
        assert Counter(type(v) for c in counts for v in c.values()).keys() == {int}


def test_merged_rounding_is_exact_for_every_accumulator_or_refused() -> None:
    """The form is proven on both sides of each step of the outputs only; here every accumulator is tried."""
    rng = np.random.default_rng(4)
    found = 0
    for trial in range(200):
        weights = rng.integers(-128, 128, (9, 1)) // int(rng.choice([1, 8, 64]))
        bias = rng.integers(-20000, 20000, 1)
        multiplier = rng.integers(1 << 30, 1 << 31, 1) if trial % 4 else np.array([1 << 30])
        shift = np.array([1 + trial % 14])
        zero = int(rng.choice([-128, -128, -40, 0]))
        form = merged_channels(weights, bias, multiplier, shift, (zero, zero, 127))
        if form is None:
            continue
        found += 1
        products = np.stack([weights * -128, weights * 127])
        low, high = int((bias + products.min(0).sum(0))[0]), int((bias + products.max(0).sum(0))[0])
        acc = np.arange(low, high + 1)
        want = Requant(multiplier, -shift, zero, zero, 127).apply(acc)
        assert np.array_equal(np.maximum(form.apply(acc[None])[0], zero), want)
    assert found >= 100


@pytest.mark.parametrize("size", [(3, 1681), (1681, 2), (3, 1680), (2, 5), (5, 2)])
def test_what_a_depthwise_kernel_accepts_it_can_cut_into_runs(size: tuple[int, int]) -> None:
    graph = depthwise(np.random.default_rng(3), size, 4, same((3, 3), size, (1, 1)), relu=True)
    (op,) = graph.ops
    taking = [k for k in KERNELS if type(op) is k.op and k.accepts(op, graph.tensors)]
    assert taking
    for kernel in taking:
        assert kernel.emit(op, graph.tensors) and kernel.scratch_bytes(op, graph.tensors) >= 0
        assert kernel.work(op, graph.tensors)["calls"] >= 1
