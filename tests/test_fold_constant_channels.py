"""fold_constant_channels: what is constant, what joins a bias, and what is left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from channel_folds import SAME, WIDE, ZERO, conv, data, fold, sized, with_constant
from nets import WEIGHTS, Net, Q, texts
from patchloom.ir import Activation, DType, Quant, Window
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.logistic import Logistic
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.prelu import PRelu
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.reshape import Reshape
from patchloom.ir.ops.split import Split
from patchloom.ir.ops.transpose_conv import TransposeConv
from patchloom.passes import fold_constant_channels

# --- constants join the bias ------------------------------------------------------------------------


def test_a_channel_without_weights_joins_the_next_bias() -> None:
    net, a = with_constant(3)
    conv(net, "y", a, [[1, 2, 3], [4, 5, 6]], [100, 200])
    result = fold(net, "y")
    sized(result, a=2, y=2)
    assert data(result, "y_w") == [1, 3, 4, 6]
    assert data(result, "y_b") == [100 + 2 * 11, 200 + 5 * 11]
    assert data(result, "a_w") == [5, -3, 7, 90] and data(result, "a_b") == [0, -40]


def test_a_layer_without_a_bias_gets_one() -> None:
    net, a = with_constant(3)
    conv(net, "y", a, [[1, 2, 3]])
    result = fold(net, "y")
    assert texts(result)[1].startswith("%y = conv2d(%a, %y_w, %y_bias)")
    assert data(result, "y_bias") == [22] and result["y_bias"].dtype is DType.INT32


def test_biases_of_int16_layers_have_64_bits() -> None:
    net, a = with_constant(3, DType.INT16)
    conv(net, "y", a, [[1, 2, 3]], quant=Quant((4.0,), (0,)))
    result = fold(net, "y")
    sized(result, a=2)
    assert data(result, "y_bias") == [6] and result["y_bias"].dtype is DType.INT64


@pytest.mark.parametrize(
    ("bias", "activation", "folds"),
    [
        (-60_000, Activation.RELU, True),
        (-20_000, Activation.RELU, False),
        (60_000, Activation.RELU_N1_TO_1, True),
        (2_000_000, Activation.NONE, True),
    ],
)
def test_a_saturated_channel_is_constant(bias: int, activation: Activation, folds: bool) -> None:
    net = Net()
    x = net.input("x", (1, 4, 4, 2))
    a = conv(net, "a", x, [[90, -127], [1, 2]], [bias, 0], activation=activation)
    conv(net, "y", a, [[1, 2]])
    sized(fold(net, "y"), a=1 if folds else 2)


def test_a_saturated_channel_that_is_an_output_loses_its_weights_only() -> None:
    net = Net()
    x = net.input("x", (1, 4, 4, 2))
    conv(net, "y", x, [[90, -127], [1, 2]], [2_000_000, 0])
    result = fold(net, "y")
    sized(result, y=2)
    assert data(result, "y_w") == [0, 0, 1, 2]
    assert 0 < data(result, "y_b")[0] < 2_000_000


def test_a_function_that_is_flat_over_the_interval_is_constant() -> None:
    net = Net()
    x = net.input("x", (1, 4, 4, 2))
    a = conv(net, "a", x, [[1, 1], [127, 127]], [-2000, 0])
    r = net.add(Relu("relu", a, "r"))
    conv(net, "y", r, [[1, 2]])
    result = fold(net, "y")
    sized(result, a=1, r=1)


def test_a_function_with_its_extreme_inside_the_interval_is_not_constant() -> None:
    """Both ends of the input saturate at the same output; the zero point between them does not."""
    net = Net()
    x = net.input("x", (1, 4, 4, 2))
    slopes = net.const("slopes", np.array([-100, 50], np.int8), Quant((0.01,), (0,)))
    p = net.add(PRelu("p", x, slopes, "p"), quant=Quant((0.0625,), (0,)))
    conv(net, "y", p, [[90, 100]], quant=Q)
    result = fold(net, "y")
    assert data(result, "y_w") == [90, 100]


def test_weights_with_a_zero_point_are_set_to_it() -> None:
    net, a = with_constant(3)
    flat = net.add(Reshape("flat", a, "flat", (16, 3)))
    w = net.const("w", np.array([[1, 2, 3], [4, 5, 6]], np.int8), Quant((0.0625,), (7,)))
    net.add(FullyConnected("y", flat, w, None, "y"), quant=WIDE)
    result = fold(net, "y")
    assert data(result, "w") == [1, 3, 4, 6]
    assert data(result, "y_bias") == [(2 - 7) * 11, (5 - 7) * 11]


# --- borders ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "left"), [(3, 3), (ZERO, 2)])
def test_under_padding_only_the_zero_point_folds(value: int, left: int) -> None:
    net, a = with_constant(value)
    conv(net, "y", a, [[1, 2, 3]], window=SAME)
    sized(fold(net, "y"), a=left)


def test_without_padding_any_constant_folds() -> None:
    net, a = with_constant(3)
    conv(net, "y", a, [[1, 2, 3]], [5], window=Window((3, 3)))
    result = fold(net, "y")
    sized(result, a=2)
    assert data(result, "y_b") == [5 + 9 * 2 * 11]


def test_padding_that_only_meets_zero_weights_does_not_count() -> None:
    net, a = with_constant(3)
    weights = np.ones((1, 3, 3, 3), np.int8)
    weights[0, [0, 2], :, 1] = weights[0, :, [0, 2], 1] = 0
    conv(net, "y", a, weights, window=SAME)
    result = fold(net, "y")
    sized(result, a=2)
    assert data(result, "y_bias") == [11]


def test_padding_that_no_window_reads_does_not_count() -> None:
    net, a = with_constant(3)
    conv(net, "y", a, [[1, 2, 3]], window=Window((2, 2), (2, 2), padding=((0, 1), (0, 1))))
    sized(fold(net, "y"), a=2)


def test_a_padded_depthwise_is_constant_where_it_saturates_with_and_without_the_border() -> None:
    """Four taps of 100 * 11 at a corner, nine inside: both beyond what a ReLU6 lets through."""
    net, a = with_constant(3)
    w = net.const("d_w", np.full((1, 3, 3, 3), 100, np.int8), WEIGHTS)
    d = net.add(DepthwiseConv2D("d", a, w, None, "d", SAME, Activation.RELU6), quant=WIDE)
    conv(net, "y", d, [[1, 2, 3]])
    result = fold(net, "y")
    sized(result, a=2, d=2)


def test_a_padded_depthwise_that_differs_at_the_border_stays() -> None:
    net, a = with_constant(3)
    w = net.const("d_w", np.full((1, 3, 3, 3), 2, np.int8), WEIGHTS)
    d = net.add(DepthwiseConv2D("d", a, w, None, "d", SAME), quant=Q)
    conv(net, "y", d, [[1, 2, 3]])
    sized(fold(net, "y"), a=3, d=3)


@pytest.mark.parametrize(("value", "left"), [(3, 3), (ZERO, 2)])
def test_a_transposed_convolution_takes_the_zero_point_only(value: int, left: int) -> None:
    net, a = with_constant(value)
    w = net.weights("w", (2, 2, 2, 3), "x")
    net.add(TransposeConv("y", a, w, None, "y", Window((2, 2), (1, 1)), (5, 5)), quant=WIDE)
    sized(fold(net, "y"), a=left)


def test_a_transposed_convolution_may_see_any_part_of_its_taps() -> None:
    """Inside, the two taps of the constant cancel; at the ends only one is there."""
    net, a = with_constant(3)
    weights = np.zeros((1, 2, 1, 3), np.int8)
    weights[0, :, 0, 1] = 100, -100
    w = net.const("w", weights, WEIGHTS)
    net.add(TransposeConv("y", a, w, None, "y", Window((2, 1), (1, 1)), (5, 4)), quant=WIDE)
    result = fold(net, "y")
    assert data(result, "w") == [100, -100]


# --- what is left alone -----------------------------------------------------------------------------


def test_weights_two_layers_share_are_not_split() -> None:
    net, a = with_constant(3)
    conv(net, "y", a, [[1, 2, 3], [4, 5, 6]])
    net.add(Conv2D("z", a, "y_w", None, "z", Window((1, 1))), quant=Q)
    result = fold(net, "y", "z")
    sized(result, a=3)


def test_a_bias_two_layers_share_is_copied() -> None:
    net, a = with_constant(3)
    b = conv(net, "b", "x", [[1, 2], [3, 4]], [10, 20])
    c = conv(net, "c", a, [[1, 2, 3], [4, 5, 6]])
    net.ops[-1] = replace(net.ops[-1], bias="b_b")  # type: ignore[call-arg]
    s = net.add(Concat("s", (b, c), "s", 3))
    conv(net, "y", s, [[1, 0, 0, 2]])
    result = fold(net, "y")
    sized(result, a=2, b=1, c=1, s=2)
    biases = {op.name: data(result, op.bias) for op in result.ops if isinstance(op, Conv2D) and op.bias}
    assert biases["b"] == [10] and biases["c"] == [20 + 5 * 11]


def test_a_bias_two_layers_share_is_cut_for_each() -> None:
    net = Net()
    x = net.input("x", (1, 4, 4, 2))
    b = conv(net, "b", x, [[1, 2], [3, 4]], [10, 20])
    c = conv(net, "c", x, [[5, 6], [7, 8]])
    net.ops[-1] = replace(net.ops[-1], bias="b_b")  # type: ignore[call-arg]
    conv(net, "y", b, [[30, 0]])
    conv(net, "z", c, [[0, 40]])
    result = fold(net, "y", "z")
    biases = {op.name: data(result, op.bias) for op in result.ops if isinstance(op, Conv2D) and op.bias}
    assert biases["b"] == [10] and biases["c"] == [20]


def test_grouped_convolutions_keep_their_channels() -> None:
    net = Net()
    x = net.input("x", (1, 4, 4, 2))
    a = conv(net, "a", x, [[1, 2], [0, 0], [3, 4], [5, 6]])
    conv(net, "y", a, np.ones((2, 1, 1, 2), np.int8))
    sized(fold(net, "y"), a=4)


def test_float_graphs_are_left_alone() -> None:
    net = Net()
    x = net.input("x", (1, 4, 4, 2), DType.FLOAT32)
    a = net.add(Conv2D("a", x, net.const("w", np.zeros((3, 1, 1, 2), np.float32)), None, "a", Window((1, 1))))
    net.add(Conv2D("y", a, net.weights("v", (1, 1, 1, 3), x), None, "y", Window((1, 1))))
    graph = net.graph("y")
    assert fold_constant_channels(graph) is graph


# --- values that are constant altogether ------------------------------------------------------------


def saturated_gate() -> Net:
    """x times a gate [1,1,1,2] that is always open."""
    net = Net()
    x = net.input("x", (1, 4, 4, 2))
    m = net.add(Mean("m", x, "m", (1, 2), True))
    f = conv(net, "f", m, [[90, 1], [80, 2]], [10**6, 10**6])
    g = net.add(Logistic("g", f, "g"), quant=Quant((2.0**-8,), (-128,)))
    net.add(Mul("y", x, g, "y"), quant=Q)
    return net


def test_a_saturated_gate_becomes_a_constant() -> None:
    result = fold(saturated_gate(), "y")
    assert texts(result) == ["%y = mul(%x, %g) activation=none"]
    assert data(result, "g") == [127, 127]


def test_a_constant_value_larger_than_its_weights_stays_computed() -> None:
    net = Net()
    x = net.input("x", (1, 9, 9, 2))
    a = conv(net, "a", x, [[0, 0], [0, 0]], [256, 512])
    net.add(Add("y", x, a, "y"), quant=WIDE)
    assert [op.name for op in fold(net, "y").ops] == ["a", "y"]


def test_a_constant_part_of_a_value_stays_computed() -> None:
    net, a = with_constant(3)
    net.add(Split("split", a, ("p", "q", "r"), 3, (1, 1, 1)))
    net.add(Mul("y", "p", "q", "y"), quant=WIDE)
    conv(net, "z", "r", [[50]])
    result = fold(net, "y", "z")
    sized(result, a=3, p=1, q=1, r=1)


def test_a_constant_value_seen_from_outside_stays_computed() -> None:
    result = fold(saturated_gate(), "y", "g")
    assert [op.name for op in result.ops] == ["m", "f", "g", "y"]
