"""The layout pass: transposes meet their inverse, or stay where they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from nets import Net
from patchloom.ir import DType, Graph, Op, Tensor, evaluate, verify
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.arg_reduce import ArgReduce
from patchloom.ir.ops.binary import Binary
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.cumsum import CumSum
from patchloom.ir.ops.expand import Expand
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.gather import Gather
from patchloom.ir.ops.matmul import MatMul
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.pad import Pad
from patchloom.ir.ops.prelu import PRelu
from patchloom.ir.ops.reduce import Reduce
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.reshape import Reshape
from patchloom.ir.ops.slice import Slice
from patchloom.ir.ops.softmax import Softmax
from patchloom.ir.ops.split import Split
from patchloom.ir.ops.tile import Tile
from patchloom.ir.ops.transpose import Transpose
from patchloom.passes.layout import layout, moved_elements
from patchloom.passes.views import joinable_order, reshaped_base

TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
MAP = (1, 4, 3, 5)
"""Rows, columns and channels of the maps in these tests."""


class Floats:
    """A float graph op by op."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []
        self.inputs: list[str] = []
        self.rng = np.random.default_rng(0)

    def input(self, shape: tuple[int, ...], name: str = "x") -> str:
        self.tensors[name] = Tensor(name, shape, DType.FLOAT32)
        self.inputs.append(name)
        return name

    def constant(self, shape: tuple[int, ...], name: str) -> str:
        data = self.rng.normal(size=shape).astype(np.float32)
        self.tensors[name] = Tensor(name, shape, DType.FLOAT32, None, data)
        return name

    def add(self, op: Op, dtype: DType = DType.FLOAT32) -> str:
        for y, shape in zip(op.outputs, op.infer(self.tensors), strict=True):
            self.tensors[y] = Tensor(y, shape, dtype)
        assert list(op.rules(self.tensors)) == []
        self.ops.append(op)
        return op.outputs[0]

    def first(self, x: str) -> str:
        """A channels-last map with channels first, as behind every convolution of an ONNX model."""
        return self.add(Transpose(f"first_{x}", x, f"{x}_first", TO_FIRST))

    def last(self, x: str) -> str:
        return self.add(Transpose(f"last_{x}", x, f"{x}_last", TO_LAST))

    def graph(self, *outputs: str) -> Graph:
        return verify(Graph("net", self.tensors, tuple(self.ops), tuple(self.inputs), outputs))


def assert_same_results(before: Graph, after: Graph) -> None:
    verify(after)
    assert after.inputs == before.inputs and after.outputs == before.outputs
    rng = np.random.default_rng(1)
    inputs = {n: rng.normal(size=before[n].shape).astype(np.float32) for n in before.inputs}
    want, got = evaluate(before, inputs), evaluate(after, inputs)
    for name in before.outputs:
        assert want[name].dtype == got[name].dtype
        np.testing.assert_allclose(got[name], want[name], rtol=1e-5, atol=1e-5)


def axis_ops(net: Floats, x: str) -> dict[str, Op]:
    """Ops on a channels-first map that name its dimensions."""
    return {
        "relu": Relu("o", x, "y"),
        "channel factor": Mul("o", x, net.constant((5, 1, 1), "c"), "y"),
        "one factor": Mul("o", net.constant((1,), "c"), x, "y"),
        "row factor": Binary("o", x, net.constant((4, 1), "c"), "y", "div"),
        "prelu": PRelu("o", x, net.constant((5, 1, 1), "c"), "y"),
        "concat": Concat("o", (x, x), "y", 1),
        "pad": Pad("o", x, "y", ((0, 0), (0, 1), (2, 0), (1, 1)), 0.5),
        "slice": Slice("o", x, "y", (0, 1, 0, 2), (1, 3, 2, 2), (1, 1, 2, -1)),
        "expand": Expand("o", x, "y", (*MAP[:1], 5, 4, 3)),
        "tile": Tile("o", x, "y", (1, 2, 1, 3)),
        "gather": Gather("o", x, net_indices(net), "y", 1),
        "cumsum": CumSum("o", x, "y", 2),
        "mean": Mean("o", x, "y", (2, 3), True),
        "reduce": Reduce("o", x, "y", "max", (1,), True),
    }


def net_indices(net: Floats) -> str:
    net.tensors["i"] = Tensor("i", (3,), DType.INT64, None, np.array([4, 0, 2]))
    return "i"


KINDS = (
    "relu", "channel factor", "one factor", "row factor", "prelu", "concat", "pad", "slice", "expand", "tile",
    "gather", "cumsum", "mean", "reduce",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_an_op_between_two_transposes_works_in_the_order_of_the_map(kind: str) -> None:
    net = Floats()
    first = net.first(net.input(MAP))
    net.add(axis_ops(net, first)[kind])
    before = net.graph(net.last("y"))
    after = layout(before)
    assert not [op for op in after.ops if isinstance(op, Transpose)]
    assert_same_results(before, after)


def test_reductions_that_drop_dimensions_keep_the_order_of_the_others() -> None:
    net = Floats()
    first = net.first(net.input(MAP))
    sums = net.add(Reduce("sum", first, "sum", "sum", (2,), False))
    best = net.add(ArgReduce("best", first, "best", 1, False, True), DType.INT64)
    pooled = net.add(Mean("pool", first, "pooled", (2, 3), False))
    before = net.graph(sums, best, pooled)
    after = layout(before)
    assert_same_results(before, after)
    assert moved_elements(after) < moved_elements(before)


def test_a_split_map_stays_in_its_order_on_all_branches() -> None:
    net = Floats()
    first = net.first(net.input(MAP))
    net.add(Split("split", first, ("a", "b"), 1, (2, 3)))
    before = net.graph(net.last("a"), net.last(net.add(Relu("r", "b", "c"))))
    after = layout(before)
    assert [type(op) for op in after.ops if isinstance(op, Transpose)] == []
    assert_same_results(before, after)


def test_a_residual_sum_of_a_map_and_a_computed_row_of_channels() -> None:
    net = Floats()
    first = net.first(net.input(MAP))
    gate = net.add(Mean("pool", first, "pooled", (2, 3), True))
    total = net.add(Add("sum", first, gate, "total"))
    before = net.graph(net.last(total))
    after = layout(before)
    assert moved_elements(after) == 0
    assert_same_results(before, after)


def test_a_flattened_map_leaves_its_order_to_the_weights() -> None:
    net = Floats()
    first = net.first(net.input(MAP))
    flat = net.add(Relu("relu", net.add(Reshape("flat", first, "flat", (1, 60))), "positive"))
    before = net.graph(net.add(FullyConnected("fc", flat, net.constant((7, 60), "w"), None, "y", True)))
    after = layout(before)
    assert moved_elements(after) == 0
    assert_same_results(before, after)


def test_joined_rows_and_columns_are_no_reason_to_move_a_map() -> None:
    net = Floats()
    first = net.first(net.input(MAP))
    tokens = net.add(Reshape("tokens", first, "tokens", (1, 5, 12)))
    before = net.graph(net.add(Softmax("s", net.add(Transpose("t", tokens, "t", (0, 2, 1))), "y")))
    after = layout(before)
    assert moved_elements(after) == 0
    assert_same_results(before, after)


def test_a_channel_shuffle_moves_channels_once() -> None:
    net = Floats()
    first = net.first(net.input((1, 4, 3, 6)))
    split = net.add(Reshape("split", first, "split", (1, 2, 3, 4, 3)))
    swapped = net.add(Transpose("swap", split, "swapped", (0, 2, 1, 3, 4)))
    before = net.graph(net.last(net.add(Reshape("join", swapped, "joined", (1, 6, 4, 3)))))
    after = layout(before)
    assert len([op for op in after.ops if isinstance(op, Transpose)]) == 1
    assert_same_results(before, after)


def test_transposed_matrices_are_read_so() -> None:
    net = Floats()
    a, b = net.input((2, 3, 4), "a"), net.input((2, 3, 5), "b")
    at = net.add(Transpose("t", a, "at", (0, 2, 1)))
    before = net.graph(net.add(MatMul("m", at, b, "y")))
    after = layout(before)
    assert [type(op) for op in after.ops] == [MatMul]
    assert_same_results(before, after)


def test_an_input_that_is_transposed_behind_other_ops_is_transposed_at_once() -> None:
    """Then padding meets the window behind the transpose."""
    net = Floats()
    x = net.input((1, 5, 4, 3))
    padded = net.add(Pad("pad", x, "padded", ((0, 0), (0, 0), (1, 1), (1, 1)), 0.0))
    sunk = net.add(Softmax("s", net.last(padded), "y"))
    before = net.graph(sunk)
    after = layout(before)
    assert [type(op) for op in after.ops] == [Transpose, Pad, Softmax]
    assert_same_results(before, after)


def test_outputs_keep_their_order_and_their_names() -> None:
    net = Floats()
    first = net.first(net.input(MAP))
    y = net.add(Relu("relu", first, "y"))
    before = net.graph(first, y)
    assert_same_results(before, layout(before))


def test_a_graph_in_which_nothing_is_gained_is_left_alone() -> None:
    net = Floats()
    y = net.add(Relu("relu", net.first(net.input(MAP)), "y"))
    before = net.graph(y)
    assert layout(before) is before
    plain = Floats()
    graph = plain.graph(plain.add(Relu("relu", plain.input((2, 3)), "y")))
    assert layout(graph) is graph


def test_integers_that_change_their_quantization_between_transposes_stay_exact() -> None:
    net = Net()
    x = net.input("x", (1, 3, 4, 5))
    net.add(Transpose("t", x, "t", TO_FIRST))
    first = net.graph("t")
    tensors = dict(first.tensors)
    wider = replace(tensors["t"], name="y", quant=replace(tensors["t"].quant, scale=(0.25,)))  # type: ignore[type-var]
    tensors |= {"y": wider, "z": replace(wider, name="z", shape=(1, 3, 4, 5))}
    ops = (*first.ops, Relu("relu", "t", "y"), Transpose("back", "y", "z", TO_LAST))
    before = verify(replace(first, tensors=tensors, ops=ops, outputs=("z",)))
    after = layout(before)
    assert [type(op) for op in after.ops] == [Relu, Reshape]
    data = np.random.default_rng(0).integers(-128, 128, (1, 3, 4, 5)).astype(np.int8)
    np.testing.assert_array_equal(evaluate(before, {"x": data})["z"], evaluate(after, {"x": data})["z"])


@pytest.mark.parametrize("seed", range(40))
def test_views_of_reshaped_values_are_right_wherever_they_exist(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = tuple(int(n) for n in rng.integers(1, 4, rng.integers(2, 5)))
    perm = tuple(int(d) for d in rng.permutation(len(base)))
    x = np.arange(np.prod(base)).reshape(base)
    factors = [int(f) for n in x.transpose(perm).shape for f in ([n] if n % 2 else [2, n // 2])]
    joined = int(rng.integers(0, len(factors)))
    target = (*factors[:joined], int(np.prod(factors[joined : joined + 2])), *factors[joined + 2 :])
    want = x.transpose(perm).reshape(target)
    found = reshaped_base(base, perm, target)
    if found is None:
        order = joinable_order(base, perm, target)
        assert order
        x = x.transpose(order)
        found = reshaped_base(x.shape, tuple(order.index(d) for d in perm), target)
    assert found
    shape, view = found
    np.testing.assert_array_equal(x.reshape(shape).transpose(view), want)
