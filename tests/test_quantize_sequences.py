"""Quantization of networks with attention, recurrent layers, and of every operator alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the networks are ONNX files")

from onnx_nets import OnnxNet
from patchloom import api
from patchloom.errors import UserError
from patchloom.ir import DType, Graph
from patchloom.ir.cases import RandomDraw
from patchloom.ir.op import Op
from patchloom.ir.ops import OPS
from patchloom.ir.ops.read_state import ReadState
from patchloom.ir.ops.svdf import Svdf
from patchloom.ir.ops.write_state import WriteState
from patchloom.quantization import Quantized, quantize
from quantize_sequence_nets import keywords, sequences, smooth_images, transformer


def quantized(folder: Path, which: str, format: str, **arguments: Any) -> Quantized:
    model = transformer() if which == "transformer" else keywords(which)
    data = smooth_images if which == "transformer" else sequences
    path = folder / f"{which}.onnx"
    path.write_bytes(model.SerializeToString())
    out = folder / f"{which}_q.{format}"
    return quantize(
        path, data(32, 1)[:, 0], evaluation=data(16, 2)[:, 0], format=format, out=out, **arguments
    )  # type: ignore[arg-type]


def floats_inside(graph: Graph) -> set[str]:
    """Kinds of operators that compute in float."""
    kinds = {op.kind() for op in graph.ops if any(graph[y].dtype is DType.FLOAT32 for y in op.outputs)}
    return kinds - {"dequantize"}


def test_a_transformer_is_all_integers_and_close_to_the_float_one(tmp_path: Path) -> None:
    result = quantized(tmp_path, "transformer", "tflite")
    assert result.logits_sqnr_db is not None and result.logits_sqnr_db > 30.0
    assert floats_inside(result.graph) == set() and not result.float_ops
    assert min(layer.sqnr_db for layer in result.layers) > 20.0
    assert len(result.check.left_out) == 3 and all("LayerNorm" in op for op in result.check.left_out)
    if result.check.version is not None:  # all others run in TensorFlow Lite Micro
        assert result.check.samples == 3 and result.check.mismatches == 0


def test_a_transformer_as_qdq_has_the_integers_of_onnxruntime(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    result = quantized(tmp_path, "transformer", "onnx")
    assert result.check.version is not None and result.check.samples == 3
    assert result.check.mismatches == 0 or result.check.explained
    assert floats_inside(result.graph) == {"layer_normalization"}
    assert {"matmul", "lookup", "softmax"} <= {op.kind() for op in result.graph.ops}


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_recurrent_layers_stay_float_between_conversions_and_are_named(
    kind: str, format: str, tmp_path: Path
) -> None:
    result = quantized(tmp_path, kind, format)
    assert result.logits_sqnr_db is not None and result.logits_sqnr_db > 25.0
    assert floats_inside(result.graph) <= {kind.lower(), "reshape"}
    assert any(f"no integer {kind.lower()}" in note and kind in note for note in result.notes)
    assert list(result.figures()["float_layers"].values()) == [f"there is no integer {kind.lower()}"]


@pytest.mark.parametrize(("which", "format"), [("transformer", "tflite"), ("GRU", "onnx")])
def test_mixed_libraries_equal_the_reference_on_the_host(which: str, format: str, tmp_path: Path) -> None:
    quantized(tmp_path, which, format)
    api.compile(tmp_path / f"{which}_q.{format}", "nrf52840dk", tmp_path / "lib")
    verification = api.verify(tmp_path / "lib", on="host", samples=4)
    assert verification.figures()["within_tolerance"] and verification.figures()["samples"] == 4


def test_sensitive_layers_take_int16_and_those_that_cannot_are_refused_by_name(tmp_path: Path) -> None:
    plain = quantized(tmp_path, "transformer", "tflite")
    names = {layer.value: layer.op for layer in plain.layers}
    assert "Add_36" in names
    sensitive = [f"/{n}" for n in ("Add_25", "MatMul_34", "Add_36", "LayerNormalization_37")]
    better = quantized(tmp_path, "transformer", "tflite", int16_layers=tuple(sensitive))
    assert set(better.int16_ops) >= set(sensitive)

    def at(result: Quantized, value: str) -> float:
        return next(layer.sqnr_db for layer in result.layers if layer.value == value)

    assert at(better, "LayerNormalization_37") > at(plain, "LayerNormalization_37")
    with pytest.raises(UserError, match="cannot have int16 activations") as error:
        quantized(tmp_path, "transformer", "tflite", int16_layers=("/MatMul_17",))
    assert "no int16 matmul" in error.value.found and "/LayerNormalization_4" in error.value.accepted


def one_output(net: OnnxNet, y: str, folder: Path, x: np.ndarray, format: str = "tflite") -> Quantized:
    path = folder / "net.onnx"
    path.write_bytes(net.model(y).SerializeToString())
    return quantize(path, x, format=format)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ["add", "where"])
def test_masks_of_minus_infinity_leave_the_scores_their_range(way: str, tmp_path: Path) -> None:
    net = OnnxNet(3)
    x = net.input([1, 8, 8])
    allowed = np.tril(np.ones((8, 8), bool))
    if way == "add":
        mask = net.constant(np.where(allowed, 0, -np.inf).astype(np.float32))
        scores = net.add("Add", x, mask)
    else:
        scores = net.add("Where", net.constant(allowed), x, net.constant(np.float32(-1e9).reshape(1)))
    x_data = np.random.default_rng(0).normal(size=(16, 8, 8)).astype(np.float32) * 3
    result = one_output(net, net.add("Softmax", scores, axis=-1), tmp_path, x_data)
    noise = {layer.op: layer.sqnr_db for layer in result.layers}
    assert next(db for op, db in noise.items() if "Softmax" in op) > 30.0
    assert not result.float_ops


def test_quotients_are_tables_unless_the_divisor_comes_near_zero(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for low, integer in ((1.0, True), (1e-3, False)):
        net = OnnxNet(3)
        x = net.add("LeakyRelu", net.input([1, 16]), alpha=0.5)
        size = net.add("Add", net.add("Abs", x), net.constant(np.float32(low)))
        data = rng.uniform(-2, 2, (32, 16)).astype(np.float32)
        data[:, 0] = 0.0
        y = net.add("LeakyRelu", net.add("Div", x, size), alpha=0.5)
        result = one_output(net, y, tmp_path, data)
        assert bool(result.float_ops) != integer
        assert min(layer.sqnr_db for layer in result.layers) > 20.0
        if not integer:
            assert all("divisor" in why for why in result.float_ops.values())


def test_powers_sums_and_softmax_along_other_axes_become_integer_operators(tmp_path: Path) -> None:
    net = OnnxNet(3)
    x = net.input([1, 6, 5])
    square = net.add("Pow", x, net.constant(np.float32(2)))
    total = net.add("ReduceSum", square, net.ints(2), keepdims=1)
    y = net.add(
        "Mul", net.add("Softmax", net.add("Add", x, total), axis=1), net.add("ReduceMax", x, axes=[2])
    )
    data = np.random.default_rng(0).normal(size=(32, 6, 5)).astype(np.float32)
    for format in ("tflite", "onnx"):
        result = one_output(net, y, tmp_path, data, format)
        assert not result.float_ops
        assert floats_inside(result.graph) <= ({"reduce"} if format == "onnx" else set())
        assert min(layer.sqnr_db for layer in result.layers) > 20.0


STATELESS = [kind for kind in OPS if kind not in (ReadState, WriteState, Svdf)]


def float_case(kind: type[Op]) -> Graph | None:
    """A random graph of the op that computes floats from floats, if it does."""
    for seed in range(60):
        graph = kind.case(RandomDraw(seed))
        made = [graph[y].dtype for op in graph.ops for y in op.outputs]
        if DType.FLOAT32 in made and all(t.quant is None for t in graph.tensors.values()):
            return graph
    return None


def calibration_of(graph: Graph) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)

    def values(name: str) -> np.ndarray:
        t = graph[name]
        if t.dtype is DType.FLOAT32:
            return rng.uniform(0.1, 0.9, t.shape).astype(np.float32)  # where every function is finite
        return np.asarray(rng.integers(0, 2, size=t.shape)).astype(t.dtype.numpy)

    return [{n: values(n) for n in graph.inputs} for _ in range(4)]


@pytest.mark.parametrize("kind", STATELESS, ids=lambda kind: kind.kind())
def test_every_float_operator_is_quantized_or_left_in_float_with_a_reason(kind: type[Op]) -> None:
    graph = float_case(kind)
    if graph is None:
        pytest.skip(f"{kind.kind()} has no float form")
    samples = calibration_of(graph)
    result = quantize(graph, samples, equalisation=False)  # every operator can be written as .tflite
    assert result.check.mismatches == 0
    assert bool(floats_inside(result.graph)) == bool(result.float_ops)
    assert all(layer.sqnr_db > 15.0 for layer in result.layers), result.layers
    try:
        onnx = quantize(graph, samples, equalisation=False, format="onnx")
    except UserError as error:
        assert "cannot be written as QDQ" in error.message
        return
    assert onnx.check.mismatches == 0 or onnx.check.explained
