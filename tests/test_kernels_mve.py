"""Helium kernels: equal to the reference on the host, by their C equivalents, and on an M55."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import numpy as np
import pytest
from emulation_support import need, need_host
from patchloom import boards
from patchloom.boards import Board
from patchloom.codegen.isa import mve
from patchloom.emulation.trial import merge, run_trial
from patchloom.ir import Activation, DType, Graph, Op, Quant, Tensor, Window, evaluate
from patchloom.ir.cases import RandomDraw, one_op_graph
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.lookup import Lookup
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.sub import Sub
from patchloom.passes.planner.kernel import Kernel

M55 = "generic-cortex-m55"
ISA = frozenset({"arm", "mve", "dsp"})
CHANNELS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17)
FORMS = (
    # activation, whether some channels shift to the left, zero point of the output
    (Activation.NONE, False, 5),
    (Activation.RELU, False, -128),
    (Activation.RELU6, False, -20),
    (Activation.NONE, True, 0),
)


def called(*names: str) -> tuple[Kernel, ...]:
    return tuple(k for k in mve.KERNELS if k.name in names)


def weighted(
    rng: np.random.Generator,
    op: type[Conv2D] | type[DepthwiseConv2D] | type[FullyConnected],
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    window: Window | None = None,
) -> Graph:
    """A layer with random and extreme weights, per-channel scales, and one of FORMS.

    A third of the layers have powers of two as scales, so that many accumulators lie exactly between two
    outputs.
    """
    activation, left, zero = FORMS[int(rng.integers(len(FORMS)))]
    data = rng.integers(-128, 128, w_shape)
    data = np.where(rng.random(w_shape) < 0.3, rng.choice([-128, 127], w_shape), data).astype(np.int8)
    axis = op.CHANNEL_AXIS % len(w_shape)
    count = w_shape[axis]
    taps = data.size // count
    scales = np.minimum(2.0 ** rng.uniform(-6, 4, count) / (40.0 * taps**0.5), 0.2)
    bias = rng.integers(-(1 << 12), 1 << 12, count).astype(np.int32)
    if left:  # small sums, so that not all outputs saturate
        chosen = rng.random(count) < 0.7
        sparse = np.where(rng.random(w_shape) < 3 / taps, rng.choice([-1, 1], w_shape), 0)
        data = np.where(np.expand_dims(chosen, tuple(range(axis + 1, len(w_shape)))), sparse, data)
        data = data.astype(np.int8)
        scales = np.where(chosen, rng.uniform(0.3, 3.0, count), scales)
        bias = np.where(chosen, bias >> 6, bias).astype(np.int32)
    if rng.random() < 0.35:
        scales = 2.0 ** np.floor(np.log2(scales))
    quant = Quant(tuple(float(np.float32(s)) for s in scales), (0,) * count, axis)
    x = Tensor("x", x_shape, DType.INT8, Quant((1.0,), (int(rng.choice([-128, -3, 0, 127])),)))
    w = Tensor("w", w_shape, DType.INT8, quant, data)
    b = Tensor("b", (count,), DType.INT32, Quant(quant.scale, (0,) * count, 0), bias)
    y = Tensor("y", (), DType.INT8, Quant((1.0,), (zero,)))
    if op is FullyConnected:
        dense = FullyConnected("op", "x", "w", "b", "y", activation=activation, keep_dims=False)
        return one_op_graph(dense, [x, w, b, y])
    return one_op_graph(op("op", "x", "w", "b", "y", window or Window((1, 1)), activation), [x, w, b, y])


def spatial(
    rng: np.random.Generator,
    depthwise: bool,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    channels: int,
    outputs: int,
    width: int,
    dilation: int = 1,
) -> Graph:
    """A convolution of an input that is up to 4 rows and exactly `width` columns larger than the window;
    padded at random."""
    bare = Window(kernel, stride, (dilation, 1))
    size = (bare.extent[0] + int(rng.integers(0, 5)), kernel[1] + width)
    before = [(int(rng.integers(0, k)), int(rng.integers(0, k))) for k in kernel]
    pads = (before[0], before[1]) if rng.random() < 0.7 else ((0, 0), (0, 0))
    window = Window(kernel, stride, (dilation, 1), pads)
    if depthwise:
        return weighted(rng, DepthwiseConv2D, (1, *size, channels), (1, *kernel, channels), window)
    return weighted(rng, Conv2D, (1, *size, channels), (outputs, *kernel, channels), window)


def pointwise_layers(rng: np.random.Generator) -> Iterator[Graph]:
    """1x1: every tail of inputs, outputs and pixels."""
    for i, c in enumerate((*CHANNELS, 31, 32, 33, 40, 65)):
        for j in range(4):
            n, pixels = CHANNELS[(i * 5 + j * 7) % len(CHANNELS)], 1 + (i + 3 * j) % 9
            yield weighted(rng, Conv2D, (1, 1, pixels, c), (n, 1, 1, c))
    yield weighted(rng, Conv2D, (1, 6, 6, 57), (30, 1, 1, 57))
    yield weighted(rng, Conv2D, (1, 5, 5, 112), (20, 1, 1, 112))


def short_layers(rng: np.random.Generator) -> Iterator[Graph]:
    """1x1 of at most 16 inputs, where the last pixels need copies."""
    for c, pixels in product((1, 2, 3, 5, 8, 9, 15, 16), (1, 2, 7, 18)):
        yield weighted(rng, Conv2D, (1, 1, pixels, c), (4 + (c + pixels) % 9, 1, 1, c))


def dense_layers(rng: np.random.Generator) -> Iterator[Graph]:
    """One row of inputs: every tail of outputs and inputs."""
    for c, n in product((1, 8, 16, 17, 40, 64), (1, 2, 4, 5, 8, 9, 16, 21)):
        yield weighted(rng, FullyConnected, (1, c), (n, c))


def narrow_layers(rng: np.random.Generator) -> Iterator[Graph]:
    """Stems: rows of a window of less than 16 elements, 16, more; every place of a border in a tile."""
    kernels = ((3, 3), (1, 5), (10, 4), (2, 2), (5, 5), (7, 7))
    for i, (kernel, c) in enumerate(product(kernels, (1, 2, 3, 4, 8))):
        stride = ((1, 1), (2, 2), (1, 3))[i % 3]
        yield spatial(rng, False, kernel, stride, c, CHANNELS[i % 12], 3 * i % 25, 1 + (i % 7 == 0))


def column_layers(rng: np.random.Generator) -> Iterator[Graph]:
    """Convolutions of many channels, whole vectors of them or not, in one tile or in several."""
    kernels = ((3, 3), (1, 1), (1, 3), (3, 1), (2, 5))
    for i, (kernel, c) in enumerate(product(kernels, (1, 5, 16, 17, 32, 48))):
        stride = ((1, 1), (2, 2), (2, 1))[i % 3]
        yield spatial(rng, False, kernel, stride, c, CHANNELS[i % 12], 5 * i % 19, 1 + (i % 7 == 0))


def depthwise_layers(rng: np.random.Generator) -> Iterator[Graph]:
    """All walks: one row or two, windows of one vector, of several, one vector apart."""
    kernels = ((3, 3), (5, 5), (7, 7), (10, 4), (2, 2), (4, 4), (7, 3), (1, 9))
    for i, (kernel, stride) in enumerate(product(kernels, ((1, 1), (2, 2), (1, 2), (3, 1)))):
        for j in range(2):
            c = (1, 3, 8, 15, 16, 17, 33)[(i + 3 * j) % 7]
            yield spatial(rng, True, kernel, stride, c, c, (7 * i + 11 * j) % 23, 1 + (i % 11 == 5))


def line_layers(rng: np.random.Generator) -> Iterator[Graph]:
    """Depthwise along one axis: kernels within one vector and beyond, strips within one tile and beyond."""
    for i, (k, length) in enumerate(product((2, 3, 5, 10, 13, 14, 16, 30), (0, 1, 6, 20, 90))):
        c, pads = (1, 4, 16, 19, 33)[i % 5], (int(rng.integers(0, k)), int(rng.integers(0, k)))
        shape = (k + length, 1) if i % 2 else (1, k + length)
        kernel = (k, 1) if i % 2 else (1, k)
        window = Window(kernel, padding=(pads, (0, 0)) if i % 2 else ((0, 0), pads))
        yield weighted(rng, DepthwiseConv2D, (1, *shape, c), (1, *kernel, c), window)


def drawn(ops: Iterable[type[Op]], count: int) -> Iterator[Graph]:
    """`count` random cases of each operator that a Helium kernel accepts."""
    for op in ops:
        kernels = [k for k in mve.KERNELS if k.op is op]
        found = 0
        for seed in range(4000):
            case = op.case(RandomDraw(seed))
            if any(k.accepts(case.ops[0], case.tensors) for k in kernels):
                found += 1
                yield case
            if found == count:
                break


def other_layers(rng: np.random.Generator) -> Iterator[Graph]:
    yield from drawn((Add, Sub, Mul, Lookup, AveragePool2D, MaxPool2D, Mean), 12)
    quants = Quant((0.5,), (-7,)), Quant((0.5,), (90,)), Quant((1.0,), (3,))
    for kind in (Add, Sub):  # equal scales: both operands are exact
        a, b, y = (Tensor(n, (1, 3, 5, 3), DType.INT8, q) for n, q in zip("aby", quants, strict=True))
        yield one_op_graph(kind("op", "a", "b", "y", Activation.NONE), [a, b, y])
    for size in ((25, 5), (20, 20)):  # windows of whole rows, more of them than int16 could add up
        x = Tensor("x", (1, *size, 11), DType.INT8, quants[0])
        y = Tensor("y", (), DType.INT8, quants[0])
        yield one_op_graph(AveragePool2D("op", "x", "y", Window(size, size), Activation.NONE), [x, y])


FAMILIES = {
    "pointwise": (pointwise_layers, called("pl_pointwise_s8__mve")),
    "short": (short_layers, called("pl_pointwise_s8__mve_short", "pl_pointwise_s8__mve")),
    "dense": (dense_layers, called("pl_pointwise_s8__mve_row", "pl_pointwise_s8__mve")),
    "narrow": (narrow_layers, called("pl_conv2d_s8__mve_narrow")),
    "columns": (column_layers, called("pl_conv2d_s8__mve")),
    "depthwise": (
        depthwise_layers,
        called("pl_depthwise_conv2d_s8__mve", "pl_depthwise_conv2d_s8__mve_wide"),
    ),
    "line": (line_layers, called("pl_depthwise_conv2d_s8__mve_line")),
    "other": (other_layers, mve.KERNELS),
}


def check(cases: Sequence[Graph], kernels: tuple[Kernel, ...], board: Board | None) -> set[str]:
    """Outputs for random and extreme inputs equal the reference; names of the kernels that ran."""
    graph = merge(cases)
    rng = np.random.default_rng(len(cases))
    inputs = {name: (graph[name].shape, graph[name].dtype.numpy) for name in graph.inputs}
    samples = [
        {n: rng.integers(-128, 128, shape).astype(t) for n, (shape, t) in inputs.items()},
        {n: rng.choice([-128, 127], shape).astype(t) for n, (shape, t) in inputs.items()},
    ]
    trial = run_trial(cases, board, kernels, samples, isa=ISA)
    for sample, outputs in zip(samples, trial.outputs, strict=True):
        expected = evaluate(graph, sample)
        wrong = [n for n in graph.outputs if not np.array_equal(outputs[n], expected[n])]
        assert wrong == []
    return {cost.kernel for cost in trial.costs}


@pytest.mark.parametrize("family", FAMILIES)
def test_equivalents_in_c_equal_the_reference_under_sanitizers(family: str) -> None:
    need_host()
    layers, kernels = FAMILIES[family]
    assert check(list(layers(np.random.default_rng(3))), kernels, None) == {k.name for k in kernels} - others(
        family
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_equal_the_reference_on_a_core_with_helium(family: str) -> None:
    board = boards.load(M55)
    need(board)
    layers, kernels = FAMILIES[family]
    assert check(list(layers(np.random.default_rng(4))), kernels, board) == {
        k.name for k in kernels
    } - others(family)


def others(family: str) -> set[str]:
    """Kernels offered to a family that belong to another one."""
    weights = {k.name for k in mve.KERNELS if k.op in (Conv2D, DepthwiseConv2D, FullyConnected)}
    return weights if family == "other" else set()


def test_work_is_told_for_every_case() -> None:
    """Every count is at least 1 somewhere, so that a cost can be fitted to it."""
    seen: dict[str, dict[str, int]] = {}
    for layers, kernels in FAMILIES.values():
        for case in layers(np.random.default_rng(5)):
            op = case.ops[0]
            kernel = next(k for k in kernels if type(op) is k.op and k.accepts(op, case.tensors))
            work = kernel.work(op, case.tensors)
            assert work["calls"] == 1 and min(work.values()) >= 0
            most = seen.setdefault(kernel.name, dict.fromkeys(work, 0))
            seen[kernel.name] = {name: max(most[name], count) for name, count in work.items()}
    assert set(seen) == {k.name for k in mve.KERNELS}
    assert all(min(most.values()) >= 1 for most in seen.values())
