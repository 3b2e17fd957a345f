"""fuse_qdq: what becomes of dequantize - operator - quantize groups, as graphs before and after."""

from __future__ import annotations

import numpy as np
from patchloom.ir import Activation, DType, Graph, Op, Quant, Tensor, Window, evaluate, verify
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.dequantize import Dequantize
from patchloom.ir.ops.logistic import Logistic
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.pad import Pad
from patchloom.ir.ops.quantize import Quantize
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.reshape import Reshape
from patchloom.ir.ops.unary import Unary
from patchloom.ir.rounding import Rounding
from patchloom.passes.fuse_qdq import fuse_qdq

U8 = Rounding.ONNX_F32_U8
QX, QY = Quant((0.5,), (3,)), Quant((0.25,), (-7,))
MAP = (1, 4, 4, 2)


def graph_of(ops: list[Op], tensors: list[Tensor], inputs: tuple[str, ...] = ("x",)) -> Graph:
    """A graph whose output is y; shapes of values that have none are inferred."""
    table = {t.name: t for t in tensors}
    for op in ops:
        for name, shape in zip(op.outputs, op.infer(table), strict=True):
            old = table.get(name, Tensor(name, (), DType.FLOAT32))
            table[name] = Tensor(name, shape, old.dtype, old.quant)
    return verify(Graph("net", table, tuple(ops), inputs, ("y",)))


def int8(name: str, quant: Quant, shape: tuple[int, ...] = MAP) -> Tensor:
    return Tensor(name, shape, DType.INT8, quant)


def group(middle: list[Op], extra: list[Tensor] | None = None, y: Quant = QY) -> Graph:
    """x int8 -> dequantize -> `middle` from f to g -> quantize -> y int8."""
    ops = [Dequantize("real", "x", "f"), *middle, Quantize("stored", "g", "y", rounding=U8)]
    return graph_of(ops, [int8("x", QX), int8("y", y), *(extra or [])])


def kinds(graph: Graph) -> list[str]:
    return [op.kind() for op in graph.ops]


def assert_same(before: Graph, after: Graph) -> None:
    rng = np.random.default_rng(0)
    feed = {n: rng.integers(-128, 128, before[n].shape).astype(np.int8) for n in before.inputs}
    np.testing.assert_array_equal(evaluate(after, feed)["y"], evaluate(before, feed)["y"])


def test_a_convolution_becomes_an_integer_one_with_the_rounding_of_its_quantize() -> None:
    q = np.random.default_rng(0).integers(-127, 128, (3, 2, 2, 2))
    scale = np.array([0.01, 0.02, 0.04], np.float32)
    w = Tensor("w", q.shape, DType.FLOAT32, Quant(tuple(map(float, scale)), (0,) * 3, 0))
    w = Tensor("w", q.shape, DType.FLOAT32, w.quant, q.astype(np.float32) * scale[:, None, None, None])
    steps = np.array([100, -7, 0])
    b = Tensor("b", (3,), DType.FLOAT32, None, (steps * (np.float32(0.5) * scale)).astype(np.float32))
    after = fuse_qdq(group([Conv2D("conv", "f", "w", "b", "g", Window((2, 2)))], [w, b]))
    (conv,) = after.ops
    assert isinstance(conv, Conv2D) and conv.rounding is U8
    np.testing.assert_array_equal(after[conv.weights].data, q)
    np.testing.assert_array_equal(after[conv.bias or ""].data, steps)


def test_a_convolution_with_weights_of_unknown_scale_stays_in_float() -> None:
    w = Tensor("w", (3, 2, 2, 2), DType.FLOAT32, None, np.ones((3, 2, 2, 2), np.float32))
    before = group([Conv2D("conv", "f", "w", None, "g", Window((2, 2)))], [w])
    assert kinds(fuse_qdq(before)) == ["dequantize", "conv2d", "quantize"]


def test_a_relu_before_the_quantize_becomes_the_activation_of_the_sum() -> None:
    tensors = [int8("x", QX), int8("x2", QY), int8("y", Quant((1.0,), (0,)))]
    ops = [
        Dequantize("a", "x", "f"),
        Dequantize("b", "x2", "f2"),
        Add("add", "f", "f2", "h"),
        Relu("relu", "h", "g", Activation.RELU),
        Quantize("stored", "g", "y", rounding=U8),
    ]
    (add,) = fuse_qdq(graph_of(ops, tensors, ("x", "x2"))).ops
    assert add == Add("add", "x", "x2", "y", Activation.RELU, rounding=U8)


def test_a_clamp_goes_where_the_quantized_range_ends_inside_it() -> None:
    clip = Unary("clip", "h", "g", "clip", 0.0, 255.0)
    after = fuse_qdq(group([Add("add", "f", "f", "h"), clip], y=Quant((1.0,), (-128,))))
    assert after.ops == (Add("add", "x", "x", "y", rounding=U8),)


def test_functions_of_one_value_become_one_table() -> None:
    before = group([Logistic("gate", "f", "h"), Relu("relu", "h", "g", Activation.RELU6)])
    after = fuse_qdq(before)
    assert kinds(after) == ["lookup"]
    assert_same(before, after)


def test_movement_is_done_on_stored_values_and_requantized_behind() -> None:
    before = group([MaxPool2D("pool", "f", "h", Window((2, 2))), Reshape("flat", "h", "g", (1, 18))])
    after = fuse_qdq(before)
    assert kinds(after) == ["max_pool2d", "reshape", "quantize"]
    assert_same(before, after)


def test_padding_with_zero_is_padding_with_the_zero_point() -> None:
    before = group([Pad("pad", "f", "g", ((0, 0), (1, 1), (1, 1), (0, 0)), 0)])
    after = fuse_qdq(before)
    assert [op.value for op in after.ops if isinstance(op, Pad)] == [3]
    assert_same(before, after)


def test_parts_of_a_concat_are_requantized_one_by_one_where_they_differ() -> None:
    tensors = [int8("x", QX), int8("x2", QY), int8("y", QY)]
    ops = [
        Dequantize("a", "x", "f"),
        Dequantize("b", "x2", "f2"),
        Concat("concat", ("f", "f2"), "g", 3),
        Quantize("stored", "g", "y", rounding=U8),
    ]
    before = graph_of(ops, tensors, ("x", "x2"))
    after = fuse_qdq(before)
    assert sorted(kinds(after)) == ["concat", "quantize"]  # the second part is stored as the result is
    assert_same(before, after)


def test_a_value_others_read_in_float_is_not_taken_from_them() -> None:
    ops = [
        Dequantize("real", "x", "f"),
        Logistic("gate", "f", "y2"),
        Quantize("stored", "y2", "y", rounding=U8),
    ]
    before = graph_of(ops, [int8("x", QX), int8("y", QY)])
    before = Graph("net", before.tensors, before.ops, ("x",), ("y", "y2"))
    after = verify(fuse_qdq(before))
    assert sorted(kinds(after)) == ["dequantize", "logistic", "lookup"]
    assert_same(before, after)


def test_uint8_at_the_boundary_is_int8_inside() -> None:
    x = Tensor("x", MAP, DType.UINT8, Quant((0.5,), (131,)))
    y = Tensor("y", MAP, DType.UINT8, Quant((0.25,), (121,)))
    ops = [Dequantize("real", "x", "f"), Add("add", "f", "f", "g"), Quantize("stored", "g", "y", rounding=U8)]
    after = verify(fuse_qdq(graph_of(ops, [x, y])))
    assert kinds(after) == ["quantize", "add", "quantize"]
    assert [after[n].dtype for n in ("x", "y")] == [DType.UINT8, DType.UINT8]
    assert after[after.ops[1].inputs[0]].quant == QX


def test_graphs_without_an_onnx_quantize_are_left_alone() -> None:
    ops = [Dequantize("real", "x", "f"), Add("add", "f", "f", "g"), Quantize("stored", "g", "y")]
    before = graph_of(ops, [int8("x", QX), int8("y", QY)])
    assert fuse_qdq(before) is before
