"""canonicalize: Before/After of each rewrite, and equality of results on random graphs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nets import Net, Q, float_boundary, random_net, samples, texts
from patchloom.errors import UserError
from patchloom.ir import Activation, DType, Graph, Op, Quant, Tensor, Window, evaluate, verify
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.cast import Cast
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.dequantize import Dequantize
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.pad import Pad
from patchloom.ir.ops.quantize import Quantize
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.reshape import Reshape
from patchloom.ir.ops.slice import Slice
from patchloom.ir.ops.split import Split
from patchloom.ir.ops.transpose import Transpose
from patchloom.ir.ops.write_state import WriteState
from patchloom.ir.types import State
from patchloom.passes import PASSES, canonicalize, run_passes
from strategies import HypothesisDraw

TYPES = [DType.INT8, DType.FLOAT32]


def assert_equal_results(before: Graph, after: Graph) -> None:
    """Same interface and same outputs: integers to the bit, floats to rounding."""
    verify(after)
    assert (after.inputs, after.outputs) == (before.inputs, before.outputs)
    for name in (*before.inputs, *before.outputs):
        assert after[name].shape == before[name].shape and after[name].dtype is before[name].dtype
    for sample in samples(before):
        want, got = evaluate(before, sample), evaluate(after, sample)
        for name in before.outputs:
            if want[name].dtype == np.float32:
                np.testing.assert_allclose(got[name], want[name], rtol=2e-5, atol=2e-5, err_msg=name)
            else:
                np.testing.assert_array_equal(got[name], want[name], err_msg=name)


def after(net: Net, *outputs: str) -> list[str]:
    """Texts of the canonical form, which is checked to compute the same."""
    graph = net.graph(*outputs)
    result = canonicalize(graph)
    assert_equal_results(graph, result)
    return texts(result)


@pytest.mark.parametrize("dtype", TYPES, ids=lambda d: d.value)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_results_stay_equal_on_random_graphs(dtype: DType, data: st.DataObject) -> None:
    graph = random_net(HypothesisDraw(data.draw), dtype)
    result = canonicalize(graph)
    assert_equal_results(graph, result)
    assert texts(canonicalize(result)) == texts(result), "canonicalize is idempotent"


# --- constants and dead ops -------------------------------------------------------------------------


def test_constant_subgraphs_are_computed() -> None:
    net = Net()
    x = net.input("x", (1, 2, 2, 1))
    c = net.const("c", np.array([[-9, 1]], np.int8))
    r = net.add(Relu("relu", c, "r"))
    s = net.add(Reshape("reshape", r, "s", (1, 2, 1, 1)))
    net.add(Concat("concat", (x, s), "y", 2))
    assert after(net, "y") == ["%y = concat(%x, %s) axis=2"]
    folded = canonicalize(net.graph("y"))["s"].data
    assert folded is not None and folded.ravel().tolist() == [-8, 1]


def test_a_constant_output_is_still_written_by_an_op() -> None:
    net = Net()
    net.input("x", (1, 2))
    c = net.const("c", np.array([[1, 2]], np.int8))
    net.add(Reshape("reshape", c, "y", (2,)))
    assert after(net, "y") == ["%y = reshape(%c) shape=(2,)"]


def test_unused_ops_go_and_writes_to_states_stay() -> None:
    net = Net()
    x = net.input("x", (1, 4))
    net.add(Reshape("unused", x, "u", (4,)))
    net.add(Relu("kept", x, "k"))
    net.add(Relu("relu", x, "y"))
    graph = net.graph("y")
    state = State("s", (1, 4), DType.INT8, Q, np.zeros((1, 4), np.int8))
    graph = replace(graph, ops=(*graph.ops, WriteState("write", "s", "k")), states=(state,))
    assert [op.name for op in canonicalize(verify(graph)).ops] == ["kept", "relu", "write"]


# --- padding ----------------------------------------------------------------------------------------


def padded(op: type[Op], value: int, border: tuple[int, int] = (1, 2), **tensor: object) -> Net:
    net = Net()
    x = net.input("x", (1, 5, 5, 2), **tensor)  # type: ignore[arg-type]
    p = net.add(Pad("pad", x, "p", ((0, 0), border, (2, 0), (0, 0)), value))
    window = Window((3, 3), (2, 2))
    if op is MaxPool2D:
        net.add(MaxPool2D("pool", p, "y", window))
    elif op is DepthwiseConv2D:
        net.add(DepthwiseConv2D("conv", p, net.weights("w", (1, 3, 3, 2), x), None, "y", window))
    else:
        net.add(Conv2D("conv", p, net.weights("w", (4, 3, 3, 2), x), None, "y", window))
    return net


@pytest.mark.parametrize("dtype", TYPES, ids=lambda d: d.value)
@pytest.mark.parametrize("op", [Conv2D, DepthwiseConv2D])
def test_padding_with_the_zero_point_becomes_the_windows(op: type[Op], dtype: DType) -> None:
    (text,) = after(padded(op, 0 if dtype is DType.FLOAT32 else -8, dtype=dtype), "y")
    assert text.startswith(f"%y = {op.kind()}(%x, %w) ") and "pad=1,2,2,0" in text


@pytest.mark.parametrize(
    ("value", "border"),
    [(0, (1, 2)), (-8, (0, 3))],
    ids=["another value than the zero point", "a window of nothing but padding"],
)
def test_other_padding_stays(value: int, border: tuple[int, int]) -> None:
    assert len(after(padded(Conv2D, value, border), "y")) == 2


def test_max_pooling_takes_padding_below_every_element() -> None:
    assert len(after(padded(MaxPool2D, -128), "y")) == 1
    assert len(after(padded(MaxPool2D, -8), "y")) == 2


def test_max_pooling_takes_zero_padding_behind_a_relu() -> None:
    net = Net()
    x = net.input("x", (1, 5, 5, 2))
    r = net.add(Relu("relu", x, "r"))
    p = net.add(Pad("pad", r, "p", ((0, 0), (1, 1), (1, 1), (0, 0)), -8))
    net.add(MaxPool2D("pool", p, "y", Window((3, 3), (2, 2))))
    assert [t.split(" = ")[1].split("(")[0] for t in after(net, "y")] == ["relu", "max_pool2d"]


def test_average_pooling_keeps_its_padding() -> None:
    net = Net()
    x = net.input("x", (1, 4, 4, 1))
    p = net.add(Pad("pad", x, "p", ((0, 0), (1, 1), (1, 1), (0, 0)), -8))
    net.add(AveragePool2D("pool", p, "y", Window((2, 2), (2, 2))))
    assert len(after(net, "y")) == 2


# --- activations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TYPES, ids=lambda d: d.value)
@pytest.mark.parametrize(
    ("first", "second", "fused"),
    [
        ("none", "relu", "relu"),
        ("relu", "relu6", "relu6"),
        ("relu6", "relu", "relu6"),
        ("none", "relu6", "relu6"),
    ],
)
def test_a_clamp_becomes_the_activation_of_its_producer(
    dtype: DType, first: str, second: str, fused: str
) -> None:
    net = Net()
    x = net.input("x", (1, 3, 3, 2), dtype)
    w = net.weights("w", (2, 1, 1, 2), x)
    c = net.add(Conv2D("conv", x, w, None, "c", Window((1, 1)), Activation(first)))
    net.add(Relu("relu", c, "y", Activation(second)))
    (text,) = after(net, "y")
    assert text.startswith("%y = conv2d(%x, %w)") and text.endswith(f"activation={fused}")


def test_a_clamp_that_rescales_stays() -> None:
    net = Net()
    x = net.input("x", (1, 3, 3, 2))
    c = net.add(Conv2D("conv", x, net.weights("w", (2, 1, 1, 2), x), None, "c", Window((1, 1))))
    net.add(Relu("relu", c, "y"), quant=Quant((0.125,), (-128,)))
    assert len(after(net, "y")) == 2


def test_a_clamp_of_a_value_others_read_stays() -> None:
    net = Net()
    x = net.input("x", (1, 3, 3, 2))
    c = net.add(Conv2D("conv", x, net.weights("w", (2, 1, 1, 2), x), None, "c", Window((1, 1))))
    net.add(Relu("relu", c, "y"))
    assert len(after(net, "y", "c")) == 2


# --- quantization -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [DType.INT8, DType.INT16, DType.UINT8], ids=lambda d: d.value)
def test_quantize_undoes_dequantize(dtype: DType) -> None:
    low, high = dtype.integer_range
    quant = Quant((0.017,), (0,)) if dtype is DType.INT16 else Quant((0.017,), (low + 5,))
    net = Net()
    x = net.input("x", (1, high - low + 1), dtype, quant)
    m = net.add(Reshape("reshape", x, "m", (high - low + 1,)))
    f = net.add(Dequantize("dequantize", m, "f"), DType.FLOAT32)
    q = net.add(Quantize("quantize", f, "q"), dtype, quant)
    net.add(Reshape("back", q, "y", (1, high - low + 1)))
    graph = net.graph("y")
    every = np.arange(low, high + 1).astype(dtype.numpy)[np.newaxis]
    assert np.array_equal(evaluate(graph, {"x": every})["y"], every)
    assert all("dequantize" not in t for t in texts(canonicalize(graph)))


def test_dequantize_does_not_undo_quantize() -> None:
    net = Net()
    x = net.input("x", (1, 8), DType.FLOAT32)
    q = net.add(Quantize("quantize", x, "q"), DType.INT8, Q)
    net.add(Dequantize("dequantize", q, "y"), DType.FLOAT32)
    assert len(after(net, "y")) == 2


def test_a_quantize_that_changes_nothing_goes() -> None:
    net = Net()
    x = net.input("x", (1, 8))
    q = net.add(Quantize("quantize", x, "q"))
    net.add(Relu("relu", q, "y"))
    assert after(net, "y") == ["%y = relu(%x) activation=relu"]


# --- movement ---------------------------------------------------------------------------------------


def test_reshape_chains_become_one() -> None:
    net = Net()
    x = net.input("x", (2, 6))
    a = net.add(Reshape("a", x, "a", (12,)))
    b = net.add(Reshape("b", a, "b", (3, 4)))
    net.add(Relu("relu", b, "y"))
    assert after(net, "y") == ["%b = reshape(%x) shape=(3, 4)", "%y = relu(%b) activation=relu"]


@pytest.mark.parametrize(
    "op",
    [
        Reshape("op", "x", "m", (1, 2, 3, 4)),
        Transpose("op", "x", "m", (0, 1, 2, 3)),
        Slice("op", "x", "m", (0, 0, 0, 0), (1, 2, 3, 4), (7, 1, 1, 1)),
        Pad("op", "x", "m", ((0, 0),) * 4, 9),
        Split("op", "x", ("m",), 2, (3,)),
        Concat("op", ("x",), "m", 1),
        Cast("op", "x", "m"),
    ],
    ids=lambda op: op.kind(),
)
def test_an_op_that_moves_nothing_goes(op: Op) -> None:
    net = Net()
    net.input("x", (1, 2, 3, 4))
    net.add(op)
    net.add(Relu("relu", "m", "y"))
    assert after(net, "y") == ["%y = relu(%x) activation=relu"]


def test_an_op_that_moves_nothing_stays_between_input_and_output() -> None:
    net = Net()
    x = net.input("x", (1, 4))
    net.add(Transpose("transpose", x, "y", (0, 1)))
    assert after(net, "y") == ["%y = reshape(%x) shape=(1, 4)"]


def test_a_move_that_changes_quantization_stays_as_a_reshape() -> None:
    net = Net()
    x = net.input("x", (1, 4))
    net.add(Transpose("transpose", x, "m", (0, 1)), quant=Quant((0.5,), (0,)))
    net.add(Relu("relu", "m", "y"))
    assert after(net, "y") == ["%m = reshape(%x) shape=(1, 4)", "%y = relu(%m) activation=relu"]


def test_transposes_of_dimensions_of_size_one_become_reshapes() -> None:
    net = Net()
    x = net.input("x", (1, 5, 1, 3))
    net.add(Transpose("transpose", x, "m", (2, 1, 3, 0)))
    net.add(Relu("relu", "m", "y"))
    assert after(net, "y") == ["%m = reshape(%x) shape=(1, 5, 3, 1)", "%y = relu(%m) activation=relu"]


def test_two_transposes_become_one_or_none() -> None:
    net = Net()
    x = net.input("x", (2, 3, 4))
    a = net.add(Transpose("a", x, "a", (1, 2, 0)))
    b = net.add(Transpose("b", a, "b", (2, 0, 1)))
    c = net.add(Transpose("c", a, "c", (0, 2, 1)))
    net.add(Relu("relu", b, "y"))
    net.add(Relu("other", c, "z"))
    assert after(net, "y", "z") == [
        "%c = transpose(%x) perm=(1, 0, 2)",
        "%y = relu(%x) activation=relu",
        "%z = relu(%c) activation=relu",
    ]


@pytest.mark.parametrize("keep_dims", [False, True])
def test_a_mean_absorbs_the_transpose_before_it(keep_dims: bool) -> None:
    net = Net()
    x = net.input("x", (1, 4, 5, 3))
    t = net.add(Transpose("transpose", x, "t", (0, 3, 1, 2)))
    m = net.add(Mean("mean", t, "m", (2, 3), keep_dims))
    net.add(Relu("relu", m, "y"))
    result = after(net, "y")
    assert result[0].endswith("= mean(%x) axes=(1, 2) keep_dims=False")
    assert all("transpose" not in text for text in result)


def test_means_along_one_axis_after_the_other_absorb_the_transpose_too() -> None:
    net = Net()
    x = net.input("x", (1, 4, 5, 3))
    t = net.add(Transpose("transpose", x, "t", (0, 3, 1, 2)))
    a = net.add(Mean("a", t, "a", (3,), False))
    b = net.add(Mean("b", a, "b", (2,), False))
    net.add(Relu("relu", b, "y"))
    assert [t.split(" = ")[1].split("(")[0] for t in after(net, "y")] == ["mean", "mean", "relu"]


# --- the pipeline -----------------------------------------------------------------------------------


def test_passes_run_in_order_and_stop_after_the_named_one() -> None:
    graph = float_boundary().graph("y")
    assert [name for name, _ in PASSES[:2]] == ["layout", "canonicalize"]
    assert texts(run_passes(graph, verify_between=True, after="canonicalize")) == texts(canonicalize(graph))


def test_an_unknown_pass_is_named() -> None:
    with pytest.raises(UserError, match="no pass 'polish'"):
        run_passes(float_boundary().graph("y"), after="polish")


def test_the_verifier_between_passes_sees_a_broken_graph() -> None:
    graph = float_boundary().graph("y")
    broken = replace(graph, tensors={**graph.tensors, "r": Tensor("r", (9,), DType.INT8, Q)})
    with pytest.raises(AssertionError, match="declared"):
        run_passes(broken, verify_between=True)
