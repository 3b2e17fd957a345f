"""Corners found by reading the code: shifts beyond a word, absurd geometry, constant outputs, wide graphs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tflite
from nets import Net, texts
from patchloom import api, boards, folder
from patchloom.codegen import KERNELS
from patchloom.errors import UserError
from patchloom.export.tflite import to_tflite
from patchloom.export.tflite_writer import OutOp, OutSubgraph, OutTensor, serialise
from patchloom.export.tflm import TflmReference
from patchloom.frontend import import_tflite
from patchloom.ir import DType, Graph, Op, Quant, Window, evaluate
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.dequantize import Dequantize
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.quantize import Quantize
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.softmax import Softmax
from patchloom.ir.ops.split import Split
from patchloom.passes import run_passes
from patchloom.passes.planner import check, plan
from patchloom.passes.planner.lives import Block
from patchloom.passes.planner.offsets import _heaviest_set
from test_operators import assert_same, run_in_c

SHARE = Quant((1 / 256,), (-128,))


def softmax_net(depth: int, scale: float = 0.001) -> Graph:
    net = Net()
    x = net.input("x", (2, depth), DType.INT8, Quant((scale,), (0,)))
    net.add(Softmax("softmax", x, "y", 1.0), quant=SHARE)
    return net.graph("y")


@pytest.mark.parametrize("depth", [511, 512, 1001, 4095])
def test_softmax_over_many_equal_elements_shifts_beyond_a_word(depth: int) -> None:
    graph = softmax_net(depth)
    (op,) = graph.ops
    assert isinstance(op, Softmax)
    x = np.zeros((2, depth), np.int8)
    assert (op.largest_shift(graph.tensors, x) > 31) == (depth >= 512)
    x[1, :3] = 127
    want = evaluate(graph, {"x": x})["y"]
    (got,) = run_in_c(graph, [{"x": x}])
    assert_same(got["y"], want, "C")
    assert depth < 512 or (want[0] == -128).all()


@pytest.mark.parametrize("scale", [0.0123, 0.054, 0.2, 1.0, 3.0])
@pytest.mark.parametrize("share", [SHARE, Quant((2.0**-16,), (-32768,))])
def test_softmax_of_two_classes_is_exact_for_every_difference(scale: float, share: Quant) -> None:
    """Its table is cut by trying all of them."""
    net = Net()
    x = net.input("x", (512, 2), DType.INT8, Quant((scale,), (0,)))
    dtype = DType.INT8 if share is SHARE else DType.INT16
    net.add(Softmax("softmax", x, "y", 1.0), dtype=dtype, quant=share)
    graph = net.graph("y")
    below = np.stack([np.full(256, 127), 127 - np.arange(256)], axis=1).astype(np.int8)
    sample = np.concatenate([below, below[:, ::-1]])
    (got,) = run_in_c(graph, [{"x": sample}])
    assert_same(got["y"], evaluate(graph, {"x": sample})["y"], "C")


def test_verify_skips_samples_on_which_the_interpreter_would_abort(tmp_path: Path) -> None:
    model = tmp_path / "equal.tflite"
    model.write_bytes(to_tflite(softmax_net(600)))
    api.compile(model, "generic-cortex-m4", tmp_path / "out")
    result = api.verify(tmp_path / "out", samples=2, on="host")
    assert result.passed and result.verification.bit_exact
    assert result.reference.samples == 0


def test_a_scalar_reaches_the_interpreter_without_dimensions() -> None:
    net = Net()
    net.add(Relu("relu", net.input("x", ()), "y"))
    graph = net.graph("y")
    x = np.array(5, np.int8)
    (y,) = TflmReference(to_tflite(graph)).run([x])
    assert_same(y, evaluate(graph, {"x": x})["y"], "TFLM")


# --- geometry that costs more than any network is worth ---------------------------------------------


def _window(window: Window, kind: Callable[[str, Window], Op]) -> bytes:
    net = Net()
    net.input("x", (1, 2, 2, 1))
    net.const("w", np.ones((1, *window.kernel, 1), np.int8), Quant((0.01,), (0,)))
    net.add(kind("x", window))
    return to_tflite(net.graph("y"))


def _same(size: int, extent: int) -> tuple[int, int]:
    total = size - 1 + extent - size
    return total // 2, total - total // 2


@pytest.mark.parametrize(
    ("kernel", "dilation", "message"),
    [
        ((300, 300), (1, 1), "a kernel has at most"),
        ((3, 3), (60000, 1), "rows and columns a dilated kernel spans"),
        ((3, 3), (30000, 30000), "a padded input has at most"),
    ],
)
def test_absurd_windows_are_refused(kernel: tuple[int, int], dilation: tuple[int, int], message: str) -> None:
    extent = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    window = Window(kernel, (1, 1), dilation, (_same(2, extent[0]), _same(2, extent[1])))
    data = _window(window, lambda x, w: Conv2D("conv", x, "w", None, "y", w))
    with pytest.raises(UserError, match=message):
        import_tflite(data, "m.tflite")


@pytest.mark.parametrize("kind", [MaxPool2D, AveragePool2D])
def test_absurd_pooling_is_refused(kind: type[MaxPool2D] | type[AveragePool2D]) -> None:
    pad = _same(2, 2000)
    data = _window(Window((2000, 2000), (1, 1), (1, 1), (pad, pad)), lambda x, w: kind("pool", x, "y", w))
    with pytest.raises(UserError, match="a kernel has at most"):
        import_tflite(data, "m.tflite")


def test_values_are_limited_one_by_one_and_together() -> None:
    with pytest.raises(UserError, match="a tensor has at most"):
        import_tflite(to_tflite(_relus((1, 1 << 27), 1)), "m.tflite")
    with pytest.raises(UserError, match="values have at most"):
        import_tflite(to_tflite(_relus((1, 1 << 26), 9)), "m.tflite")


def _relus(shape: tuple[int, ...], count: int) -> Graph:
    net = Net()
    x = net.input("x", shape)
    for i in range(count):
        x = net.add(Relu(f"relu{i}", x, f"y{i}"))
    return net.graph(x)


def test_a_transposed_convolution_spread_far_out_is_refused() -> None:
    code, types = tflite.BuiltinOperator, tflite.TensorType
    size = np.array([1, 4, 4, 1], np.int32)
    tensors = [
        OutTensor("size", (4,), types.INT32, None, size),
        OutTensor("w", (1, 1, 1, 1), types.INT8, Quant((0.5,), (0,)), np.ones((1, 1, 1, 1), np.int8)),
        OutTensor("x", (1, 100, 100, 1), types.INT8, Quant((0.5,), (0,))),
        OutTensor("y", (1, 4, 4, 1), types.INT8, Quant((0.5,), (0,))),
    ]
    out = OutSubgraph(tensors, inputs=(2,), outputs=(3,))
    options = {"Padding": 1, "StrideW": 60000, "StrideH": 60000, "FusedActivationFunction": 0}
    out.ops = [OutOp(code.TRANSPOSE_CONV, (0, 1, 2), (3,), 1, ("TransposeConvOptions", options))]
    with pytest.raises(UserError, match="an input spread out has at most"):
        import_tflite(serialise([out], "test"), "m.tflite")


def test_names_are_limited_in_all() -> None:
    net = Net()
    net.add(Relu("relu", net.input("x" * (5 << 20), (1, 4)), "y"))
    with pytest.raises(UserError, match="characters and vector elements"):
        import_tflite(to_tflite(net.graph("y")), "m.tflite")


# --- passes ------------------------------------------------------------------------------------------


def test_outputs_that_depend_on_constants_only_are_copies_of_constants() -> None:
    net = Net()
    x = net.input("x", (1, 4))
    c = net.const("c", np.arange(-12, -4, dtype=np.int8).reshape(1, 8))
    net.add(Relu("relu", c, "r"))
    net.add(Split("split", c, ("s0", "s1"), 1, (3, 5)))
    net.add(Relu("other", x, "y"))
    graph = net.graph("r", "s0", "s1", "y")
    lowered = run_passes(graph, verify_between=True)
    assert [("reshape" in t) for t in texts(lowered)] == [True, True, True, False]
    sample = {"x": np.array([[-20, -8, 0, 9]], np.int8)}
    want = evaluate(graph, sample)
    (got,) = run_in_c(graph, [sample])
    for name in graph.outputs:
        assert_same(got[name], want[name], name)


def test_a_conversion_to_float_that_overflows_is_kept() -> None:
    net = Net()
    huge = Quant((float(np.float32(3e38)),), (0,))
    x = net.input("x", (1, 3), DType.INT8, huge)
    f = net.add(Dequantize("dequantize", x, "f"), DType.FLOAT32)
    net.add(Quantize("quantize", f, "y"), DType.INT8, huge)
    graph = net.graph("y")
    sample = {"x": np.array([[-5, 1, 5]], np.int8)}
    with np.errstate(over="ignore"):
        want = evaluate(graph, sample)["y"]
        assert want.tolist() == [[-128, 1, 127]]
        assert_same(evaluate(run_passes(graph), sample)["y"], want, "passes")


# --- planner -----------------------------------------------------------------------------------------


def test_the_clique_search_survives_more_blocks_than_python_has_frames() -> None:
    star = [Block("all", 5000, 4, 0, 9), *(Block(f"part{i}", 4, 4, 0, 9) for i in range(1500))]
    names = [b.name for b in star]
    linked = {"all": set(names[1:])} | {n: {"all"} for n in names[1:]}
    assert _heaviest_set(star, linked, 4) == 6000
    path = {n: {names[j] for j in (i - 1, i + 1) if 0 <= j < 1200} for i, n in enumerate(names[:1200])}
    assert 0 < _heaviest_set(star[:1200], path, 4) <= 5000 + 4 * 600


def test_a_wide_graph_is_planned_without_trying_all_its_orders() -> None:
    net = Net()
    x = net.input("x", (1, 64))
    rows = [net.add(Relu(f"relu{i}", x, f"r{i}")) for i in range(60)]
    parts = [net.add(Concat(f"cat{i}", tuple(rows[i::20]), f"c{i}", 1)) for i in range(20)]
    graph = run_passes(net.graph(*parts))
    chosen = plan(graph, frozenset(), KERNELS, time_limit_s=0.1)
    check(graph, chosen, KERNELS)
    assert chosen.lower_bound_bytes <= chosen.arena_bytes


# --- folders and profiles from strangers --------------------------------------------------------------


@pytest.fixture
def library(tmp_path: Path) -> Path:
    model = tmp_path / "relu.tflite"
    model.write_bytes(to_tflite(_relus((1, 4), 1)))
    api.compile(model, "generic-cortex-m4", tmp_path / "out")
    return tmp_path / "out"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"input_shapes": {}', '"input_shapes": {"x": [Infinity]}'),
        ('"file": "model.tflite"', '"file": "a\\u0000b"'),
        ('"board": "generic-cortex-m4"', '"board": "a\\u0000.toml"'),
    ],
)
def test_manifests_with_impossible_values_are_damaged(old: str, new: str, library: Path) -> None:
    path = library / folder.MANIFEST
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match="is damaged"):
        folder.read(library)


def test_pipes_are_never_read(library: Path) -> None:
    (library / "model.tflite").unlink()
    os.mkfifo(library / "model.tflite")
    with pytest.raises(UserError, match="not a regular file"):
        folder.read(library)
    os.mkfifo(library / "board.toml")
    with pytest.raises(UserError, match="not a regular file"):
        boards.load(str(library / "board.toml"))
