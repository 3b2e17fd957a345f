"""Quantization from and to ONNX: QDQ files whose integers equal onnxruntime's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nets import Net
from patchloom.cli.quantize import register
from patchloom.errors import UserError
from patchloom.export.onnx_qdq import to_onnx_qdq
from patchloom.passes.quantize import samples_of
from patchloom.quantization import quantize
from quantize_nets import SIZE, classifier, images, varied
from typer import Typer
from typer.testing import CliRunner

onnx = pytest.importorskip("onnx", reason="ONNX files cannot be made without the onnx package")
pytest.importorskip("onnxruntime", reason="nothing to compare with")


def float_model() -> bytes:
    """Conv, Relu, GlobalAveragePool, Flatten, Gemm, as PyTorch exports them: NCHW, open batch."""
    rng = np.random.default_rng(0)
    helper, make = onnx.helper, onnx.numpy_helper.from_array
    constants = [
        make((rng.normal(size=(8, 3, 3, 3)) * 0.3).astype(np.float32), "w"),
        make(rng.normal(size=8).astype(np.float32) * np.float32(0.1), "b"),
        make((rng.normal(size=(5, 8)) * 0.5).astype(np.float32), "dense_w"),
        make(np.zeros(5, np.float32), "dense_b"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "dense_w", "dense_b"], ["logits"], "dense", transB=1),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "net", [info("x", 1, ["batch", 3, SIZE, SIZE])], [info("logits", 1, ["batch", 5])], constants
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("build", [classifier, varied])
def test_qdq_files_compute_the_same_integers_in_onnxruntime(build) -> None:  # type: ignore[no-untyped-def]
    graph = build()
    if build is varied:
        graph = graph.rewritten([op for op in graph.ops if op.name in ("conv", "gate")], outputs=("gate_y",))
    result = quantize(graph, images(8, 1, graph), format="onnx")
    assert result.check.version is not None and result.check.samples == 3 and result.check.mismatches == 0
    assert result.content == quantize(graph, images(8, 1, graph), format="onnx").content
    kinds = [op.kind() for op in result.graph.ops]
    assert "conv2d" in kinds and kinds.count("dequantize") == 1  # nothing is left in float but the border


@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_float_onnx_models_are_quantized(format: str, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(float_model())
    x = images(16, 1, classifier()).transpose(0, 3, 1, 2)
    result = quantize(tmp_path / "net.onnx", x, format=format, out=tmp_path / f"out.{format}")  # type: ignore[arg-type]
    assert result.logits_sqnr_db is not None and result.logits_sqnr_db > 25.0
    assert result.check.version is not None and result.check.mismatches == 0
    assert "conv2d" in {op.kind() for op in result.graph.ops}


def test_what_qdq_cannot_express_is_named() -> None:
    graph = classifier()
    x = images(4, 1, graph)
    with pytest.raises(UserError, match="int16"):
        quantize(graph, x, format="onnx", int16_layers=("conv_1", "dw", "conv_2"))
    with pytest.raises(UserError, match="float inputs and outputs"):
        quantize(graph, x, format="onnx", io_int8=True)
    net = Net()
    net.input("q", (1, 4))
    with pytest.raises(UserError, match="input 'q'"):
        to_onnx_qdq(net.graph("q"))


def test_the_command_shows_what_quantization_cost(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(float_model())
    x = images(12, 1, classifier()).transpose(0, 3, 1, 2)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "labels.npy", np.zeros(12, np.int64))
    app = Typer()
    register(app)
    app.command("other")(lambda: None)
    arguments = ["quantize", str(tmp_path / "net.onnx"), "--calibration", str(tmp_path / "x.npy")]
    arguments += ["-o", str(tmp_path / "net.tflite"), "--labels", str(tmp_path / "labels.npy")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "top-1 accuracy on 12 samples" in result.output and "SQNR of the answer" in result.output
    assert (tmp_path / "net.tflite").stat().st_size > 0
    assert len(samples_of(classifier(), images(2, 1, classifier()))) == 2
