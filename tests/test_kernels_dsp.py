"""DSP kernels of convolutions and fully-connected layers: equal to the reference on the host and on an M4."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from emulation_support import need, need_host
from patchloom import boards
from patchloom.codegen.isa import dsp_conv, dsp_winograd
from patchloom.codegen.isa.dsp_gemm import Channels, channels, gemm_stream, pair_lanes, paired
from patchloom.emulation.trial import merge, run_trial
from patchloom.ir import Activation, DType, Graph, Quant, Tensor, Window, evaluate
from patchloom.ir.cases import RandomDraw, one_op_graph
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.window import same_padding
from patchloom.passes.planner.kernel import Kernel

KERNELS = (*dsp_conv.KERNELS, *dsp_winograd.KERNELS)
M4 = "generic-cortex-m4"
ISA = frozenset({"arm", "dsp", "unaligned"})
CHANNELS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17)


def layer(
    rng: np.random.Generator,
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    *,
    window: Window | None = None,
    activation: Activation = Activation.NONE,
    lowest: int = -127,
    ties: bool = False,
) -> Graph:
    """A convolution, or fully-connected layer for 2-D shapes.

    Weights are random, many of them the extremes `lowest` and 127. With `ties` the scales are powers of two,
    so that many accumulators lie exactly between two outputs.
    """
    data = rng.integers(lowest, 128, w_shape)
    data = np.where(rng.random(w_shape) < 0.3, rng.choice([lowest, 127], w_shape), data).astype(np.int8)
    count, taps = w_shape[0], data.size // w_shape[0]
    typical = 1.0 / (127.0 * 40.0 * taps**0.5)
    scales = typical * 128 * 2.0 ** rng.uniform(-6, 1, count)
    if ties:
        scales = 2.0 ** np.floor(np.log2(scales))
    scales = np.minimum(scales, 0.4)
    x = Tensor("x", x_shape, DType.INT8, Quant((1.0,), (int(rng.choice([-128, -3, 0, 127])),)))
    quant = Quant(tuple(float(np.float32(s)) for s in scales), (0,) * count, 0)
    w = Tensor("w", w_shape, DType.INT8, quant, data)
    bias = rng.integers(-(1 << 14), 1 << 14, count).astype(np.int32)
    b = Tensor("b", (count,), DType.INT32, Quant(quant.scale, (0,) * count, 0), bias)
    y = Tensor("y", (), DType.INT8, Quant((1.0,), (int(rng.choice([-128, 5, 100])),)))
    if len(w_shape) == 2:
        op = FullyConnected("op", "x", "w", "b", "y", activation=activation, keep_dims=False)
        return one_op_graph(op, [x, w, b, y])
    return one_op_graph(Conv2D("op", "x", "w", "b", "y", window or Window((1, 1)), activation), [x, w, b, y])


def padded(kernel: tuple[int, int], size: tuple[int, int], stride: tuple[int, int]) -> Window:
    """A window with SAME padding."""
    pads = [same_padding(n, k, s) for n, k, s in zip(size, kernel, stride, strict=True)]
    return Window(kernel, stride, (1, 1), (pads[0], pads[1]))


def pointwise_layers(rng: np.random.Generator) -> Iterator[Graph]:
    """1x1: every number of channels in and out, every number of pixels."""
    for i, c in enumerate((*CHANNELS, 31, 40)):
        n = CHANNELS[-i % len(CHANNELS)]
        yield layer(rng, (1, 1, 1 + i % 14, c), (n, 1, 1, c), lowest=-128, ties=i % 3 == 0)
        yield layer(rng, (1, 1, 14 - i % 14, c), (n, 1, 1, c), ties=i % 3 == 2)
        yield layer(rng, (1, 2, 3 + i, c), (n, 1, 1, c), activation=Activation.RELU, ties=i % 3 == 1)
        yield layer(rng, (1, 3, 5, c), (n, 1, 1, c), activation=Activation.RELU6)
    for c in (64, 100):
        yield layer(rng, (1, 5, 5, c), (10, 1, 1, c), activation=Activation.RELU_N1_TO_1)


def dense_layers(rng: np.random.Generator) -> Iterator[Graph]:
    """Fully connected: every remainder of channels in and out, several rows."""
    for i, c in enumerate((4, 5, 6, 7, 8, 9, 31, 32, 33, 64, 100, 130)):
        n = (1, 2, 5, 6, 7, 11, 12, 13, 20, 3, 8, 4)[i]
        relu = Activation.RELU if i % 2 else Activation.NONE
        yield layer(rng, (1 + i % 3, c), (n, c), activation=relu, ties=i % 3 == 0)
    yield layer(rng, (1, 1200), (4, 1200))
    yield layer(rng, (2, 36), (7, 36), lowest=-128)


def spatial_layers(rng: np.random.Generator) -> Iterator[Graph]:
    """kxk: channels, kernels, strides, borders on all sides, narrow outputs, dilation."""
    kernels = ((3, 3), (1, 3), (3, 1), (2, 2), (5, 5), (10, 4), (1, 9), (4, 3), (7, 2))
    for i, (kernel, c) in enumerate(zip(2 * kernels, (*CHANNELS, *CHANNELS), strict=False)):
        size, stride = (kernel[0] + i % 5, kernel[1] + i % 7), (1 + i % 2, 1 + i % 3 // 2)
        window = padded(kernel, size, stride) if i % 3 else Window(kernel, stride)
        n = CHANNELS[(5 * i + 1) % len(CHANNELS)]
        relu = Activation.RELU if i % 2 else Activation.NONE
        shape, ties = (1, *size, c), i % 4 == 0
        yield layer(rng, shape, (n, *kernel, c), window=window, activation=relu, ties=ties)
        yield layer(rng, shape, (n, *kernel, c), window=window, lowest=-128, activation=relu)
    for c, dilation in ((3, (1, 2)), (4, (2, 2)), (6, (2, 1))):
        window = Window((3, 3), (1, 1), dilation, ((1, 2), (2, 1)))
        yield layer(rng, (1, 7, 8, c), (5, 3, 3, c), window=window)
    for width in range(1, 9):  # of the first layers of networks, and every number of pixels per row
        window = Window((3, 3), (2, 2), (1, 1), ((1, 1), (1, 1)))
        yield layer(rng, (1, 5, width, 3), (4, 3, 3, 3), window=window, activation=Activation.RELU)


def winograd_layers(rng: np.random.Generator) -> Iterator[Graph]:
    """3x3, stride 1: every remainder of rows, columns and channels; with and without padding."""
    sizes = ((3, 3), (4, 7), (5, 6), (2, 5), (1, 1), (6, 4), (7, 9), (8, 8))
    for i, (size, n) in enumerate(zip(sizes, (4, 5, 6, 7, 8, 9, 16, 17), strict=True)):
        c = 16 * (1 + i % 3)
        window = Window((3, 3)) if i in (0, 1) else padded((3, 3), size, (1, 1))
        relu = Activation.RELU if i % 2 else Activation.NONE
        shape, ties = (1, *size, c), i % 3 == 0
        yield layer(rng, shape, (n, 3, 3, c), window=window, activation=relu, lowest=-128, ties=ties)


def drawn_layers() -> Iterator[Graph]:
    """Random int8 layers."""
    for seed in range(60):
        graph = (Conv2D, FullyConnected)[seed % 3 == 0].case(RandomDraw(seed))
        if graph["x"].dtype is DType.INT8:
            yield graph


def all_layers() -> list[Graph]:
    """Every family."""
    rng = np.random.default_rng(1)
    families = (pointwise_layers, dense_layers, spatial_layers, winograd_layers)
    return [g for family in families for g in family(rng)] + list(drawn_layers())


def samples_of(graph: Graph, rng: np.random.Generator) -> list[dict[str, np.ndarray]]:
    """Inputs: any bytes, and only the extremes."""
    shapes = {n: graph[n].shape for n in graph.inputs}
    return [
        {n: rng.integers(-128, 128, s).astype(np.int8) for n, s in shapes.items()},
        {n: rng.choice([-128, 127], s).astype(np.int8) for n, s in shapes.items()},
        {n: np.full(s, -128, np.int8) for n, s in shapes.items()},
    ]


def check(kernel: Kernel, layers: list[Graph], board: str | None) -> None:
    """Outputs of all layers the kernel accepts equal the reference; the test says so if these are too few."""
    op = kernel.op
    cases = [g for g in layers if type(g.ops[0]) is op and kernel.accepts(g.ops[0], g.tensors)]
    assert len(cases) >= 8, f"{kernel.name} accepts {len(cases)} of the layers"
    graph = merge(cases)
    samples = samples_of(graph, np.random.default_rng(2))
    trial = run_trial(cases, boards.load(board) if board else None, [kernel], samples, isa=ISA)
    for sample, outputs in zip(samples, trial.outputs, strict=True):
        want = evaluate(graph, sample)
        for name in graph.outputs:
            np.testing.assert_array_equal(outputs[name], want[name], err_msg=f"{kernel.name} {name}")


def _id(kernel: Kernel) -> str:
    return f"{kernel.op.kind()}-{kernel.name}"


@pytest.mark.parametrize("kernel", KERNELS, ids=_id)
def test_outputs_equal_the_reference_on_the_host(kernel: Kernel) -> None:
    need_host()
    check(kernel, all_layers(), None)


@pytest.mark.parametrize("kernel", KERNELS, ids=_id)
def test_outputs_equal_the_reference_on_a_cortex_m4(kernel: Kernel) -> None:
    need(boards.load(M4))
    check(kernel, all_layers(), M4)


def test_two_weights_per_lane_can_be_told_apart() -> None:
    rows = np.array([[-128, 127, -1, 0], [127, -127, 0, -128], [5, 6, 7, 8]])
    lanes = pair_lanes(paired(rows))
    assert lanes.shape == (2, 4)
    assert (((lanes + 128) % 256 - 128) == paired(rows)[0::2]).all()
    assert ((lanes - paired(rows)[0::2]) // 256 == paired(rows)[1::2]).all()


def test_a_layer_that_shifts_left_is_left_to_other_kernels() -> None:
    rng = np.random.default_rng(3)
    graph = layer(rng, (1, 2, 2, 4), (4, 1, 1, 4))
    assert channels(graph.ops[0], graph.tensors) is not None  # type: ignore[arg-type]
    coarse = dict(graph.tensors)
    coarse["y"] = Tensor("y", graph["y"].shape, DType.INT8, Quant((1e-4,), (0,)))
    assert channels(graph.ops[0], coarse) is None  # type: ignore[arg-type]


def test_constants_of_an_odd_last_channel_come_twice() -> None:
    rows = np.arange(12).reshape(3, 4)
    constants = Channels(*(np.arange(3) + 10 * i for i in range(4)))
    stream = gemm_stream(rows, constants, "any").reshape(2, -1)
    assert stream[1, 2:].tolist() == [1, 11, 21, 31, 2, 12, 22, 32]


@pytest.mark.parametrize("variant", dsp_conv.KERNELS, ids=lambda k: f"{k.op.kind()}-{k.name}")
def test_dilation_of_a_window_one_column_wide_changes_nothing(variant: Kernel) -> None:
    need_host()
    rng = np.random.default_rng(7)
    shapes = [((1, 7, 9, 3), (17, 3, 1, 3), Window((3, 1), (1, 1), (1, 2)))]
    shapes += [((1, 2, 1, 1), (4, 1, 1, 1), Window((1, 1), (2, 1), (2, 2)))]
    cases = [layer(rng, x, w, window=window) for x, w, window in shapes]
    cases = [g for g in cases if type(g.ops[0]) is variant.op and variant.accepts(g.ops[0], g.tensors)]
    if not cases:
        pytest.skip("for other layers")
    graph = merge(cases)
    sample = {n: rng.integers(-128, 128, graph[n].shape).astype(np.int8) for n in graph.inputs}
    (outputs,) = run_trial(cases, None, [variant], [sample], isa=ISA).outputs
    want = evaluate(graph, sample)
    assert all(np.array_equal(outputs[n], want[n]) for n in graph.outputs)
