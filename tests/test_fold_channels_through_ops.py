"""fold_constant_channels: channels that ops between weighted layers move, and channels nobody needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from channel_folds import SAME, WIDE, ZERO, assert_folds, conv, data, fold, sized, with_constant
from nets import WEIGHTS, Net, texts
from patchloom.ir import DType, Graph, Quant, Window, verify
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.leaky_relu import LeakyRelu
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.pad import Pad
from patchloom.ir.ops.quantize import Quantize
from patchloom.ir.ops.read_state import ReadState
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.reshape import Reshape
from patchloom.ir.ops.resize_nearest import ResizeNearest
from patchloom.ir.ops.slice import Slice
from patchloom.ir.ops.softmax import Softmax
from patchloom.ir.ops.split import Split
from patchloom.ir.ops.transpose import Transpose
from patchloom.ir.ops.write_state import WriteState
from patchloom.ir.types import State
from patchloom.passes import fold_constant_channels

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
