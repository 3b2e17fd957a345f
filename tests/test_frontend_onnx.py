"""ONNX models as exporters write them: imported, equal to onnxruntime, without transposes left over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_nets import NETS, OnnxNet
from patchloom.cli.app import app
from patchloom.errors import UnsupportedModel, UserError
from patchloom.frontend import load, portable_model
from patchloom.frontend.onnx import import_onnx
from patchloom.ir import DType, Graph, evaluate
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.hard_swish import HardSwish
from patchloom.ir.ops.layer_normalization import LayerNormalization
from patchloom.ir.ops.transpose import Transpose
from patchloom.ir.ops.unary import Unary
from patchloom.passes import run_passes
from patchloom.passes.layout import moved_elements
from typer.testing import CliRunner


def imported(model: onnx.ModelProto, **shapes: tuple[int, ...]) -> Graph:
    return import_onnx(model.SerializeToString(), "net.onnx", shapes)


def random_inputs(graph: Graph, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {n: rng.normal(size=graph[n].shape).astype(graph[n].dtype.numpy) for n in graph.inputs}


def results(graph: Graph, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    values = evaluate(graph, inputs)
    return [values[n] for n in graph.outputs]


def by_onnxruntime(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is what the import is compared with")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    return list(runtime.InferenceSession(model.SerializeToString(), options).run(None, inputs))


@pytest.mark.parametrize("name", NETS)
def test_networks_give_what_onnxruntime_gives_before_and_after_the_passes(name: str) -> None:
    model = NETS[name]()
    graph = imported(model)
    inputs = random_inputs(graph)
    wanted = by_onnxruntime(model, inputs)
    for stage in (graph, run_passes(graph, verify_between=True)):
        for got, want in zip(results(stage, inputs), wanted, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("resnet", ["input"]),
        ("mobilenet", ["input"]),
        ("tf2onnx", []),
        # the output is a map, channels first; the shuffle itself moves channels
        ("decoder", ["input", "shuffle", "output"]),
    ],
)
def test_channels_first_networks_keep_no_transposes_but_those_at_the_border(
    name: str, left: list[str]
) -> None:
    graph = run_passes(imported(NETS[name]()))
    transposes = [op for op in graph.ops if isinstance(op, Transpose)]
    assert len(transposes) == len(left)
    assert ("input" in left) == any(op.x in graph.inputs for op in transposes)
    assert ("output" in left) == any(op.y in graph.outputs for op in transposes)


def test_an_image_of_one_channel_needs_no_transpose_at_all() -> None:
    net = OnnxNet()
    y = net.conv(net.input(["N", 1, 12, 12]), 1, 4)
    y = net.add("Flatten", net.add("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2]))
    model = net.model(net.add("Gemm", y, net.weights(3, 144), transB=1))
    graph = run_passes(imported(model))
    assert graph[graph.inputs[0]].shape == (1, 1, 12, 12)
    assert moved_elements(graph) == 0
    inputs = random_inputs(graph)
    np.testing.assert_allclose(
        results(graph, inputs)[0], by_onnxruntime(model, inputs)[0], rtol=1e-5, atol=1e-5
    )


def test_batch_normalization_and_activations_disappear_into_the_convolution() -> None:
    graph = run_passes(imported(NETS["resnet"]()))
    kinds = [op.kind() for op in graph.ops]
    assert kinds.count("conv2d") == 6 and not {"mul", "relu"} & set(kinds) and kinds.count("add") == 2
    assert all(op.bias for op in graph.ops if isinstance(op, Conv2D))


def test_functions_spelled_out_are_found() -> None:
    kinds = {type(op) for op in run_passes(imported(NETS["transformer"]())).ops}
    functions = {
        op.function for op in run_passes(imported(NETS["transformer"]())).ops if isinstance(op, Unary)
    }
    assert LayerNormalization in kinds and functions == {"gelu"}
    net = OnnxNet()
    x = net.input([1, 4, 3, 3])
    low, high = net.constant(np.array(0, np.float32)), net.constant(np.array(6, np.float32))
    gate = net.add("Clip", net.add("Add", x, net.constant(np.array([3], np.float32))), low, high)
    model = net.model(net.add("Div", net.add("Mul", x, gate), net.constant(np.array(6, np.float32))))
    graph = run_passes(imported(model))
    assert [type(op) for op in graph.ops] == [HardSwish]
    inputs = random_inputs(graph)
    np.testing.assert_allclose(
        results(graph, inputs)[0], by_onnxruntime(model, inputs)[0], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("opset", [9, 10, 11, 13, 18, 21])
def test_operator_sets_old_and_new_mean_the_same(opset: int) -> None:
    """Slice, Squeeze, Clip, Pad, ReduceSum and Softmax took attributes before they took operands."""
    net = OnnxNet(3, opset)
    y = net.input([1, 3, 4, 5])
    number = lambda v: net.constant(np.array(v, np.float32))  # noqa: E731
    since = {"Slice": 10, "Clip": 11, "Pad": 11, "ReduceSum": 13, "Squeeze": 13}
    old = {name: opset < version for name, version in since.items()}
    y = (
        net.add("Slice", y, starts=[1], ends=[4], axes=[2])
        if old["Slice"]
        else net.add("Slice", y, net.ints(1), net.ints(4), net.ints(2))
    )
    y = (
        net.add("Clip", y, min=-0.5, max=1.0)
        if old["Clip"]
        else net.add("Clip", y, number(-0.5), number(1.0))
    )
    pads = [0, 0, 1, 0, 0, 0, 0, 2]
    y = (
        net.add("Pad", y, pads=pads, value=0.25)
        if old["Pad"]
        else net.add("Pad", y, net.ints(*pads), number(0.25))
    )
    y = net.add("ReduceSum", y, axes=[1]) if old["ReduceSum"] else net.add("ReduceSum", y, net.ints(1))
    y = net.add("Squeeze", y, axes=[1]) if old["Squeeze"] else net.add("Squeeze", y, net.ints(1))
    model = net.model(net.add("Softmax", y, axis=-1))
    graph = imported(model)
    inputs = random_inputs(graph)
    assert graph[graph.outputs[0]].shape == (1, 4, 7)
    np.testing.assert_allclose(
        results(graph, inputs)[0], by_onnxruntime(model, inputs)[0], rtol=1e-5, atol=1e-6
    )


def test_softmax_before_operator_set_13_takes_all_dimensions_from_its_axis_on() -> None:
    net = OnnxNet(opset=12)
    model = net.model(net.add("Softmax", net.input([2, 3, 4]), axis=1))
    graph = imported(model)
    inputs = random_inputs(graph)
    got = results(graph, inputs)[0]
    np.testing.assert_allclose(got.sum(axis=(1, 2)), 1, rtol=1e-6)
    np.testing.assert_allclose(got, by_onnxruntime(model, inputs)[0], rtol=1e-5)


def test_a_branch_whose_condition_follows_from_shapes_is_inlined() -> None:
    net = OnnxNet()
    x = net.input([1, 3])
    one = net.add("Gather", net.add("Shape", x), net.constant(np.array(0, np.int64)), axis=0)
    condition = net.add("Equal", one, net.constant(np.array(1, np.int64)))
    branches = {}
    for name, kind in (("then_branch", "Sqrt"), ("else_branch", "Loop")):
        node = helper.make_node(kind, [x], [name])
        branches[name] = helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, 1, None)])
    y = net.add("If", condition, **branches)
    graph = imported(net.model(net.add("Neg", y)))
    assert [op.function for op in graph.ops if isinstance(op, Unary)] == ["sqrt", "neg"]


def test_a_local_function_is_inlined_with_the_attributes_of_its_call() -> None:
    net = OnnxNet()
    node = helper.make_node("LeakyRelu", ["a"], ["b"])
    node.attribute.append(
        onnx.AttributeProto(name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="slope")
    )
    function = helper.make_function(
        "own", "Leaky", ["a"], ["c"], [node, helper.make_node("Neg", ["b"], ["c"])],
        [helper.make_opsetid("", 17)], ["slope"],
    )  # fmt: skip
    y = net.add("Leaky", net.input([1, 4]), domain="own", slope=0.25)
    model = net.model(y)
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("own", 1))
    graph = imported(model)
    (got,) = results(graph, {"input": np.array([[-4, -1, 0, 2]], np.float32)})
    np.testing.assert_array_equal(got, [[1, 0.25, 0, -2]])


def test_only_a_leading_open_dimension_becomes_one() -> None:
    net = OnnxNet()
    model = net.model(net.conv(net.input(["N", 3, "H", "W"]), 3, 2))
    with pytest.raises(UserError, match="unknown dimensions") as error:
        imported(model)
    assert "--input-shape input=1,3,H,W" in str(error.value) or "input=1,3,N,N" in str(error.value)
    assert imported(model, input=(1, 3, 8, 6))["input"].shape == (1, 3, 8, 6)
    with pytest.raises(UserError, match="does not fit"):
        imported(model, input=(1, 8, 6))
    with pytest.raises(UserError, match="no input is called 'other'"):
        imported(model, other=(1, 3, 8, 6))


def test_a_fixed_batch_is_computed_item_by_item() -> None:
    net = OnnxNet()
    model = net.model(net.add("AveragePool", net.conv(net.input([3, 2, 6, 6]), 2, 4), kernel_shape=[2, 2]))
    graph = imported(model)
    inputs = random_inputs(graph)
    for stage in (graph, run_passes(graph)):
        np.testing.assert_allclose(
            results(stage, inputs)[0], by_onnxruntime(model, inputs)[0], rtol=1e-5, atol=1e-6
        )


def test_every_problem_of_a_model_is_reported_at_once() -> None:
    net = OnnxNet()
    x = net.input([1, 4, 4, 4])
    y = net.add("Custom", x, domain="com.example")
    z = net.add("Conv", x, x)
    z = net.add("Reshape", z, net.input([4], "target", TensorProto.INT64))
    with pytest.raises(UnsupportedModel) as error:
        imported(net.model(y, z, net.add("Sigmoid", net.add("MaxUnpool", x))))
    text = str(error.value)
    assert "com.example::Custom" in text and "weights must be constant" in text and "MaxUnpool" in text
    assert len(error.value.violations) == 3


def weights_model(data: np.ndarray) -> onnx.ModelProto:
    net = OnnxNet()
    return net.model(net.add("MatMul", net.input([1, 4]), net.constant(data, "w")))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_refused_by_name(bad: float) -> None:
    data = np.ones((4, 2), np.float32)
    data[1, 1] = bad
    with pytest.raises(UnsupportedModel, match="finite") as error:
        imported(weights_model(data))
    assert "'w'" in str(error.value)


def broken(change: str) -> onnx.ModelProto:
    model = weights_model(np.ones((4, 2), np.float32))
    (w,) = model.graph.initializer
    match change:
        case "short":
            w.raw_data = w.raw_data[:-1]
        case "huge":
            w.dims[:] = [1 << 40, 1 << 40]
        case "negative":
            w.dims[:] = [-4, -2]
        case "typed":
            w.ClearField("raw_data")
            w.float_data.extend([1.0] * 7)
        case "strings":
            w.ClearField("raw_data")
            w.data_type = TensorProto.STRING
            w.string_data.extend([b"x"] * 8)
        case "missing":
            del model.graph.initializer[:]
        case "old":
            model.opset_import[0].version = 5
        case "future":
            model.opset_import[0].version = 999
        case "twice":
            model.graph.node.append(model.graph.node[0])
    return model


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("short", "has 31 bytes"),
        ("huge", "a tensor has at most"),
        ("negative", "a tensor has at most"),
        ("typed", "has 7 elements"),
        ("strings", "element types are"),
        ("missing", "which nothing before it computes"),
        ("old", "operator set 5"),
        ("future", "operator set 999"),
        ("twice", "writes 'MatMul_0' again"),
    ],
)
def test_malformed_models_are_refused(change: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        imported(broken(change))
    assert "net.onnx" in str(error.value)


def test_damaged_files_never_give_anything_but_a_message() -> None:
    data = NETS["mobilenet"]().SerializeToString()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(data)
        for at in rng.integers(0, len(data) if rng.random() < 0.3 else 3000, rng.integers(1, 6)):
            damaged[at] = rng.integers(0, 256)
        try:
            import_onnx(
                bytes(damaged[: rng.integers(100, len(data))] if rng.random() < 0.2 else damaged), "m.onnx"
            )
        except UserError:
            refused += 1
    assert refused > 50


# --- external data ------------------------------------------------------------------------------


def with_outside_weights(folder: Path, location: str = "weights.bin") -> Path:
    """A model whose weights lie in weights.bin beside it."""
    data = np.arange(8, dtype=np.float32).reshape(4, 2)
    model = weights_model(data)
    (w,) = model.graph.initializer
    w.ClearField("raw_data")
    w.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "16"), ("length", "32")):
        w.external_data.add(key=key, value=value)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.bin").write_bytes(bytes(16) + data.tobytes())
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_external_data_is_read_from_the_models_own_folder_and_travels_with_the_library(
    tmp_path: Path,
) -> None:
    path = with_outside_weights(tmp_path / "m")
    (got,) = results(load(path), {"input": np.ones((1, 4), np.float32)})
    np.testing.assert_array_equal(got, [[12, 16]])
    whole = import_onnx(portable_model(path), "whole.onnx")
    np.testing.assert_array_equal(results(whole, {"input": np.ones((1, 4), np.float32)})[0], [[12, 16]])


@pytest.mark.parametrize("location", ["../weights.bin", "link.bin", "none.bin", "", "/etc/hostname"])
def test_external_data_from_elsewhere_is_refused(tmp_path: Path, location: str) -> None:
    path = with_outside_weights(tmp_path / "m", location)
    (tmp_path / "weights.bin").write_bytes(bytes(48))
    (tmp_path / "m" / "link.bin").symlink_to(tmp_path / "weights.bin")
    with pytest.raises(UserError, match="kept in another file"):
        load(path)


def test_external_data_shorter_than_the_tensor_is_refused(tmp_path: Path) -> None:
    path = with_outside_weights(tmp_path)
    (tmp_path / "weights.bin").write_bytes(bytes(40))
    with pytest.raises(UserError, match="kept in another file"):
        load(path)


# --- end to end ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mobilenet", "tf2onnx"])
def test_compile_and_verify_hold_an_onnx_model_to_onnxruntime(tmp_path: Path, name: str) -> None:
    pytest.importorskip("onnxruntime", reason="the outside reference of .onnx models")
    path, out = tmp_path / f"{name}.onnx", tmp_path / "out"
    path.write_bytes(NETS[name]().SerializeToString())
    run = CliRunner().invoke
    compiled = run(app, ["compile", str(path), "--board", "generic-cortex-m4", "-o", str(out)])
    assert compiled.exit_code == 0, compiled.output
    assert (out / "model.onnx").read_bytes() == path.read_bytes()
    verified = run(app, ["verify", str(out), "--on", "host", "--samples", "3", "--json"])
    assert verified.exit_code == 0, verified.output
    assert '"reference": "onnxruntime"' in verified.stdout and '"reference_samples": 3' in verified.stdout
    dumped = run(app, ["dump", str(path), "--after", "layout"])
    assert dumped.exit_code == 0 and "%" in dumped.stdout


def test_inputs_of_integers_and_booleans_keep_their_type() -> None:
    net = OnnxNet()
    index = net.input([1, 5], "tokens", TensorProto.INT64)
    table = net.constant(np.arange(12, dtype=np.float32).reshape(6, 2), "table")
    graph = imported(net.model(net.add("Gather", table, index, axis=0)))
    assert graph["tokens"].dtype is DType.INT64
    (got,) = results(graph, {"tokens": np.array([[0, 5, -1, 2, 1]])})
    np.testing.assert_array_equal(got[0, :, 0], [0, 10, 10, 4, 2])


def test_initialisers_listed_among_the_inputs_are_constants() -> None:
    model = weights_model(np.ones((4, 2), np.float32))
    model.graph.input.append(helper.make_tensor_value_info("w", 1, [4, 2]))
    assert imported(model).inputs == ("input",)
    assert numpy_helper.to_array(model.graph.initializer[0]).shape == (4, 2)
