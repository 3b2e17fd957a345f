"""Models and data that cannot be used: every command names what is wrong, once, and writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from cli_support import Result, tree
from cli_support import patchloom as command
from library_support import conv_net, model_file
from onnx import TensorProto, helper
from onnx_nets import OnnxNet
from patchloom.ir import DType
from quantize_nets import SIZE, classifier, images


def compiled(model: Path, *options: str | Path) -> Result:
    return command("compile", model, "--board", "nrf52840dk", "-o", model.parent / "out", *options)


def refused(done: Result, folder: Path, *words: str) -> None:
    """Exit code 2, one error that has all the words, and only what was there before in the folder."""
    assert done.code == 2 and not done.out, done.err
    assert done.err.count("error:") == 1 and all(w in done.err for w in words), done.err
    assert not {"out", "q.tflite", "q.onnx"} & {Path(n).parts[0] for n in tree(folder)}


def small(net: OnnxNet, x: str) -> str:
    return net.add("Relu", net.conv(x, 3, 4, 3))


def open_map() -> onnx.ModelProto:
    net = OnnxNet(0)
    return net.model(small(net, net.input(["N", 3, "height", 8])))


def branch_on_data() -> onnx.ModelProto:
    net = OnnxNet(0)
    y = small(net, net.input([1, 3, 8, 8]))
    total = net.add("Greater", net.add("ReduceSum", y, keepdims=0), net.constant(np.array(0, np.float32)))
    branches = {}
    for name, kind in (("then_branch", "Relu"), ("else_branch", "Neg")):
        out = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)
        node = helper.make_node(kind, [y], [f"{name}_y"])
        branches[name] = helper.make_graph([node], name, [], [out])
    return net.model(net.add("If", total, **branches))


def loop() -> onnx.ModelProto:
    net = OnnxNet(0)
    y = small(net, net.input([1, 3, 8, 8]))
    names = ("i", TensorProto.INT64), ("go", TensorProto.BOOL), ("v", TensorProto.FLOAT)
    inputs = [helper.make_tensor_value_info(n, t, None) for n, t in names]
    outputs = [
        helper.make_tensor_value_info(n, t, None) for n, t in (("go_on", names[1][1]), ("w", names[2][1]))
    ]
    nodes = [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Relu", ["v"], ["w"])]
    count, go = net.constant(np.array(3, np.int64)), net.constant(np.array(True))
    return net.model(net.add("Loop", count, go, y, body=helper.make_graph(nodes, "body", inputs, outputs)))


def custom_domain() -> onnx.ModelProto:
    net = OnnxNet(0)
    model = net.model(small(net, net.input([1, 3, 8, 8])))
    model.graph.node[-1].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    return model


def missing_initialiser() -> onnx.ModelProto:
    net = OnnxNet(0)
    model = net.model(small(net, net.input([1, 3, 8, 8])))
    model.graph.initializer[0].name = "elsewhere"
    return model


def weights_of(value: float) -> Callable[[], onnx.ModelProto]:
    def build() -> onnx.ModelProto:
        net = OnnxNet(0)
        model = net.model(small(net, net.input([1, 3, 8, 8])))
        weights = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
        weights.flat[5] = value
        name = model.graph.initializer[0].name
        model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, name))
        return model

    return build


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (open_map, ("unknown dimensions", "--input-shape", "height")),
        (branch_on_data, ("If", "condition", "computed")),
        (loop, ("Loop", "unroll")),
        (custom_domain, ("com.example",)),
        (missing_initialiser, ("Conv",)),
        (weights_of(np.nan), ("Conv", "finite")),
        (weights_of(np.inf), ("Conv", "finite")),
    ],
)  # fmt: skip
def test_onnx_models_that_cannot_be_compiled_name_what_is_in_the_way(
    tmp_path: Path, build: Callable[[], onnx.ModelProto], words: tuple[str, ...]
) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(build().SerializeToString())
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 8, 8), np.float32))
    refused(compiled(model), tmp_path, *words)
    out = tmp_path / "q.onnx"
    done = command("quantize", model, "--calibration", tmp_path / "x.npy", "-o", out, "--format", "onnx")
    refused(done, tmp_path, *words)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize("constant", ["conv/w", "dw/b"])
def test_float_weights_that_are_no_numbers_are_refused_by_name(
    tmp_path: Path, constant: str, value: float
) -> None:
    graph = conv_net(DType.FLOAT32)
    data = graph[constant].data
    assert data is not None
    data = data.copy()
    data.flat[3] = value
    model = model_file(
        graph.rewritten(graph.ops, [replace(graph[constant], data=data)]), tmp_path / "net.tflite"
    )
    refused(compiled(model), tmp_path, repr(constant), "finite")
    np.save(tmp_path / "x.npy", np.zeros((2, 9, 8, 3), np.float32))
    done = command("quantize", model, "--calibration", tmp_path / "x.npy", "-o", tmp_path / "q.tflite")
    refused(done, tmp_path, repr(constant))


def test_open_dimensions_are_fixed_by_quantize_and_by_compile_with_calibration(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(open_map().SerializeToString())
    x = np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    (name,) = (i.name for i in open_map().graph.input)
    fixed = ("--input-shape", f"{name}=1,3,8,8", "--calibration", tmp_path / "x.npy")
    assert command("quantize", model, *fixed, "-o", tmp_path / "q.tflite", "--json").code == 0
    assert compiled(model, *fixed, "--json").code == 0
    assert command("diff", tmp_path / "q.tflite", tmp_path / "out", "--on", "host", "--samples", 2).code == 0


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros((2, SIZE, SIZE, 4), np.float32)}, ("'x'", "calibration data")),
        ({"x": np.full((2, SIZE, SIZE, 3), np.nan, np.float32)}, ("'x'", "NaN")),
        ({"x": np.full((2, SIZE, SIZE, 3), -np.inf, np.float32)}, ("'x'", "infinity")),
        ({"a": np.zeros(1), "b": np.zeros(1)}, ("a, b", "missing or unknown")),
    ],
)  # fmt: skip
def test_calibration_that_does_not_fit_is_named_by_quantize_and_compile(
    tmp_path: Path, arrays: dict[str, np.ndarray], words: tuple[str, ...]
) -> None:
    model = model_file(classifier(), tmp_path / "net.tflite")
    np.savez(tmp_path / "x.npz", **arrays)
    data = ("--calibration", tmp_path / "x.npz")
    refused(command("quantize", model, *data, "-o", tmp_path / "q.tflite"), tmp_path, *words)
    refused(compiled(model, *data), tmp_path, *words)


@pytest.mark.parametrize(("labels", "words"), [([0, 1, 2], "4 in all"), ([0, 1, 2, 9], "0 to 4")])
def test_labels_that_do_not_match_are_refused(tmp_path: Path, labels: list[int], words: str) -> None:
    graph = classifier()
    model = model_file(graph, tmp_path / "net.tflite")
    np.save(tmp_path / "x.npy", images(4, 1, graph))
    np.save(tmp_path / "labels.npy", np.array(labels))
    options = ("--calibration", tmp_path / "x.npy", "--labels", tmp_path / "labels.npy")
    refused(command("quantize", model, *options, "-o", tmp_path / "q.tflite"), tmp_path, "labels", words)


def test_a_channel_without_range_is_quantized_and_noted(tmp_path: Path) -> None:
    graph = classifier()
    data = graph["conv_1_w"].data
    assert data is not None
    data = data.copy()
    data[2] = 0.0
    model = model_file(
        graph.rewritten(graph.ops, [replace(graph["conv_1_w"], data=data)]), tmp_path / "net.tflite"
    )
    np.save(tmp_path / "x.npy", images(8, 1, graph))
    out = tmp_path / "q.tflite"
    done = command("quantize", model, "--calibration", tmp_path / "x.npy", "-o", out, "--json")
    assert done.code == 0 and any("1 output channels have no weights" in n for n in done.json["notes"])
    assert command("diff", model, out, "--inputs", tmp_path / "x.npy").code == 0
