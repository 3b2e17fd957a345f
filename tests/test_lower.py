"""The lower pass: functions of one byte become tables."""

from __future__ import annotations

import numpy as np
from op_support import F32, I8, I16, U8, table, tensor
from patchloom.ir import Graph, Op, Tensor, evaluate, to_text, verify
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.hard_swish import HardSwish
from patchloom.ir.ops.logistic import Logistic
from patchloom.ir.ops.lookup import Lookup
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.prelu import PRelu
from patchloom.ir.ops.quantize import Quantize
from patchloom.ir.ops.relu import Relu
from patchloom.passes.lower import lower

BYTES = np.arange(-128, 128).astype(np.int8)


def graph(ops: tuple[Op, ...], inputs: tuple[str, ...], outputs: tuple[str, ...], *tensors: Tensor) -> Graph:
    return verify(Graph("model", table(*tensors), ops, inputs, outputs))


def assert_same_results(before: Graph, after: Graph, **inputs: np.ndarray) -> None:
    want, got = evaluate(before, inputs), evaluate(verify(after), inputs)
    for name in before.outputs:
        np.testing.assert_array_equal(got[name], want[name])


def test_unary_ops_become_lookups() -> None:
    x, h = tensor("x", I8, (256,), 0.1, 3), tensor("h", I8, (256,), 0.05, -20)
    y = tensor("y", I8, (256,), 2.0**-8, -128)
    before = graph((HardSwish("swish", "x", "h"), Logistic("sigmoid", "h", "y")), ("x",), ("y",), x, h, y)
    after = lower(before)
    assert [line.split("sha256")[0].strip() for line in to_text(after).splitlines()] == [
        "graph model",
        "input  %x: [256] int8 s=0.1 z=3",
        "const  %swish_table: [256] int8",
        "const  %sigmoid_table: [256] int8",
        "%h = lookup(%x, %swish_table)",
        "%h: [256] int8 s=0.05 z=-20",
        "%y = lookup(%h, %sigmoid_table)",
        "%y: [256] int8 s=0.00390625 z=-128",
        "output %y",
    ]
    assert_same_results(before, after, x=BYTES)


def test_equal_tables_are_shared() -> None:
    tensors = [tensor(n, I8, (256,), 0.5, 1) for n in "xabc"]
    ops = (Relu("first", "x", "a"), Relu("second", "x", "b"), Relu("third", "b", "c"))
    before = graph(ops, ("x",), ("a", "c"), *tensors)
    after = lower(before)
    assert {op.table for op in after.ops if isinstance(op, Lookup)} == {"first_table"}
    assert_same_results(before, after, x=BYTES)


def test_the_table_of_a_name_already_taken_gets_another() -> None:
    x, y = tensor("x", I8, (256,), 0.5), tensor("first_table", I8, (256,), 0.5)
    after = lower(graph((Relu("first", "x", "first_table"),), ("x",), ("first_table",), x, y))
    assert after.ops[0].inputs == ("x", "first_table_2")


def test_conversions_between_byte_types_become_lookups() -> None:
    x, y = tensor("x", U8, (256,), 0.5, 128), tensor("y", I8, (256,), 0.25, 5)
    before = graph((Quantize("q", "x", "y"),), ("x",), ("y",), x, y)
    after = lower(before)
    assert isinstance(after.ops[0], Lookup)
    assert_same_results(before, after, x=BYTES.view(np.uint8))


def test_an_op_with_one_constant_element_is_a_function_of_the_other_operand() -> None:
    x, y, z, w = (tensor(n, I8, (2, 128), s) for n, s in (("x", 0.5), ("y", 0.6), ("z", 0.4), ("w", 0.9)))
    one = tensor("one", I8, (1, 1), 0.3, 2, [77])
    ops = (Add("add", "one", "x", "y"), Mul("mul", "y", "one", "z"), PRelu("prelu", "z", "one", "w"))
    before = graph(ops, ("x",), ("w",), x, y, z, w, one)
    after = lower(before)
    assert [op.kind() for op in after.ops] == ["lookup"] * 3
    assert_same_results(before, after, x=BYTES.reshape(2, 128))


def test_other_ops_stay() -> None:
    wide, float_, result = tensor("wide", I16, (4,), 0.5), tensor("float", F32, (4,)), tensor("f", F32, (4,))
    byte, narrow, total = (
        tensor("byte", I8, (4,), 0.5),
        tensor("narrow", I8, (4,), 1.0),
        tensor("t", I8, (4,), 2.0),
    )
    row, grown = tensor("row", I8, (2, 1), 0.5, 0, [1, 2]), tensor("grown", I8, (2, 4), 0.5)
    ops = (
        Quantize("narrowing", "wide", "narrow"),
        Relu("floating", "float", "f"),
        Add("both", "byte", "narrow", "t"),
        Add("broadcast", "t", "row", "grown"),
    )
    inputs = ("wide", "float", "byte")
    tensors = (wide, float_, result, byte, narrow, total, row, grown)
    before = graph(ops, inputs, ("f", "grown"), *tensors)
    assert lower(before).ops == before.ops
