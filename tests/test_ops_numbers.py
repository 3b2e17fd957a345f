"""Operators on plain numbers: examples worked out by hand, every rule, and C where nothing is ordinary."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from emulation_support import need
from op_support import BOOL, F32, I8, I16, I32, U8, rules, run, tensor
from patchloom import boards
from patchloom.codegen import KERNELS
from patchloom.emulation.trial import merge, run_trial
from patchloom.emulation.verify import random_inputs
from patchloom.ir import DType, Graph, Op, Quant, Tensor, evaluate, verify
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops import binary, reduce, unary
from patchloom.ir.ops.arg_reduce import ArgReduce
from patchloom.ir.ops.binary import Binary
from patchloom.ir.ops.cumsum import CumSum
from patchloom.ir.ops.expand import Expand
from patchloom.ir.ops.gather import Gather
from patchloom.ir.ops.gather_elements import GatherElements
from patchloom.ir.ops.gather_nd import GatherND
from patchloom.ir.ops.lookup import Lookup
from patchloom.ir.ops.one_hot import OneHot
from patchloom.ir.ops.reduce import Reduce
from patchloom.ir.ops.scatter_elements import ScatterElements
from patchloom.ir.ops.scatter_nd import ScatterND
from patchloom.ir.ops.tile import Tile
from patchloom.ir.ops.top_k import TopK
from patchloom.ir.ops.unary import Unary
from patchloom.ir.ops.where import Where
from patchloom.ir.plain import INTEGERS
from patchloom.passes.lower import lower
from test_operators import run_in_c

I64 = DType.INT64
NAN, INF = math.nan, math.inf


def binary_of(function: str, dtype: DType, y: DType | None = None) -> tuple[Binary, tuple[Tensor, ...]]:
    """An op on vectors of 4 and its tensors."""
    tensors = tensor("a", dtype, (4,)), tensor("b", dtype, (4,)), tensor("y", y or dtype, (4,))
    return Binary("o", "a", "b", "y", function), tensors


@pytest.mark.parametrize(
    ("function", "alpha", "beta", "x", "want"),
    [
        ("round", 0.0, 0.0, [0.5, 1.5, -2.5], [0.0, 2.0, -2.0]),
        ("clip", -1.0, 2.0, [-3.0, 0.5, 9.0], [-1.0, 0.5, 2.0]),
        ("clip", 3.0, 2.0, [0.0, 2.5, 9.0], [2.0, 2.0, 2.0]),
        ("hard_sigmoid", 0.25, 0.5, [-4.0, 1.0, 4.0], [0.0, 0.75, 1.0]),
        ("shrink", 1.5, 0.5, [-2.0, 1.0, 2.0], [-1.5, 0.0, 1.5]),
        ("thresholded_relu", 1.0, 0.0, [1.0, 1.5, -9.0], [0.0, 1.5, 0.0]),
        ("softplus", 0.0, 0.0, [-200.0, 0.0, 200.0], [0.0, math.log(2), 200.0]),
        ("softsign", 0.0, 0.0, [1.0, -3.0, 0.0], [0.5, -0.75, 0.0]),
        ("selu", 2.0, 3.0, [1.0, -math.log(2), 0.0], [3.0, -3.0, 0.0]),
        ("celu", 2.0, 0.0, [1.0, -2 * math.log(2), 0.0], [1.0, -1.0, 0.0]),
        ("gelu", 0.0, 0.0, [0.0, 20.0, -20.0], [0.0, 20.0, 0.0]),
        ("swish", 1.0, 0.0, [0.0, 100.0, -100.0], [0.0, 100.0, 0.0]),
    ],
)
def test_functions_of_a_float(
    function: str, alpha: float, beta: float, x: list[float], want: list[float]
) -> None:
    op = Unary("o", "x", "y", function, alpha, beta)
    got = run(op, (tensor("x", F32, (3,)), tensor("y", F32, (3,))), x)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)


def test_not_a_number_and_infinities_are_told_apart() -> None:
    pair = tensor("x", F32, (4,)), tensor("y", BOOL, (4,))
    values = [NAN, INF, -INF, 1.0]
    assert run(Unary("o", "x", "y", "isnan"), pair, values) == [True, False, False, False]
    assert run(Unary("o", "x", "y", "isinf", 1.0, 1.0), pair, values) == [False, True, True, False]
    assert run(Unary("o", "x", "y", "isinf", 1.0, 0.0), pair, values) == [False, False, True, False]


def test_integers_wrap_at_their_own_width() -> None:
    pair = tensor("x", I8, (3,)), tensor("y", I8, (3,))
    assert run(Unary("o", "x", "y", "abs"), pair, [-128, -5, 7]) == [-128, 5, 7]
    op, tensors = binary_of("add", U8)
    assert run(op, tensors, [250, 1, 2, 3], [10, 1, 1, 1]) == [4, 2, 3, 4]
    op, tensors = binary_of("mul", I16)
    assert run(op, tensors, [300, -2, 0, 1], [300, 3, 9, 1]) == [24464, -6, 0, 1]


@pytest.mark.parametrize(
    ("function", "want"),
    [
        ("div", [-2, -2, 0, 7]),
        ("mod", [2, -2, 0, 0]),
        ("fmod", [-1, 1, 0, 0]),
        ("shift_left", [-56, 0, 5, 0]),
        ("shift_right", [-1, 0, 5, -1]),
        ("pow", [-343, 0, 1, 0]),
    ],
)
def test_integer_functions_are_defined_everywhere(function: str, want: list[int]) -> None:
    op, tensors = binary_of(function, I32)
    assert run(op, tensors, [-7, 7, 5, -7], [3, -3, 0, -1]) == want


def test_quantized_functions_round_to_the_nearest_step_and_saturate() -> None:
    x = Tensor("x", (4,), I8, Quant((0.5,), (10,)))
    y = Tensor("y", (4,), I8, Quant((1.0,), (-3,)))
    # real 0, 1, 1.5, -1.5, halves to the even step behind the division by y's scale
    assert run(Unary("o", "x", "y", "neg"), (x, y), [10, 12, 13, 7]) == [-3, -4, -5, -1]
    assert run(Unary("o", "x", "y", "exp"), (x, y), [10, 12, 127, -128]) == [-2, 0, 127, -3]
    assert run(Unary("o", "x", "y", "log"), (x, y), [10, 12, 9, 127]) == [-128, -3, -3, 1]


def test_quantized_functions_become_a_table() -> None:
    quant = Quant((0.25,), (3,))
    tensors = {n: Tensor(n, (1, 6), I8, quant) for n in "xy"}
    graph = verify(Graph("g", tensors, (Unary("o", "x", "y", "gelu"),), ("x",), ("y",)))
    assert [type(op) for op in lower(graph).ops] == [Lookup]


def test_where_broadcasts_all_three() -> None:
    tensors = (
        tensor("c", BOOL, (2, 1)),
        tensor("a", I16, (3,)),
        tensor("b", I16, (1,)),
        tensor("y", I16, (2, 3)),
    )
    assert run(Where("o", "c", "a", "b", "y"), tensors, [1, 0], [1, 2, 3], [9]) == [1, 2, 3, 9, 9, 9]


def test_reductions_of_floats_and_integers() -> None:
    x, y = tensor("x", F32, (2, 2)), tensor("y", F32, (2,))
    for function, want in [("l1", [3, 7]), ("sum_square", [5, 25]), ("max", [1, 4]), ("prod", [-2, 12])]:
        assert run(Reduce("o", "x", "y", function, (1,), False), (x, y), [1, -2, 3, 4]) == want
    big = run(Reduce("o", "x", "y", "log_sum_exp", (1,), False), (x, y), [1000, 1000, -INF, -INF])
    np.testing.assert_allclose(big, [1000 + math.log(2), -INF])
    pair = tensor("x", U8, (3,)), tensor("y", U8, (1,))
    assert run(Reduce("o", "x", "y", "sum", (0,), True), pair, [200, 100, 1]) == [45]
    pair = tensor("x", BOOL, (2, 2)), tensor("y", BOOL, (2,))
    assert run(Reduce("o", "x", "y", "min", (1,), False), pair, [1, 0, 1, 1]) == [False, True]


def test_arg_reduce_takes_the_first_or_the_last_of_equal_elements() -> None:
    pair = tensor("x", I8, (4,)), tensor("y", I64, (1,))
    assert run(ArgReduce("o", "x", "y", 0, True, True), pair, [1, 9, 9, 2]) == [1]
    assert run(ArgReduce("o", "x", "y", 0, True, True, True), pair, [1, 9, 9, 2]) == [2]
    assert run(ArgReduce("o", "x", "y", 0, True, False), pair, [1, 9, 9, 1]) == [0]


def test_cumsum_counts_from_either_end_with_or_without_the_element() -> None:
    pair = tensor("x", I32, (4,)), tensor("y", I32, (4,))
    assert run(CumSum("o", "x", "y", 0), pair, [1, 2, 3, 4]) == [1, 3, 6, 10]
    assert run(CumSum("o", "x", "y", 0, True), pair, [1, 2, 3, 4]) == [0, 1, 3, 6]
    assert run(CumSum("o", "x", "y", 0, True, True), pair, [1, 2, 3, 4]) == [9, 7, 4, 0]
    assert run(CumSum("o", "x", "y", 0, False, True, True), pair, [1, 2, 3, 4]) == [24, 24, 12, 4]


def test_gathers_clamp_computed_indices() -> None:
    x, y = tensor("x", I8, (2, 3)), tensor("y", I8, (2, 2))
    given = [1, 2, 3, 4, 5, 6]
    indices = tensor("i", I32, (2,))
    assert run(Gather("o", "x", "i", "y", 1), (x, indices, y), given, [-1, 7]) == [3, 3, 6, 6]
    indices = tensor("i", I64, (1, 2))
    y = tensor("y", I8, (1, 2))
    assert run(GatherElements("o", "x", "i", "y", 0), (x, indices, y), given, [1, -9]) == [4, 2]
    indices = tensor("i", I64, (1, 2))
    assert run(GatherND("o", "x", "i", "y"), (x, indices, tensor("y", I8, (1,))), given, [-1, -2]) == [5]


def test_scatters_update_in_order() -> None:
    x, y = tensor("x", F32, (3, 2)), tensor("y", F32, (3, 2))
    indices, updates = tensor("i", I32, (2, 1)), tensor("u", F32, (2, 2))
    given = ([1, 2, 3, 4, 5, 6], [1, 1], [10, 20, 30, 40])
    op = ScatterND("o", "x", "i", "u", "y")
    assert run(op, (x, indices, updates, y), *given) == [1, 2, 30, 40, 5, 6]
    op = ScatterND("o", "x", "i", "u", "y", "add")
    assert run(op, (x, indices, updates, y), *given) == [1, 2, 43, 64, 5, 6]
    indices, updates = tensor("i", I32, (1, 2)), tensor("u", F32, (1, 2))
    op = ScatterElements("o", "x", "i", "u", "y", 0, "mul")
    assert run(op, (x, indices, updates, y), given[0], [2, -3], [10, 20]) == [1, 40, 3, 4, 50, 6]


def test_expand_tile_and_one_hot() -> None:
    x = tensor("x", I16, (2, 1))
    assert run(Expand("o", "x", "y", (2, 3)), (x, tensor("y", I16, (2, 3))), [1, 2]) == [1, 1, 1, 2, 2, 2]
    x = tensor("x", I16, (2, 2))
    assert run(Tile("o", "x", "y", (1, 2)), (x, tensor("y", I16, (2, 4))), [1, 2, 3, 4]) == [
        1,
        2,
        1,
        2,
        3,
        4,
        3,
        4,
    ]
    tensors = tensor("i", I32, (4,)), tensor("v", F32, (2,)), tensor("y", F32, (3, 4))
    got = run(OneHot("o", "i", "v", "y", 3, 0), tensors, [0, -1, 3, 1], [0.5, 2.0])
    assert got == [2.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 2.0, 0.5, 2.0, 0.5, 0.5]


def test_top_k_keeps_the_order_of_equal_elements_and_puts_nan_last() -> None:
    by_name = {t.name: t for t in (tensor("x", F32, (5,)), tensor("v", F32, (3,)), tensor("i", I64, (3,)))}
    x = np.array([2, NAN, 3, 2, 3], np.float32)
    values, indices = TopK("o", "x", "v", "i", 3, 0, True).reference(by_name, x)
    assert values.tolist() == [3, 3, 2] and indices.tolist() == [2, 4, 0]
    values, indices = TopK("o", "x", "v", "i", 3, 0, False).reference(by_name, x)
    assert values.tolist() == [2, 2, 3] and indices.tolist() == [0, 3, 2]


SPECIAL = (NAN, INF, -INF, 0.0, -0.0, 0.5, 1.5, -2.5, 1.0, -1.0, 88.0, -88.0, 1e30, -1e30, 1e-30, 3.0)


def in_c(ops: Sequence[Op], tensors: Sequence[Tensor], inputs: dict[str, np.ndarray]) -> None:
    """The ops of one graph give in C (with sanitizers) what their references give."""
    outputs = tuple(y for op in ops for y in op.outputs)
    graph = verify(Graph("g", {t.name: t for t in tensors}, tuple(ops), tuple(inputs), outputs))
    want = evaluate(graph, inputs)
    (got,) = run_in_c(graph, [inputs])
    for name in outputs:
        same = np.testing.assert_allclose if want[name].dtype == np.float32 else np.testing.assert_array_equal
        tolerance = {"rtol": 1e-5, "atol": 1e-6} if want[name].dtype == np.float32 else {}
        same(got[name], want[name], err_msg=name, **tolerance)


def test_functions_of_unusual_floats_in_c() -> None:
    x = np.array(SPECIAL, np.float32)
    tensors = [tensor("x", F32, x.shape)]
    ops: list[Op] = []
    for function in sorted({*unary.FLOAT, *unary.TESTS}):
        # sums of huge angles lose their meaning in the argument's rounding
        if function in ("sin", "cos", "tan"):
            continue
        tensors.append(tensor(function, BOOL if function in unary.TESTS else F32, x.shape))
        ops.append(Unary(f"op_{function}", "x", function, function, 0.75, 1.25))
    in_c(ops, tensors, {"x": x})


def test_functions_of_two_unusual_floats_in_c() -> None:
    a = np.array(SPECIAL, np.float32).reshape(-1, 1)
    b = a.reshape(1, -1).copy()
    shape = (len(SPECIAL), len(SPECIAL))
    tensors = [tensor("a", F32, a.shape), tensor("b", F32, b.shape)]
    ops: list[Op] = []
    for function in (*binary.FLOAT, *binary.COMPARE):
        tensors.append(tensor(function, BOOL if function in binary.COMPARE else F32, shape))
        ops.append(Binary(f"op_{function}", "a", "b", function, function))
    in_c(ops, tensors, {"a": a, "b": b})


@pytest.mark.parametrize("dtype", INTEGERS, ids=lambda d: d.value)
def test_functions_of_unusual_integers_in_c(dtype: DType) -> None:
    low, high = dtype.integer_range
    values = sorted({low, low + 1, max(low, -3), max(low, -1), 0, 1, 2, 7, high - 1, high})
    a = np.array(values, dtype.numpy).reshape(-1, 1)
    b = a.reshape(1, -1).copy()
    tensors = [tensor("a", dtype, a.shape), tensor("b", dtype, b.shape)]
    ops: list[Op] = []
    for function in (*binary.INTEGER, *binary.COMPARE):
        tensors.append(tensor(function, BOOL if function in binary.COMPARE else dtype, (len(values),) * 2))
        ops.append(Binary(f"op_{function}", "a", "b", function, function))
    for function in unary.INTEGER:
        tensors.append(tensor(f"u_{function}", dtype, a.shape))
        ops.append(Unary(f"op_u_{function}", "a", f"u_{function}", function))
    for function in reduce.INTEGER:
        tensors.append(tensor(f"r_{function}", dtype, (1,)))
        ops.append(Reduce(f"op_r_{function}", "a", f"r_{function}", function, (0,), False))
    in_c(ops, tensors, {"a": a, "b": b})


FAMILIES = (
    *(Unary, Binary, Where, Reduce, ArgReduce, CumSum, TopK, OneHot, Expand, Tile),
    *(Gather, GatherElements, GatherND, ScatterND, ScatterElements),
)


@pytest.mark.parametrize("name", ["nucleo-g0b1re", "nrf52840dk", "rp2350-pico2-riscv"])
def test_random_cases_on_emulated_cores(name: str) -> None:
    board = boards.load(name)
    need(board)
    cases = [verify(op.case(RandomDraw(seed))) for op in FAMILIES for seed in range(4)]
    cases = [c for c in cases if all(t.quant is None for t in c.tensors.values())]
    graph = merge(cases)
    samples = list(random_inputs(graph, 2))
    for sample, outputs in zip(samples, run_trial(cases, board, KERNELS, samples).outputs, strict=True):
        want = evaluate(graph, sample)
        for y in graph.outputs:
            floats = want[y].dtype == np.float32
            same = np.testing.assert_allclose if floats else np.testing.assert_array_equal
            same(outputs[y], want[y], err_msg=y, **({"rtol": 1e-5, "atol": 1e-5} if floats else {}))


X8, Y8 = tensor("x", I8, (4,)), tensor("y", I8, (4,))
XF, YF = tensor("x", F32, (2, 3)), tensor("y", F32, (2, 3))
AF, BF = tensor("a", F32, (4,)), tensor("b", F32, (4,))
SCALED = tensor("x", I8, (4,), 0.5)
IDX = tensor("i", I32, (2,))
IDX_FLOAT = tensor("i", F32, (2,))
FAR = tensor("i", I32, (2,), data=[0, 2])

BROKEN = [
    (Unary("o", "x", "y", "cube"), (XF, YF), "the function must be one of"),
    (Unary("o", "x", "y", "clip", NAN), (XF, YF), "parameters must be numbers"),
    (Unary("o", "x", "y", "celu"), (XF, YF), "alpha of celu must not be 0"),
    (Unary("o", "x", "y", "isnan"), (XF, YF), "the output must be bool"),
    (Unary("o", "x", "y", "exp"), (X8, Y8), "must be float32"),
    (Unary("o", "x", "y", "exp"), (SCALED, Y8), "needs quantization"),
    (Unary("o", "x", "y", "bitwise_not"), (SCALED, tensor("y", I8, (4,), 0.5)), "gives a plain output"),
    (Unary("o", "x", "y", "bitwise_not"), (SCALED, Y8), "without quantization"),
    (Unary("o", "x", "y", "not"), (X8, Y8), "must be bool"),
    (Binary("o", "a", "b", "y", "root"), (AF, BF, YF), "the function must be one of"),
    (Binary("o", "a", "b", "y", "div"), (AF, tensor("b", F32, (3,)), YF), "shapes must broadcast"),
    (Binary("o", "a", "b", "y", "div"), (tensor("a", F32, (1,) * 7), BF, YF), "at most 6 dimensions"),
    (Binary("o", "a", "b", "y", "div"), (AF, tensor("b", I8, (4,)), YF), "operands must have one type"),
    (Binary("o", "a", "b", "y", "less"), (AF, BF, YF), "the output must be plain bool"),
    (Binary("o", "a", "b", "y", "and"), (AF, BF, YF), "must be bool"),
    (Where("o", "c", "a", "b", "y"), (tensor("c", I8), AF, BF, YF), "must be bool"),
    (Where("o", "c", "a", "b", "y"), (tensor("c", BOOL, (3,)), AF, BF, YF), "shapes must broadcast"),
    (
        Where("o", "c", "a", "b", "y"),
        (tensor("c", BOOL), AF, tensor("b", I8), YF),
        "one type and quantization",
    ),
    (Reduce("o", "x", "y", "mean", (0,), True), (XF, YF), "the function must be one of"),
    (Reduce("o", "x", "y", "sum", (1, 0), True), (XF, YF), "axes must be ascending"),
    (Reduce("o", "x", "y", "l2", (0,), True), (X8, Y8), "must be float32"),
    (Reduce("o", "x", "y", "sum", (0,), True), (XF, Y8), "the input's type"),
    (ArgReduce("o", "x", "y", 2, True, True), (XF, tensor("y", I32)), "axis must be one of the 2"),
    (ArgReduce("o", "x", "y", 0, True, True), (XF, YF), "must be int32 or int64"),
    (ArgReduce("o", "x", "y", 0, True, True), (tensor("x", BOOL), tensor("y", I32)), "must be float32"),
    (CumSum("o", "x", "y", -1), (XF, YF), "axis must be one of the 2"),
    (CumSum("o", "x", "y", 0), (SCALED, tensor("y", I8, (4,), 0.5)), "without quantization"),
    (TopK("o", "x", "y", "i", 3, 0, True), (XF, YF, IDX), "k must be in 1 to 2"),
    (TopK("o", "x", "y", "i", 1, 0, True), (XF, YF, IDX_FLOAT), "must be int32 or int64"),
    (TopK("o", "x", "y", "i", 1, 0, True), (tensor("x", BOOL), tensor("y", BOOL), IDX), "must be numbers"),
    (Gather("o", "x", "i", "y", 2), (XF, IDX, YF), "axis must be one of the 2"),
    (Gather("o", "x", "i", "y", 0), (XF, IDX_FLOAT, YF), "must be int32 or int64"),
    (Gather("o", "x", "i", "y", 0), (XF, FAR, YF), "must lie inside the data"),
    (Gather("o", "x", "i", "y", 0), (XF, IDX, Y8), "one type and quantization"),
    (GatherElements("o", "x", "i", "y", 0), (XF, IDX, YF), "indices have the rank"),
    (GatherND("o", "x", "i", "y", 1), (XF, IDX, YF), "behind equal batches"),
    (GatherND("o", "x", "i", "y"), (XF, tensor("i", I32, (2,), data=[0, 3]), YF), "must lie inside the data"),
    (ScatterND("o", "x", "i", "u", "y"), (XF, IDX, tensor("u", F32, (3,)), YF), "updates must be []"),
    (ScatterND("o", "x", "i", "u", "y", "xor"), (XF, IDX, tensor("u", F32, ()), YF), "the reduction must be"),
    (ScatterND("o", "x", "i", "u", "y"), (XF, tensor("i", I32, (3,)), tensor("u", F32, ()), YF), "last axis"),
    (
        ScatterND("o", "x", "i", "u", "y", "add"),
        (SCALED, tensor("i", I32, (1,)), tensor("u", I8, (), 0.5), tensor("y", I8, (4,), 0.5)),
        "without quantization",
    ),
    (
        ScatterElements("o", "x", "i", "u", "y", 0),
        (XF, tensor("i", I32, (2, 3)), tensor("u", F32, (2, 2)), YF),
        "updates must be [2, 3]",
    ),
    (
        ScatterElements("o", "x", "i", "u", "y", 0),
        (XF, tensor("i", I32, (2, 4)), tensor("u", F32, (2, 4)), YF),
        "no larger dimensions",
    ),
    (Expand("o", "x", "y", (3, 3)), (XF, YF), "must broadcast to the output's shape"),
    (Expand("o", "x", "y", (1,) * 5 + (2, 3)), (XF, YF), "at most 6 dimensions"),
    (Tile("o", "x", "y", (2,)), (XF, YF), "one positive number of repeats"),
    (
        Tile("o", "x", "y", (2, 2, 2, 2)),
        (tensor("x", I8, (2, 2, 2, 2)), tensor("y", I8, (4, 4, 4, 4))),
        "at most 6 dimensions and repeats",
    ),
    (OneHot("o", "i", "v", "y", 0, 0), (IDX, tensor("v", F32, (2,)), YF), "depth must be positive"),
    (OneHot("o", "i", "v", "y", 2, 2), (IDX, tensor("v", F32, (2,)), YF), "axis must be between 0 and 1"),
    (OneHot("o", "i", "v", "y", 2, 0), (IDX, tensor("v", F32, (3,)), YF), "values are two elements"),
    (Expand("o", "x", "y", (4,)), (Tensor("x", (4,), I8, Quant((1.0,) * 4, (0,) * 4, 0)), Y8), "one type"),
]


@pytest.mark.parametrize(("op", "tensors", "rule"), BROKEN, ids=[f"{b[0].kind()}: {b[2]}" for b in BROKEN])
def test_a_broken_rule_is_reported(op: Op, tensors: tuple[Tensor, ...], rule: str) -> None:
    assert any(rule in text for text in rules(op, *tensors)), rules(op, *tensors)
