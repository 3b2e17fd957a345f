"""Operators that TensorFlow Lite has not: written as custom ones, read again, never trusted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from nets import Net
from patchloom.errors import UnsupportedModel, UserError
from patchloom.export.tflite import custom_ops, to_tflite
from patchloom.export.tflm import TflmReference
from patchloom.frontend import import_tflite
from patchloom.ir import DType, Graph, Op, Quant, Tensor, evaluate
from patchloom.ir.attributes import from_plain, to_plain
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops import OPS
from patchloom.ir.ops.layer_normalization import LayerNormalization
from patchloom.ir.ops.lookup import Lookup
from patchloom.ir.ops.read_state import ReadState
from patchloom.ir.ops.unary import Unary
from patchloom.ir.ops.write_state import WriteState
from patchloom.passes import canonicalize

DRAWN = [kind for kind in OPS if kind not in (ReadState, WriteState)]


@pytest.mark.parametrize("kind", DRAWN, ids=lambda kind: kind.kind())
def test_every_operator_survives_as_plain_values(kind: type[Op]) -> None:
    for seed in range(20):
        (op,) = (o for o in kind.case(RandomDraw(seed)).ops if isinstance(o, kind))
        try:
            plain = json.loads(json.dumps(to_plain(op)))
        except TypeError as error:
            assert "variable number" in str(error)
            continue
        assert from_plain(kind, op.name, plain, op.inputs, op.outputs) == op


def normalization() -> Graph:
    net = Net()
    net.input("x", (2, 6), DType.FLOAT32)
    net.tensors["y"] = Tensor("y", (2, 6), DType.FLOAT32)
    net.ops.append(LayerNormalization("norm", "x", None, None, "y", 1))
    return net.graph("y")


def test_a_custom_operator_is_read_as_it_was_written() -> None:
    graph = normalization()
    assert [op.name for op in custom_ops(graph)] == ["norm"]
    with pytest.raises(UserError, match="cannot be written as TensorFlow Lite"):
        to_tflite(graph)
    again = import_tflite(to_tflite(graph, custom=True), "net.tflite")
    x = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
    np.testing.assert_array_equal(evaluate(again, {"x": x})["y"], evaluate(graph, {"x": x})["y"])


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The file of `normalization` with other attributes, of the same length."""
    content = to_tflite(normalization(), custom=True)
    start = content.index(b'{"attributes"')
    end = content.index(b"}", content.index(b'"out"')) + 1
    plain = json.loads(content[start:end])
    change(plain)
    text = json.dumps(plain, separators=(",", ":")).replace("1e-05", "1.0").encode()
    assert len(text) <= end - start
    return content[:start] + text.ljust(end - start) + content[end:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p["attributes"].pop("axis"), "attributes must be axis"),
        (lambda p: p["attributes"].update(axis="1"), "axis must be int"),
        (lambda p: p["attributes"].update(axis=7), "axis must be a dimension"),
        (lambda p: p["attributes"].update(axis=-9), "axis must be a dimension"),
        (lambda p: p["attributes"].update(centred=1), "centred must be bool"),
        (lambda p: p.update({"in": []}), "must name 1 operands"),
        (lambda p: p.update({"in": ["q"]}), "must list some of"),
        (lambda p: p.clear(), "described by in, out and attributes"),
    ],
)
def test_attributes_that_do_not_fit_are_refused_by_name(
    change: Callable[[dict[str, Any]], object], message: str
) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        import_tflite(changed(change), "net.tflite")


def test_names_and_text_of_others_are_refused() -> None:
    content = to_tflite(normalization(), custom=True)
    with pytest.raises(UnsupportedModel, match="patchloom ops"):
        import_tflite(content.replace(b"Patchloom.layer", b"Patchloom.xayer"), "net.tflite")
    with pytest.raises(UnsupportedModel, match="no JSON"):
        import_tflite(content.replace(b'{"attributes"', b'["attributes"'), "net.tflite")


def test_functions_of_a_byte_are_tables_that_tensorflow_lite_micro_runs() -> None:
    net = Net()
    net.input("x", (2, 128), DType.INT8)
    net.tensors["x"] = Tensor("x", (2, 128), DType.INT8, Quant((0.05,), (3,)))
    net.tensors["y"] = Tensor("y", (2, 128), DType.INT8, Quant((0.03,), (-100,)))
    net.ops.append(Unary("gelu", "x", "y", "gelu"))
    graph = net.graph("y")
    content = to_tflite(graph, custom=True)
    read = canonicalize(import_tflite(content, "net.tflite"))
    assert [type(op) for op in read.ops] == [Lookup]
    x = np.arange(-128, 128).astype(np.int8).reshape(2, 128)
    want = evaluate(graph, {"x": x})["y"]
    np.testing.assert_array_equal(evaluate(read, {"x": x})["y"], want)
    pytest.importorskip("tflite_micro")
    np.testing.assert_array_equal(TflmReference(content).run([x])[0], want)
