"""The operator tests of the onnx package, and the command that makes a table of them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from patchloom import boards
from patchloom.ir import evaluate

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

import onnx_coverage as coverage  # noqa: E402

TABLE = ROOT / "docs" / "onnx_operators.md"
# One test or two of every family of kernels; all of them run when the table is made.
SLICE = (
    "add_bcast", "argmax_keepdims_example", "averagepool_2d_ceil", "averagepool_2d_same_lower",
    "basic_conv_with_padding", "batchnorm_epsilon", "clip_example", "concat_3d_axis_negative_2",
    "convtranspose_output_shape", "cumsum_2d_int32", "depthtospace_crd_mode_example", "erf",
    "expand_dim_changed", "gather_1", "gather_elements_negative_indices", "gathernd_example_float32",
    "gelu_tanh_1", "gemm_all_attributes", "globalmaxpool", "gru_with_initial_bias", "hardswish",
    "instancenorm_example", "layer_normalization_2d_axis1", "lrn", "lstm_with_peepholes", "matmul_4d",
    "maxpool_2d_dilations", "onehot_with_axis", "pow_bcast_array", "prelu_broadcast",
    "reduce_l2_keep_dims_example", "reflect_pad", "resize_upsample_scales_cubic",
    "scatter_elements_with_axis", "slice_neg_steps", "softmax_axis_1",
    "split_variable_parts_2d_opset18", "top_k_smallest", "where_example",
)  # fmt: skip


@pytest.fixture(scope="module")
def cases() -> list[coverage.Case]:
    return coverage.load_cases()


def test_every_operator_test_passes_or_is_refused_with_a_reason(cases: list[coverage.Case]) -> None:
    results = coverage.measure(cases, compile_c=False)
    assert {r.case.name: r.reason for r in results if r.state == "failed"} == {}
    assert all(r.reason for r in results if r.state == "refused")
    assert sum(r.state == "passed" for r in results) >= 0.6 * len(results)


@pytest.mark.parametrize("where", ["host", "qemu"])
def test_a_slice_of_the_operator_tests_runs_in_c(where: str, cases: list[coverage.Case]) -> None:
    chosen = [coverage.check(c) for c in cases if c.name.removeprefix("test_") in SLICE]
    assert len(chosen) >= len(SLICE) - 2  # newer packages rename some
    assert [r.case.name for r in chosen if r.state != "passed"] == []
    board = boards.load("generic-cortex-m4") if where == "qemu" else None
    coverage.check_c(chosen, board)
    assert {r.case.name: r.reason for r in chosen if r.state == "failed"} == {}


def test_the_table_is_that_of_this_version_and_nothing_in_it_fails() -> None:
    text = TABLE.read_text()
    passed, refused, failed = map(int, re.findall(r"\*\*(\d+) (?:pass|are refused|fail)", text)[:3])
    assert failed == 0 and passed > refused
    rows = re.findall(r"^\| (\w+) \| (\d+) \| (\d+) \|", text, re.MULTILINE)
    assert sum(int(n) for _, n, _ in rows) == passed + refused
    for name in ("Conv", "Gemm", "LSTM", "Resize", "Where"):
        assert any(row[0] == name and int(row[2]) > 0 for row in rows)
    named = set(re.findall(r"`(\w+)`", text.partition("Imported by name: ")[2].partition("\n")[0]))
    assert named >= set(coverage.CONVERTERS.converters) - {
        n for n in coverage.CONVERTERS.converters if ":" in n
    }


def relu_case(wrong: bool) -> coverage.Case:
    x = np.array([-1, 2], np.float32)
    node = helper.make_node("Relu", ["x"], ["y"])
    values = [helper.make_tensor_value_info(n, 1, [2]) for n in "xy"]
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    answer = np.array([0, 3 if wrong else 2], np.float32)
    return coverage.Case("test_relu", model, {"x": x}, [answer], 1e-3, 1e-7)


def test_a_wrong_answer_fails_in_the_reference_and_in_c() -> None:
    assert coverage.check(relu_case(wrong=True)).state == "failed"
    good = coverage.check(relu_case(wrong=False))
    assert good.state == "passed" and good.graph
    np.testing.assert_array_equal(evaluate(good.graph, good.inputs)["y"], [0, 2])
    wrong = coverage.Result(relu_case(wrong=True), "passed", graph=good.graph, inputs=good.inputs)
    coverage.check_c([wrong])
    assert wrong.state == "failed" and wrong.reason.startswith("C: 2.0 instead of 3.0")


def test_the_table_counts_states_and_lists_failures() -> None:
    results = coverage.measure([relu_case(wrong=False), relu_case(wrong=True)], compile_c=False)
    text = coverage.report(results)
    assert "| Relu | 2 | 1 |  |  |  | 1 |  |" in text and "**1 fail**" in text
    assert "- `test_relu`: reference: 2.0 instead of 3.0" in text


def test_operands_that_must_be_constant_become_so(cases: list[coverage.Case]) -> None:
    case = next(c for c in cases if c.name == "test_reshape_reordered_all_dims")
    model, bound = coverage.bound_model(case)
    assert bound == {"shape"} and [t.name for t in model.graph.initializer] == ["shape"]
    assert isinstance(model, onnx.ModelProto) and coverage.check(case).bound == 1
