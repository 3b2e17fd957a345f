"""DSP kernels of layers in channel blocks: equal to the reference on the host and on an M4."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from emulation_support import need, need_host
from patchloom import boards
from patchloom.codegen.isa.dsp_sums import KERNELS
from patchloom.emulation.trial import merge, run_trial
from patchloom.ir import DType, Graph, Quant, Tensor, evaluate
from patchloom.ir.cases import RandomDraw, one_op_graph
from patchloom.ir.ops.partial_sums import PartialSums
from patchloom.passes.planner.kernel import Kernel

M4 = "generic-cortex-m4"
ISA = frozenset({"arm", "dsp", "unaligned"})
CHANNELS = (1, 2, 3, 4, 6, 33)
PIXELS = (1, 2, 3, 4, 5, 11)


def tails() -> Iterator[Graph]:
    """Every remainder of channels in and of pixels, added to sums and to nothing."""
    rng = np.random.default_rng(0)
    for i, depth in enumerate(CHANNELS):
        for j, pixels in enumerate(PIXELS):
            outputs = 2 + (3 * i + j) % 9
            quant = Quant((0.01,), (0,))
            lowest = -128 if (i + j) % 4 == 0 else -127
            data = rng.choice([lowest, -5, 0, 77, 127], (outputs, 1, 1, depth)).astype(np.int8)
            x = Tensor("x", (1, 1, pixels, depth), DType.INT8, Quant((0.1,), (3,)))
            w = Tensor("w", data.shape, DType.INT8, quant, data)
            y, sums = (Tensor(n, (1, 1, pixels, outputs), DType.INT32) for n in ("y", "sums"))
            if (i + j) % 3:
                yield one_op_graph(PartialSums("op", "x", "w", "sums", "y"), [x, w, y, sums])
            else:
                yield one_op_graph(PartialSums("op", "x", "w", None, "y"), [x, w, y])


def cases(kernel: Kernel) -> list[Graph]:
    """Layers that a kernel accepts."""
    drawn = (kernel.op.case(RandomDraw(seed)) for seed in range(80))
    every = tails() if kernel.op is PartialSums else drawn
    return [g for g in every if kernel.accepts(g.ops[0], g.tensors)]


def extremes(graph: Graph, seed: int) -> dict[str, np.ndarray]:
    """Inputs over the whole range of their types, many of them at its ends."""
    rng = np.random.default_rng(seed)
    sample = {}
    for name in graph.inputs:
        t = graph[name]
        low, high = t.dtype.integer_range
        data = rng.integers(low, high, t.shape, endpoint=True)
        sample[name] = np.where(rng.random(t.shape) < 0.2, rng.choice([low, high], t.shape), data)
        sample[name] = sample[name].astype(t.dtype.numpy)
    return sample


@pytest.mark.parametrize("machine", ["host", M4])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
def test_sums_equal_the_reference(kernel: Kernel, machine: str) -> None:
    board = None if machine == "host" else boards.load(machine)
    need_host() if board is None else need(board)
    found = cases(kernel)
    assert len(found) >= 15
    graph = merge(found)
    samples = [extremes(graph, seed) for seed in range(2)]
    trial = run_trial(found, board, [kernel], samples, isa=ISA)
    for sample, outputs in zip(samples, trial.outputs, strict=True):
        want = evaluate(graph, sample)
        for name in graph.outputs:
            np.testing.assert_array_equal(outputs[name], want[name], name)
