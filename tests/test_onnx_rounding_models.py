"""Whole quantized ONNX models: the imported graph == onnxruntime == the C, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from emulation_support import need_host
from onnx_quantized_nets import FLOAT, UINT8, Net, quantized_cnn, session, small_cnn
from patchloom.emulation.verify import random_inputs
from patchloom.errors import UnsupportedModel
from patchloom.frontend.onnx import import_onnx
from patchloom.ir import DType, Graph, check_rules, evaluate, verify
from patchloom.passes import run_passes
from patchloom.passes.fuse_qdq import fuse_qdq
from test_operators import run_in_c

pytest.importorskip("onnxruntime")


def imported(model: onnx.ModelProto) -> Graph:
    graph = verify(fuse_qdq(import_onnx(model.SerializeToString(), "net.onnx")))
    check_rules(graph)
    return graph


def kinds(graph: Graph) -> list[str]:
    return [op.kind() for op in graph.ops]


def assert_equals_onnxruntime(model: onnx.ModelProto, precise: bool = True, samples: int = 20) -> Graph:
    """Import, compare on random inputs before and after all passes; the imported graph."""
    graph = imported(model)
    lowered = run_passes(graph, verify_between=True)
    outside, rng = session(model, precise), np.random.default_rng(0)
    for _ in range(samples):
        feed = {n: rng.normal(size=graph[n].shape).astype(np.float32) for n in graph.inputs}
        want = outside.run(None, feed)
        for stage in (graph, lowered):
            values = evaluate(stage, feed)
            for name, y in zip(stage.outputs, want, strict=True):
                np.testing.assert_array_equal(values[name], y, err_msg=name)
    return graph


@pytest.mark.parametrize("per_channel", [False, True], ids=["per_tensor", "per_channel"])
@pytest.mark.parametrize("stored", [np.uint8, np.int8], ids=["uint8", "int8"])
def test_a_qdq_network_gives_the_bytes_onnxruntime_gives(stored: type[np.integer], per_channel: bool) -> None:
    for seed in (0, 1):
        graph = assert_equals_onnxruntime(small_cnn(stored, per_channel, seed))
        floats = {y for op in graph.ops for y in op.outputs if graph[y].dtype is DType.FLOAT32}
        assert floats <= set(graph.outputs), "every group was fused"


@pytest.mark.parametrize("per_channel", [False, True], ids=["per_tensor", "per_channel"])
@pytest.mark.parametrize("signed_weights", [False, True], ids=["uint8_weights", "int8_weights"])
@pytest.mark.parametrize("qdq", [False, True], ids=["qoperator", "qdq"])
def test_models_of_onnxruntimes_quantizer_give_its_bytes(
    qdq: bool, signed_weights: bool, per_channel: bool, tmp_path: Path
) -> None:
    model = quantized_cnn(tmp_path, qdq, True, signed_weights, per_channel)
    graph = assert_equals_onnxruntime(model, samples=10)
    assert {"conv2d", "depthwise_conv2d", "add", "mul", "average_pool2d", "mean"} <= set(kinds(graph))


def test_int8_qlinear_operators_give_the_bytes_onnxruntime_gives(tmp_path: Path) -> None:
    # onnxruntime refuses int8 QLinear operators with session.x64quantprecision.
    model = quantized_cnn(tmp_path, qdq=False, unsigned=False, signed_weights=True, per_channel=True)
    assert_equals_onnxruntime(model, precise=False, samples=10)


def test_the_c_of_a_qdq_network_equals_the_reference() -> None:
    need_host()
    graph = imported(small_cnn(np.uint8, True, 0))
    samples = list(random_inputs(graph, 3))
    for sample, outputs in zip(samples, run_in_c(graph, samples), strict=True):
        want = evaluate(graph, sample)
        for name in graph.outputs:
            np.testing.assert_array_equal(outputs[name].reshape(want[name].shape), want[name])


def test_operators_without_an_integer_form_stay_in_float() -> None:
    net = Net()
    a, b = (net.dequantize(net.input(n, UINT8, (1, 8)), 0.1, np.uint8(7)) for n in "ab")
    net.output(net.quantize(net.add("Sub", a, b), 0.1, np.uint8(3)), UINT8)
    graph = imported(net.model())
    assert "sub" in kinds(graph) and graph[graph.outputs[0]].dtype is DType.UINT8
    rng = np.random.default_rng(0)
    feed = {n: rng.integers(0, 256, (1, 8)).astype(np.uint8) for n in "ab"}
    np.testing.assert_array_equal(
        evaluate(graph, feed)[graph.outputs[0]], session(net.model()).run(None, feed)[0]
    )


def test_an_activation_written_out_becomes_one_table() -> None:
    net = Net()
    x = net.dequantize(net.input("x", UINT8, (1, 4, 4, 3)), 0.05, np.uint8(128))
    gate = net.add("HardSigmoid", x, alpha=1 / 6, beta=0.5)
    net.output(net.quantize(net.add("Mul", x, gate), 0.04, np.uint8(9)), UINT8)
    graph = imported(net.model())
    assert kinds(graph) == ["quantize", "lookup", "quantize"]
    every = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3) * 5
    want = session(net.model()).run(None, {"x": every})[0]
    np.testing.assert_array_equal(evaluate(graph, {"x": every})[graph.outputs[0]], want)


def test_a_value_dequantized_with_another_scale_is_refused_by_name() -> None:
    net = Net()
    q = net.quantize(net.input("x", FLOAT, (1, 4)), 0.1, np.uint8(3))
    net.output(net.dequantize(q, 0.2, np.uint8(3)), FLOAT)
    with pytest.raises(UnsupportedModel, match="dequantized as it was quantized"):
        imported(net.model())


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_scales_that_are_no_positive_numbers_are_refused(scale: float) -> None:
    net = Net()
    net.output(net.quantize(net.input("x", FLOAT, (1, 4)), scale, np.uint8(3)), UINT8)
    with pytest.raises(UnsupportedModel, match="scales are positive"):
        imported(net.model())


def test_dynamic_quantization_is_refused_with_what_to_do_instead() -> None:
    net = Net()
    net.nodes.append(onnx.helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="dynamic"))
    net.input("x", FLOAT, (1, 4))
    net.output("q", UINT8)
    with pytest.raises(UnsupportedModel, match="quantize the model statically"):
        imported(net.model())
