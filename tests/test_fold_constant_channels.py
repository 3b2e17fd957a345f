"""fold_constant_channels: Before/After of each rule, and equality of results on random graphs and models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from channel_nets import channel_net
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from nets import WEIGHTS, Net, Q, samples, texts
from patchloom.errors import UnsupportedModel
from patchloom.frontend import load
from patchloom.ir import Activation, DType, Graph, Quant, Window, check_rules, evaluate, verify
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.leaky_relu import LeakyRelu
from patchloom.ir.ops.logistic import Logistic
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.pad import Pad
from patchloom.ir.ops.prelu import PRelu
from patchloom.ir.ops.quantize import Quantize
from patchloom.ir.ops.read_state import ReadState
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.reshape import Reshape
from patchloom.ir.ops.resize_nearest import ResizeNearest
from patchloom.ir.ops.slice import Slice
from patchloom.ir.ops.softmax import Softmax
from patchloom.ir.ops.split import Split
from patchloom.ir.ops.transpose import Transpose
from patchloom.ir.ops.transpose_conv import TransposeConv
from patchloom.ir.ops.write_state import WriteState
from patchloom.ir.types import State
from patchloom.ir.weighted import WeightedOp, centred_weights
from patchloom.passes import canonicalize, fold_constant_channels
from strategies import HypothesisDraw

WIDE = Quant((4.0,), (-8,))
"""Output quantization in which the test's accumulators do not saturate."""

ONE, SAME = Window((1, 1)), Window((3, 3), padding=((1, 1), (1, 1)))
ZERO = -8
"""Zero point of every activation here."""


def costs(graph: Graph) -> tuple[int, int, int]:
    """MACs, bytes of weights, elements of activations."""
    weights = {op.weights for op in graph.ops if isinstance(op, WeightedOp)}
    activations = sum(t.elements for t in graph.tensors.values() if not t.constant)
    return graph.macs, sum(graph[w].size_bytes for w in weights), activations


def accumulators(graph: Graph) -> dict[str, float]:
    """Largest |accumulator| of each integer weighted op, over channels that have weights, for any input."""
    found = {}
    for op in graph.ops:
        if isinstance(op, WeightedOp):
            x, sums = graph[op.x], op.weight_sums(graph.tensors)
            bias = np.abs(np.array(data(graph, op.bias))) if op.bias else 0
            bounds = sums * max(x.zero_point + 128, 127 - x.zero_point) + bias
            found[op.name] = float(np.where(sums > 0, bounds, 0).max())
    return found


def assert_folds(before: Graph, after: Graph) -> None:
    """Valid, same interface, bit-identical outputs and states, nothing bigger, nothing left to do."""
    check_rules(verify(after))
    assert (after.inputs, after.outputs, after.states) == (before.inputs, before.outputs, before.states)
    assert all(a <= b for a, b in zip(costs(after), costs(before), strict=True))
    for name in (*before.inputs, *before.outputs):
        assert after[name].shape == before[name].shape and after[name].quant == before[name].quant
    if all(t.dtype is not DType.INT16 for t in before.tensors.values()):
        limits = accumulators(before)
        assert all(bound <= limits[name] for name, bound in accumulators(after).items())
    states: tuple[dict[str, np.ndarray], ...] = tuple(
        {s.name: s.initial.copy() for s in before.states} for _ in range(2)
    )
    for sample in samples(before, 3):
        want, got = (evaluate(g, sample, s) for g, s in zip((before, after), states, strict=True))
        for name in before.outputs:
            np.testing.assert_array_equal(got[name], want[name], err_msg=name)
        for name in states[0]:
            np.testing.assert_array_equal(states[1][name], states[0][name], err_msg=name)
    assert fold_constant_channels(after) is after


def fold(net: Net, *outputs: str) -> Graph:
    graph = net.graph(*outputs)
    check_rules(graph)
    result = fold_constant_channels(graph)
    assert_folds(graph, result)
    return result


def data(graph: Graph, name: str) -> list[int]:
    """All elements of a constant."""
    found = graph[name].data
    assert found is not None
    return found.ravel().tolist()


def sized(graph: Graph, **sizes: int) -> None:
    """Each value has that many channels."""
    assert {n: graph[n].shape[-1] for n in sizes} == sizes


def conv(
    net: Net,
    y: str,
    x: str,
    weights: object,
    bias: object = None,
    window: Window = ONE,
    activation: Activation = Activation.NONE,
    quant: Quant = WIDE,
) -> str:
    """A convolution with weights [OC,IC] at every tap, or [OC,KH,KW,IC]."""
    w = np.array(weights, np.int8)
    if w.ndim == 2:
        w = np.broadcast_to(w[:, None, None, :], (w.shape[0], *window.kernel, w.shape[1])).copy()
    name = net.const(f"{y}_w", w, WEIGHTS)
    wide = np.int64 if net.tensors[x].dtype is DType.INT16 else np.int32
    b = None if bias is None else net.const(f"{y}_b", np.array(bias, wide), Quant((0.015625,), (0,)))
    return net.add(Conv2D(y, x, name, b, y, window, activation), quant=quant)


def with_constant(value: int = 3, dtype: DType = DType.INT8) -> tuple[Net, str]:
    """A value [1,4,4,3] whose channel 1 is `value` for any input."""
    net = Net()
    quant = Quant((0.25,), (0,)) if dtype is DType.INT16 else Q
    out = Quant((4.0,), (0,)) if dtype is DType.INT16 else WIDE
    x = net.input("x", (1, 4, 4, 2), dtype, quant)
    steps = 256 * (value - out.z)
    return net, conv(net, "a", x, [[5, -3], [0, 0], [7, 90]], [0, steps, -40], quant=out)


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


# --- channels go through other ops ------------------------------------------------------------------


def test_depthwise_layers_shrink_with_their_scales_and_multiplier() -> None:
    net, a = with_constant(ZERO)
    scales = Quant(tuple(0.01 * (i + 1) for i in range(6)), (0,) * 6, 3)
    weights = np.arange(54, dtype=np.int8).reshape(1, 3, 3, 6)
    w = net.const("d_w", weights, scales)
    d = net.add(DepthwiseConv2D("d", a, w, None, "d", SAME), quant=WIDE)
    conv(net, "y", d, [[1, 2, 3, 4, 5, 6]])
    result = fold(net, "y")
    sized(result, a=2, d=4, d_w=4, y_w=4)
    assert data(result, "d_w") == weights[..., [0, 1, 4, 5]].ravel().tolist()
    quant = result["d_w"].quant
    assert quant and [round(s, 2) for s in quant.scale] == [0.01, 0.02, 0.05, 0.06]


def test_ops_that_keep_channels_apart_shrink() -> None:
    net, a = with_constant(3)
    b = net.add(AveragePool2D("b", a, "b", Window((2, 2), (1, 1), padding=((0, 1), (0, 1)))))
    c = net.add(MaxPool2D("c", b, "c", Window((2, 2), (2, 2))))
    d = net.add(ResizeNearest("d", c, "d", (4, 4), False, False))
    e = net.add(Quantize("e", d, "e"), quant=Quant((2.0,), (5,)))
    f = net.add(LeakyRelu("f", e, "f", -0.5))
    g = net.add(Transpose("g", f, "g", (0, 2, 1, 3)))
    h = net.add(Mean("h", g, "h", (1, 2), False))
    w = net.const("w", np.array([[1, 2, 3]], np.int8), WEIGHTS)
    net.add(FullyConnected("y", h, w, None, "y"), quant=WIDE)
    sized(fold(net, "y"), a=2, b=2, c=2, d=2, e=2, f=2, g=2, h=2, w=2)


def test_flattened_channels_leave_the_columns_they_went_to() -> None:
    net, a = with_constant(3)
    flat = net.add(Reshape("flat", a, "flat", (1, 48)))
    weights = np.arange(-48, 48).reshape(2, 48)
    w = net.const("w", weights.astype(np.int8), WEIGHTS)
    net.add(FullyConnected("y", flat, w, None, "y"), quant=WIDE)
    result = fold(net, "y")
    sized(result, a=2, flat=32)
    assert data(result, "w") == np.delete(weights, np.arange(1, 48, 3), axis=1).ravel().tolist()
    assert data(result, "y_bias") == (11 * weights[:, 1::3].sum(axis=1)).tolist()


def test_a_fully_connected_layer_that_flattens_itself_does_too() -> None:
    net, a = with_constant(3)
    w = net.weights("w", (2, 48), "x")
    net.add(FullyConnected("y", a, w, None, "y"), quant=WIDE)
    sized(fold(net, "y"), a=2, w=32)


def test_rows_that_mix_channels_keep_them() -> None:
    net, a = with_constant(3)
    rows = net.add(Reshape("rows", a, "rows", (6, 8)))
    w = net.weights("w", (2, 8), "x")
    net.add(FullyConnected("y", rows, w, None, "y"), quant=WIDE)
    sized(fold(net, "y"), a=3, rows=8)


def test_a_sum_of_two_constants_goes_and_a_sum_with_one_stays() -> None:
    for other, left in (([[3, 4], [0, 0], [5, 6]], 2), ([[3, 4], [30, 0], [5, 6]], 3)):
        net, a = with_constant(3)
        b = conv(net, "b", "x", other)
        s = net.add(Add("s", a, b, "s"), quant=Quant((8.0,), (-8,)))
        conv(net, "y", s, [[1, 2, 3]])
        sized(fold(net, "y"), a=left, b=left, s=left)


def test_a_constant_operand_shrinks_too() -> None:
    net, a = with_constant(3)
    c = net.const("c", np.arange(48, dtype=np.int8).reshape(1, 4, 4, 3) % 3, WIDE)
    s = net.add(Add("s", a, c, "s"), quant=Quant((8.0,), (-8,)))
    conv(net, "y", s, [[1, 2, 3]])
    result = fold(net, "y")
    sized(result, a=2, c=2, s=2)
    assert set(data(result, "c")) == {0, 2}


def test_a_product_with_zero_is_constant_on_both_sides() -> None:
    net, a = with_constant(ZERO)
    b = conv(net, "b", "x", [[3, 4], [7, 8], [5, 6]])
    p = net.add(Mul("p", a, b, "p"), quant=Quant((64.0,), (1,)))
    conv(net, "y", p, [[1, 2, 3]])
    sized(fold(net, "y"), a=2, b=2, p=2)


def test_concat_split_slice_and_pad_move_channels() -> None:
    net, a = with_constant(3)
    b = net.add(Concat("b", (a, a), "b", -1))
    p = net.add(Pad("p", b, "p", ((0, 0), (0, 0), (0, 0), (2, 1)), 5))
    c = net.add(Slice("c", p, "c", (0, 0, 0, 1), (1, 4, 4, 6), (1, 1, 1, 1)))
    net.add(Split("split", c, ("d", "e"), 3, (2, 4)))
    f = conv(net, "f", "d", [[3, 4]])
    g = conv(net, "g", "e", [[1, 2, 3, 4]])
    result = fold(net, f, g)
    # p is [5, 5, a0, 3, a2, a0, 3, a2, 5] and c starts behind its first channel: [5, a0 | 3, a2, a0, 3]
    sized(result, a=2, b=4, c=3, d=1, e=2)
    assert texts(result)[1:4] == [
        "%b = concat(%a, %a) axis=-1",
        "%c = slice(%b) begin=(0, 0, 0, 0) size=(1, 4, 4, 3) stride=(1, 1, 1, 1)",
        "%d, %e = split(%c) axis=3 sizes=(1, 2)",
    ]


def test_a_part_nobody_needs_leaves_the_concat() -> None:
    net, a = with_constant(3)
    b = conv(net, "b", "x", [[0, 0], [0, 0]], [256, 512])
    c = net.add(Concat("c", (b, a), "c", 3))
    conv(net, "y", c, [[1, 2, 3, 4, 5]])
    result = fold(net, "y")
    assert [op.name for op in result.ops] == ["a", "y"]
    sized(result, a=2)


def test_strided_slices_of_channels_keep_them() -> None:
    net, a = with_constant(3)
    b = net.add(Slice("b", a, "b", (0, 0, 0, 0), (1, 4, 4, 2), (1, 1, 1, 2)))
    conv(net, "y", b, [[1, 2]])
    sized(fold(net, "y"), a=3, b=2)


# --- dead channels ----------------------------------------------------------------------------------


def test_channels_that_only_meet_zero_weights_go_all_the_way_up() -> None:
    net = Net()
    x = net.input("x", (1, 4, 4, 2))
    a = conv(net, "a", x, [[1, 2], [3, 4], [5, 6]])
    b = net.add(Relu("b", a, "b"))
    c = conv(net, "c", b, [[10, 20, 30], [40, 0, 60]])
    conv(net, "y", c, [[0, 10], [0, 20]])
    result = fold(net, "y")
    sized(result, a=2, b=2, c=1)
    assert data(result, "a_w") == [1, 2, 5, 6] and data(result, "c_w") == [40, 60]


def test_a_channel_one_of_two_readers_needs_stays() -> None:
    net, a = with_constant(3)
    conv(net, "y", a, [[1, 0, 3]])
    conv(net, "z", a, [[0, 2, 5]], window=SAME)
    sized(fold(net, "y", "z"), a=3)
    sized(fold(net, "y"), a=2)


def test_a_layer_of_constants_keeps_one_channel() -> None:
    net = Net()
    x = net.input("x", (1, 4, 4, 2))
    a = conv(net, "a", x, [[0, 0]] * 3, [256, 512, 768])
    conv(net, "y", a, [[1, 2, 3]])
    result = fold(net, "y")
    sized(result, a=1)
    assert data(result, "y_w") == [0] and data(result, "y_bias") == [1 + 4 + 9]


def test_values_seen_from_outside_keep_their_channels() -> None:
    net, a = with_constant(3)
    r = net.add(Relu("r", a, "r"))
    conv(net, "y", r, [[1, 2, 3]])
    sized(fold(net, "y", "a"), a=3, r=3)
    sized(fold(net, "y", "r"), a=3, r=3)


def test_values_in_states_keep_their_channels() -> None:
    net, a = with_constant(3)
    conv(net, "y", a, [[1, 2, 3]])
    graph = net.graph("y")
    state = State("s", (1, 4, 4, 3), DType.INT8, WIDE, np.zeros((1, 4, 4, 3), np.int8))
    old = replace(graph["a"], name="old")
    net.tensors["old"] = old
    total = Add("sum", "a", "old", "z")
    net.ops = [ReadState("read", "s", "old"), *net.ops, total, WriteState("write", "s", "a")]
    net.tensors["z"] = replace(graph["a"], name="z", quant=Quant((8.0,), (-8,)))
    before = verify(Graph("net", net.tensors, tuple(net.ops), ("x",), ("y", "z"), (state,)))
    after = fold_constant_channels(before)
    assert_folds(before, after)
    sized(after, a=3, old=3)
    assert data(after, "y_w") == [1, 0, 3]


def test_a_softmax_needs_every_channel() -> None:
    net, a = with_constant(3)
    net.add(Softmax("y", a, "y"), quant=Quant((2.0**-8,), (-128,)))
    sized(fold(net, "y"), a=3)


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


# --- random graphs and whole models -----------------------------------------------------------------


@pytest.mark.parametrize("dtype", [DType.INT8, DType.INT16], ids=lambda d: d.value)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(random=st.data())
def test_results_stay_equal_on_random_graphs(dtype: DType, random: st.DataObject) -> None:
    graph = channel_net(HypothesisDraw(random.draw), dtype)
    if random.draw(st.booleans()):
        graph = canonicalize(graph)
    try:
        check_rules(graph)
    except UnsupportedModel:
        assume(False)
    assert_folds(graph, fold_constant_channels(graph))


FIGURES = {
    "vww_96_int8": (7_489_664, 3_727_313, 208_112, 29_066),
    "mcunet_vww": (11_578_816, 10_931_325, 420_520, 394_626),
    "chain_mcunet_vww5_r80": (11_578_496, 11_540_135, 420_200, 419_201),
    "chain_mbv2_w035_r144": (18_909_490, 18_881_623, 280_140, 279_638),
    "chain_mcunet_320k_r176": (81_625_520, 81_600_739, 561_032, 560_758),
    "mcunet_in3_r176": (81_785_520, 81_785_520, 721_032, 721_032),
    "mbv2_w035_r144": (23_499_152, 23_499_152, 736_864, 736_864),
    "mbv2_w100_r224": (300_774_272, 300_774_272, 3_469_760, 3_469_760),
    "hello_world_int8": (288, 220, 288, 220),
    "kws_ref_model": (2_656_768, 2_656_768, 22_016, 22_016),
    "pretrainedResnet_quant": (12_501_632, 12_501_632, 77_360, 77_360),
    "ad01_int8": (264_192, 264_192, 264_192, 264_192),
    "str_ww_ref_model": (826_368, 826_368, 46_040, 46_040),
    "micro_speech_quantized": (336_000, 336_000, 16_640, 16_640),
}
"""MACs before and after, bytes of weights before and after: the table of docs/constant_channels.md."""


@pytest.mark.parametrize("model", FIGURES)
def test_models_shrink_by_the_documented_figures_and_stay_bit_exact(model: str, shared_models: Path) -> None:
    before = canonicalize(load(shared_models / f"{model}.tflite"))
    after = fold_constant_channels(before)
    (old_macs, old_weights, _), (macs, weights, _) = costs(before), costs(after)
    assert (old_macs, macs, old_weights, weights) == FIGURES[model]
    check_rules(verify(after))
    if after is before:
        return
    (sample,) = samples(before, 1)
    want, got = evaluate(before, sample), evaluate(after, sample)
    assert all(np.array_equal(got[y], want[y]) for y in before.outputs)


@pytest.mark.parametrize("model", [m for m in FIGURES if m != "hello_world_int8"])
def test_too_few_blocks_of_zeros_and_no_equal_channels_are_left(model: str, shared_models: Path) -> None:
    """Why no kernel skips zeros and no channels are merged: docs/constant_channels.md."""
    after = fold_constant_channels(canonicalize(load(shared_models / f"{model}.tflite")))
    blocks = zeros = 0
    for op in after.ops:
        if not isinstance(op, WeightedOp):
            continue
        rows = np.moveaxis(centred_weights(after[op.weights]), op.CHANNEL_AXIS, 0)
        rows = rows.reshape(rows.shape[0], -1)
        bias = np.array(data(after, op.bias)) if op.bias else np.zeros(len(rows))
        source = np.arange(len(rows)) * (after[op.x].shape[-1] if isinstance(op, DepthwiseConv2D) else 0)
        keys = np.column_stack([rows, bias, op.real_scales(after.tensors), source // len(rows)])
        assert len(np.unique(keys, axis=0)) == len(rows), f"{op.name} has equal channels"
        if not isinstance(op, DepthwiseConv2D):
            pairs = rows[: len(rows) // 2 * 2].reshape(-1, 2, rows.shape[1])
            blocks, zeros = blocks + pairs[:, 0].size, zeros + int((~pairs.any(axis=1)).sum())
    assert zeros <= (0.021 if model == "ad01_int8" else 0.0044) * blocks
