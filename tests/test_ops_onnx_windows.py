"""Matrix products, transposed convolutions and pooling as ONNX has them, in the reference and in C."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from onnx_oracle import onnx_node
from op_support import F32, I8, I16, rules, run, tensor
from patchloom.emulation.trial import run_trial
from patchloom.ir import DType, Graph, Op, Tensor, Window, check_rules, evaluate
from patchloom.ir.cases import one_op_graph
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.matmul import MatMul
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.transpose_conv import TransposeConv

RNG = np.random.default_rng(3)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def assert_reference_and_c(
    graphs: list[Graph], inputs: list[dict[str, np.ndarray]], wanted: list[np.ndarray]
) -> None:
    """All graphs, which have one op each and the output y, in one C program."""
    for graph in graphs:
        check_rules(graph)
    sample = {f"c{i}_{name}": x for i, given in enumerate(inputs) for name, x in given.items()}
    (answers,) = run_trial(graphs, None, samples=[sample]).outputs
    for i, (graph, given, want) in enumerate(zip(graphs, inputs, wanted, strict=True)):
        y = evaluate(graph, given)["y"]
        np.testing.assert_allclose(y, want, atol=2e-5, err_msg=f"reference, {graph.ops[0]}")
        in_c = answers[f"c{i}_y"].reshape(want.shape)
        np.testing.assert_allclose(in_c, want, atol=2e-5, err_msg=f"C, {graph.ops[0]}")


# --- matmul ---------------------------------------------------------------------------------------


def test_matrix_products_are_those_of_onnxruntime() -> None:
    shapes = [((3, 4), (4, 5)), ((2, 3, 4), (4, 1)), ((1, 4), (2, 3, 4, 6)), ((2, 1, 3, 4), (1, 5, 4, 9))]
    graphs, inputs, wanted = [], [], []
    for shape_a, shape_b in shapes:
        given = {"a": floats(*shape_a), "b": floats(*shape_b)}
        tensors = [tensor("a", F32, shape_a), tensor("b", F32, shape_b), tensor("y", F32)]
        graphs.append(one_op_graph(MatMul("m", "a", "b", "y"), tensors))
        inputs.append(given)
        wanted.append(onnx_node("MatMul", given, ["y"])[0])
    assert_reference_and_c(graphs, inputs, wanted)


@pytest.mark.parametrize("transposed", [(False, True), (True, False), (True, True)])
def test_transposed_operands_are_those_of_gemm(transposed: tuple[bool, bool]) -> None:
    given = {
        "a": floats(*((4, 3) if transposed[0] else (3, 4))),
        "b": floats(*((6, 4) if transposed[1] else (4, 6))),
    }
    (want,) = onnx_node("Gemm", given, ["y"], transA=int(transposed[0]), transB=int(transposed[1]))
    tensors = [tensor(n, F32, x.shape) for n, x in given.items()]
    graph = one_op_graph(MatMul("m", "a", "b", "y", *transposed), [*tensors, tensor("y", F32)])
    assert_reference_and_c([graph], [given], [want])


def test_integers_are_centred_summed_and_requantized() -> None:
    a, b = tensor("a", I8, (1, 2), 0.5, 1), tensor("b", I8, (2, 2), 0.25, -1)
    y = tensor("y", I8, (), 0.5, 3)
    # (2, -4) times [[2, 0], [3, 1]] = (-8, -4), times 0.125 / 0.5 = (-2, -1)
    assert run(MatMul("m", "a", "b", "y"), (a, b, y), [3, -3], [1, -1, 2, 0]) == [1, 2]


A, B, Y = tensor("a", F32, (2, 3)), tensor("b", F32, (3, 4)), tensor("y", F32)
QA, QB, QY = tensor("a", I8, (2, 3), 0.1), tensor("b", I8, (3, 4), 0.1), tensor("y", I8, (2, 4), 0.1)


@pytest.mark.parametrize(
    ("tensors", "rule"),
    [
        ((replace(A, shape=(3,)), B, Y), "2 to 6 dimensions"),
        ((A, replace(B, shape=(4, 3)), Y), "inner dimensions"),
        ((replace(A, shape=(2, 2, 3)), replace(B, shape=(3, 3, 4)), Y), "must broadcast"),
        ((A, B, QY), "or all float32"),
        ((replace(QA, dtype=I16), replace(QB, dtype=I16), replace(QY, dtype=I16)), "or all float32"),
        ((QA, replace(QB, quant=None), QY), "needs quantization"),
        ((QA, QB, tensor("y", I8, (), 1e-9)), "accumulators must stay below"),
    ],
)
def test_a_broken_rule_is_reported(tensors: tuple[Tensor, ...], rule: str) -> None:
    op = MatMul("m", "a", "b", "y")
    assert any(rule in text for text in rules(op, *tensors))
    assert rules(op, A, B, Y) == rules(op, QA, QB, QY) == []


# --- transposed convolution -----------------------------------------------------------------------


def test_transposed_convolutions_of_floats_are_those_of_onnxruntime() -> None:
    variants: list[
        tuple[int, tuple[int, int], tuple[int, int], tuple[int, int, int, int], tuple[int, int]]
    ] = [
        (1, (1, 1), (1, 1), (0, 0, 0, 0), (0, 0)),
        (2, (2, 3), (1, 1), (1, 0, 0, 2), (1, 0)),
        (1, (2, 2), (2, 3), (1, 2, 1, 1), (1, 1)),
        (4, (1, 2), (2, 2), (0, 1, 2, 0), (0, 1)),
        (2, (4, 2), (2, 4), (0, 0, 0, 0), (3, 1)),
    ]
    graphs, inputs, wanted = [], [], []
    for groups, stride, dilation, (top, left, bottom, right), extra in variants:
        x, w, bias = floats(1, 4, 3, 5), floats(4, 8 // groups, 3, 2), floats(8)
        (want,) = onnx_node(
            "ConvTranspose", {"X": x, "W": w, "B": bias}, ["y"], group=groups, strides=stride,
            dilations=dilation, pads=(top, left, bottom, right), output_padding=extra,
        )  # fmt: skip
        # [IC,OC/g,KH,KW] to [OC,KH,KW,IC/g]
        weights = (
            w.reshape(groups, 4 // groups, 8 // groups, 3, 2).transpose(0, 2, 3, 4, 1).reshape(8, 3, 2, -1)
        )
        window = Window((3, 2), stride, dilation, ((top, bottom), (left, right)))
        op = TransposeConv("t", "x", "w", "b", "y", window, (want.shape[2], want.shape[3]))
        tensors = [
            tensor("x", F32, (1, 3, 5, 4)),
            Tensor("w", weights.shape, F32, None, np.ascontiguousarray(weights)),
            Tensor("b", (8,), F32, None, bias),
            tensor("y", F32),
        ]
        graphs.append(one_op_graph(op, tensors))
        inputs.append({"x": np.ascontiguousarray(x.transpose(0, 2, 3, 1))})
        wanted.append(want.transpose(0, 2, 3, 1))
    assert_reference_and_c(graphs, inputs, wanted)


# --- pooling --------------------------------------------------------------------------------------


def test_dilated_pooling_of_floats_is_that_of_onnxruntime() -> None:
    variants: list[tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int, int, int]]] = [
        ((2, 2), (1, 1), (2, 2), (0, 0, 0, 0)),
        ((3, 2), (2, 1), (2, 3), (2, 1, 1, 1)),
        ((1, 3), (1, 2), (1, 2), (0, 2, 0, 1)),
    ]
    graphs: list[Graph] = []
    inputs, wanted = [], []
    for kernel, stride, dilation, (top, left, bottom, right) in variants:
        x = floats(1, 3, 7, 8)
        window = Window(kernel, stride, dilation, ((top, bottom), (left, right)))
        ops: list[tuple[str, Op]] = [
            ("MaxPool", MaxPool2D("p", "x", "y", window)),
            ("AveragePool", AveragePool2D("p", "x", "y", window)),
        ]
        for name, op in ops:
            (want,) = onnx_node(
                name, {"X": x}, ["y"], opset=19, kernel_shape=kernel, strides=stride, dilations=dilation,
                pads=(top, left, bottom, right),
            )  # fmt: skip
            graphs.append(one_op_graph(op, [tensor("x", F32, (1, 7, 8, 3)), tensor("y", F32)]))
            inputs.append({"x": np.ascontiguousarray(x.transpose(0, 2, 3, 1))})
            wanted.append(want.transpose(0, 2, 3, 1))
    assert_reference_and_c(graphs, inputs, wanted)


@pytest.mark.parametrize("dtype", [DType.INT8, DType.FLOAT32])
def test_windows_beyond_the_end_are_extra_padding(dtype: DType) -> None:
    """ceil_mode: rows 0 to 4 in windows of 2 every 3: 0-1 and 3-4; of 2 every 2: 0-1, 2-3 and 4 alone."""
    scale = 0.5 if dtype is I8 else None
    x, y = tensor("x", dtype, (1, 5, 1, 1), scale), tensor("y", dtype, (), scale)
    beyond = Window((2, 1), (2, 1), padding=((0, 1), (0, 0)))
    assert run(MaxPool2D("p", "x", "y", beyond), (x, y), [1, 2, 3, 4, -5]) == [2, 4, -5]
    assert run(AveragePool2D("p", "x", "y", beyond), (x, y), [2, 4, 6, 8, -5]) == [3, 7, -5]
