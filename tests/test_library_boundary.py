"""Inputs, outputs and names: every kind of output can be read, and no name from a model does harm in C."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from library_support import STRICT, cc, conv_net, fully_connected, library_of, selftest, state_net
from nets import Net, Q
from patchloom.codegen.names import comment_text, library_name, markdown_code, unique
from patchloom.emulation.reference import check_reference
from patchloom.emulation.verify import random_inputs, verify_library
from patchloom.errors import UserError
from patchloom.ir import Activation, DType, Graph, Quant, State, Tensor, evaluate, initial_state, verify
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.dequantize import Dequantize
from patchloom.ir.ops.quantize import Quantize
from patchloom.ir.ops.read_state import ReadState
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.reshape import Reshape
from patchloom.ir.ops.slice import Slice
from patchloom.ir.ops.split import Split
from patchloom.ir.ops.write_state import WriteState


def two_in_three_out() -> Graph:
    net = Net()
    a, b = net.input("left", (1, 4)), net.input("right", (1, 4))
    both = net.add(Add("sum", a, b, "sum", Activation.NONE))
    wide = fully_connected(net, "wide", both, 6)
    net.add(Split("halves", wide, ("low", "high"), 1, (2, 4)))
    return net.graph("high", "sum", "low")


def output_is_input() -> Graph:
    net = Net()
    x, y = net.input("x", (1, 6)), net.input("y", (1, 6))
    return net.graph(net.add(Add("sum", x, y, "sum", Activation.NONE)), x)


def output_is_reshaped_input() -> Graph:
    net = Net()
    return net.graph(net.add(Reshape("flat", net.input("x", (1, 2, 3)), "flat", (6,))))


def output_is_constant() -> Graph:
    net = Net()
    x = net.input("x", (1, 6))
    c = net.const("c", np.arange(-3, 3, dtype=np.int8).reshape(1, 6))
    return net.graph(net.add(Add("sum", x, c, "sum", Activation.NONE)), c)


def output_twice() -> Graph:
    net = Net()
    y = fully_connected(net, "y", net.input("x", (1, 6)), 3)
    return net.graph(y, y)


def output_is_view_of_another() -> Graph:
    net = Net()
    y = fully_connected(net, "y", net.input("x", (1, 6)), 4)
    net.add(Slice("part", y, "part", (0, 1), (1, 2), (1, 1)))
    return net.graph("part", y, net.add(Reshape("column", y, "column", (4, 1))))


def output_is_state(which: str) -> Graph:
    """The old or the new content of a state, or what was read from it reshaped, is an output."""
    net = Net()
    x = net.input("x", (1, 3))
    net.tensors["old"] = Tensor("old", (1, 3), DType.INT8, Q)
    net.ops.append(ReadState("read", "s", "old"))
    new = net.add(Add("new", "old", x, "new", Activation.NONE))
    flat = net.add(Reshape("flat", "old", "flat", (3,)))
    net.ops.append(WriteState("write", "s", new))
    outputs = {"old": ("old",), "new": (new,), "both": (flat, new, "old")}[which]
    states = (State("s", (1, 3), DType.INT8, Q, np.array([[1, 2, 3]], np.int8)),)
    used = {"old", *outputs, *(v for op in net.ops for v in (*op.inputs, *op.outputs))}
    tensors = {n: t for n, t in net.tensors.items() if n in used}
    return verify(Graph("net", tensors, tuple(net.ops), ("x",), outputs, states))


BOUNDARIES: dict[str, Callable[[], Graph]] = {
    "several": two_in_three_out,
    "input": output_is_input,
    "reshaped input": output_is_reshaped_input,
    "constant": output_is_constant,
    "twice": output_twice,
    "view": output_is_view_of_another,
    "old state": lambda: output_is_state("old"),
    "new state": lambda: output_is_state("new"),
    "both states": lambda: output_is_state("both"),
}


@pytest.mark.parametrize("mode", ["arena", "extern"])
@pytest.mark.parametrize("kind", BOUNDARIES)
def test_every_kind_of_output_is_read_through_the_header(kind: str, mode: str, tmp_path: Path) -> None:
    library, folder = library_of(BOUNDARIES[kind](), tmp_path, input_mode=mode)
    samples = list(random_inputs(library.imported, 7))
    result = verify_library(library, folder, samples, "host", sanitize=True)
    assert result.bit_exact and result.damaged_guards == 0, result
    assert selftest(library, folder) == 0
    # the graph compiled is held to the model as imported
    state, imported_state = initial_state(library.graph), initial_state(library.imported)
    for sample in samples:
        values, wanted = (
            evaluate(library.graph, sample, state),
            evaluate(library.imported, sample, imported_state),
        )
        for y, want in zip(library.graph.outputs, library.imported.outputs, strict=True):
            np.testing.assert_array_equal(values[y], wanted[want], err_msg=want)


def test_ports_of_several_inputs_and_outputs_are_called_after_their_tensors(tmp_path: Path) -> None:
    library, folder = library_of(two_in_three_out(), tmp_path)
    assert [p.stem for p in library.view.inputs] == ["input_left", "input_right"]
    assert [p.stem for p in library.view.outputs] == ["output_high", "output_sum", "output_low"]
    header = (folder / "net.h").read_text()
    assert "#define NET_OUTPUT_HIGH_SHAPE { 1, 4 }" in header
    assert "#define NET_INPUT_LEFT_SCALE 0.25f" in header
    assert "#define NET_INPUT_LEFT_ZERO_POINT (-8)" in header


def test_a_library_without_work_compiles_clean_and_answers(tmp_path: Path) -> None:
    library, folder = library_of(output_is_reshaped_input(), tmp_path)
    assert library.view.layers == ()
    assert selftest(library, folder) == 0


def quantized_inside() -> Graph:
    net = Net()
    x = net.input("x", (1, 6), DType.FLOAT32)
    q = net.add(Quantize("q", x, "q"), DType.INT8, Q)
    y = fully_connected(net, "y", q, 3)
    return net.graph(net.add(Dequantize("d", y, "d"), DType.FLOAT32))


def test_io_int8_strips_the_boundary_and_macros_tell_scale_and_zero_point(tmp_path: Path) -> None:
    floats, _ = library_of(quantized_inside(), tmp_path / "floats")
    library, folder = library_of(quantized_inside(), tmp_path / "int8", io_int8=True)
    assert [p.ctype for p in (*floats.view.inputs, *floats.view.outputs)] == ["float", "float"]
    assert [p.ctype for p in (*library.view.inputs, *library.view.outputs)] == ["int8_t", "int8_t"]
    assert library.view.inputs[0].scale == "0.25f" and library.view.inputs[0].zero_point == -8
    assert "--io int8" in library.view.command
    result = verify_library(library, folder, list(random_inputs(library.graph, 5)), "host", sanitize=True)
    assert result.bit_exact
    # the outside reference knows the model with its float boundary only
    assert check_reference(library, [], 50).samples == 0


def test_io_int8_of_a_float_model_is_refused_with_the_inputs_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="int8") as caught:
        library_of(conv_net(DType.FLOAT32), tmp_path, io_int8=True)
    assert "image" in caught.value.found


HOSTILE = [
    '*/ int x; /* "',
    "*\\",
    "??/",
    "a\nb\r\x1b[31m",
    "名前",
    "int",
    "x" * 500,
    "123",
    "<script>alert(1)</script>",
    "`code` | cell",
    "a b",
    "a-b",
    "a_b",
    "{{ lib.name }}{% raw %}",
    "%s%n",
    "#include <stdio.h>",
    "A B",
]


def hostile_net() -> Graph:
    """A graph whose inputs, outputs, constants and states all have such names."""
    net = Net()
    values = [net.input(name, (1, 3)) for name in HOSTILE]
    joined = net.add(Concat("+".join(HOSTILE)[:90], tuple(values), "/* joined", 1))
    for i, name in enumerate(HOSTILE):
        c = net.const(f"{name}'", np.full((1, 3 * len(HOSTILE)), i, np.int8))
        joined = net.add(Add(f"{name} sum", joined, c, f"{name}!", Activation.NONE))
    net.tensors["*/old"] = Tensor("*/old", (1, 3), DType.INT8, Q)
    net.ops.append(ReadState("*/read", "*/ state \\", "*/old"))
    new = net.add(Add("*/new", "*/old", values[0], "*/new", Activation.NONE))
    net.ops.append(WriteState("*/write", "*/ state \\", new))
    outputs = [net.add(Relu(f"{n} out", joined, f"{n} out", Activation.RELU)) for n in HOSTILE]
    states = (State("*/ state \\", (1, 3), DType.INT8, Q, np.ones((1, 3), np.int8)),)
    return verify(Graph("net", net.tensors, tuple(net.ops), tuple(net.inputs), tuple(outputs), states))


@pytest.mark.parametrize(
    "file", ['we"ird *\\ `n` <b>', "名", "int", "string", "math", "guest", "123", "-", "x" * 200]
)
def test_hostile_names_do_no_harm_in_c_and_readme(file: str, tmp_path: Path) -> None:
    graph = hostile_net() if file.startswith("we") else output_twice()
    library, folder = library_of(graph, tmp_path, file)
    view = library.view
    assert selftest(library, folder) == 0
    for source in (view.name, f"{view.name}_selftest", f"{view.name}_weights"):
        cc(*STRICT, "-Wcomment", "-Wtrigraphs", "-fsyntax-only", folder / f"{source}.c")
    samples = list(random_inputs(library.graph, 2))
    assert verify_library(library, folder, samples, "host", sanitize=True).bit_exact
    readme = (folder / "README.md").read_text()
    code_free = "".join(readme.split("`")[::2])
    assert "<script>" not in code_free and "{{" not in code_free
    for name, data in library.files.items():
        assert data.isascii(), name
        assert not any(b < 32 and b not in b"\n\t" for b in data), name


def test_tensors_whose_names_sanitise_alike_are_told_apart(tmp_path: Path) -> None:
    library, _ = library_of(hostile_net(), tmp_path)
    stems = [p.stem for p in (*library.view.inputs, *library.view.outputs)]
    assert len(set(stems)) == len(stems)
    assert {"input_a_b", "input_a_b_2", "input_a_b_3"} <= set(stems)
    symbols = [a.symbol for a in library.view.arrays]
    assert len(set(symbols)) == len(symbols)
    layers = [layer.symbol for layer in library.view.layers]
    assert len(set(layers)) == len(layers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My Net-2.0", "my_net_2_0"),
        ("2nd", "m_2nd"),
        ("string", "m_string"),
        ("___", "model"),
        ("é", "model"),
        ("a" * 99, "a" * 40),
    ],
)
def test_library_names_are_c_identifiers_and_hide_no_header(text: str, expected: str) -> None:
    assert library_name(text) == expected


def test_unique_numbers_repeated_names_without_meeting_others() -> None:
    assert unique(["a", "a", "a_2", "a"]) == ["a", "a_2", "a_2_2", "a_3"]


@pytest.mark.parametrize("text", ["*/", "*\\", "/*/", "**//", "??/", "a\\\n", "\\*\\/", "*?/", "/\\*"])
def test_comment_text_can_neither_end_nor_nest_a_comment(text: str) -> None:
    cleaned = comment_text(text)
    assert "*/" not in cleaned and "/*" not in cleaned and "??" not in cleaned and "\\" not in cleaned
    assert cleaned.isprintable()


def test_markdown_code_cannot_be_left() -> None:
    assert markdown_code("a`b|c") == "`a'b/c`"


def test_quantized_state_initial_values_reach_the_buffer(tmp_path: Path) -> None:
    library, _ = library_of(state_net(), tmp_path)
    assert [bool(s.initial) for s in library.view.states] == [True, True]
    zero, _ = library_of(_zero_state(), tmp_path / "zero")
    assert [s.initial for s in zero.view.states] == [""]


def _zero_state() -> Graph:
    graph = output_is_state("new")
    quant = Quant((0.25,), (0,))
    tensors = {n: Tensor(n, t.shape, t.dtype, quant, t.data) for n, t in graph.tensors.items()}
    states = (State("s", (1, 3), DType.INT8, quant, np.zeros((1, 3), np.int8)),)
    return verify(Graph("net", tensors, graph.ops, graph.inputs, graph.outputs, states))
