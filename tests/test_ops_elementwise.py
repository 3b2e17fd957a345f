"""Element-wise operators: examples worked out by hand, and every rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
from op_support import BOOL, F32, I8, I16, I32, U8, rules, run, tensor
from patchloom.ir import Activation, DType, Graph, Op, Quant, Tensor, evaluate, verify
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.cast import TYPES as CAST_TYPES
from patchloom.ir.ops.cast import Cast
from patchloom.ir.ops.dequantize import Dequantize
from patchloom.ir.ops.hard_swish import HardSwish
from patchloom.ir.ops.leaky_relu import LeakyRelu
from patchloom.ir.ops.logistic import Logistic
from patchloom.ir.ops.lookup import Lookup
from patchloom.ir.ops.maximum import Maximum
from patchloom.ir.ops.minimum import Minimum
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.prelu import PRelu
from patchloom.ir.ops.quantize import Quantize
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.softmax import Softmax
from patchloom.ir.ops.sub import Sub
from patchloom.ir.ops.tanh import Tanh
from test_operators import run_in_c

SOFTMAX_8 = Quant((2.0**-8,), (-128,))


def unary(
    x: Tensor, y_dtype: object = None, scale: float | None = None, zero_point: int = 0
) -> tuple[Tensor, Tensor]:
    """(x, y) where y has x's type and quantization unless said otherwise."""
    dtype = y_dtype or x.dtype
    if scale is None:
        return x, Tensor("y", x.shape, dtype, x.quant)
    return x, Tensor("y", x.shape, dtype, Quant((scale,), (zero_point,)))


def binary(a: Tensor, b: Tensor, scale: float | None, zero_point: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """(a, b, y) where y has a's type."""
    return a, b, tensor("y", a.dtype, a.shape, scale, zero_point)


def test_add_brings_both_operands_to_the_output_scale() -> None:
    a, b = tensor("a", I8, (3,), 0.5, 10), tensor("b", I8, (3,), 0.25, -4)
    # real a: 1, -5, 20; real b: 1, 0.5, 5; sums 2, -4.5, 25 over 0.5 plus -1
    assert run(Add("add", "a", "b", "y"), binary(a, b, 0.5, -1), [12, 0, 50], [0, -2, 16]) == [3, -10, 49]


def test_add_saturates_and_applies_its_activation() -> None:
    a, b = tensor("a", I8, (2,), 1.0), tensor("b", I8, (2,), 1.0)
    assert run(Add("add", "a", "b", "y"), binary(a, b, 1.0), [100, -100], [100, -100]) == [127, -128]
    op = Add("add", "a", "b", "y", Activation.RELU6)
    assert run(op, binary(a, b, 1.0), [5, -3], [4, 1]) == [6, 0]


def test_sub_subtracts_the_second_operand() -> None:
    a, b = tensor("a", I16, (2,), 0.5), tensor("b", I16, (2,), 0.5)
    assert run(Sub("sub", "a", "b", "y"), binary(a, b, 0.5), [1000, -7], [1, 8]) == [999, -15]


def test_mul_multiplies_real_values() -> None:
    a, b = tensor("a", I8, (3,), 0.5, 1), tensor("b", I8, (3,), 0.25, 0)
    # (3-1)*0.5 * 4*0.25 = 1; (-9-1)*0.5 * 8*0.25 = -10; 0
    assert run(Mul("mul", "a", "b", "y"), binary(a, b, 0.5, 3), [3, -9, 1], [4, 8, 100]) == [5, -17, 3]


@pytest.mark.parametrize(
    ("op", "want"), [(Minimum("m", "a", "b", "y"), [1, -4]), (Maximum("m", "a", "b", "y"), [3, 2])]
)
def test_minimum_and_maximum_choose_an_element(op: Op, want: list[int]) -> None:
    a, b = tensor("a", I8, (2,), 0.5, 7), tensor("b", I8, (2,), 0.5, 7)
    assert run(op, binary(a, b, 0.5, 7), [1, 2], [3, -4]) == want


def test_operands_broadcast_over_missing_and_single_dimensions() -> None:
    a, b = tensor("a", F32, (2, 2)), tensor("b", F32, (2,))
    assert run(Add("add", "a", "b", "y"), binary(a, b, None), [1, 2, 3, 4], [10, 20]) == [11, 22, 13, 24]
    a, b = tensor("a", F32, (2, 1)), tensor("b", F32, (1, 2))
    assert run(Mul("mul", "a", "b", "y"), binary(a, b, None), [2, 3], [5, 7]) == [10, 14, 15, 21]


def test_relu_requantizes_and_clamps() -> None:
    pair = unary(tensor("x", I8, (3,), 0.5, 4), scale=0.25, zero_point=-128)
    assert run(Relu("relu", "x", "y"), pair, [4, 6, 0]) == [-128, -124, -128]
    same = unary(tensor("x", I8, (3,), 0.5, 4))
    assert run(Relu("relu", "x", "y", Activation.RELU6), same, [100, 6, 0]) == [16, 6, 4]
    assert run(Relu("relu", "x", "y", Activation.RELU_N1_TO_1), same, [100, 5, -9]) == [6, 5, 2]


def test_leaky_relu_scales_negative_values() -> None:
    pair = unary(tensor("x", I16, (3,), 0.5))
    assert run(LeakyRelu("leaky", "x", "y", 0.25), pair, [100, -100, 0]) == [100, -25, 0]
    assert run(LeakyRelu("leaky", "x", "y", -0.5), unary(tensor("x", F32, (2,))), [3.0, -4.0]) == [3.0, 2.0]


def test_prelu_takes_alpha_per_channel() -> None:
    alpha = tensor("alpha", I8, (1, 2), 0.25, 0, [2, 4])  # 0.5 and 1
    tensors = (*unary(tensor("x", I8, (2, 2), 0.5)), alpha)
    assert run(PRelu("prelu", "x", "alpha", "y"), tensors, [10, 10, -10, -10]) == [10, 10, -5, -10]


def test_hard_swish_is_zero_below_minus_three_and_identity_above_three() -> None:
    assert run(HardSwish("h", "x", "y"), unary(tensor("x", F32, (4,))), [-3.0, 0.0, 3.0, 9.0]) == [0, 0, 3, 9]
    pair = unary(tensor("x", I8, (4,), 0.0625))
    assert run(HardSwish("h", "x", "y"), pair, [-64, 0, 64, 127]) == [0, 0, 64, 127]


def test_logistic_and_tanh_meet_their_limits_and_centre() -> None:
    x = tensor("x", I8, (3,), 0.125)
    assert run(Logistic("l", "x", "y"), unary(x, I8, 2.0**-8, -128), [-128, 0, 127]) == [-128, 0, 127]
    assert run(Tanh("t", "x", "y"), unary(x, I8, 2.0**-7), [-128, 0, 127]) == [-128, 0, 127]


@pytest.mark.parametrize(
    ("op", "function"), [(Logistic, lambda v: 1 / (1 + math.exp(-v))), (Tanh, math.tanh)]
)
@pytest.mark.parametrize("scale", [2.0**-12, 2.0**-11, 0.0003])
def test_int16_sigmoids_stay_near_the_function(op: type, function: object, scale: float) -> None:
    values = list(range(-32768, 32768, 97))
    x = tensor("x", I16, (len(values),), scale)
    got = run(op("f", "x", "y"), unary(x, I16, 2.0**-15), values)
    want = [function(v * scale) * 32768 for v in values]  # type: ignore[operator]
    # a 15-bit multiplier, a table of 16 bits and linear interpolation between its entries
    assert max(abs(g - w) for g, w in zip(got, want, strict=True)) < 12


def test_softmax_of_equal_elements_shares_equally() -> None:
    x = tensor("x", I8, (2, 4), 0.1, 3)
    tensors = (x, Tensor("y", x.shape, I8, SOFTMAX_8))
    assert run(Softmax("s", "x", "y"), tensors, [5] * 4 + [127, -128, -128, -128]) == [
        *[-64] * 4,
        127,
        -128,
        -128,
        -128,
    ]


@pytest.mark.parametrize(
    ("dtype", "y_dtype", "quant"),
    [
        (I8, I8, SOFTMAX_8),
        (I8, I16, Quant((2.0**-16,), (-32768,))),
        (I16, I16, Quant((2.0**-15,), (0,))),
        (F32, F32, None),
    ],
)
def test_softmax_stays_near_the_function(dtype: object, y_dtype: object, quant: Quant | None) -> None:
    values = np.array([12, -7, 3, 11, 0, 12], np.float64)
    scale = None if dtype is F32 else 0.125
    x = tensor("x", dtype, (6,), scale)  # type: ignore[arg-type]
    got = np.array(run(Softmax("s", "x", "y", 2.0), (x, Tensor("y", (6,), y_dtype, quant)), list(values)))  # type: ignore[arg-type]
    real = got if quant is None else (got - quant.z) * quant.s
    e = np.exp(2.0 * values * (scale or 1.0))
    np.testing.assert_allclose(
        real, e / e.sum(), atol=1e-6 if quant is None else 1.5 * max(quant.s, 2.0**-15)
    )


def test_quantize_rounds_half_away_from_zero_and_saturates() -> None:
    pair = unary(tensor("x", F32, (7,)), I8, 2.0, 1)
    values = [1.0, -1.0, 3.0, 2.9, 1e30, -1e30, math.nan]
    assert run(Quantize("q", "x", "y"), pair, values) == [2, 0, 3, 2, 127, -128, -128]
    pair = unary(tensor("x", F32, (3,)), U8, 0.5, 3)
    assert run(Quantize("q", "x", "y"), pair, [0.0, 1.0, -9.0]) == [3, 5, 0]


def test_quantize_changes_scale_type_and_zero_point() -> None:
    assert run(Quantize("q", "x", "y"), unary(tensor("x", I16, (3,), 0.25), I8, 1.0, -2), [400, -6, 6]) == [
        98,
        -4,
        0,
    ]
    assert run(Quantize("q", "x", "y"), unary(tensor("x", U8, (3,), 0.25, 128), I8, 0.25), [0, 128, 255]) == [
        -128,
        0,
        127,
    ]


def test_dequantize_gives_real_values() -> None:
    assert run(
        Dequantize("d", "x", "y"), (tensor("x", U8, (2,), 0.5, 3), tensor("y", F32, (2,))), [0, 5]
    ) == [-1.5, 1.0]


def test_cast_wraps_integers_and_saturates_floats() -> None:
    assert run(Cast("c", "x", "y"), (tensor("x", I16, (2,)), tensor("y", I8, (2,))), [300, -1]) == [44, -1]
    floats = (tensor("x", F32, (5,)), tensor("y", U8, (5,)))
    assert run(Cast("c", "x", "y"), floats, [1.9, -1.9, 300.0, math.nan, math.inf]) == [1, 0, 255, 0, 255]
    assert run(Cast("c", "x", "y"), (tensor("x", F32, (3,)), tensor("y", BOOL, (3,))), [0.0, 0.2, -3.0]) == [
        0,
        1,
        1,
    ]


def test_conversions_tflm_does_not_have_equal_the_reference_in_c() -> None:
    rng = np.random.default_rng(0)
    integers = (t for t in CAST_TYPES if t not in (F32, BOOL))
    inputs = {t.value: rng.integers(*t.integer_range, 8, t.numpy, endpoint=True) for t in integers}
    inputs[F32.value] = np.array([math.nan, math.inf, -math.inf, 3e9, -3e9, 2.5, -2.5, 0.0], np.float32)
    inputs[BOOL.value] = np.array([True, False] * 4)
    tensors = {t.value: tensor(t.value, t, (8,)) for t in CAST_TYPES}
    ops: list[Op] = []
    for source in CAST_TYPES:
        for target in (t for t in CAST_TYPES if t is not source):
            y = tensor(f"{source.value}_{target.value}", target, (8,))
            tensors[y.name] = y
            ops.append(Cast(f"cast_{y.name}", source.value, y.name))
    tensors["q"] = tensor("q", U8, (8,), 0.37, 7)
    ops.append(Quantize("quantize", F32.value, "q"))
    graph = Graph("casts", tensors, tuple(ops), tuple(inputs), tuple(op.outputs[0] for op in ops))
    want = evaluate(verify(graph), inputs)
    (got,) = run_in_c(graph, [inputs])
    for name in graph.outputs:
        np.testing.assert_array_equal(got[name], want[name], err_msg=name)


def test_lookup_reads_signed_values_as_bytes() -> None:
    entries = tensor("table", I8, (256,), data=[i // 2 - 64 for i in range(256)])
    tensors = (tensor("x", I8, (3,)), entries, tensor("y", I8, (3,)))
    assert run(Lookup("l", "x", "table", "y"), tensors, [0, 127, -1]) == [-64, -1, 63]


X8, X16 = tensor("x", I8, (4,), 0.5), tensor("x", I16, (4,), 0.5)
Y8, Y16 = tensor("y", I8, (4,), 0.5), tensor("y", I16, (4,), 0.5)
A8, B8 = tensor("a", I8, (4,), 0.5), tensor("b", I8, (4,), 0.5)
PER_AXIS = Tensor("x", (4,), I8, Quant((0.5, 1.0), (0, 0), 0))
ALPHA = tensor("alpha", I8, (4,), 0.5, 0, [1, 2, 3, 4])
LOOKUP_TABLE = tensor("table", I8, (256,), data=[0] * 256)
RELU, RELU6, NONE = Activation.RELU, Activation.RELU6, Activation.NONE

BROKEN = [
    (Relu("o", "x", "y"), (tensor("x", I32, (4,), 0.5), Y8), "input must be int8, int16 or float32"),
    (Relu("o", "x", "y"), (X8, Y16), "output must have the input's type"),
    (Relu("o", "x", "y"), (tensor("x", I8, (4,)), Y8), "needs quantization"),
    (Relu("o", "x", "y"), (PER_AXIS, Y8), "activations have one scale"),
    (Relu("o", "x", "y"), (tensor("x", I16, (4,), 0.5, 3), Y16), "int16 activations have zero point 0"),
    (Relu("o", "x", "y", NONE), (X8, Y8), "relu has an activation"),
    (Relu("o", "x", "y", RELU6), (X8, tensor("y", I8, (4,), 0.25)), "equal quantization of input and output"),
    (Relu("o", "x", "y"), (X8, tensor("y", I8, (4,), 2.0**-25)), "output scale is too small"),
    (LeakyRelu("o", "x", "y", 2.0**20), (X16, Y16), "output scale is too small"),
    (Add("o", "a", "b", "y"), (A8, tensor("b", I8, (3,), 0.5), Y8), "shapes must broadcast"),
    (Add("o", "a", "b", "y"), (tensor("a", I8, (1,) * 7, 0.5), B8, Y8), "at most 6 dimensions"),
    (Add("o", "a", "b", "y"), (tensor("a", I32, (4,), 0.5), B8, Y8), "operands must be int8"),
    (Add("o", "a", "b", "y"), (A8, tensor("b", I16, (4,), 0.5), Y8), "must have the same type"),
    (Sub("o", "a", "b", "y"), (A8, tensor("b", I8, (4,)), Y8), "needs quantization"),
    (Add("o", "a", "b", "y"), (A8, B8, tensor("y", I8, (4,), 2.0**-20)), "output scale is too small"),
    (Sub("o", "a", "b", "y"), (A8, B8, tensor("y", I8, (4,), 2.0**-20)), "output scale is too small"),
    (Mul("o", "a", "b", "y"), (A8, B8, tensor("y", I8, (4,), 2.0**-20)), "output scale is too small"),
    (Minimum("o", "a", "b", "y"), (A8, tensor("b", I8, (3,), 0.5), Y8), "must broadcast to at most 6"),
    (Minimum("o", "a", "b", "y"), (tensor("a", U8, (4,), 0.5), B8, Y8), "operands must be"),
    (Maximum("o", "a", "b", "y"), (A8, tensor("b", I16, (4,), 0.5), Y8), "must have the same type"),
    (Maximum("o", "a", "b", "y"), (A8, B8, tensor("y", I8, (4,), 0.25)), "must have the same quantization"),
    (
        PRelu("o", "x", "alpha", "y"),
        (X8, tensor("alpha", I8, (3,), 0.5, 0, [1] * 3), Y8),
        "alpha must broadcast",
    ),
    (PRelu("o", "x", "alpha", "y"), (X8, tensor("alpha", I8, (4,), 0.5), Y8), "alpha must be constant"),
    (PRelu("o", "x", "alpha", "y"), (X8, tensor("alpha", F32, (4,), data=[1] * 4), Y8), "takes int8 alpha"),
    (PRelu("o", "x", "alpha", "y"), (X8, tensor("alpha", I8, (4,), data=[1] * 4), Y8), "needs quantization"),
    (
        PRelu("o", "x", "alpha", "y"),
        (X8, ALPHA, tensor("y", I8, (4,), 2.0**-25)),
        "output scale is too small",
    ),
    (HardSwish("o", "x", "y"), (X16, Y16), "input must be int8 or float32"),
    (HardSwish("o", "x", "y"), (tensor("x", I8, (4,), 128.0), Y8), "input scale over output scale"),
    (HardSwish("o", "x", "y"), (tensor("x", I8, (4,), 2.0**-24), tensor("y", I8, (4,), 2.0**-24)), "2^-22"),
    (Logistic("o", "x", "y"), (X8, Y8), "int8 output has scale 0.00390625 and zero point -128"),
    (Tanh("o", "x", "y"), (X16, Y16), "int16 output has scale 3.05176e-05 and zero point 0"),
    (
        Tanh("o", "x", "y"),
        (tensor("x", I8, (4,), 2.0**-27), tensor("y", I8, (4,), 2.0**-7)),
        "at least 2^-26",
    ),
    (
        Tanh("o", "x", "y"),
        (tensor("x", I16, (4,), 3.0), tensor("y", I16, (4,), 2.0**-15)),
        "between 2^-28 and 2.5",
    ),
    (Softmax("o", "x", "y"), (tensor("x", I8, (), 0.5), Y8), "with a last axis"),
    (Softmax("o", "x", "y"), (tensor("x", F32, (4,)), Y8), "float32 softmax gives float32"),
    (Softmax("o", "x", "y"), (X16, Y8), "int16 to int16"),
    (Softmax("o", "x", "y"), (tensor("x", I8, (4,)), Tensor("y", (4,), I8, SOFTMAX_8)), "needs quantization"),
    (Softmax("o", "x", "y"), (X8, Y8), "output of softmax has scale"),
    (
        Softmax("o", "x", "y"),
        (tensor("x", I8, (4096,), 0.5), Tensor("y", (4096,), I8, SOFTMAX_8)),
        "at most 4095",
    ),
    (Softmax("o", "x", "y", 0.0), (X8, Tensor("y", (4,), I8, SOFTMAX_8)), "above 2^-26"),
    (Softmax("o", "x", "y", 8.0), (X16, tensor("y", I16, (4,), 2.0**-15)), "at most 2.5"),
    (Quantize("o", "x", "y"), (tensor("x", U8, (4,), 0.5), Y16), "quantize takes"),
    (Quantize("o", "x", "y"), (tensor("x", F32, (4,)), tensor("y", I8, (4,))), "needs quantization"),
    (Quantize("o", "x", "y"), (tensor("x", I32, (4,), 0.5, 1), Y8), "int32 tensors have zero point 0"),
    (
        Quantize("o", "x", "y"),
        (tensor("x", I32, (4,), 0.5), tensor("y", I8, (4,), 0.125)),
        "output scale is too small",
    ),
    (Dequantize("o", "x", "y"), (tensor("x", I32, (4,), 0.5), tensor("y", F32, (4,))), "dequantize takes"),
    (Dequantize("o", "x", "y"), (tensor("x", I8, (4,)), tensor("y", F32, (4,))), "needs quantization"),
    (Cast("o", "x", "y"), (Tensor("x", (4,), DType.FLOAT16), Y8), "cast takes"),
    (Lookup("o", "x", "table", "y"), (X16, LOOKUP_TABLE, Y8), "lookup takes int8 or uint8"),
    (Lookup("o", "x", "table", "y"), (X8, tensor("table", I8, (256,)), Y8), "table must be a constant"),
]


@pytest.mark.parametrize(("op", "tensors", "rule"), BROKEN, ids=[f"{b[0].kind()}: {b[2]}" for b in BROKEN])
def test_a_broken_rule_is_reported(op: Op, tensors: tuple[Tensor, ...], rule: str) -> None:
    assert any(rule in text for text in rules(op, *tensors)), rules(op, *tensors)


@pytest.mark.parametrize(
    ("op", "tensors"),
    [
        (Relu("o", "x", "y"), (X8, Y8)),
        (Add("o", "a", "b", "y"), (A8, B8, Y8)),
        (Mul("o", "a", "b", "y"), (A8, B8, Y8)),
        (Minimum("o", "a", "b", "y"), (A8, B8, Y8)),
        (PRelu("o", "x", "alpha", "y"), (X8, ALPHA, Y8)),
        (HardSwish("o", "x", "y"), (X8, Y8)),
        (Softmax("o", "x", "y"), (X8, Tensor("y", (4,), I8, SOFTMAX_8))),
        (Quantize("o", "x", "y"), (X8, Y16)),
        (Lookup("o", "x", "table", "y"), (X8, LOOKUP_TABLE, Y8)),
    ],
    ids=lambda value: value.kind() if isinstance(value, Op) else "",
)
def test_a_sound_op_breaks_no_rule(op: Op, tensors: tuple[Tensor, ...]) -> None:
    assert rules(op, *tensors) == []
