"""The TensorFlow Lite frontend on well-formed files, which the exporter builds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import tflite
from patchloom.errors import UnsupportedModel, UserError
from patchloom.export.tflite import to_tflite
from patchloom.export.tflite_writer import OutOp, OutSubgraph, OutTensor, serialise
from patchloom.frontend import import_tflite, value_names
from patchloom.ir import Activation, DType, Graph, Quant, Tensor, Window, evaluate, to_text
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.dequantize import Dequantize
from patchloom.ir.ops.fully_connected import FullyConnected
from patchloom.ir.ops.reshape import Reshape

CODE, TYPE = tflite.BuiltinOperator, tflite.TensorType
Constant = tuple[int, ...] | int


def int8(name: str, shape: tuple[int, ...], scale: float = 0.5, zero: int = 3) -> OutTensor:
    return OutTensor(name, shape, TYPE.INT8, Quant((scale,), (zero,)))


def file_of(build: Callable[[OutSubgraph], None]) -> bytes:
    """A file whose main subgraph `build` fills in."""
    out = OutSubgraph()
    build(out)
    return serialise([out], "test")


def one_op(
    code: int, x: OutTensor, y: OutTensor, constants: Sequence[Constant] = (), options: object = None
) -> bytes:
    """A file of one operator: x and int32 constants in, y out."""

    def build(out: OutSubgraph) -> None:
        inputs = [out.add(x)] + [out.add_ints(f"c{i}", c) for i, c in enumerate(constants)]
        y_index = out.add(y)
        out.ops.append(OutOp(code, tuple(inputs), (y_index,), 1, options))  # type: ignore[arg-type]
        out.inputs, out.outputs = (0,), (y_index,)

    return file_of(build)


def test_a_tiny_model_prints_as_expected() -> None:
    weights = np.arange(2 * 3 * 3 * 1, dtype=np.int8).reshape(2, 3, 3, 1)
    tensors = [
        Tensor("image", (1, 8, 8, 1), DType.INT8, Quant((0.5,), (-128,))),
        Tensor("w", weights.shape, DType.INT8, Quant((0.25, 0.125), (0, 0), 0), weights),
        Tensor("b", (2,), DType.INT32, Quant((0.125, 0.0625), (0, 0), 0), np.array([7, -9], np.int32)),
        Tensor("conv;relu", (1, 4, 4, 2), DType.INT8, Quant((2.0,), (5,))),
        Tensor("flat", (1, 32), DType.INT8, Quant((2.0,), (5,))),
    ]
    window = Window((3, 3), (2, 2), (1, 1), ((0, 1), (0, 1)))
    ops = (
        Conv2D("conv", "image", "w", "b", "conv;relu", window, Activation.RELU),
        Reshape("flat", "conv;relu", "flat", (1, 32)),
    )
    graph = Graph("tiny", {t.name: t for t in tensors}, ops, ("image",), ("flat",))
    imported = import_tflite(to_tflite(graph), "some/where/tiny.tflite")
    assert to_text(imported) == (
        "graph tiny\n"
        "  input  %image: [1,8,8,1] int8 s=0.5 z=-128\n"
        "  const  %w: [2,3,3,1] int8 s=[2 along 0] sha256=7a096cc12702\n"
        "  const  %b: [2] int32 s=[2 along 0] sha256=4b232e2a5bfd\n"
        "  %conv;relu = conv2d(%image, %w, %b) window=kernel=3x3 stride=2x2 dilation=1x1 pad=0,1,0,1 "
        "activation=relu\n"
        "      %conv;relu: [1,4,4,2] int8 s=2 z=5\n"
        "  %flat = reshape(%conv;relu) shape=(1, 32)\n"
        "      %flat: [1,32] int8 s=2 z=5\n"
        "  output %flat\n"
    )
    assert imported.source == "some/where/tiny.tflite"
    assert [imported.label(op) for op in imported.ops] == ['op 0 CONV_2D "conv"', 'op 1 RESHAPE "flat"']


Entries = list[tuple[int, int, int]]


def masks_from(index: list[Any], rng: np.random.Generator) -> tuple[Entries, dict[str, int]]:
    """STRIDED_SLICE entries and masks for a NumPy index of slices, integers, None and Ellipsis."""
    entries, masks = (
        [],
        {"BeginMask": 0, "EndMask": 0, "EllipsisMask": 0, "NewAxisMask": 0, "ShrinkAxisMask": 0},
    )
    for i, part in enumerate(index):
        if part is Ellipsis or part is None:
            masks["EllipsisMask" if part is Ellipsis else "NewAxisMask"] |= 1 << i
            entries.append((int(rng.integers(-3, 4)), int(rng.integers(-3, 4)), 1))
        elif isinstance(part, slice):
            masks["BeginMask"] |= (part.start is None) << i
            masks["EndMask"] |= (part.stop is None) << i
            entries.append((part.start or 0, part.stop or 0, part.step or 1))
        else:
            masks["ShrinkAxisMask"] |= 1 << i
            entries.append((int(part), int(part) + 1, 1))
    return entries, masks


def random_index(rng: np.random.Generator, shape: tuple[int, ...]) -> list[Any]:
    """Entries for the leading dimensions, or for leading and trailing ones around an ellipsis."""
    lead = int(rng.integers(0, len(shape) + 1))
    trail = int(rng.integers(lead, len(shape) + 1)) if rng.random() < 0.4 else None
    index: list[Any] = []
    for axis, n in enumerate(shape):
        if axis == lead and trail is not None:
            index.append(Ellipsis)
        if axis >= lead and (trail is None or axis < trail):
            continue
        step = int(rng.choice([-2, -1, 1, 1, 2]))
        start, stop = (None if rng.random() < 0.3 else int(rng.integers(-n - 1, n + 2)) for _ in range(2))
        index.append(slice(start, stop, step) if rng.random() < 0.7 else int(rng.integers(-n, n)))
        if rng.random() < 0.2:
            index.append(None)
    return index or [slice(None)]


def test_strided_slices_with_all_masks_equal_numpy_indexing() -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(-128, 128, (3, 4, 2, 5)).astype(np.int8)
    checked = 0
    while checked < 150:
        index = random_index(rng, x.shape)
        want = x[tuple(index)]
        entries, masks = masks_from(index, rng)
        columns = [tuple(e[k] for e in entries) for k in range(3)]
        options = ("StridedSliceOptions", masks)
        data = one_op(CODE.STRIDED_SLICE, int8("x", x.shape), int8("y", want.shape), columns, options)
        if want.size == 0:
            with pytest.raises(UnsupportedModel, match="empty"):
                import_tflite(data, "m.tflite")
            continue
        graph = import_tflite(data, "m.tflite")
        np.testing.assert_array_equal(evaluate(graph, {"x": x})["y"], want, err_msg=str(index))
        checked += 1


@pytest.mark.parametrize(
    ("code", "constants", "options", "want"),
    [
        (CODE.RESHAPE, [(2, -1)], None, (2, 6)),
        (CODE.RESHAPE, [], ("ReshapeOptions", {"NewShape": (3, 4)}), (3, 4)),
        (CODE.SQUEEZE, [], ("SqueezeOptions", {}), (3, 4)),
        (CODE.SQUEEZE, [], ("SqueezeOptions", {"SqueezeDims": (-2,)}), (1, 3, 4)),
        (CODE.EXPAND_DIMS, [-1], None, (1, 3, 1, 4, 1)),
        (CODE.SLICE, [(0, 1, 0, 1), (1, -1, 1, 2)], None, (1, 2, 1, 2)),
        (CODE.TRANSPOSE, [(0, 3, 2, 1)], None, (1, 4, 1, 3)),
        (CODE.PAD, [((0, 0), (1, 2), (0, 0), (0, 1))], None, (1, 6, 1, 5)),
        (CODE.MEAN, [(-1, 1)], ("ReducerOptions", {"KeepDims": False}), (1, 1)),
    ],
)
def test_shape_operators_take_constants_from_operands_and_options(
    code: int, constants: list[Constant], options: object, want: tuple[int, ...]
) -> None:
    data = one_op(code, int8("x", (1, 3, 1, 4)), int8("y", want), constants, options)
    assert import_tflite(data, "m.tflite")["y"].shape == want


def test_reshape_targets_computed_from_shapes_are_folded() -> None:
    def build(out: OutSubgraph) -> None:
        x, shape = out.add(int8("x", (1, 3, 4))), out.add(OutTensor("shape", (3,), TYPE.INT32))
        batch, target = (
            out.add(OutTensor("batch", (), TYPE.INT32)),
            out.add(OutTensor("target", (2,), TYPE.INT32)),
        )
        y = out.add(int8("y", (1, 12)))
        values: list[Constant] = [(0,), (1,), (1,), 12]
        begin, end, step, rest = (out.add_ints(f"c{i}", v) for i, v in enumerate(values))
        shrink = ("StridedSliceOptions", {"ShrinkAxisMask": 1})
        out.ops += [
            OutOp(CODE.SHAPE, (x,), (shape,), 1, ("ShapeOptions", {"OutType": TYPE.INT32})),
            OutOp(CODE.STRIDED_SLICE, (shape, begin, end, step), (batch,), 1, shrink),
            OutOp(CODE.PACK, (batch, rest), (target,), 1, ("PackOptions", {"ValuesCount": 2, "Axis": 0})),
            OutOp(CODE.RESHAPE, (x, target), (y,)),
        ]
        out.inputs, out.outputs = (x,), (y,)

    graph = import_tflite(file_of(build), "m.tflite")
    assert [op.kind() for op in graph.ops] == ["reshape"]
    assert graph["y"].shape == (1, 12)


def test_a_stack_of_values_becomes_reshapes_and_a_concatenation() -> None:
    def build(out: OutSubgraph) -> None:
        a, b, y = out.add(int8("a", (2, 3))), out.add(int8("b", (2, 3))), out.add(int8("y", (2, 2, 3)))
        out.ops.append(OutOp(CODE.PACK, (a, b), (y,), 1, ("PackOptions", {"ValuesCount": 2, "Axis": 1})))
        out.inputs, out.outputs = (a, b), (y,)

    graph = import_tflite(file_of(build), "m.tflite")
    a, b = np.arange(12, dtype=np.int8).reshape(2, 2, 3)
    np.testing.assert_array_equal(evaluate(graph, {"a": a, "b": b})["y"], np.stack([a, b], 1))


def unpack(parts: int) -> Callable[[OutSubgraph], None]:
    def build(out: OutSubgraph) -> None:
        x = out.add(int8("x", (2, 3, 4)))
        ys = tuple(out.add(int8(f"y{i}", (2, 4))) for i in range(parts))
        out.ops.append(OutOp(CODE.UNPACK, (x,), ys, 1, ("UnpackOptions", {"Num": parts, "Axis": 1})))
        out.inputs, out.outputs = (x,), ys

    return build


def test_a_stack_taken_apart_becomes_a_split_and_reshapes() -> None:
    graph = import_tflite(file_of(unpack(3)), "m.tflite")
    assert [op.kind() for op in graph.ops] == ["split", "reshape", "reshape", "reshape"]
    x = np.arange(24, dtype=np.int8).reshape(2, 3, 4)
    values = evaluate(graph, {"x": x})
    for i in range(3):
        np.testing.assert_array_equal(values[f"y{i}"], x[:, i])
    with pytest.raises(UnsupportedModel, match="3 indices, 2 outputs"):
        import_tflite(file_of(unpack(2)), "m.tflite")


def test_float16_constants_are_widened_at_import() -> None:
    half = np.array([[1.5, -2.25, 0.1]], np.float16)
    tensors = {
        "x": Tensor("x", (1, 3), DType.FLOAT32),
        "half": Tensor("half", (1, 3), DType.FLOAT16, None, half),
        "wide": Tensor("wide", (1, 3), DType.FLOAT32),
        "y": Tensor("y", (2, 3), DType.FLOAT32),
    }
    ops = (Dequantize("d", "half", "wide"), Concat("c", ("x", "wide"), "y", 0))
    graph = import_tflite(to_tflite(Graph("h", tensors, ops, ("x",), ("y",))), "h.tflite")
    assert [op.kind() for op in graph.ops] == ["concat"]
    wide = graph["wide"]
    assert wide.data is not None and wide.dtype is DType.FLOAT32
    np.testing.assert_array_equal(wide.data, half.astype(np.float32))


def test_uint8_graphs_import_as_they_are() -> None:
    weights = np.full((2, 1, 1, 3), 130, np.uint8)
    tensors = [
        Tensor("x", (1, 4, 4, 3), DType.UINT8, Quant((0.5,), (128,))),
        Tensor("w", weights.shape, DType.UINT8, Quant((0.25,), (127,)), weights),
        Tensor("y", (1, 4, 4, 2), DType.UINT8, Quant((0.5,), (0,))),
    ]
    op = Conv2D("c", "x", "w", None, "y", Window((1, 1)))
    graph = import_tflite(
        to_tflite(Graph("u", {t.name: t for t in tensors}, (op,), ("x",), ("y",))), "u.tflite"
    )
    assert [graph[n].dtype for n in "xwy"] == [DType.UINT8] * 3


def test_variables_without_initialisation_start_at_the_zero_point() -> None:
    def build(out: OutSubgraph) -> None:
        handle, y = out.add(OutTensor("h", (), TYPE.RESOURCE)), out.add(int8("y", (1, 4), zero=-7))
        x = out.add(int8("x", (1, 4)))
        out.ops += [
            OutOp(
                CODE.VAR_HANDLE, (), (handle,), 1, ("VarHandleOptions", {"Container": "", "SharedName": "v"})
            ),
            OutOp(CODE.READ_VARIABLE, (handle,), (y,)),
            OutOp(CODE.ASSIGN_VARIABLE, (handle, x), ()),
        ]
        out.inputs, out.outputs = (x,), (y,)

    graph = import_tflite(file_of(build), "m.tflite")
    assert graph.states[0].name == "v"
    assert set(graph.states[0].initial.ravel().tolist()) == {-7}


def test_names_are_unique_printable_and_close_to_the_original() -> None:
    names = ["in", "dup", "dup", "", "evil\x1b[31m\n", "a;b"]

    def build(out: OutSubgraph) -> None:
        for name in names:
            out.add(int8(name, (1, 4)))
        out.ops += [OutOp(CODE.RELU, (i,), (i + 1,)) for i in range(5)]
        out.inputs, out.outputs = (0,), (5,)

    data = file_of(build)
    want = ("in", "dup", "dup_1", "tensor_3", "evil?[31m?", "a;b")
    assert value_names(data, "m.tflite") == want
    graph = import_tflite(data, "m.tflite")
    assert tuple(graph.tensors) == want
    assert graph.ops[-1].name == "a"


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/kws.tflite", "kws"), ("7 up!.tflite", "model_7_up_"), ("é.tflite", "model__"), ("", "model")],
)
def test_graph_names_are_c_identifiers(path: str, name: str) -> None:
    data = one_op(CODE.RELU, int8("x", (1, 4)), int8("y", (1, 4)))
    found = import_tflite(data, path).name
    assert found.isidentifier() and found.isascii()
    assert found == name.rstrip("_") or found == name


def relu_with_shapes(shape: bytes | tuple[int, ...], inner: tuple[int, ...]) -> bytes:
    return one_op(CODE.RELU, int8("x", tuple(shape)), int8("y", inner))


def test_a_leading_minus_one_becomes_one_and_intermediates_follow() -> None:
    graph = import_tflite(relu_with_shapes((-1, 5), (7, 5)), "m.tflite")
    assert graph["x"].shape == graph["y"].shape == (1, 5)


def test_other_unknown_dimensions_name_the_option_that_sets_them() -> None:
    data = relu_with_shapes((1, -1, 4), (1, 1, 4))
    with pytest.raises(UserError, match=r"--input-shape x=1,N,4") as error:
        import_tflite(data, "m.tflite")
    assert "--input-shape" in str(error.value)
    assert import_tflite(data, "m.tflite", {"x": (1, 6, 4)})["y"].shape == (1, 6, 4)


def test_given_shapes_are_checked() -> None:
    data = relu_with_shapes((1, 4), (1, 4))
    with pytest.raises(UserError, match="no input is called 'z'"):
        import_tflite(data, "m.tflite", {"z": (1, 4)})
    with pytest.raises(UserError, match="does not fit"):
        import_tflite(data, "m.tflite", {"x": (4,)})
    with pytest.raises(UserError, match="impossible shape"):
        import_tflite(data, "m.tflite", {"x": (1, 0)})
    assert import_tflite(data, "m.tflite", {"x": (1, 9)})["y"].shape == (1, 9)


def test_wrong_intermediate_shapes_in_the_file_are_reported() -> None:
    with pytest.raises(UnsupportedModel, match=r"\[1, 5\] in the file, \[1, 4\] computed"):
        import_tflite(relu_with_shapes((1, 4), (1, 5)), "m.tflite")


def test_everything_unsupported_is_reported_at_once() -> None:
    def build(out: OutSubgraph) -> None:
        for i in range(5):
            out.add(int8(f"t{i}", (1, 4)))
        text = out.add(OutTensor("text", (1, 4), TYPE.STRING))
        out.ops += [
            OutOp(CODE.COS, (0,), (1,)),
            OutOp(CODE.SOFTMAX, (1,), (2,)),
            OutOp(CODE.ADD, (2, 0), (3,), 1, ("AddOptions", {"FusedActivationFunction": 4})),
            OutOp(CODE.RELU, (3,), (text,)),
            OutOp(CODE.RELU, (2,), (4,)),
        ]
        out.inputs, out.outputs = (0,), (4,)

    with pytest.raises(UnsupportedModel) as error:
        import_tflite(file_of(build), "bad.tflite")
    text = str(error.value)
    assert "5 of 5" not in text and "4 of 5 ops are unsupported" in text
    for part in (
        'op 0 COS "t1"',
        'op 1 SOFTMAX "t2"',
        "found    TANH",
        "'text' is STRING",
        "bad.tflite: op 3 RELU",
    ):
        assert part in text
    assert error.value.exit_code == 2


def test_missing_quantization_is_an_error() -> None:
    data = one_op(CODE.RELU, OutTensor("x", (1, 4), TYPE.INT8), OutTensor("y", (1, 4), TYPE.INT8))
    with pytest.raises(UnsupportedModel, match=r"quantization|scale"):
        import_tflite(data, "m.tflite")


def test_a_bias_scale_of_zero_is_no_quantization() -> None:
    weights = np.ones((2, 3), np.int8)
    tensors = [
        Tensor("x", (1, 3), DType.INT8, Quant((0.5,), (0,))),
        Tensor("w", (2, 3), DType.INT8, Quant((0.25,), (0,)), weights),
        Tensor("b", (2,), DType.INT32, Quant((0.0,), (0,)), np.array([1, 2], np.int32)),
        Tensor("y", (1, 2), DType.INT8, Quant((0.5,), (0,))),
    ]
    op = FullyConnected("f", "x", "w", "b", "y", False)
    written = to_tflite(Graph("z", {t.name: t for t in tensors}, (op,), ("x",), ("y",)))
    assert import_tflite(written, "z.tflite")["b"].quant is None
