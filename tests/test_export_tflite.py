"""The TensorFlow Lite exporter: what it writes reads back as the same graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from patchloom.errors import UserError
from patchloom.export.tflite import to_tflite
from patchloom.export.tflite_ops import WRITERS
from patchloom.frontend import import_tflite
from patchloom.ir import DType, Graph, Op, Quant, State, Tensor, Window, check_rules, to_text
from patchloom.ir.cases import RandomDraw, one_op_graph
from patchloom.ir.ops import OPS
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.lookup import Lookup
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.pad import Pad
from patchloom.ir.ops.read_state import ReadState
from patchloom.ir.ops.softmax import Softmax
from patchloom.ir.ops.split import Split
from patchloom.ir.ops.svdf import Svdf
from patchloom.ir.ops.transpose_conv import TransposeConv
from patchloom.ir.ops.write_state import WriteState
from patchloom.ir.window import same_padding


def explicit_pads(graph: Graph) -> Graph:
    """Convolutions with their padding as a Pad in front, unless it is SAME: what a file can hold."""
    ops: list[Op] = []
    new: list[Tensor] = []
    for op in graph.ops:
        if isinstance(op, Conv2D | DepthwiseConv2D) and op.window.padded:
            x, window = graph[op.x], op.window
            sizes = zip(x.shape[1:3], window.extent, window.stride, strict=True)
            if window.padding != tuple(same_padding(*s) for s in sizes):
                name = f"{op.name}/padded"
                padding = ((0, 0), *window.padding, (0, 0))
                shape = tuple(n + a + b for n, (a, b) in zip(x.shape, padding, strict=True))
                new.append(Tensor(name, shape, x.dtype, x.quant))
                ops.append(Pad(f"{op.name}/pad", x.name, name, padding, x.zero_point))
                op = replace(op, x=name, window=replace(window, padding=((0, 0), (0, 0))))
        ops.append(op)
    return graph.rewritten(ops, new)


def canonical(graph: Graph) -> list[str]:
    """The dump, what a file cannot hold made equal: order of constants, negative axes, pads, states."""
    graph = explicit_pads(graph)
    ops: list[Op] = []
    names: dict[str, str] = {}
    for op in graph.ops:
        if isinstance(op, Concat | Split):
            op = replace(op, axis=op.axis % len(graph[op.inputs[0]].shape))
        if isinstance(op, Svdf):
            names |= {op.state_in: "old", op.state_out: "new"}
        ops.append(op)
    tensors = {names.get(n, n): replace(t, name=names.get(n, n)) for n, t in graph.tensors.items()}
    graph = replace(graph, ops=tuple(op.renamed(names) for op in ops), tensors=tensors)
    return sorted(to_text(graph).splitlines())


@pytest.mark.parametrize("op", [o for o in OPS if o in WRITERS or o is Svdf], ids=lambda o: o.kind())
def test_a_written_graph_reads_back_the_same(op: type[Op]) -> None:
    for seed in range(15):
        graph = op.case(RandomDraw(seed))
        data = to_tflite(graph)
        assert data == to_tflite(graph)
        again = import_tflite(data, f"{graph.name}.tflite")
        assert canonical(again) == canonical(graph), seed


def test_the_exporter_refuses_what_the_format_cannot_hold() -> None:
    table = Tensor("t", (256,), DType.INT8, None, np.zeros(256, np.int8))
    x = Tensor("x", (4,), DType.INT8, Quant((1.0,), (0,)))
    graph = Graph(
        "g", {"x": x, "t": table, "y": replace(x, name="y")}, (Lookup("l", "x", "t", "y"),), ("x",), ("y",)
    )
    with pytest.raises(UserError, match="cannot be written"):
        to_tflite(graph)


def test_variables_become_states_with_the_initial_value_of_the_init_subgraph() -> None:
    quant = Quant((0.5,), (4,))
    start = np.array([[1, 2, 3, 4]], np.int8)
    names = ("x", "old", "both", "rest")
    shapes = ((1, 1), (1, 4), (1, 5), (1, 4))
    tensors = {n: Tensor(n, s, DType.INT8, quant) for n, s in zip(names, shapes, strict=True)}
    tensors["one"] = Tensor("one", (1, 1), DType.INT8, quant)
    ops = (
        ReadState("r", "ring", "old"),
        Concat("c", ("old", "x"), "both", 1),
        Split("s", "both", ("one", "rest"), 1, (1, 4)),
        WriteState("w", "ring", "rest"),
    )
    graph = Graph("g", tensors, ops, ("x",), ("one",), (State("ring", (1, 4), DType.INT8, quant, start),))
    again = import_tflite(to_tflite(graph), "g.tflite")
    assert canonical(again) == canonical(graph)
    assert [op.kind() for op in again.ops] == ["read_state", "concat", "split", "write_state"]
    np.testing.assert_array_equal(again.states[0].initial, start)


W = np.ones((2, 2, 2, 1), np.float32)


@pytest.mark.parametrize(
    "op",
    [
        Softmax("o", "x", "y", axis=-2),
        Softmax("o", "x", "y", log=True),
        MaxPool2D("o", "x", "y", Window((2, 2), dilation=(2, 1))),
        AveragePool2D("o", "x", "y", Window((2, 2), dilation=(1, 2))),
        TransposeConv("o", "x", "w", None, "y", Window((2, 2)), (5, 5)),  # two groups
        TransposeConv("o", "x", "w2", None, "y", Window((2, 2), dilation=(2, 2)), (6, 6)),
    ],
    ids=lambda op: op.kind(),
)
def test_what_only_onnx_has_is_refused(op: Op) -> None:
    x = Tensor("x", (1, 4, 4, 2), DType.FLOAT32)
    weights = [Tensor(n, a.shape, DType.FLOAT32, None, a) for n, a in (("w", W), ("w2", W.repeat(2, axis=3)))]
    y = Tensor("y", (), DType.FLOAT32)
    graph = one_op_graph(op, [x, *(w for w in weights if w.name in op.inputs), y])
    check_rules(graph)
    with pytest.raises(UserError, match="cannot be written"):
        to_tflite(graph)


def test_paddings_of_pooling_that_are_neither_same_nor_valid_are_refused() -> None:
    x = Tensor("x", (1, 4, 4, 2), DType.INT8, Quant((1.0,), (0,)))
    y = replace(x, name="y", shape=(1, 5, 4, 2))
    op = MaxPool2D("p", "x", "y", Window((2, 1), padding=((1, 1), (0, 0))))
    with pytest.raises(UserError, match="neither SAME nor VALID"):
        to_tflite(Graph("g", {"x": x, "y": y}, (op,), ("x",), ("y",)))


def test_an_svdf_state_that_does_not_start_at_zero_is_refused() -> None:
    graph = Svdf.case(RandomDraw(0))
    state = graph.states[0]
    started = replace(graph, states=(replace(state, initial=np.ones_like(state.initial)),))
    with pytest.raises(UserError, match="must start at zero"):
        to_tflite(started)
    with pytest.raises(UserError, match="nowhere else"):
        to_tflite(replace(graph, ops=graph.ops[:-1]))
