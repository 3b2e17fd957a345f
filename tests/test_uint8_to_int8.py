"""uint8 graphs become int8 graphs with the same results."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nets import Net, as_uint8, random_net, samples, texts, uint8_net
from patchloom.errors import UserError
from patchloom.ir import DType, Quant, Window, check_rules, evaluate, verify
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.pad import Pad
from patchloom.ir.ops.quantize import Quantize
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.write_state import WriteState
from patchloom.ir.types import State
from patchloom.passes import canonicalize
from patchloom.passes.uint8_to_int8 import shift_uint8
from strategies import HypothesisDraw


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_uint8_graphs_equal_the_int8_graphs_they_are_128_above(data: st.DataObject) -> None:
    graph = random_net(HypothesisDraw(data.draw), DType.INT8)
    if any(isinstance(op, Mean) for op in graph.ops):
        return
    result = verify(canonicalize(as_uint8(graph)))
    inner = {n for n, t in result.tensors.items() if t.dtype is DType.UINT8} - {*graph.inputs, *graph.outputs}
    assert inner == set()
    for sample in samples(graph):
        want = evaluate(graph, sample)
        got = evaluate(result, {n: (v ^ -128).view(np.uint8) for n, v in sample.items()})
        for name in graph.outputs:
            assert got[name].dtype.kind == want[name].dtype.kind or got[name].dtype == np.uint8
            shifted = want[name] if want[name].dtype == np.float32 else want[name].astype(np.int16) + 128
            np.testing.assert_array_equal(got[name], shifted)


def test_uint8_boundaries_are_crossed_by_quantize_ops() -> None:
    result = canonicalize(uint8_net(Relu("relu", "x", "y")))
    assert texts(result) == [
        "%x_int8 = quantize(%x)",
        "%y_int8 = relu(%x_int8) activation=relu",
        "%y = quantize(%y_int8)",
    ]
    assert (result["x"].dtype, result["x_int8"].dtype, result["x_int8"].zero_point) == (
        DType.UINT8,
        DType.INT8,
        -28,
    )
    check_rules(result)


def test_a_quantize_reads_a_uint8_input_itself() -> None:
    net = Net()
    x = net.input("x", (1, 4), DType.UINT8, Quant((0.5,), (128,)))
    q = net.add(Quantize("quantize", x, "q"), DType.INT8, Quant((0.5,), (0,)))
    net.add(Relu("relu", q, "y"))
    assert texts(canonicalize(net.graph("y"))) == ["%q = quantize(%x)", "%y = relu(%q) activation=relu"]


def test_padding_values_shift_with_their_tensor() -> None:
    result = canonicalize(uint8_net(Pad("pad", "x", "y", ((0, 0), (0, 1), (0, 0), (0, 0)), 100)))
    y = evaluate(result, {"x": np.full((1, 4, 4, 1), 7, np.uint8)})["y"]
    assert y[0, :, 0, 0].tolist() == [7, 7, 7, 7, 100]


@pytest.mark.parametrize(
    ("values", "zero_point", "stored"),
    [([20, 130, 255], 130, ([-110, 0, 125], 0)), ([0, 10, 255], 10, ([-128, -118, 127], -118))],
    ids=["centred where they fit int8", "shifted otherwise"],
)
def test_uint8_weights_become_int8(values: list[int], zero_point: int, stored: tuple[list[int], int]) -> None:
    net = Net()
    x = net.input("x", (1, 1, 1, 3), DType.UINT8, Quant((0.5,), (128,)))
    w = net.const("w", np.array(values, np.uint8).reshape(1, 1, 1, 3), Quant((0.5,), (zero_point,)))
    net.add(Conv2D("conv", x, w, None, "y", Window((1, 1))))
    t = shift_uint8(net.graph("y"))["w"]
    assert t.data is not None and t.quant is not None
    assert (t.dtype, t.data.ravel().tolist(), t.quant.z) == (DType.INT8, *stored)


def test_a_uint8_average_with_ties_is_refused_and_one_without_is_shifted() -> None:
    with pytest.raises(UserError, match="uint8"):
        check_rules(canonicalize(uint8_net(AveragePool2D("pool", "x", "y", Window((2, 2))))))
    check_rules(canonicalize(uint8_net(AveragePool2D("pool", "x", "y", Window((3, 3))))))


def test_states_of_uint8_graphs_shift_too() -> None:
    graph = uint8_net(Relu("relu", "x", "y"))
    quant = graph["x"].quant
    state = State("s", (1, 4, 4, 1), DType.UINT8, quant, np.full((1, 4, 4, 1), 100, np.uint8))
    graph = replace(graph, ops=(*graph.ops, WriteState("write", "s", "x")), states=(state,))
    result = verify(canonicalize(verify(graph)))
    assert result.states[0].dtype is DType.INT8 and result.states[0].initial.ravel()[0] == -28
    memory = {"s": result.states[0].initial}
    evaluate(result, {"x": np.full((1, 4, 4, 1), 3, np.uint8)}, memory)
    assert memory["s"].ravel()[0] == 3 - 128
