"""Bad model files: one UserError each, never another exception, a hang or a large allocation."""

from __future__ import annotations

import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tflite
from patchloom.errors import UnsupportedModel, UserError
from patchloom.export.tflite import to_tflite
from patchloom.export.tflite_writer import OutOp, OutSubgraph, OutTensor, serialise
from patchloom.frontend import import_tflite, load
from patchloom.ir import Graph, Quant
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops import OPS

CODE, TYPE = tflite.BuiltinOperator, tflite.TensorType
INF = float("inf")
MAX_SECONDS = 20.0
"""Processor time of one import; files of a few kilobytes take milliseconds."""


def sample_files() -> Iterator[tuple[str, bytes]]:
    """A small written model of every operator that TensorFlow Lite has."""
    for op in OPS:
        try:
            yield op.kind(), to_tflite(op.case(RandomDraw(1)))
        except (TypeError, UserError):  # states and lookup tables are no one-operator models
            continue


SAMPLES = dict(sample_files())


def import_or_user_error(data: bytes) -> Graph | None:
    """The graph, or None after a UserError; everything else fails the test."""
    started = time.process_time()
    try:
        return import_tflite(data, "bad.tflite")
    except UserError as error:
        assert str(error).startswith("bad.tflite: ")
        assert error.exit_code == 2
        return None
    finally:
        assert time.process_time() - started < MAX_SECONDS


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed at random, or 4-byte words replaced by values that offsets trip over."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        at = int(rng.integers(len(out)))
        if rng.random() < 0.5:
            out[at] ^= 1 << int(rng.integers(8))
            continue
        at = min(at & ~3, len(out) - 4)
        special = [0, 1, 2, 4, -1, -2, 2**31 - 1, -(2**31), 0xFFFF, len(out), int(rng.integers(len(out)))]
        struct.pack_into("<I", out, at, special[rng.integers(len(special))] & 0xFFFFFFFF)
    return bytes(out)


def test_truncated_files_are_user_errors() -> None:
    for data in SAMPLES.values():
        for length in range(0, len(data), max(1, len(data) // 60)):
            import_or_user_error(data[:length])


def test_damaged_files_are_user_errors_or_models() -> None:
    rng = np.random.default_rng(20)
    files = list(SAMPLES.values())
    imported = sum(import_or_user_error(damaged(files[i % len(files)], rng)) is not None for i in range(4000))
    assert 100 < imported < 3900, "most damage is found, some is harmless"


def test_random_bytes_are_user_errors() -> None:
    rng = np.random.default_rng(21)
    for _ in range(500):
        body = rng.integers(0, 256, rng.integers(0, 300), dtype=np.uint8).tobytes()
        assert import_or_user_error(body) is None
        assert import_or_user_error(b"\x10\0\0\0TFL3" + body) is None


# --- what is in front of the parser -----------------------------------------------------------


def test_paths_that_are_no_model_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load(tmp_path / "absent.tflite")
    with pytest.raises(UserError, match="is a directory"):
        load(tmp_path)
    with pytest.raises(UserError, match="not a regular file"):
        load("/dev/zero")
    with pytest.raises(UserError, match="no such file"):
        load("nul\0byte")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("m.onnx", b"anything", "not a valid ONNX model"),
        ("m.bin", b"\x08\x07\x12\x07pytorch", "no graph"),
        ("m.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 20, "HDF5"),
        ("m.pt", b"PK\x03\x04" + b"\0" * 20, "zip archive"),
        ("m.keras", b"PK\x03\x04" + b"\0" * 20, "not a .keras file"),
        ("m.pkl", b"\x80\x04\x95" + b"\0" * 20, "pickle"),
        ("m.tflite", b"hello, world", "not a model file"),
        ("m.tflite", b"", "0 bytes"),
        ("m.tflite", b"ab", "not a model file"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UserError, match=message) as error:
        load(path)
    assert str(path) in str(error.value)


def test_load_reads_a_model_and_passes_shapes_on(tmp_path: Path) -> None:
    path = tmp_path / "a model.tflite"
    path.write_bytes(to_tflite(next(o for o in OPS if o.kind() == "logistic").case(RandomDraw(3))))
    graph = load(path)
    assert graph.name == "a_model" and graph.source == str(path)
    shape = tuple(n + 1 for n in graph["x"].shape)
    assert load(path, {"x": shape})["y"].shape == shape


# --- references between tensors and operators -------------------------------------------------


def int8(name: str, shape: tuple[int, ...] = (1, 4)) -> OutTensor:
    return OutTensor(name, shape, TYPE.INT8, Quant((0.5,), (0,)))


def relu_chain(
    ops: list[tuple[int, int]], outputs: tuple[int, ...], inputs: tuple[int, ...] = (0,), count: int = 4
) -> bytes:
    """A file of RELU operators that read and write the given tensors of `count`."""
    out = OutSubgraph([int8(f"t{i}") for i in range(count)], inputs=inputs, outputs=outputs)
    out.ops = [OutOp(CODE.RELU, (x,), (y,)) for x, y in ops]
    return serialise([out], "test")


@pytest.mark.parametrize(
    ("ops", "outputs", "message"),
    [
        ([(2, 1), (1, 2)], (2,), "before it is computed"),
        ([(1, 1)], (1,), "before it is computed"),
        ([(0, 1), (0, 1)], (1,), "again"),
        ([(0, 0)], (0,), "again"),
        ([(0, 1)], (3,), "never computed"),
        ([(0, 9)], (1,), "refers to tensor 9 of 4"),
        ([(-7, 1)], (1,), "refers to tensor -7 of 4"),
        ([(0, -1)], (1,), "refers to tensor -1 of 4"),
        ([(0, 1)], (44,), "refers to tensor 44 of 4"),
    ],
)
def test_cyclic_and_dangling_references_are_errors(
    ops: list[tuple[int, int]], outputs: tuple[int, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        import_tflite(relu_chain(ops, outputs), "m.tflite")


def test_an_absent_required_operand_is_reported() -> None:
    with pytest.raises(UnsupportedModel, match="operand 0 is required"):
        import_tflite(relu_chain([(-1, 1)], (1,)), "m.tflite")


def test_inputs_given_twice_are_errors() -> None:
    with pytest.raises(UserError, match="given twice"):
        import_tflite(relu_chain([(0, 1)], (1,), inputs=(0, 0)), "m.tflite")


# --- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 4), "1 or more"),
        ((1, -3), "1 or more"),
        ((2**31 - 1, 2**31 - 1), "at most"),
        ((1 << 20, 1 << 20, 1 << 20), "at most"),
        ((1,) * 9, "dimensions"),
    ],
)
def test_absurd_shapes_are_errors_before_anything_is_allocated(shape: tuple[int, ...], message: str) -> None:
    out = OutSubgraph([int8("x", shape), int8("y", shape)], [OutOp(CODE.RELU, (0,), (1,))], (0,), (1,))
    data = serialise([out], "test")
    tracemalloc.start()
    with pytest.raises(UserError, match=message):
        import_tflite(data, "m.tflite")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_result_of_absurd_size_is_an_error() -> None:
    out = OutSubgraph([int8("x", (1, 4, 4, 1)), int8("y", (1, 1, 1, 1))], inputs=(0,), outputs=(1,))
    size = out.add_ints("size", (2**31 - 1, 2**31 - 1))
    out.ops = [OutOp(CODE.RESIZE_NEAREST_NEIGHBOR, (0, size), (1,), 1, ("ResizeNearestNeighborOptions", {}))]
    with pytest.raises(UserError):
        import_tflite(serialise([out], "test"), "m.tflite")


def test_a_constant_of_the_wrong_size_is_an_error() -> None:
    data = np.zeros(7, np.int8)
    constant = OutTensor("c", (1, 4), TYPE.INT8, Quant((0.5,), (0,)), data)
    out = OutSubgraph([int8("x"), constant, int8("y")], inputs=(0,), outputs=(2,))
    out.ops = [OutOp(CODE.MINIMUM, (0, 1), (2,))]
    with pytest.raises(UserError, match="has 7 of 4 bytes"):
        import_tflite(serialise([out], "test"), "m.tflite")


def test_a_huge_state_is_refused_before_it_is_allocated() -> None:
    shape = (1, 1 << 26)
    out = OutSubgraph(
        [OutTensor("h", (), TYPE.RESOURCE), OutTensor("y", shape, TYPE.FLOAT32), int8("x")],
        inputs=(2,),
        outputs=(1,),
    )
    handle = ("VarHandleOptions", {"Container": "", "SharedName": "v"})
    out.ops = [OutOp(CODE.VAR_HANDLE, (), (0,), 1, handle), OutOp(CODE.READ_VARIABLE, (0,), (1,))]
    with pytest.raises(UnsupportedModel, match="states take at most"):
        import_tflite(serialise([out], "test"), "m.tflite")


def test_one_constant_read_by_thousands_of_operators_is_refused() -> None:
    weights = OutTensor("w", (1, 1 << 20), TYPE.INT8, Quant((0.5,), (0,)), np.zeros((1, 1 << 20), np.int8))
    out = OutSubgraph([weights, int8("x", (1, 1 << 20))], inputs=(1,), outputs=(1,))
    for i in range(400):
        y = out.add(int8(f"y{i}", (1, 1 << 20)))
        out.ops.append(OutOp(CODE.MINIMUM, (1, 0), (y,)))
    with pytest.raises(UserError, match="more operators than any real model"):
        import_tflite(serialise([out], "test"), "m.tflite")


# --- types and quantization ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: OutTensor("x", t.shape, TYPE.COMPLEX64), "is COMPLEX64"),
        (lambda t: OutTensor("x", t.shape, TYPE.INT4, t.quant), "is INT4"),
        (lambda t: OutTensor("x", t.shape, TYPE.STRING), "is STRING"),
        (lambda t: OutTensor("x", t.shape, 99), "is type 99"),
        (lambda t: OutTensor("x", t.shape, t.type_code, Quant((0.5,) * 4, (0,) * 4, 1)), "one scale"),
        (lambda t: OutTensor("x", t.shape, t.type_code, Quant((0.5,), (300,))), "zero points"),
        (lambda t: OutTensor("x", t.shape, t.type_code, Quant((-0.5,), (0,))), "positive and finite"),
        (lambda t: OutTensor("x", t.shape, t.type_code, Quant((float("nan"),), (0,))), "positive and finite"),
        (lambda t: OutTensor("x", t.shape, t.type_code), "quantiz|scale"),
    ],
)
def test_tensor_types_and_quantization_that_cannot_be_used(
    change: Callable[[OutTensor], OutTensor], message: str
) -> None:
    out = OutSubgraph([change(int8("x")), int8("y")], [OutOp(CODE.RELU, (0,), (1,))], (0,), (1,))
    with pytest.raises(UserError, match=message):
        import_tflite(serialise([out], "test"), "m.tflite")


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (OutOp(CODE.SOFTMAX, (0,), (1,)), "must carry SoftmaxOptions"),
        (OutOp(CODE.SOFTMAX, (0,), (1,), 1, ("AddOptions", {})), "must carry SoftmaxOptions"),
        (OutOp(CODE.SOFTMAX, (0, 0), (1,), 1, ("SoftmaxOptions", {"Beta": 1.0})), "takes 1 inputs"),
        (
            OutOp(CODE.SOFTMAX, (0,), (1,), 1, ("SoftmaxOptions", {"Beta": float("inf")})),
            "beta must be finite",
        ),
        (OutOp(CODE.CUSTOM, (0,), (1,)), "CUSTOM"),
        (OutOp(9999, (0,), (1,)), "BUILTIN_9999"),
        (OutOp(CODE.CALL_ONCE, (), (), 1, ("CallOnceOptions", {"InitSubgraphIndex": 0})), "subgraph 0 of 1"),
        (OutOp(CODE.READ_VARIABLE, (0,), (1,)), "must come from VAR_HANDLE"),
        (
            OutOp(CODE.CONCATENATION, (0,), (1,), 1, ("ConcatenationOptions", {"Axis": 5})),
            "must be a dimension",
        ),
        (
            OutOp(CODE.MAX_POOL_2D, (0,), (1,), 1, ("Pool2DOptions", {"StrideW": 0, "FilterHeight": -4})),
            "4 dimensions",
        ),
    ],
)
def test_operators_that_cannot_be_compiled(op: OutOp, message: str) -> None:
    out = OutSubgraph([int8("x"), int8("y")], [op, OutOp(CODE.RELU, (0,), (2,))], (0,), (2,))
    out.add(int8("z"))
    with pytest.raises(UnsupportedModel, match=message):
        import_tflite(serialise([out], "test"), "m.tflite")
