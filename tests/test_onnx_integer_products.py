"""ONNX's integer products without scales, and what else takes several operators: equal to onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from patchloom.errors import UnsupportedModel
from patchloom.frontend.onnx import import_onnx
from patchloom.ir import Graph, evaluate
from patchloom.passes import run_passes

KINDS = {np.dtype(np.uint8): TensorProto.UINT8, np.dtype(np.int8): TensorProto.INT8}
KINDS |= {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32}


def model(kind: str, x: np.ndarray, constants: dict[str, Any], y_type: int, **attributes: Any) -> bytes:
    """One operator on x and constants; a constant of None is an absent operand."""
    names = ["x", *(n if data is not None else "" for n, data in constants.items())]
    node = helper.make_node(kind, names, ["y"], name="node", **attributes)
    weights = [numpy_helper.from_array(data, n) for n, data in constants.items() if data is not None]
    graph = helper.make_graph(
        [node],
        "net",
        [helper.make_tensor_value_info("x", KINDS[x.dtype], x.shape)],
        [helper.make_tensor_value_info("y", y_type, None)],
        weights,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(made.SerializeToString())


def imported(data: bytes) -> Graph:
    return import_onnx(data, "net.onnx", {})


def equals_onnxruntime(data: bytes, x: np.ndarray) -> None:
    """Before and behind the passes, to the bit."""
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is what the import is compared with")
    (want,) = runtime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, {"x": x})
    graph = imported(data)
    for stage in (graph, run_passes(graph, verify_between=True)):
        (got,) = (evaluate(stage, {"x": x})[n] for n in stage.outputs)
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("zeros", [(None, None), (113, None), (113, 7), (0, 255)])
def test_convolutions_of_integers_are_exact(zeros: tuple[int | None, int | None]) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (1, 3, 7, 6)).astype(np.uint8)
    w = rng.integers(0, 256, (4, 3, 3, 3)).astype(np.uint8)
    points = {f"z{i}": None if z is None else np.array(z, np.uint8) for i, z in enumerate(zeros)}
    if zeros == (None, None):
        points = {}
    data = model("ConvInteger", x, {"w": w, **points}, TensorProto.INT32, pads=[1, 0, 1, 2], strides=[2, 1])
    equals_onnxruntime(data, x)


@pytest.mark.parametrize(("a", "b"), [(np.uint8, np.int8), (np.uint8, np.uint8), (np.int8, np.int8)])
def test_matrix_products_of_integers_are_exact(a: type, b: type) -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(0, 100, (5, 40)).astype(a)
    w = rng.integers(0, 100, (40, 3)).astype(b)
    points = {"za": np.array(9, a), "zb": np.array([1, 50, 99], b)}
    equals_onnxruntime(model("MatMulInteger", x, {"w": w, **points}, TensorProto.INT32), x)


def test_sums_that_a_float_cannot_hold_are_refused() -> None:
    x, w = np.zeros((2, 300), np.uint8), np.full((300, 2), 255, np.uint8)
    data = model("MatMulInteger", x, {"w": w}, TensorProto.INT32)
    with pytest.raises(UnsupportedModel) as error:
        imported(data)
    (violation,) = error.value.violations
    assert "below 2^24" in violation.rule and "300 products" in violation.found


def test_zero_points_that_are_computed_are_refused() -> None:
    x, w = np.zeros((2, 4), np.uint8), np.ones((4, 2), np.uint8)
    made = onnx.load_from_string(model("MatMulInteger", x, {"w": w}, TensorProto.INT32))
    made.graph.node[0].input.append("z")
    made.graph.input.append(helper.make_tensor_value_info("z", TensorProto.UINT8, ()))
    with pytest.raises(UnsupportedModel) as error:
        imported(bytes(made.SerializeToString()))
    assert any("zero points must be constant" in v.rule for v in error.value.violations)


@pytest.mark.parametrize("repeats", [(2, 3, 2, 2), (1, 2, 3, 4), (5, 1, 1, 2)])
def test_tensors_of_many_dimensions_are_repeated(repeats: tuple[int, ...]) -> None:
    x = np.random.default_rng(3).normal(size=(2, 3, 4, 2)).astype(np.float32)
    data = model("Tile", x, {"repeats": np.array(repeats, np.int64)}, TensorProto.FLOAT)
    equals_onnxruntime(data, x)


def test_a_remainder_of_floats_has_the_sign_of_the_divisor_unless_fmod_is_asked_for() -> None:
    x = np.array([-4.5, 7.25, -5.5, 4.5], np.float32)
    y = np.array([2.0, -3.0, -8.0, 2.5], np.float32)
    for fmod, want in ((0, np.mod(x, y)), (1, np.fmod(x, y))):
        graph = imported(model("Mod", x, {"b": y}, TensorProto.FLOAT, fmod=fmod))
        np.testing.assert_array_equal(evaluate(graph, {"x": x})[graph.outputs[0]], want)
