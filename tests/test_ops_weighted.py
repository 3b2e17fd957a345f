"""Weighted operators: examples worked out by hand, and every rule with a case that breaks it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from patchloom.ir import (
    Activation,
    DType,
    Graph,
    Op,
    Quant,
    State,
    Tensor,
    Window,
    check_rules,
    evaluate,
    verify,
)
from patchloom.ir.cases import RandomDraw, one_op_graph
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.read_state import ReadState
from patchloom.ir.ops.svdf import Svdf
from patchloom.ir.ops.transpose_conv import TransposeConv
from patchloom.ir.ops.write_state import WriteState
from test_operators import run_in_c

ONE = Quant((1.0,), (0,))


def value(name: str, shape: tuple[int, ...], dtype: DType = DType.INT8, quant: Quant | None = ONE) -> Tensor:
    return Tensor(name, shape, dtype, None if dtype is DType.FLOAT32 else quant)


def constant(name: str, data: Any, dtype: DType = DType.INT8, quant: Quant | None = ONE) -> Tensor:
    array = np.array(data, dtype.numpy)
    return Tensor(name, array.shape, dtype, None if dtype is DType.FLOAT32 else quant, array)


def run(graph: Graph, x: Any) -> list[Any]:
    """The reference's answer for one input, checked against the compiled C."""
    check_rules(graph)
    data = np.array(x, graph["x"].dtype.numpy).reshape(graph["x"].shape)
    y = evaluate(graph, {"x": data})["y"]
    (in_c,) = run_in_c(graph, [{"x": data}])
    np.testing.assert_allclose(in_c["y"].reshape(y.shape), y, rtol=1e-6 if y.dtype == np.float32 else 0)
    return y.tolist()


# --- examples by hand ---------------------------------------------------------------------------


def test_conv2d_pads_with_the_zero_point_and_rounds_twice() -> None:
    window = Window((1, 2), padding=((0, 0), (0, 1)))
    x = value("x", (1, 1, 3, 1), quant=Quant((0.5,), (10,)))
    w = constant("w", [[[[1], [2]]]])
    bias = constant("b", [3], DType.INT32)
    y = value("y", (), quant=Quant((2.0,), (0,)))
    graph = one_op_graph(Conv2D("c", "x", "w", "b", "y", window), [x, w, bias, y])
    # behind the zero point x is 0, 2, -4 and the padding 0; with the bias the sums are 7, -3, -1.
    # The scale 1/4 is 1/2, ties up (4, -1, 0), and then 1/2, ties away from zero.
    assert run(graph, [10, 12, 6]) == [[[[2], [-1], [0]]]]


def test_conv2d_keeps_groups_apart() -> None:
    x = value("x", (1, 1, 1, 4))
    w = constant("w", [[[[1, 1]]], [[[1, -1]]]])
    graph = one_op_graph(Conv2D("c", "x", "w", None, "y", Window((1, 1))), [x, w, value("y", ())])
    assert run(graph, [1, 2, 30, 40]) == [[[[3, -10]]]]


def test_conv2d_of_int16_rounds_ties_up_only() -> None:
    x = value("x", (1, 1, 1, 1), DType.INT16, Quant((0.5,), (0,)))
    w = constant("w", [[[[1]]]])
    y = value("y", (), DType.INT16)
    graph = one_op_graph(Conv2D("c", "x", "w", None, "y", Window((1, 1))), [x, w, y])
    assert run(graph, [-3]) == [[[[-1]]]]  # -1.5 becomes -1, where int8 gives -2
    assert run(graph, [3]) == [[[[2]]]]


def test_depthwise_conv2d_multiplies_channels_and_clamps() -> None:
    x = value("x", (1, 2, 1, 2))
    w = constant("w", [[[[1, 2, 3, 4]], [[10, 20, 30, 40]]]])
    op = DepthwiseConv2D("d", "x", "w", None, "y", Window((2, 1)), Activation.RELU6)
    y = value("y", (), quant=Quant((10.0,), (0,)))
    # channel 0: 1*1 + 10*2 = 21, 2*1 + 20*2 = 42; channel 1: -3 + 30 = 27, -4 + 40 = 36; relu6 is 0.6 steps
    assert run(one_op_graph(op, [x, w, y]), [1, -1, 2, 1]) == [[[[1, 1, 1, 1]]]]
    wide = replace(op, activation=Activation.NONE)
    assert run(one_op_graph(wide, [x, w, y]), [1, -1, 2, 1]) == [[[[2, 4, 3, 4]]]]


def test_fully_connected_subtracts_the_zero_point_of_its_weights() -> None:
    x = value("x", (2, 2), quant=Quant((1.0,), (1,)))
    w = constant("w", [[5, 7], [4, 4]], quant=Quant((1.0,), (4,)))
    bias = constant("b", [100, -100], DType.INT32)
    graph = one_op_graph(FullyConnected("f", "x", "w", "b", "y", True), [x, w, bias, value("y", ())])
    # weights are [[1, 3], [0, 0]]; rows are (1, 2) and (-1, 0) behind their zero point
    assert run(graph, [[2, 3], [0, 1]]) == [[107, -100], [99, -100]]


def test_fully_connected_multiplies_scales_in_float32_when_there_is_one_weight_scale() -> None:
    a, b = float(np.float32(0.1)), float(np.float32(0.7))
    x, y = value("x", (1, 1), quant=Quant((a,), (0,))), value("y", (1, 1))
    w = constant("w", [[1]], quant=Quant((b,), (0,)))
    op = FullyConnected("f", "x", "w", None, "y")
    single = {t.name: t for t in (x, w, y)}
    assert op.real_scales(single)[0] == float(np.float32(a) * np.float32(b))
    two = constant("w", [[1], [1]], quant=Quant((b, b), (0, 0), 0))
    assert op.real_scales({**single, "w": two})[0] == a * b


def test_float_operators_add_bias_and_clamp() -> None:
    x = value("x", (1, 1, 1, 2), DType.FLOAT32)
    w = constant("w", [[[[0.5, 2.0]]], [[[1.0, 1.0]]]], DType.FLOAT32)
    bias = constant("b", [0.25, -9.0], DType.FLOAT32)
    op = Conv2D("c", "x", "w", "b", "y", Window((1, 1)), Activation.RELU)
    assert run(one_op_graph(op, [x, w, bias, value("y", (), DType.FLOAT32)]), [2.0, 3.0]) == [[[[7.25, 0.0]]]]


def test_transpose_conv_scatters_each_input_over_the_kernel() -> None:
    x = value("x", (1, 1, 2, 1), quant=Quant((1.0,), (-1,)))
    w = constant("w", [[[[1], [2], [3]]]])
    op = TransposeConv("t", "x", "w", None, "y", Window((1, 3), (1, 2)), (1, 5))
    # behind the zero point the input is 1, 10: 1 2 3 . .  +  . . 10 20 30
    assert run(one_op_graph(op, [x, w, value("y", ())]), [0, 9]) == [[[[1], [2], [13], [20], [30]]]]
    cut = replace(op, window=Window((1, 3), (1, 2), padding=((0, 0), (1, 0))), output_size=(1, 4))
    assert run(one_op_graph(cut, [x, w, value("y", ())]), [0, 9]) == [[[[2], [13], [20], [30]]]]


def svdf_tensors(dtype: DType, state: DType, zero: int = 0) -> dict[str, Tensor]:
    """Two filters of one unit on two inputs, three steps of memory; all scales 1."""
    quant = Quant((1.0,), (zero,)) if dtype is DType.INT8 else None
    tensors = [
        value("x", (1, 2), dtype),
        constant("wf", [[1, 0], [0, 1]], dtype),
        constant("wt", [[1, 2, 3], [10, 20, 30]], state, Quant((0.5,), (0,))),
        constant("b", [4], DType.FLOAT32 if dtype is DType.FLOAT32 else DType.INT32),
        Tensor("old", (1, 6), state, quant),
        Tensor("new", (1, 6), state, quant),
        value("y", (1, 1), dtype),
    ]
    return {t.name: t for t in tensors}


def svdf_graph(tensors: dict[str, Tensor], activation: Activation = Activation.NONE) -> Graph:
    ops = (
        ReadState("r", "memory", "old"),
        Svdf("s", "x", "wf", "wt", "b", "old", "y", "new", 2, activation),
        WriteState("w", "memory", "new"),
    )
    old = tensors["old"]
    zero = old.quant.z if old.quant else 0
    state = State("memory", old.shape, old.dtype, old.quant, np.full(old.shape, zero, old.dtype.numpy))
    return verify(Graph("svdf", tensors, ops, ("x",), ("y",), (state,)))


@pytest.mark.parametrize(
    ("dtype", "state", "zero"),
    [(DType.INT8, DType.INT16, 0), (DType.INT8, DType.INT8, 5), (DType.FLOAT32, DType.FLOAT32, 0)],
)
def test_svdf_remembers_its_last_features(dtype: DType, state: DType, zero: int) -> None:
    graph = svdf_graph(svdf_tensors(dtype, state, zero))
    check_rules(graph)
    steps = [{"x": np.array([[a, b]], dtype.numpy)} for a, b in ((1, 1), (2, 0), (0, 0), (0, 0))]
    # features weigh 3, 2, 1 (filter 0) and 30, 20, 10 (filter 1) as they age; the bias is 4 and the
    # integer scale 0.5 rounds ties away from zero.
    sums = [3 + 30, 2 + 20 + 3 * 2, 1 + 10 + 2 * 2, 1 * 2]
    want = [s + 4.0 if dtype is DType.FLOAT32 else np.floor((s + 4) / 2 + 0.5) for s in sums]
    memory = {"memory": graph.state("memory").initial.copy()}
    assert [float(evaluate(graph, s, memory)["y"][0, 0]) for s in steps] == want
    assert [float(s["y"].reshape(())) for s in run_in_c(graph, steps)] == want


def test_svdf_applies_its_activation_to_floats_only() -> None:
    x = {"x": np.array([[-10, 0]])}
    floats = svdf_graph(svdf_tensors(DType.FLOAT32, DType.FLOAT32), Activation.RELU)
    assert evaluate(floats, {"x": x["x"].astype(np.float32)})["y"].tolist() == [[0.0]]
    integers = svdf_graph(svdf_tensors(DType.INT8, DType.INT16), Activation.RELU)
    assert evaluate(integers, {"x": x["x"].astype(np.int8)})["y"].tolist() == [[-13]]


def test_svdf_int16_accumulator_wraps_as_an_int32_does() -> None:
    tensors = svdf_tensors(DType.INT8, DType.INT16)
    tensors["wt"] = constant("wt", [[0, 0, 32767], [0, 0, 32767]], DType.INT16, Quant((2.0**-26,), (0,)))
    tensors["wf"] = constant("wf", [[100, 100], [100, 100]])
    tensors["old"] = replace(tensors["old"], quant=Quant((0.5,), (0,)))
    tensors["new"] = replace(tensors["new"], quant=Quant((0.5,), (0,)))
    graph = svdf_graph(tensors)
    total = 2 * 32767 * 32767 + 4
    assert total < 2**31, "one step fits"
    x = np.array([[127, 127]], np.int8)
    assert evaluate(graph, {"x": x})["y"].tolist() == [[round(total * 2.0**-27)]]
    tensors["b"] = constant("b", [2**31 - 1], DType.INT32)
    wrapped = total - 4 + 2**31 - 1 - 2**32
    graph = svdf_graph(tensors)
    assert evaluate(graph, {"x": x})["y"].tolist() == [[round(wrapped * 2.0**-27)]]
    (in_c,) = run_in_c(graph, [{"x": x}])
    assert in_c["y"].reshape(-1).tolist() == [round(wrapped * 2.0**-27)]


# --- variants -----------------------------------------------------------------------------------


def with_weights(graph: Graph, change: Any) -> Graph:
    """The one-op graph with its weights replaced by `change(weights)`."""
    (op,) = graph.ops
    return graph.rewritten(graph.ops, [change(graph[op.weights])])  # type: ignore[attr-defined]


def int8_cases(op: type[Op], count: int) -> Iterable[Graph]:
    graphs = (op.case(RandomDraw(seed)) for seed in range(1000))
    found = [g for g in graphs if g["x"].dtype is DType.INT8 and len(g["weights"].quant.scale) == 1]  # type: ignore[union-attr]
    return found[:count]


@pytest.mark.parametrize("op", [Conv2D, DepthwiseConv2D, FullyConnected])
def test_weights_with_a_zero_point_run_widened(op: type[Op]) -> None:
    for index, graph in enumerate(int8_cases(op, 6)):
        zero = (-128, 127, 3, -1, 60, -77)[index]

        def shifted(w: Tensor, zero: int = zero) -> Tensor:
            return replace(w, quant=replace(w.quant, zero_point=(zero,)))  # type: ignore[type-var]

        graph = with_weights(graph, shifted)
        check_rules(graph)
        x = np.random.default_rng(index).integers(-128, 128, graph["x"].shape).astype(np.int8)
        (in_c,) = run_in_c(graph, [{"x": x}])
        np.testing.assert_array_equal(in_c["y"], evaluate(graph, {"x": x})["y"])


@pytest.mark.parametrize("op", [Conv2D, DepthwiseConv2D, FullyConnected, TransposeConv])
def test_channels_without_weights_may_have_huge_biases(op: type[Op]) -> None:
    graph = next(g for g in int8_cases(op, 50) if "bias" in g.tensors and g["bias"].elements > 2)
    graph = with_weights(
        graph, lambda w: replace(w, data=np.zeros_like(w.data), quant=replace(w.quant, zero_point=(0,)))
    )
    bias = graph["bias"]
    assert bias.data is not None
    huge = bias.data.copy()
    huge[:3] = 2**31 - 1, -(2**31), 2**30
    graph = graph.rewritten(graph.ops, [replace(bias, data=huge)])
    check_rules(graph)
    x = np.zeros(graph["x"].shape, np.int8)
    (in_c,) = run_in_c(graph, [{"x": x}])
    np.testing.assert_array_equal(in_c["y"], evaluate(graph, {"x": x})["y"])


@pytest.mark.parametrize("op", [Conv2D, DepthwiseConv2D, FullyConnected, TransposeConv])
def test_scales_above_one_shift_left(op: type[Op]) -> None:
    for index, graph in enumerate(int8_cases(op, 3)):
        y = graph["y"]
        assert y.quant
        graph = graph.rewritten(graph.ops, [replace(y, quant=Quant((2.0**-13,), y.quant.zero_point))])
        if list(graph.ops[0].rules(graph.tensors)):
            continue
        x = np.random.default_rng(index).integers(-128, 128, graph["x"].shape).astype(np.int8)
        (in_c,) = run_in_c(graph, [{"x": x}])
        np.testing.assert_array_equal(in_c["y"], evaluate(graph, {"x": x})["y"])


# --- rules --------------------------------------------------------------------------------------

CONV: dict[str, Tensor] = {
    "x": value("x", (1, 4, 4, 2)),
    "w": constant("w", np.ones((3, 2, 2, 2))),
    "b": constant("b", [1, 2, 3], DType.INT32),
    "y": value("y", (1, 3, 3, 3)),
}
INT16 = {
    **CONV,
    "x": value("x", (1, 4, 4, 2), DType.INT16),
    "b": constant("b", [1, 2, 3], DType.INT64),
    "y": value("y", (1, 3, 3, 3), DType.INT16),
}
PER_CHANNEL = Quant((1.0, 1.0, 1.0), (0, 0, 0), 0)
conv = Conv2D("c", "x", "w", "b", "y", Window((2, 2)))
depthwise = DepthwiseConv2D("d", "x", "dw", None, "y", Window((2, 2)))
DEPTHWISE = {**CONV, "dw": constant("dw", np.ones((1, 2, 2, 4)))}
dense = FullyConnected("f", "x", "fw", None, "y")
DENSE = {**CONV, "fw": constant("fw", np.ones((3, 32)))}
transposed = TransposeConv("t", "x", "w", None, "y", Window((2, 2), (2, 2)), (8, 8))
svdf = Svdf("s", "x", "wf", "wt", "b", "old", "y", "new", 2)
SVDF = svdf_tensors(DType.INT8, DType.INT16)
SVDF8 = svdf_tensors(DType.INT8, DType.INT8)


@pytest.mark.parametrize(
    ("op", "tensors"),
    [
        (conv, CONV),
        (conv, INT16),
        (depthwise, DEPTHWISE),
        (dense, DENSE),
        (transposed, CONV),
        (svdf, SVDF),
        (svdf, SVDF8),
    ],
    ids=lambda p: p.kind() if isinstance(p, Op) else "",
)
def test_the_unbroken_cases_meet_every_rule(op: Op, tensors: dict[str, Tensor]) -> None:
    assert list(op.rules(tensors)) == []


def broken(base: dict[str, Tensor], **changes: Tensor) -> dict[str, Tensor]:
    return {**base, **changes}


BROKEN: list[tuple[str, Op, dict[str, Tensor]]] = [
    ("input must be [1,H,W,C]", conv, broken(CONV, x=value("x", (4, 4, 2)))),
    ("channels must divide into groups", conv, broken(CONV, x=value("x", (1, 4, 4, 3)))),
    ("the window must fit", conv, broken(CONV, x=value("x", (1, 1, 4, 2)))),
    ("input must be int8, int16 or float32", conv, broken(CONV, x=value("x", (1, 4, 4, 2), DType.INT32))),
    ("output must have the input's type", conv, broken(CONV, y=value("y", (1, 3, 3, 3), DType.INT16))),
    ("weights must be constant", conv, broken(CONV, w=value("w", (3, 2, 2, 2)))),
    (
        "int8 input takes int8 weights",
        conv,
        broken(CONV, w=constant("w", np.ones((3, 2, 2, 2)), DType.INT16)),
    ),
    ("bias must be a constant int32[3]", conv, broken(CONV, b=constant("b", [1, 2], DType.INT32))),
    ("bias must be a constant int64[3]", conv, broken(INT16, b=CONV["b"])),
    ("needs quantization of every tensor", conv, broken(CONV, y=value("y", (1, 3, 3, 3), quant=None))),
    ("activations have one scale", conv, broken(CONV, y=value("y", (1, 3, 3, 3), quant=PER_CHANNEL))),
    (
        "weight scales run along dimension 0",
        conv,
        broken(CONV, w=replace(CONV["w"], quant=Quant((1.0, 1.0), (0, 0), 3))),
    ),
    (
        "one scale per channel must have zero point 0",
        conv,
        broken(CONV, w=replace(CONV["w"], quant=replace(PER_CHANNEL, zero_point=(0, 1, 0)))),
    ),
    (
        "int16 activations have zero point 0",
        conv,
        broken(INT16, x=replace(INT16["x"], quant=Quant((1.0,), (3,)))),
    ),
    ("accumulators must stay below 2^30", conv, broken(CONV, b=constant("b", [1, 2**30, 3], DType.INT32))),
    (
        "accumulators must stay below 2^30",
        conv,
        broken(CONV, y=replace(CONV["y"], quant=Quant((2.0**-20,), (0,)))),
    ),
    (
        "int16 accumulators must stay below 2^47",
        conv,
        broken(INT16, b=constant("b", [1, 2**47, 3], DType.INT64)),
    ),
    ("must stay below 127", conv, broken(INT16, y=replace(INT16["y"], quant=Quant((2.0**-8,), (0,))))),
    ("must fit int32", conv, broken(INT16, b=constant("b", [1, 2**40, 3], DType.INT64))),
    ("weights [1,KH,KW,C*M]", depthwise, broken(DEPTHWISE, dw=constant("dw", np.ones((2, 2, 2, 4))))),
    ("a multiple of input channels", depthwise, broken(DEPTHWISE, dw=constant("dw", np.ones((1, 2, 2, 3))))),
    ("the window must fit", depthwise, broken(DEPTHWISE, x=value("x", (1, 4, 1, 2)))),
    ("weights must be [OC,IC]", dense, broken(DENSE, fw=constant("fw", np.ones((3, 31))))),
    ("with keep_dims the last dimension", replace(dense, keep_dims=True), DENSE),
    ("weights [OC,KH,KW,IC]", transposed, broken(CONV, w=constant("w", np.ones((3, 2, 2, 3))))),
    ("or have groups", transposed, broken(CONV, w=constant("w", np.ones((4, 2, 2, 1))))),
    ("must not be dilated", replace(transposed, window=Window((2, 2), (2, 2), (2, 1))), CONV),
    ("the output must have rows", replace(transposed, output_size=(0, 8)), CONV),
    (
        "weights must have zero point 0",
        transposed,
        broken(CONV, w=replace(CONV["w"], quant=Quant((1.0,), (1,)))),
    ),
    ("shapes must be input [1,I]", svdf, broken(SVDF, x=value("x", (1, 3)))),
    ("filters must divide into units", replace(svdf, rank=3), SVDF),
    ("the state must have 6 elements", svdf, broken(SVDF, old=value("old", (1, 5), DType.INT16))),
    ("must be int8 (time weights and state", svdf, broken(SVDF, x=value("x", (1, 2), DType.INT16))),
    ("'b' must be a constant int32 of 1", svdf, broken(SVDF, b=constant("b", [1, 2], DType.INT32))),
    ("every tensor needs one scale", svdf, broken(SVDF, y=value("y", (1, 1), quant=None))),
    ("weights must have zero point 0", svdf, broken(SVDF, wf=replace(SVDF["wf"], quant=Quant((1.0,), (1,))))),
    (
        "the scale to the output must be below 1",
        svdf,
        broken(SVDF, y=value("y", (1, 1), quant=Quant((0.5,), (0,)))),
    ),
    ("accumulators must stay below 2^30", svdf, broken(SVDF8, b=constant("b", [2**30], DType.INT32))),
]


@pytest.mark.parametrize(("rule", "op", "tensors"), BROKEN, ids=[f"{o.kind()}: {r}" for r, o, _ in BROKEN])
def test_a_broken_rule_is_reported(rule: str, op: Op, tensors: dict[str, Tensor]) -> None:
    problems = list(op.rules(tensors))
    assert any(rule in p.rule for p in problems), problems
