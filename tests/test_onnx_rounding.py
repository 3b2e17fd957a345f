"""The ONNX roundings: NumPy reference == C on the host and on emulated cores, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from emulation_support import need, need_host
from onnx_cases import ONNX_OPS, onnx_cases
from patchloom import boards
from patchloom.boards import Board
from patchloom.codegen import KERNELS
from patchloom.emulation.trial import merge, run_trial
from patchloom.emulation.verify import random_inputs
from patchloom.errors import UserError
from patchloom.export.tflite import to_tflite
from patchloom.ir import DType, Graph, Op, Quant, Tensor, evaluate, to_text, verify
from patchloom.ir.cases import RandomDraw, one_op_graph
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.quantize import Quantize
from patchloom.ir.rounding import ONNX_ROUNDINGS, Rounding

CORES = ("generic-cortex-m4", "generic-cortex-m0", "generic-rv32imc")


def check(cases: Sequence[Graph], board: Board | None) -> None:
    graph = merge(cases)
    samples = list(random_inputs(graph, 3))
    trial = run_trial(cases, board, samples=samples)
    for sample, outputs in zip(samples, trial.outputs, strict=True):
        want = evaluate(graph, sample)
        for name in graph.outputs:
            np.testing.assert_array_equal(outputs[name], want[name], err_msg=name)


@pytest.mark.parametrize("op", ONNX_OPS, ids=lambda op: op.kind())
def test_the_c_equals_the_reference(op: type[Op]) -> None:
    need_host()
    cases = onnx_cases(op, 25)
    assert len(cases) >= 10
    check(cases, None)


@pytest.mark.parametrize("name", CORES)
def test_cores_with_and_without_a_floating_point_unit_give_the_same_bytes(name: str) -> None:
    board = boards.load(name)
    need(board)
    check([case for op in ONNX_OPS for case in onnx_cases(op, 4, first_seed=500)], board)


def test_sums_of_all_pairs_of_bytes_equal_the_reference_in_c() -> None:
    need_host()
    values = np.arange(-128, 128).astype(np.int8)
    scales = ((0.5, 0.25, 0.5), (0.013, 0.007, 0.011), (2.0, 0.0078125, 0.0078125), (0.01, 2.56, 0.01))
    cases = []
    for i, (a, b, y) in enumerate(scales):
        quants = {
            n: Quant((float(np.float32(s)),), (z,)) for n, s, z in (("a", a, 5), ("b", b, -7), ("y", y, 3))
        }
        shapes = {"a": (256, 1), "b": (1, 256), "y": ()}
        tensors = [Tensor(n, shapes[n], DType.INT8, q) for n, q in quants.items()]
        rounding = Rounding.ONNX_F32_U8 if i % 2 else Rounding.ONNX_F32
        cases.append(verify(one_op_graph(Add("add", "a", "b", "y", rounding=rounding), tensors)))
    graph = merge(cases)
    sample = {n: values.reshape(graph[n].shape) for n in graph.inputs}
    trial, want = run_trial(cases, None, samples=[sample]), evaluate(graph, sample)
    for name in graph.outputs:
        np.testing.assert_array_equal(trial.outputs[0][name], want[name], err_msg=name)


def test_ties_and_extremes_of_floats_are_quantized_alike_in_c() -> None:
    need_host()
    ties = np.arange(-300, 300, dtype=np.float32) + np.float32(0.5)
    x = np.concatenate([ties, [np.nan, np.inf, -np.inf, 3e38, -0.0]]).astype(np.float32)
    cases = []
    for dtype in (DType.INT8, DType.UINT8, DType.INT16):
        y = Tensor("y", (), dtype, Quant((1.0,), (0 if dtype is DType.INT16 else 7,)))
        op = Quantize("quantize", "x", "y", rounding=Rounding.ONNX_F32)
        cases.append(verify(one_op_graph(op, [Tensor("x", x.shape, DType.FLOAT32), y])))
    graph = merge(cases)
    trial = run_trial(cases, None, samples=[dict.fromkeys(graph.inputs, x)])
    for name, case in zip(graph.outputs, cases, strict=True):
        np.testing.assert_array_equal(trial.outputs[0][name], evaluate(case, {"x": x})["y"])


def test_a_channel_without_weights_may_have_any_bias() -> None:
    need_host()
    weights = np.array([[0, 0, 0], [1, 2, 3]], np.int8)
    bias = np.array([2_000_000_000, -5], np.int32)
    tensors = [
        Tensor("x", (1, 3), DType.INT8, Quant((0.5,), (3,))),
        Tensor("w", (2, 3), DType.INT8, Quant((2.0**-25,) * 2, (0, 0), 0), weights),
        Tensor("b", (2,), DType.INT32, None, bias),
        Tensor("y", (), DType.INT8, Quant((0.5,), (-9,))),
    ]
    op = FullyConnected("fc", "x", "w", "b", "y", rounding=Rounding.ONNX_F32)
    case = verify(one_op_graph(op, tensors))
    assert not list(op.rules(case.tensors))
    assert evaluate(case, {"x": np.zeros((1, 3), np.int8)})["y"][0, 0] == 51  # 2e9 / 2^25 = 59.6, less 9
    check([case], None)


def test_no_kernel_takes_an_op_of_another_rounding() -> None:
    tflite = next(g for g in map(_drawn, range(99)) if g["x"].dtype is DType.INT8)
    (op,) = tflite.ops
    onnx = replace(op, rounding=Rounding.ONNX_F32)
    for kernel in (k for k in KERNELS if k.op is Conv2D):
        is_onnx = kernel.roundings == ONNX_ROUNDINGS
        assert not (is_onnx and kernel.accepts(op, tflite.tensors))
        assert is_onnx or not kernel.accepts(onnx, tflite.tensors)


def _drawn(seed: int) -> Graph:
    return Conv2D.case(RandomDraw(seed))


def test_the_printed_form_names_the_rounding_where_it_is_not_tflites() -> None:
    (case, *_) = onnx_cases(Add, 1)
    assert "rounding=onnx_f32" in to_text(case)
    assert "rounding" not in to_text(_drawn(0))


@pytest.mark.parametrize("scale", [2.0**-9, 2.0**13], ids=["small", "large"])
def test_sums_whose_terms_leave_53_bits_break_a_rule(scale: float) -> None:
    quants = (Quant((1.0,), (0,)), Quant((1.0,), (0,)), Quant((scale,), (0,)))
    tensors = {n: Tensor(n, (4,), DType.INT8, q) for n, q in zip("aby", quants, strict=True)}
    problems = list(Add("add", "a", "b", "y", rounding=Rounding.ONNX_F32).rules(tensors))
    assert any("scales of operands" in p.rule for p in problems)


def test_an_onnx_rounding_takes_int8_only() -> None:
    quant = Quant((1.0,), (0,))
    tensors = {n: Tensor(n, (4,), DType.INT16, quant) for n in "aby"}
    problems = list(Add("add", "a", "b", "y", rounding=Rounding.ONNX_F32).rules(tensors))
    assert any("int8 activations" in p.rule for p in problems)


def test_a_graph_with_an_onnx_rounding_is_not_written_as_tflite() -> None:
    (case, *_) = onnx_cases(Add, 1)
    with pytest.raises(UserError, match="cannot be written as"):
        to_tflite(case)
