"""Sums, products, lookups, pooling and means with RISC-V vectors equal the reference bit by bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from emulation_support import need, need_host
from patchloom import boards
from patchloom.boards import Board
from patchloom.codegen.isa import rvv_elementwise, rvv_pooling
from patchloom.emulation import machines
from patchloom.emulation.trial import merge, run_trial
from patchloom.ir import Activation, DType, Graph, Op, Quant, Tensor, Window, evaluate
from patchloom.ir.cases import RandomDraw, one_op_graph
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.lookup import Lookup
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.sub import Sub
from patchloom.passes import planner
from patchloom.passes.planner.kernel import Kernel
from patchloom.passes.planner.order import given_order

ISA = frozenset({"riscv", "rvv"})
KERNELS = (*rvv_elementwise.KERNELS, *rvv_pooling.KERNELS)
CLAMPS = (Activation.NONE, Activation.RELU, Activation.RELU6)


@pytest.fixture(autouse=True)
def _given_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Independent layers need no order: looking for a better one takes longer than running them."""
    monkeypatch.setattr(planner, "order", lambda need: given_order(need, 0))


def int8(name: str, shape: tuple[int, ...], scale: float, zero: int) -> Tensor:
    return Tensor(name, shape, DType.INT8, Quant((float(np.float32(scale)),), (zero,)))


def sums_and_products(rng: np.random.Generator) -> Iterator[Graph]:
    """Every tail of a vector, rows broadcast, operands of one scale and of others, all clamps."""
    shapes = [((n,), (n,)) for n in (*range(1, 10), 31, 32, 33, 64, 100, 129, 300)]
    shapes += [((3, 35), (35,)), ((2, 3, 5), (2, 1, 5)), ((5,), (4, 5)), ((2, 40, 3), (1, 40, 3))]
    for i, (a_shape, b_shape) in enumerate(shapes):
        for kind in (Add, Sub, Mul):
            scales = 2.0 ** rng.uniform(-5, 0, 3)
            scales[1] = scales[0] if i % 3 == 0 else scales[1]
            scales[2] = 2.0 ** rng.uniform(-4, 2)
            zeros = [int(z) for z in rng.choice([-128, -7, 0, 99, 127], 3)]
            a, b = int8("a", a_shape, scales[0], zeros[0]), int8("b", b_shape, scales[1], zeros[1])
            y = int8("y", (), scales[2], zeros[2])
            yield one_op_graph(kind("op", "a", "b", "y", CLAMPS[i % 3]), [a, b, y])


def pooling(rng: np.random.Generator) -> Iterator[Graph]:
    """Windows with and without borders, whole maps, channels beyond a vector, sums of 255 and of more."""
    for i, channels in enumerate((1, 2, 3, 8, 31, 32, 33, 64, 100, 130)):
        size, zero = (3 + i % 4, 4 + i % 5), int(rng.integers(-128, 128))
        x = int8("x", (1, *size, channels), 0.5, zero)
        borders = Window((3, 2), (1 + i % 2, 1), padding=((1, 1), (1, 0)))
        for window in (borders, Window(size), Window((2, 3), (2, 2))):
            for kind in (AveragePool2D, MaxPool2D):
                y = int8("y", (), 0.5, zero)
                yield one_op_graph(kind("op", "x", "y", window, CLAMPS[i % 3]), [x, y])
        for shape in ((1, *size, channels), (1, 15, 17, channels), (1, 23, 23, channels)):
            y = int8("y", (), 0.4, int(rng.integers(-128, 128)))
            yield one_op_graph(Mean("op", "x", "y", (1, 2), i % 2 == 0), [int8("x", shape, 0.5, zero), y])
    big = int8("x", (1, 15, 17, 5), 0.5, 0)
    yield one_op_graph(AveragePool2D("op", "x", "y", Window((15, 17))), [big, int8("y", (), 0.5, 0)])
    yield one_op_graph(MaxPool2D("op", "x", "y", Window((15, 17))), [big, int8("y", (), 0.5, 0)])


def lookups(rng: np.random.Generator) -> Iterator[Graph]:
    """Every tail of a vector of bytes, signed and unsigned."""
    for i, n in enumerate((1, 2, 7, 31, 127, 128, 129, 300)):
        dtype = (DType.INT8, DType.UINT8)[i % 2]
        table = Tensor("table", (256,), DType.INT8, None, rng.integers(-128, 128, 256).astype(np.int8))
        quant = Quant((0.5,), (0,))
        x, y = Tensor("x", (n,), dtype, quant), Tensor("y", (), DType.INT8, quant)
        yield one_op_graph(Lookup("op", "x", "table", "y"), [x, table, y])


def drawn(kind: type[Op], count: int) -> Iterator[Graph]:
    """Random layers of an operator, of which a kernel may take few."""
    return (kind.case(RandomDraw(seed)) for seed in range(count))


def layers_for(kernel: Kernel) -> list[Graph]:
    """Layers the kernel accepts, each family of them at least ten times."""
    rng = np.random.default_rng(5)
    layers = [*sums_and_products(rng), *pooling(rng), *lookups(rng), *drawn(kernel.op, 120)]
    own = [g for g in layers if type(g.ops[0]) is kernel.op and kernel.accepts(g.ops[0], g.tensors)]
    assert len(own) >= 10
    return own[:60]


def samples_of(graph: Graph) -> list[dict[str, np.ndarray]]:
    """Inputs: any bytes, only the ends of the range, only the lowest."""
    rng = np.random.default_rng(3)
    inputs = [graph[n] for n in graph.inputs]
    ends = {t.name: np.iinfo(t.dtype.numpy) for t in inputs}
    return [
        {t.name: rng.integers(0, 256, t.shape).astype(np.uint8).view(t.dtype.numpy) for t in inputs},
        {
            t.name: rng.choice([ends[t.name].min, ends[t.name].max], t.shape).astype(t.dtype.numpy)
            for t in inputs
        },
        {t.name: np.full(t.shape, ends[t.name].min, t.dtype.numpy) for t in inputs},
    ]


def check(kernel: Kernel, board: Board | None) -> None:
    graph = merge(cases := layers_for(kernel))
    samples = samples_of(graph)
    trial = run_trial(cases, board, [kernel], samples, isa=ISA)
    for sample, outputs in zip(samples, trial.outputs, strict=True):
        want = evaluate(graph, sample)
        for name in graph.outputs:
            np.testing.assert_array_equal(outputs[name], want[name], err_msg=name)


def label(kernel: Kernel) -> str:
    return f"{kernel.name}-{kernel.op.kind()}"


@pytest.mark.parametrize("kernel", KERNELS, ids=label)
def test_the_c_of_a_kernel_equals_the_reference(kernel: Kernel) -> None:
    need_host()
    check(kernel, None)


@pytest.mark.parametrize("core", ["rv32gcv", "rv64gcv"])
@pytest.mark.parametrize("kernel", KERNELS, ids=label)
def test_the_assembly_of_a_kernel_equals_the_reference(kernel: Kernel, core: str) -> None:
    board = boards.load(f"generic-{core}")
    need(board)
    check(kernel, board)


@pytest.mark.parametrize("kernel", KERNELS, ids=label)
def test_kernels_do_not_depend_on_the_length_of_vectors(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, original = boards.load("generic-rv64gcv"), machines.cpu_arguments
    need(board)

    def longer(board: Board) -> tuple[str, ...]:
        return tuple(option.replace("vlen=128", "vlen=512") for option in original(board))

    monkeypatch.setattr(machines, "cpu_arguments", longer)
    assert any("vlen=512" in option for option in machines.cpu_arguments(board))
    check(kernel, board)
