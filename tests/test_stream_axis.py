"""Streamed networks: given new frames only, they equal the network over the window, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emulation_support import need_host
from library_support import QUANTS, conv_net, fully_connected, state_net
from nets import Net, texts
from patchloom.errors import UserError
from patchloom.frontend import load
from patchloom.ir import Activation, DType, Graph, Op, Quant, Window, check_rules, evaluate, initial_state
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.pad import Pad
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.reshape import Reshape
from patchloom.ir.ops.resize_nearest import ResizeNearest
from patchloom.ir.ops.slice import Slice
from patchloom.ir.ops.softmax import Softmax
from patchloom.ir.ops.split import Split
from patchloom.ir.ops.transpose import Transpose
from patchloom.passes import run_passes
from patchloom.passes.streaming import Streamed, axis_of, convert, stream, windows
from patchloom.passes.streaming.frames import Taps, TimeAxis, Track, count, union, within, without
from stream_nets import (
    Style,
    both_in_the_interpreter,
    causal_net,
    conv,
    depthwise,
    frames_of,
    outputs_in_c,
    random_stream_net,
)

VALID, SAME, MIXED = Style(("valid",)), Style(("same",)), Style()


def check_equal(graph: Graph, streamed: Streamed, more: int = 3) -> int:
    """Assert equality from the reset until the window has passed and `more` calls; how many outputs differed
    from call to call (0: the comparison shows nothing)."""
    report = streamed.report
    calls = frames_of(streamed.graph, -(-report.frames // report.hop) + more, RandomDraw(7))
    pairs = both_in_the_interpreter(graph, streamed.graph, report, calls)
    for call, (expected, found) in enumerate(pairs):
        for y in graph.outputs:
            if graph[y].dtype is DType.FLOAT32:
                # the reference multiplies matrices of other sizes, whose sums may be in another order
                np.testing.assert_allclose(found[y], expected[y], rtol=1e-6, atol=1e-6, err_msg=f"{y} {call}")
            else:
                assert np.array_equal(found[y], expected[y]), f"{y} in call {call}"
    return len({b"".join(found[y].tobytes() for y in graph.outputs) for _, found in pairs}) - 1


def check_report(graph: Graph, streamed: Streamed) -> None:
    """The report's figures are those of the graphs."""
    report = streamed.report
    assert (report.macs_window, report.macs_call) == (graph.macs, streamed.graph.macs)
    assert report.macs_call == sum(o.macs_call for o in report.ops) < report.macs_window
    assert report.state_bytes == sum(s.size_bytes for s in streamed.graph.states)
    assert report.state_bytes == sum(k.state_bytes for k in report.kept)


@pytest.mark.parametrize(
    "style", [VALID, SAME, MIXED, replace(MIXED, axis=2)], ids=["valid", "same", "mixed", "wide"]
)
@pytest.mark.parametrize("dtype", [DType.INT8, DType.INT16, DType.FLOAT32], ids=lambda t: t.value)
def test_random_networks_equal_the_window_after_every_call(style: Style, dtype: DType) -> None:
    streamed_nets, changes = 0, 0
    for seed in range(3):
        draw = RandomDraw(100 * seed + 2)
        graph = random_stream_net(draw, dtype, style)
        check_rules(graph)
        try:
            streamed = convert(graph, style.axis, draw.choice([1, 1, 2, 3]))
        except UserError as e:
            assert "saves nothing" in e.message
            continue
        changes += check_equal(graph, streamed)
        check_report(graph, streamed)
        streamed_nets += 1
    assert streamed_nets >= 2 and changes > 10 * streamed_nets


@pytest.mark.parametrize("dtype", [DType.INT8, DType.FLOAT32], ids=lambda t: t.value)
@pytest.mark.parametrize("style", [VALID, MIXED], ids=["valid", "mixed"])
def test_compiled_networks_equal_the_compiled_window_bit_for_bit(
    dtype: DType, style: Style, tmp_path: Path
) -> None:
    """Floats too: the C adds up every sum in one order, however many rows it computes."""
    need_host()
    draw = RandomDraw(11)
    graph = run_passes(random_stream_net(draw, dtype, style, steps=8))
    streamed = convert(graph, 1, 2)
    calls = frames_of(streamed.graph, streamed.report.frames // 2 + 4, draw)
    expected = outputs_in_c(graph, list(windows(graph, streamed.report, calls)), tmp_path / "window")
    found = outputs_in_c(streamed.graph, calls, tmp_path / "streamed")
    for a, b in zip(expected, found, strict=True):
        assert all(np.array_equal(a[y], b[y]) for y in graph.outputs)
    assert len({b[graph.outputs[0]].tobytes() for b in found}) > 2


def chain(*windows: Window, dtype: DType = DType.INT8, frames: int = 12) -> Graph:
    """Convolutions of 2 channels over [1,frames,1,2], and a class from the mean over time."""
    net = Net()
    x = net.input("x", (1, frames, 1, 2), dtype, QUANTS[dtype])
    for i, window in enumerate(windows):
        x = conv(net, f"c{i}", x, 2, window, Activation.NONE)
    return net.graph(fully_connected(net, "y", net.add(Mean("mean", x, "mean", (1, 2), False)), 3))


def test_a_chain_without_padding_computes_one_row_per_frame() -> None:
    graph = chain(Window((3, 1)), Window((2, 1), dilation=(2, 1)))
    assert texts(stream(graph)) == [
        "%x/kept = read_state() state=x/state",
        "%x/moved = slice(%x/kept) begin=(0, 1, 0, 0) size=(1, 2, 1, 2) stride=(1, 1, 1, 1)",
        "%x/rows_9_12 = concat(%x/moved, %x) axis=1",
        "write_state(%x/rows_9_12) state=x/state",
        "%c0/rows_9_10 = conv2d(%x/rows_9_12, %c0/w, %c0/b) "
        "window=kernel=3x1 stride=1x1 dilation=1x1 pad=0,0,0,0 activation=none",
        "%c0/kept = read_state() state=c0/state",
        "%c0/moved = slice(%c0/kept) begin=(0, 1, 0, 0) size=(1, 2, 1, 2) stride=(1, 1, 1, 1)",
        "%c0/rows_7_10 = concat(%c0/moved, %c0/rows_9_10) axis=1",
        "write_state(%c0/rows_7_10) state=c0/state",
        "%c1/rows_7_8 = conv2d(%c0/rows_7_10, %c1/w, %c1/b) "
        "window=kernel=2x1 stride=1x1 dilation=2x1 pad=0,0,0,0 activation=none",
        "%c1/kept = read_state() state=c1/state",
        "%c1/moved = slice(%c1/kept) begin=(0, 1, 0, 0) size=(1, 7, 1, 2) stride=(1, 1, 1, 1)",
        "%c1 = concat(%c1/moved, %c1/rows_7_8) axis=1",
        "write_state(%c1) state=c1/state",
        "%mean = mean(%c1) axes=(1, 2) keep_dims=False",
        "%y = fully_connected(%mean, %y/w, %y/b) keep_dims=False activation=none",
    ]


def test_rows_beside_padding_are_computed_again_and_no_others() -> None:
    same = Window((3, 1), padding=((1, 1), (0, 0)))
    streamed = convert(chain(same, same))
    # behind one padded layer a row at each end sees padding, behind two two; one row is new
    assert [o.rows for o in streamed.report.ops[:2]] == [3, 5]
    check_equal(chain(same, same), streamed)


def test_strides_that_do_not_divide_the_hop_take_turns() -> None:
    graph = chain(Window((3, 1), (2, 1)), Window((2, 1)), frames=13)
    each, pairs, thirds = convert(graph), convert(graph, hop=2), convert(graph, hop=3)
    assert [k.phases for k in each.report.kept] == [1, 2, 2]
    assert [k.phases for k in pairs.report.kept] == [1, 1, 1]
    assert [o.rows for o in each.report.ops] == [o.rows for o in pairs.report.ops] == [1, 1, 1]
    assert [o.rows for o in thirds.report.ops] == [3, 3, 1]
    for streamed in (each, pairs, thirds):
        assert check_equal(graph, streamed, more=6)


def test_strides_over_odd_padding_stay_exact() -> None:
    odd = Window((4, 1), (2, 1), padding=((1, 2), (0, 0)))
    graph = chain(odd, Window((3, 1), padding=((1, 1), (0, 0))), frames=25)
    streamed = convert(graph, hop=2)
    assert [o.rows for o in streamed.report.ops[:2]] == [3, 5]
    assert check_equal(graph, streamed) > 5


def test_frames_before_the_reset_are_zero() -> None:
    graph = chain(Window((3, 1), padding=((2, 0), (0, 0))), Window((4, 1)))
    streamed = convert(graph)
    call = {"x": np.array([[[[100, -100]]]], np.int8)}
    window = np.full((1, 12, 1, 2), graph["x"].zero_point, np.int8)
    window[0, -1] = call["x"][0, 0]
    state = initial_state(streamed.graph)
    assert np.array_equal(evaluate(streamed.graph, call, state)["y"], evaluate(graph, {"x": window})["y"])


def test_nothing_of_an_older_state_is_left_when_the_window_has_passed() -> None:
    """And before that it is not as if nothing was kept: the state matters until then."""
    graph = causal_net(frames=16, bands=4, channels=4, blocks=1)
    streamed = convert(graph).graph
    rng = np.random.default_rng(0)
    other = {s.name: rng.integers(-128, 128, s.shape).astype(np.int8) for s in streamed.states}
    state = initial_state(streamed)
    same = []
    for call in frames_of(streamed, 18, RandomDraw(3)):
        (y,) = graph.outputs
        same.append(np.array_equal(evaluate(streamed, call, state)[y], evaluate(streamed, call, other)[y]))
    assert all(same[15:]) and not all(same[:15])


def test_a_state_within_a_limit_costs_computation_and_stays_exact() -> None:
    same = Window((3, 1), padding=((1, 1), (0, 0)))
    graph = chain(same, same, same, frames=30)
    full = convert(graph)
    less = convert(graph, max_state_bytes=full.report.state_bytes * 2 // 3)
    assert less.report.state_bytes <= full.report.state_bytes * 2 // 3
    assert full.report.macs_call < less.report.macs_call < graph.macs
    check_equal(graph, less)
    check_report(graph, less)
    with pytest.raises(UserError, match="no streamed network with 20 bytes of state"):
        convert(graph, max_state_bytes=20)


def _gate(net: Net, x: str) -> str:
    pooled = net.add(Mean("pooled", x, "pooled", (1, 2), True))
    return net.add(Mul("bad", x, pooled, "bad"), quant=Quant((0.5,), (0,)))


def _position(net: Net, x: str) -> str:
    table = net.const("table", np.ones(net.tensors[x].shape, np.int8), QUANTS[DType.INT8])
    return net.add(Add("bad", x, table, "bad"))


def _halves(net: Net, x: str) -> str:
    rows = net.tensors[x].shape[1]
    net.add(Split("bad", x, ("bad", "rest"), 1, (rows // 2, rows - rows // 2)))
    return "bad"


def _flat(net: Net, x: str) -> str:
    return fully_connected(net, "bad", net.add(Reshape("flat", x, "flat", (1, net.tensors[x].elements))), 4)


def _over_time(net: Net, x: str) -> str:
    turned = net.add(Transpose("turned", x, "turned", (0, 2, 3, 1)))
    return net.add(Softmax("bad", turned, "bad", 1.0), quant=Quant((1 / 256,), (-128,)))


def _op(make: Callable[[str, tuple[int, ...]], Op]) -> Callable[[Net, str], str]:
    return lambda net, x: net.add(make(x, net.tensors[x].shape))


STOPS: dict[str, tuple[Callable[[Net, str], str], str]] = {
    "gate": (_gate, "changes as a whole"),
    "position": (_position, "differs from frame to frame"),
    "split": (_halves, "splits the frames"),
    "flatten": (_flat, "weighs every frame differently"),
    "softmax": (_over_time, "compares all frames"),
    "mean": (_op(lambda x, s: Mean("bad", x, "bad", (1,), True)), "one value of all frames"),
    "concat": (_op(lambda x, s: Concat("bad", (x, x), "bad", 1)), "behind one another"),
    "repeat": (
        _op(lambda x, s: ResizeNearest("bad", x, "bad", (2 * s[1], s[2]), False, False)),
        "repeats or drops",
    ),
    "backwards": (
        _op(lambda x, s: Slice("bad", x, "bad", (0, s[1] - 1, 0, 0), s, (1, -1, 1, 1))),
        "whole frames in their order",
    ),
    "reshape": (
        _op(lambda x, s: Reshape("bad", x, "bad", (1, 3, s[1] * s[2] * s[3] // 3, 1))),
        "no dimension of frames",
    ),
}


@pytest.mark.parametrize("name", STOPS)
def test_ops_that_need_all_rows_are_named_with_the_reason_and_computed_whole(name: str) -> None:
    make, reason = STOPS[name]
    net = Net()
    x = net.input("x", (1, 16, 2, 3), DType.INT8, QUANTS[DType.INT8])
    x = conv(net, "conv", x, 3, Window((5, 1)), Activation.NONE)
    graph = net.graph(make(net, x))
    streamed = convert(graph)
    assert [reason in text for label, text in streamed.report.stops if '"bad"' in label] == [True]
    assert check_equal(graph, streamed) > 0
    assert "needs all rows" in streamed.report.text()


def _columns(net: Net, x: str) -> str:
    t = net.tensors[x]
    narrow = net.add(Mean("narrow", x, "narrow", (2,), False))
    w = net.weights("w", (5, t.shape[3]), x)
    return net.add(FullyConnected("fc", narrow, w, None, "fc", True, Activation.NONE))


def _rows_of_classes(net: Net, x: str) -> str:
    w = net.weights("w", (5, net.tensors[x].shape[3]), x)
    y = net.add(FullyConnected("fc", x, w, None, "fc", False, Activation.NONE))
    return net.add(Softmax("soft", y, "soft", 1.0), quant=Quant((1 / 256,), (-128,)))


def _wider(net: Net, x: str) -> str:
    s = net.tensors[x].shape
    wide = net.add(ResizeNearest("wide", x, "wide", (s[1], 2 * s[2]), False, False))
    return net.add(Pad("pad", wide, "pad", ((0, 0), (3, 2), (1, 0), (0, 0)), 9))


def _flat_and_back(net: Net, x: str) -> str:
    s = net.tensors[x].shape
    flat = net.add(Reshape("flat", x, "flat", (1, net.tensors[x].elements)))
    flat = net.add(Relu("relu", flat, "relu", Activation.RELU))
    back = net.add(Reshape("back", flat, "back", (1, s[1], 1, s[2] * s[3])))
    return net.add(Slice("some", back, "some", (0, 2, 0, 1), (1, s[1] // 3, 1, 2), (1, 2, 1, 2)))


@pytest.mark.parametrize("make", [_columns, _rows_of_classes, _wider, _flat_and_back])
def test_ops_behind_a_convolution_go_on_row_by_row(make: Callable[[Net, str], str]) -> None:
    net = Net()
    x = net.input("x", (1, 16, 2, 3), DType.INT8, QUANTS[DType.INT8])
    x = conv(net, "conv", x, 3, Window((4, 1)), Activation.NONE)
    graph = net.graph(make(net, x))
    streamed = convert(graph)
    assert streamed.report.stops == () and all(o.whole is None for o in streamed.report.ops)
    assert check_equal(graph, streamed) > 0
    check_report(graph, streamed)


def test_what_cannot_be_streamed_is_refused_with_the_reason() -> None:
    net = Net()
    x = net.input("x", (1, 8, 1, 2), DType.INT8, QUANTS[DType.INT8])
    flat = net.graph(_flat(net, x))
    with pytest.raises(UserError, match="saves nothing") as refused:
        convert(flat)
    assert "weighs every frame differently" in refused.value.hint and refused.value.exit_code == 1
    with pytest.raises(UserError, match="cannot be streamed") as refused:
        convert(state_net())
    assert "ring" in refused.value.found
    for hop in (0, 12, -1):
        with pytest.raises(UserError, match="new frames per call") as refused:
            convert(chain(Window((3, 1))), hop=hop)
        assert refused.value.accepted == "1 to 11"
    for axis in (0, 2, 4):
        with pytest.raises(UserError, match="no axis") as refused:
            convert(chain(Window((3, 1))), axis)
        assert refused.value.accepted == "1, 3"
    two = Net()
    a, b = (two.input(n, (1, 8, 1, 2), DType.INT8, QUANTS[DType.INT8]) for n in "ab")
    with pytest.raises(UserError, match="cannot be streamed") as refused:
        convert(two.graph(two.add(Add("y", a, b, "y"))))
    assert "inputs a, b" in refused.value.found


def test_axes_are_named_time_or_by_number() -> None:
    assert (axis_of("time"), axis_of("2")) == ("time", 2)
    for text in ("-1", "width", "", "²"):
        with pytest.raises(UserError, match="no such axis"):
            axis_of(text)


def test_an_image_model_is_streamed_exactly_where_it_pays() -> None:
    """conv_net has pooling, strides and padding both ways; nothing is special about time."""
    graph = conv_net()
    streamed = convert(graph, 1, 1)
    assert streamed.report.macs_call < graph.macs
    assert check_equal(graph, streamed) > 0


def test_a_causal_network_of_49_frames_computes_3_percent_per_frame() -> None:
    graph = causal_net()
    streamed = convert(graph)
    report = streamed.report
    assert (report.macs_window, report.macs_call, report.state_bytes) == (3_783_168, 107_008, 14_180)
    assert all(o.rows == 1 for o in report.ops) and report.stops == ()
    assert check_equal(graph, streamed, more=1) > 15


MODELS = {
    ("str_ww_ref_model", 1): (826_368, 46_040, 3_960),
    ("kws_ref_model", 2): (2_656_768, 1_105_408, 26_090),
    ("micro_speech_quantized", 2): (336_000, 92_800, 5_160),
    ("micro_speech_quantized", 1): (336_000, 92_800, 8_040),
}
"""(model, frames per call): MACs of the window, MACs of a call, bytes of state."""


@pytest.mark.parametrize(("name", "hop"), MODELS)
def test_reference_models_of_speech_stay_exact_and_compute_less(
    name: str, hop: int, shared_models: Path
) -> None:
    graph = run_passes(load(shared_models / f"{name}.tflite", {}))
    scores = next(op for op in graph.ops if isinstance(op, FullyConnected))
    graph = replace(graph, outputs=(*graph.outputs, scores.x))  # the features tell more than the class
    streamed = convert(graph, "time", hop)
    report = streamed.report
    assert (report.macs_window, report.macs_call, report.state_bytes) == MODELS[name, hop]
    check_report(graph, streamed)
    assert check_equal(graph, streamed, more=2) > 20


def test_ranges_of_rows() -> None:
    assert union([(3, 5), (0, 2), (5, 6), (4, 4), (1, 2)]) == ((0, 2), (3, 6))
    assert without([(0, 4), (6, 9)], (2, 7)) == ((0, 2), (7, 9))
    assert without([(0, 4)], (2, 2)) == ((0, 4),)
    assert within([(0, 4), (6, 9)], (3, 7)) == ((3, 4), (6, 7))
    assert count([(0, 4), (6, 9)]) == 7


def test_tracks_follow_strides_and_padding() -> None:
    time = TimeAxis(1, 1, 25)
    start = Track(TimeAxis(1, 1, 49), (0, 49), 1, 2)
    assert start.behind(Taps(2, 4, 10), time) == Track(time, (2, 22), 1, 1)
    assert replace(start, shift=3).behind(Taps(2, 4, 10), time) == Track(time, (2, 22), 2, 3)
    assert start.behind(Taps(2, 3, 4), time) == Track(time, (2, 25), 1, 1)
    assert start.behind(Taps(1, 48, 50), time) is None
    assert start.meet(replace(start, stable=(4, 9))) == replace(start, stable=(4, 9))
    assert start.meet(replace(start, phases=2)) is None
    assert start.meet(replace(start, phases=2, shift=4)) == replace(start, phases=2, shift=4)


def test_a_convolution_of_its_own_result_by_two_ways_keeps_both_delays() -> None:
    """A residual without padding reads an older row of x than the convolution's newest."""
    net = Net()
    x = net.input("x", (1, 14, 1, 3), DType.INT8, QUANTS[DType.INT8])
    a = depthwise(net, "a", x, Window((3, 1)), Activation.NONE)
    b = conv(net, "b", a, 3, Window((3, 1)), Activation.RELU)
    size = net.tensors[b].shape
    delayed = net.add(Slice("delayed", x, "delayed", (0, 2, 0, 0), size, (1, 1, 1, 1)))
    y = net.add(Add("y", delayed, b, "y"))
    graph = net.graph(net.add(Mean("mean", y, "mean", (1,), True)))
    streamed = convert(graph)
    assert [(k.value, k.rows) for k in streamed.report.kept] == [("x", 3), ("a", 3), ("y", 10)]
    assert check_equal(graph, streamed) > 5


def test_the_example_of_the_documentation_runs() -> None:
    page = (Path(__file__).parent.parent / "docs" / "streaming.md").read_text()
    code = page.split("```python\n")[1].split("```")[0]
    exec(compile(code, "docs/streaming.md", "exec"), {})
