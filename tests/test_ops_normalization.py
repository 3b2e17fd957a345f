"""Normalizations and softmax: equal to onnxruntime's, exact integers near real ones, and every rule."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from onnx_oracle import onnx_node
from op_support import F32, I8, I16, I32, rules, table, tensor
from patchloom.emulation.trial import run_trial
from patchloom.ir import DType, Graph, Op, Quant, Tensor, check_rules, evaluate
from patchloom.ir.cases import one_op_graph
from patchloom.ir.ops.instance_normalization import InstanceNormalization
from patchloom.ir.ops.layer_normalization import LayerNormalization
from patchloom.ir.ops.lrn import Lrn
from patchloom.ir.ops.softmax import Softmax

RNG = np.random.default_rng(11)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def constant(name: str, data: np.ndarray, quant: Quant | None = None) -> Tensor:
    return Tensor(name, data.shape, DType(data.dtype.name), quant, data)


def evaluated(op: Op, x: np.ndarray, *constants: Tensor) -> np.ndarray:
    """The op's output for a float32 x; its operands are called x and y."""
    graph = one_op_graph(op, [tensor("x", F32, x.shape), *constants, tensor("y", F32)])
    check_rules(graph)
    return np.asarray(evaluate(graph, {"x": x})["y"])


# --- floats against onnxruntime -------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("epsilon", [1e-5, 0.1])
def test_layer_normalization_is_that_of_onnxruntime(axis: int, epsilon: float) -> None:
    x = floats(3, 4, 5)
    scale, bias = floats(*x.shape[axis:]), floats(*x.shape[axis:])
    (want,) = onnx_node(
        "LayerNormalization", {"X": x, "S": scale, "B": bias}, ["y"], axis=axis, epsilon=epsilon
    )
    op = LayerNormalization("n", "x", "s", "b", "y", axis, epsilon)
    np.testing.assert_allclose(evaluated(op, x, constant("s", scale), constant("b", bias)), want, atol=1e-5)
    (want,) = onnx_node("LayerNormalization", {"X": x, "S": scale}, ["y"], axis=axis, epsilon=epsilon)
    np.testing.assert_allclose(evaluated(replace(op, bias=None), x, constant("s", scale)), want, atol=1e-5)


def test_normalization_without_centring_is_rms_normalization() -> None:
    x, scale = floats(2, 7), floats(7)
    (want,) = onnx_node("RMSNormalization", {"X": x, "S": scale}, ["y"], runtime=False, opset=23, axis=-1)
    op = LayerNormalization("n", "x", "s", None, "y", 1, centred=False)
    np.testing.assert_allclose(evaluated(op, x, constant("s", scale)), want, atol=1e-5)


@pytest.mark.parametrize("groups", [6, 3, 1])
def test_instance_and_group_normalization_are_those_of_onnx(groups: int) -> None:
    x, scale, bias = floats(2, 6, 4, 5), floats(6), floats(6)
    inputs = {"X": x, "S": scale, "B": bias}
    if groups == 6:
        (want,) = onnx_node("InstanceNormalization", inputs, ["y"], epsilon=1e-3)
    else:
        (want,) = onnx_node(
            "GroupNormalization", inputs, ["y"], runtime=False, num_groups=groups, epsilon=1e-3
        )
    op = InstanceNormalization("n", "x", "s", "b", "y", groups, 1e-3)
    got = evaluated(op, np.moveaxis(x, 1, -1), constant("s", scale), constant("b", bias))
    np.testing.assert_allclose(np.moveaxis(got, -1, 1), want, atol=1e-5)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_local_response_normalization_is_that_of_onnxruntime(size: int) -> None:
    x = floats(1, 7, 3, 2)
    (want,) = onnx_node("LRN", {"X": x}, ["y"], size=size, alpha=0.3, beta=0.6, bias=2.0)
    got = evaluated(Lrn("n", "x", "y", size, 0.3, 0.6, 2.0), np.moveaxis(x, 1, -1))
    np.testing.assert_allclose(np.moveaxis(got, -1, 1), want, atol=1e-5)


def test_an_even_local_response_reaches_further_behind() -> None:
    x = np.array([[1, 2, 3]], np.float32)
    # sums of squares 1 + 4, 4 + 9, 9; alpha / size is 1
    got = evaluated(Lrn("n", "x", "y", 2, 2.0, 1.0, 0.0), x)
    np.testing.assert_allclose(got, [[1 / 5, 2 / 13, 3 / 9]], rtol=1e-6)


@pytest.mark.parametrize("log", [False, True])
def test_softmax_runs_along_any_axis_in_the_reference_and_in_c(log: bool) -> None:
    x = 10 * floats(2, 3, 4, 5)
    kinds = [Softmax("s", "x", "y", axis=axis, log=log) for axis in (-4, -3, -2, -1)]
    cases = [one_op_graph(op, [tensor("x", F32, x.shape), tensor("y", F32)]) for op in kinds]
    trial = run_trial(cases, None, samples=[{f"c{i}_x": x for i in range(len(cases))}])
    for i, op in enumerate(kinds):
        (want,) = onnx_node("LogSoftmax" if log else "Softmax", {"X": x}, ["y"], axis=op.axis)
        for got in (evaluated(op, x), trial.outputs[0][f"c{i}_y"].reshape(x.shape)):
            np.testing.assert_allclose(got, want, atol=2e-5, rtol=1e-5)


# --- integers -------------------------------------------------------------------------------------


def integer_graph(
    dtype: DType, n: int, epsilon: float = 1e-5, centred: bool = True, step: float = 0.05
) -> Graph:
    """A layer normalization of rows of n with random scale and bias."""
    s = float(np.float32(1.5 / 32767))
    scale = RNG.integers(-32767, 32768, n).astype(np.int16)
    bias = RNG.integers(-(2**23), 2**23, n).astype(np.int32)
    _, high = dtype.integer_range
    tensors = [
        tensor("x", dtype, (4, n), step, 0 if dtype is I16 else 7),
        constant("s", scale, Quant((s,), (0,))),
        constant("b", bias, Quant((s / 256,), (0,))),
        tensor("y", dtype, (), 8.0 / high, 0 if dtype is I16 else -3),
    ]
    return one_op_graph(LayerNormalization("n", "x", "s", "b", "y", 1, epsilon, centred), tensors)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("dtype", [I8, I16])
@pytest.mark.parametrize("n", [1, 2, 17, 300])
def test_integers_are_within_a_step_of_real_numbers(n: int, dtype: DType, centred: bool) -> None:
    graph = integer_graph(dtype, n, centred=centred)
    check_rules(graph)
    low, high = dtype.integer_range
    x = RNG.integers(low, high, (4, n), endpoint=True).astype(dtype.numpy)
    x[1] = x[1, 0]  # no variance
    got = evaluate(graph, {"x": x})["y"].astype(np.float64)
    xq, yq, sq, bq = (graph[name].quant for name in "xysb")
    assert xq and yq and sq and bq and graph["s"].data is not None and graph["b"].data is not None
    real = (x.astype(np.float64) - xq.z) * xq.s
    real -= real.mean(axis=1, keepdims=True) * centred
    normal = real / np.sqrt(np.square(real).mean(axis=1, keepdims=True) + 1e-5)
    y = (normal * graph["s"].data * sq.s + graph["b"].data * bq.s) / yq.s + yq.z
    # the multiplier of the 16x8 rule has 15 bits, which shows in the last bit of int16
    np.testing.assert_allclose(got, np.clip(y, low, high), atol=0.51 if dtype is I8 else 1.5)


def exact_row(x: list[int], zero: int, epsilon: int, centred: bool) -> list[int]:
    """Normalised values with 16 fractional bits, by the documented formula in Python's own integers."""
    n = len(x)
    c = [v - zero for v in x]
    total = sum(c) if centred else 0
    d = n * sum(v * v for v in c) - total**2 + epsilon
    t = next(t for t in range(31) if 1 << 60 <= d << 2 * t < 1 << 62)
    inverse = min((1 << 61) // math.isqrt(d << 2 * t), (1 << 31) - 1)
    return [math.floor(Fraction((n * v - total) * inverse, 1 << (45 - t)) + Fraction(1, 2)) for v in c]


@pytest.mark.parametrize("centred", [True, False])
def test_integers_follow_the_documented_arithmetic(centred: bool) -> None:
    # No scale and no bias, and an output in steps of 2^-15 so that the normalised value is seen.
    quant = Quant((2.0**-15,), (0,))
    tensors = [tensor("x", I8, (3, 9), 0.5, -5), Tensor("y", (), I16, quant)]
    op = LayerNormalization("n", "x", None, None, "y", 1, 1e-3, centred)
    x16 = replace(tensors[0], dtype=I16, quant=Quant((0.5,), (0,)))
    graph = one_op_graph(op, [x16, tensors[1]])
    check_rules(graph)
    x = RNG.integers(-120, 120, (3, 9)).astype(np.int16)
    got = evaluate(graph, {"x": x})["y"]
    for row, y in zip(x, got, strict=True):
        want = exact_row(row.tolist(), 0, op.offset(graph.tensors), centred)
        # 2^-16 to 2^-15: multiplier 2^14 at 15 bits, halves up
        assert y.tolist() == [min(max((v + 1) >> 1, -32768), 32767) for v in want]


@pytest.mark.parametrize("dtype", [I8, I16])
def test_the_largest_rows_and_extreme_values_are_exact_in_c(dtype: DType) -> None:
    low, high = dtype.integer_range
    cases, samples = [], {}
    for i, (n, step, centred) in enumerate([(16384, 0.5, True), (16384, 1e-3, False), (5, 50.0, True)]):
        graph = integer_graph(dtype, n, 1e-5, centred, step)
        check_rules(graph)
        x = np.full((4, n), low, dtype.numpy)
        x[1] = high
        x[2, ::2] = high
        x[3, 0] = high
        cases.append(graph)
        samples[f"c{i}_x"] = x
    trial = run_trial(cases, None, samples=[samples])
    for i, graph in enumerate(cases):
        want = evaluate(graph, {"x": samples[f"c{i}_x"]})["y"]
        np.testing.assert_array_equal(trial.outputs[0][f"c{i}_y"].reshape(want.shape), want)


# --- rules ----------------------------------------------------------------------------------------

X, Y = tensor("x", F32, (2, 4)), tensor("y", F32, (2, 4))
SCALE, BIAS = constant("s", np.ones(4, np.float32)), constant("b", np.ones(4, np.float32))
XQ, YQ = tensor("x", I8, (2, 4), 0.05, 3), tensor("y", I8, (2, 4), 0.05, 3)
SQ = constant("s", np.ones(4, np.int16), Quant((2.0**-14,), (0,)))
BQ = constant("b", np.ones(4, np.int32), Quant((2.0**-22,), (0,)))
LAYER = LayerNormalization("n", "x", "s", "b", "y", 1)
INSTANCE = InstanceNormalization("n", "x", "s", "b", "y", 2)


@pytest.mark.parametrize(
    ("op", "tensors", "rule"),
    [
        (replace(LAYER, axis=2), (X, SCALE, BIAS, Y), "axis must be a dimension"),
        (replace(LAYER, epsilon=-1.0), (X, SCALE, BIAS, Y), "epsilon must not be negative"),
        (replace(LAYER, axis=0), (X, SCALE, BIAS, Y), "scale and bias of float32 input"),
        (LAYER, (XQ, SCALE, BIAS, YQ), "scale and bias of int8 input"),
        (LAYER, (XQ, replace(SQ, data=None), BQ, YQ), "scale and bias of int8 input"),
        (LAYER, (XQ, replace(SQ, quant=None), BQ, YQ), "zero point 0"),
        (LAYER, (XQ, replace(SQ, quant=Quant((0.1,), (1,))), BQ, YQ), "zero point 0"),
        (LAYER, (XQ, SQ, replace(BQ, quant=Quant((0.1,), (0,))), YQ), "the bias must have scale"),
        (LAYER, (XQ, SQ, BQ, replace(YQ, quant=None)), "needs quantization"),
        (LAYER, (replace(XQ, quant=Quant((1e-20,), (0,))), SQ, BQ, YQ), "epsilon must be small"),
        (LAYER, (XQ, SQ, BQ, replace(YQ, quant=Quant((1e-16,), (0,)))), "output scale must be near"),
        (LAYER, (X, SCALE, BIAS, tensor("y", I8, (2, 4))), "the input's type"),
        (INSTANCE, (tensor("x", F32, (4,)), SCALE, BIAS, Y), "input must be [N,...,C]"),
        (INSTANCE, (XQ, SCALE, BIAS, YQ), "must be float32"),
        (replace(INSTANCE, groups=3), (X, SCALE, BIAS, Y), "divide into groups"),
        (INSTANCE, (X, constant("s", np.ones(3, np.float32)), BIAS, Y), "scale and bias must be"),
        (replace(INSTANCE, epsilon=-1.0), (X, SCALE, BIAS, Y), "epsilon must not be negative"),
        (Lrn("n", "x", "y", 0), (X, Y), "size must be at least 1"),
        (Lrn("n", "x", "y", 3), (XQ, YQ), "must be float32"),
        (Lrn("n", "x", "y", 3), (tensor("x", F32, ()), Y), "channel dimension"),
        (Softmax("s", "x", "y", axis=0), (X, Y), "counted from the end"),
        (Softmax("s", "x", "y", log=True), (XQ, tensor("y", I8, (2, 4), 2.0**-8, -128)), "is no logarithm"),
        (
            Softmax("s", "x", "y", axis=-2),
            (XQ, tensor("y", I8, (2, 4), 2.0**-8, -128)),
            "along the last axis",
        ),
    ],
)
def test_a_broken_rule_is_reported(op: Op, tensors: tuple[Tensor, ...], rule: str) -> None:
    assert any(rule in text for text in rules(op, *tensors)), rules(op, *tensors)


def test_sound_ops_break_no_rule() -> None:
    assert rules(LAYER, X, SCALE, BIAS, Y) == rules(LAYER, XQ, SQ, BQ, YQ) == []
    assert rules(INSTANCE, X, SCALE, BIAS, Y) == rules(Lrn("n", "x", "y", 3), X, Y) == []


def test_too_many_integers_are_reported() -> None:
    n = 16385
    wide = table(
        tensor("x", I8, (1, n), 0.05),
        tensor("y", I8, (1, n), 0.05),
        constant("s", np.ones(n, np.int16), SQ.quant),
        Tensor("b", (n,), I32, BQ.quant, np.ones(n, np.int32)),
    )
    assert any("at most 16384 elements" in p.rule for p in LAYER.rules(wide))
