"""Two models, or a model and what a library computes: matched layer by layer, the first difference named."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import patchloom
import pytest
from cli_support import patchloom as command
from library_support import conv_net, model_file, state_net
from onnx_nets import resnet
from patchloom.comparison import Diff
from patchloom.comparison.channels import _subsequence
from patchloom.comparison.feeding import given_samples, ports_of, random_samples
from patchloom.comparison.matching import Node, match
from patchloom.comparison.measure import Tally
from patchloom.comparison.order import reorder, same_elements
from patchloom.emulation.layer_values import LayerValue, _placed
from patchloom.errors import UserError
from patchloom.ir import DType, Graph, Quant, Tensor
from quantize_nets import classifier, images

BOARD = "nrf52840dk"


def changed(graph: Graph, constant: str, step: int = 1) -> Graph:
    """The graph with the first element of a constant changed."""
    data = graph[constant].data
    assert data is not None
    data = data.copy()
    data.flat[0] += step if data.flat[0] < 100 else -step
    return graph.rewritten(graph.ops, [replace(graph[constant], data=data)])


def renamed(graph: Graph) -> Graph:
    """The graph under names of its own; weights keep theirs."""
    names = {y: f"other_{i}" for i, y in enumerate(y for op in graph.ops for y in op.outputs)}
    tensors = {names.get(n, n): replace(t, name=names.get(n, n)) for n, t in graph.tensors.items()}
    ops = tuple(op.renamed(names) for op in graph.ops)
    return replace(graph, tensors=tensors, ops=ops, outputs=tuple(names[y] for y in graph.outputs))


def statuses(found: Diff) -> dict[str, str]:
    return {layer.value: layer.status for layer in found.layers}


def test_a_model_equals_itself() -> None:
    found = patchloom.diff(conv_net(), conv_net())
    assert found.equal and found.passed and found.first_differing is None
    assert [x.matched for x in found.layers] == ["name"] * 4 + ["output"]
    assert {x.sqnr_db for x in found.layers} == {float("inf")}
    assert found.outputs[0].same_largest == found.samples == 8


def test_the_first_layer_that_differs_is_named_and_those_before_it_are_equal() -> None:
    found = patchloom.diff(conv_net(), changed(conv_net(), "dw/w", 40))
    assert found.first_differing is not None and found.first_differing.value == "dw"
    assert statuses(found)["conv"] == "equal" and not found.passed
    dw = found.first_differing
    assert 0 < dw.differing < dw.elements and dw.max_abs_error >= 0.02 and np.isfinite(dw.sqnr_db)
    later = next(x for x in found.layers if x.value == "pool")
    assert later.loss_db is not None and dw.loss_db is None
    assert found.worst(1)[0].sqnr_db == min(x.sqnr_db for x in found.layers)


def test_one_step_of_an_integer_is_a_difference_unless_the_noise_is_said_to_be_enough() -> None:
    a, b = conv_net(), changed(conv_net(), "scores/b", 200)
    found = patchloom.diff(a, b)
    assert found.first_differing is not None and found.first_differing.value == "scores"
    assert found.first_differing.sqnr_db > 20
    enough = patchloom.diff(a, b, min_sqnr_db=20)
    assert enough.passed and not enough.equal


def test_floats_are_compared_with_the_tolerance_of_verify() -> None:
    graph = conv_net(DType.FLOAT32)
    data = graph["conv/w"].data
    assert data is not None
    for factor, wanted in ((np.float32(1 + 1e-6), "within"), (np.float32(1.01), "differs")):
        other = graph.rewritten(graph.ops, [replace(graph["conv/w"], data=data * factor)])
        assert statuses(patchloom.diff(graph, other))["conv"] == wanted


def test_a_quantized_model_is_given_the_same_inputs_and_compared_by_its_noise(tmp_path: Path) -> None:
    graph = classifier()
    x = images(8, 1, graph)
    for options in ({}, {"io_int8": True}):
        result = patchloom.quantize(graph, x, out=tmp_path / "q.tflite", **options)
        found = patchloom.diff(graph, tmp_path / "q.tflite", inputs=x)
        assert found.passed and not found.equal and not found.missing_outputs
        noise = {layer.value: layer.sqnr_db for layer in result.layers}
        for layer in found.layers:
            if layer.value in noise and layer.value_b == layer.value:
                assert layer.sqnr_db == pytest.approx(noise[layer.value], abs=0.5)
        assert found.outputs[0].same_largest == 8


def test_random_inputs_lie_where_the_quantized_side_can_have_them(tmp_path: Path) -> None:
    graph = classifier()
    patchloom.quantize(graph, images(8, 1, graph) * 10, out=tmp_path / "q.tflite")
    first = patchloom.diff(graph, tmp_path / "q.tflite", samples=2, seed=3)
    assert first == patchloom.diff(graph, tmp_path / "q.tflite", samples=2, seed=3)
    assert first.layers != patchloom.diff(graph, tmp_path / "q.tflite", samples=2, seed=4).layers
    assert first.layers[0].sqnr_db > 20


def test_each_side_stores_an_input_with_its_own_scale_and_order() -> None:
    def graph(*tensors: Tensor) -> Graph:
        return Graph("net", {t.name: t for t in tensors}, (), tuple(t.name for t in tensors), ())

    a = graph(Tensor("x", (1, 2, 1, 3), DType.INT8, Quant((0.02,), (-8,))), Tensor("n", (1,), DType.INT32))
    b = graph(Tensor("y", (1, 3, 2, 1), DType.INT16, Quant((0.05,), (0,))), Tensor("m", (1,), DType.INT32))
    ports = ports_of(a, b)
    real = np.arange(6, dtype=np.float64).reshape(1, 1, 2, 1, 3) - 1
    for given in (real, np.rint(real / 0.02 - 8).clip(-128, 127).astype(np.int8)):
        ((mine, other),) = given_samples(ports, {"x": given, "n": np.array([[7]])})
        assert mine["x"].ravel().tolist() == [-58, -8, 42, 92, 127, 127]
        assert mine["n"].tolist() == other["m"].tolist() == [7]
    limit = round(135 * 0.02 / 0.05)  # what int8 cannot hold was lost before it came to the second
    assert other["y"].tolist() == [[[[-20], [40]], [[0], [limit]], [[20], [limit]]]]
    for mine, other in random_samples(ports, 3, seed=1):
        assert np.array_equal(other["y"], np.rint((mine["x"] + 8.0) * 0.4).transpose(0, 3, 1, 2))


def test_layers_of_other_names_are_matched_by_their_place_and_the_rest_is_listed() -> None:
    a, b = conv_net(), renamed(conv_net())
    found = patchloom.diff(a, b)
    assert found.equal and [x.matched for x in found.layers] == ["position"] * 4 + ["output"]
    shorter = renamed(a.rewritten(a.ops[:-1], outputs=("scores",)))
    found = patchloom.diff(shorter, a)
    assert found.unmatched_b == ("scores",) or found.unmatched_b == ("probabilities",)
    assert found.unmatched_a == ()


def _node(name: str, kind: str, shape: tuple[int, ...]) -> Node:
    return Node(Tensor(name, shape, DType.INT8), kind, name, (), kind == "reshape")


def test_matching_prefers_names_then_order_shape_and_operator() -> None:
    a = [_node(n, k, s) for n, k, s in (("p", "conv", (4, 4)), ("q", "add", (4, 4)), ("r", "conv", (2, 2)))]
    b = [
        _node("u", "pad", (4, 4)), _node("v", "conv", (4, 4)), _node("w", "reshape", (1, 2, 2)),
        _node("x", "conv", (1, 2, 2)), _node("q", "mul", (4, 4)),
    ]  # fmt: skip
    found = {(p.a.name, p.b.name): p.how for p in match(a, b, [])}
    assert found == {("p", "v"): "position", ("q", "q"): "name"}
    found = {(p.a.name, p.b.name): p.how for p in match(a[::2], b[:-1], [("r", "w")])}
    assert found == {("p", "v"): "position", ("r", "w"): "output"}


def test_channels_first_and_channels_last_are_the_same_elements() -> None:
    x = np.arange(24).reshape(1, 2, 3, 4)
    assert same_elements((1, 2, 3, 4), (1, 3, 4, 2)) and same_elements((1, 1, 5), (5,))
    assert not same_elements((1, 2, 3, 4), (1, 4, 3, 2)) and not same_elements((2, 3), (3, 2))
    np.testing.assert_array_equal(reorder(x, (1, 3, 4, 2)), x.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(reorder(reorder(x, (1, 3, 4, 2)), x.shape), x)
    np.testing.assert_array_equal(reorder(x, (24,)), x.ravel())


def test_an_onnx_model_of_channels_first_is_compared_with_its_quantized_tflite(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(resnet().SerializeToString())
    x = np.random.default_rng(0).normal(size=(4, 3, 20, 24)).astype(np.float32)
    patchloom.quantize(file, x, out=tmp_path / "q.tflite")
    found = patchloom.diff(file, tmp_path / "q.tflite", inputs=x)
    assert found.passed and not found.missing_outputs and len(found.layers) >= 8
    assert min(layer.sqnr_db for layer in found.layers) > 15


@pytest.mark.parametrize("options", [{}, {"goal": "ram"}, {"input_mode": "rows"}, {"input_mode": "extern"}])
def test_a_library_equals_its_model_layer_by_layer(tmp_path: Path, options: dict[str, str]) -> None:
    model = model_file(conv_net(), tmp_path / "net.tflite")
    patchloom.compile(model, BOARD, tmp_path / "lib", **options)
    found = patchloom.diff(model, tmp_path / "lib", samples=3, on="host")
    assert found.equal and len(found.layers) == 5 and found.b.on == "host"


def test_two_libraries_of_one_model_are_equal_however_they_were_planned(tmp_path: Path) -> None:
    model = model_file(conv_net(), tmp_path / "net.tflite")
    for name, goal in (("a", "ram"), ("b", "latency")):
        patchloom.compile(model, BOARD, tmp_path / name, goal=goal)
    found = patchloom.diff(tmp_path / "a", tmp_path / "b", samples=2, on="host")
    assert found.equal and (found.a.on, found.b.on) == ("host", "host")


def test_elements_that_no_layer_made_are_told_from_those_that_were() -> None:
    value = _placed(np.array([7, 8, 9], np.int8), np.array([5, 0, 2]), (2, 3))
    assert value.data.tolist() == [[8, 0, 9], [0, 0, 7]] and value.made is not None
    assert value.made.tolist() == [[True, False, True], [False, False, True]]
    t = Tensor("x", (2, 3), DType.INT8)
    tally = Tally(t, t, "integers", rounded=False)
    tally.add(LayerValue(np.full((2, 3), 8, np.int8)), value)
    assert (tally.elements, tally.differing, tally.max_abs_error, tally.status(None)) == (
        3,
        2,
        1.0,
        "differs",
    )


def test_values_that_are_not_finite_differ_unless_both_are_alike() -> None:
    t = Tensor("x", (3,), DType.FLOAT32)
    odd = np.array([np.nan, np.inf, 1], np.float32)
    for other, status in ((odd, "equal"), (np.array([0, np.inf, 1], np.float32), "differs")):
        tally = Tally(t, t, "floats", rounded=True)
        tally.add(LayerValue(odd), LayerValue(other))
        assert tally.status(None) == status
    assert tally.sqnr_db == -np.inf and tally.max_abs_error == np.inf


def test_a_library_on_the_emulator_equals_its_model_through_its_states(tmp_path: Path) -> None:
    model = model_file(state_net(), tmp_path / "net.tflite")
    patchloom.compile(model, BOARD, tmp_path / "lib")
    found = patchloom.diff(model, tmp_path / "lib", samples=60)
    assert found.equal and found.b.on == "qemu" and {"cell", "conv"} <= set(statuses(found))
    other = model_file(changed(state_net(), "cell/w", 60), tmp_path / "other.tflite")
    assert patchloom.diff(other, tmp_path / "lib", samples=3).first_differing.value == "cell"  # type: ignore[union-attr]


def test_a_library_whose_weights_went_wrong_is_found_out_by_its_layer(tmp_path: Path) -> None:
    model = model_file(conv_net(), tmp_path / "net.tflite")
    patchloom.compile(model, BOARD, tmp_path / "lib")
    weights = tmp_path / "lib" / "net_weights.c"
    text = weights.read_text()
    array = re.search(r"/\* weights of scores \*/\n[^{]*\{\s*(-?\d+),", text)
    assert array, text[:2000]
    at = array.start(1)
    weights.write_text(text[:at] + str(int(array[1]) ^ 64) + text[array.end(1) :])
    done = command("diff", model, tmp_path / "lib", "--on", "host", "--json")
    assert done.code == 1 and done.json["first_differing"] == "scores" and not done.json["equal"]
    assert [x["status"] for x in done.json["layers"]][:4] == ["equal", "equal", "equal", "differs"]


def test_channels_that_were_compiled_away_are_left_out_of_the_comparison(tmp_path: Path) -> None:
    graph = conv_net()
    constants = []
    for name in ("conv/w", "conv/b"):
        data = graph[name].data
        assert data is not None
        constants.append(
            replace(graph[name], data=np.where(np.arange(6) % 3, data.T, 0).astype(data.dtype).T)
        )
    model = model_file(graph.rewritten(graph.ops, constants), tmp_path / "net.tflite")
    patchloom.compile(model, BOARD, tmp_path / "lib")
    found = patchloom.diff(model, tmp_path / "lib", samples=2, on="host")
    assert found.equal
    elements = {layer.value: layer.elements for layer in found.layers}
    assert elements["conv"] == 2 * graph["conv"].elements * 4 // 6, "two of six channels have no weights"
    assert elements["scores"] == 2 * 4
    other = model_file(changed(conv_net(), "scores/w", 60), tmp_path / "other.tflite")
    assert patchloom.diff(other, tmp_path / "lib", on="host").first_differing.value == "scores"  # type: ignore[union-attr]


def test_channels_are_found_by_what_they_hold() -> None:
    assert _subsequence([b"a", b"b", b"a", b"c"], [b"a", b"c"]) == [0, 3]
    assert _subsequence([b"a", b"b"], [b"b", b"a"]) is None


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (np.full((1, 9, 8, 3), np.nan), ("'image'", "NaN")),
        (np.zeros((2, 8, 8, 3)), ("'image'", "float64[2,8,8,3]", "int8[N,9,8,3]")),
        (np.array([["a"]]), ("'image'", "numbers")),
        ({"a": np.zeros(3), "b": np.zeros(3)}, ("missing or unknown", "a,b")),
        (np.zeros((0, 9, 8, 3)), ("'image'",)),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit_are_named(inputs: np.ndarray, words: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as e:
        patchloom.diff(conv_net(), conv_net(), inputs=inputs)
    assert e.value.exit_code == 2 and all(w in str(e.value).replace(", ", ",") for w in words), str(e.value)


def test_models_that_have_nothing_in_common_are_refused() -> None:
    with pytest.raises(UserError, match="do not take the same inputs"):
        patchloom.diff(conv_net(), state_net())
    with pytest.raises(UserError, match="cannot run on 'moon'"):
        patchloom.diff(conv_net(), conv_net(), on="moon")


def test_the_command_shows_the_worst_layers_and_the_first_that_differs(tmp_path: Path) -> None:
    a = model_file(conv_net(), tmp_path / "a.tflite")
    b = model_file(changed(conv_net(), "dw/w", 40), tmp_path / "b.tflite")
    same = command("diff", a, a)
    assert same.code == 0 and "all 5 layers are equal" in same.out and "SQNR" not in same.out
    done = command("diff", a, b, "--samples", 2)
    assert done.code == 1 and re.search(r"first differing: op \d+ DEPTHWISE_CONV_2D \"dw\", \d+ of", done.out)
    assert "2 samples (random, seed 0)" in done.out and "the 5 worst of 5 layers" in done.out
    every = command("diff", a, b, "--all")
    assert every.out.index("conv ") < every.out.index("dw ") < every.out.index("pool ")


def test_the_command_refuses_bad_input_with_code_2(tmp_path: Path) -> None:
    a = model_file(conv_net(), tmp_path / "a.tflite")
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "x.npy", np.zeros((1, 2)))
    for arguments in (
        (a, tmp_path / "none.tflite"), (tmp_path / "folder", a), (a, a, "--inputs", tmp_path / "x.npy"),
        (a, a, "--inputs", tmp_path / "y.npy"), (a, a, "--input-shape", "none=1"), (a, a, "--on", "renode"),
    ):  # fmt: skip
        done = command("diff", *arguments)
        assert done.code == 2 and done.err and not done.out, arguments
