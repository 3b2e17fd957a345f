"""Transposed convolutions with windows side by side, by the pointwise kernels of every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from emulation_support import need_host
from nets import Net
from patchloom.codegen import KERNELS
from patchloom.emulation.trial import merge, run_trial
from patchloom.ir import Activation, DType, Graph, Window, evaluate
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops.transpose_conv import TransposeConv
from patchloom.passes.planner.kernel import Kernel
from stage_nets import QUANTS, weights

PHASED = [k for k in KERNELS if k.op is TransposeConv and "pointwise" in k.name]


def graph_of(seed: int, dtype: DType, pad: int = 0) -> Graph:
    """Kernel and stride alike; `pad`: rows and columns of the result that are cut off."""
    rng, draw, net = np.random.default_rng(seed), RandomDraw(seed), Net()
    h, w, c, count = (int(n) for n in rng.integers(1, 9, 4))
    down, across = (int(n) for n in rng.integers(1 + pad, 4, 2))
    c, count = (8, 8) if seed % 3 == 0 else (c, count)  # kernels that want multiples of four
    h = 1 if seed % 4 == 0 else h
    x = net.input("x", (1, h, w, c), dtype, QUANTS[dtype])
    kernel, bias = weights(net, draw, "y", x, (count, down, across, c), count)
    window = Window((down, across), (down, across), padding=((pad, pad), (pad, pad)))
    size = down * h - pad, across * w - pad
    return net.graph(net.add(TransposeConv("y", x, kernel, bias, "y", window, size, Activation.RELU)))


@pytest.mark.parametrize("isa", ["arm", "riscv", ""])
def test_every_pointwise_kernel_computes_what_the_reference_does(isa: str) -> None:
    need_host()
    chosen = [k for k in PHASED if (isa in k.features if isa else not k.features & {"arm", "riscv"})]
    assert chosen
    for kernel in chosen:
        ran = [graph_of(s, dtype) for dtype in QUANTS for s in range(12)]
        ran = [g for g in ran if kernel.accepts(g.ops[0], g.tensors)]
        if ran:
            assert_as_reference(kernel, ran)


def assert_as_reference(kernel: Kernel, graphs: list[Graph]) -> None:
    rng, graph = np.random.default_rng(1), merge(graphs)
    sample = {n: rng.integers(-100, 100, graph[n].shape).astype(graph[n].dtype.numpy) for n in graph.inputs}
    trial = run_trial(graphs, None, [kernel], [sample], isa=kernel.features)
    want = evaluate(trial.graph, sample)
    for y in trial.graph.outputs:
        got = trial.outputs[0][y].reshape(want[y].shape)
        if want[y].dtype == np.float32:
            np.testing.assert_allclose(got, want[y], rtol=1e-4, atol=1e-4, err_msg=y)
        else:
            np.testing.assert_array_equal(got, want[y], err_msg=f"{kernel.name} {y}")


@pytest.mark.parametrize("dtype", list(QUANTS))
def test_windows_that_overlap_or_are_cut_off_are_left_to_the_general_kernel(dtype: DType) -> None:
    for seed in range(12):
        cut = graph_of(seed, dtype, pad=1)
        assert not any(k.accepts(cut.ops[0], cut.tensors) for k in PHASED)


def test_the_cost_of_a_layer_is_that_of_its_rows() -> None:
    graph = graph_of(7, DType.INT8)
    (op,) = graph.ops
    kernel = next(k for k in PHASED if k.name == "pl_pointwise_s8")
    assert isinstance(op, TransposeConv)
    work, (rows, _) = kernel.work(op, graph.tensors), op.window.kernel
    assert work["calls"] == rows * graph["x"].shape[1]
    assert work["outputs"] == graph["y"].elements
