"""The flatbuffer verifier: what it describes, its limits, and data outside the flatbuffer."""

from __future__ import annotations

import inspect
import struct
import time
from collections.abc import Callable, Iterator
from typing import ClassVar
from unittest import mock

import numpy as np
import pytest
import tflite
from patchloom.errors import UserError
from patchloom.export.tflite_writer import OutOp, OutSubgraph, OutTensor, _Serialiser, serialise
from patchloom.frontend import import_tflite
from patchloom.frontend.flatbuffer_verifier import FlatbufferError, Table, verify_flatbuffer
from patchloom.frontend.tflite import schema
from patchloom.ir import DType, Quant

CODE, TYPE = tflite.BuiltinOperator, tflite.TensorType
MAX_SECONDS = 20.0
"""Processor time of one import."""


def int8(name: str, shape: tuple[int, ...] = (1, 4)) -> OutTensor:
    return OutTensor(name, shape, TYPE.INT8, Quant((0.5,), (0,)))


def all_tables(table: Table) -> Iterator[Table]:
    yield table
    for slot in table.slots.values():
        inner = getattr(slot, "table", None)
        for t in [slot if isinstance(slot, Table) else inner, *getattr(slot, "tables", {}).values()]:
            if isinstance(t, Table):
                yield from all_tables(t)


def test_the_schema_tables_agree_with_the_tflite_package() -> None:
    """Each described slot exists there with the same width, so what is checked is what gets read."""
    seen = set()
    for table in all_tables(schema.MODEL):
        module = __import__(f"tflite.{table.name}", fromlist=["Start"])
        builder = _SlotRecorder()
        module.Start(builder)
        for name, add in vars(module).items():
            if name.startswith("Add") and not name.startswith(table.name) and inspect.isfunction(add):
                add(builder, 1)
        for slot, kind in table.slots.items():
            width = getattr(kind, "size", None) if type(kind).__name__ == "Scalar" else None
            assert builder.slots.get(slot, "none") == (width or "offset"), (table.name, slot)
        seen.add(table.name)
    assert {"Model", "SubGraph", "Tensor", "Operator", "Conv2DOptions", "StridedSliceOptions"} <= seen


class _SlotRecorder:
    """Stands in for a flatbuffers builder and notes the width of each slot."""

    WIDTHS: ClassVar[dict[str, int]] = {
        "Int8": 1,
        "Uint8": 1,
        "Bool": 1,
        "Int32": 4,
        "Uint32": 4,
        "Float32": 4,
        "Uint64": 8,
    }

    def __init__(self) -> None:
        self.slots: dict[int, int | str] = {}

    def StartObject(self, count: int) -> None:
        self.count = count

    def __getattr__(self, name: str) -> Callable[[int, object, object], None]:
        kind = name.removeprefix("Prepend").removesuffix("Slot")

        def record(slot: int, value: object, default: object) -> None:
            assert slot < self.count
            self.slots[slot] = self.WIDTHS.get(kind, "offset")

        return record


def test_shared_tables_do_not_multiply_the_work() -> None:
    """100,000 references to one subgraph hit the table limit; offsets lead forward, so nothing cycles."""
    out = OutSubgraph([int8(f"t{i}") for i in range(200)], inputs=(0,), outputs=(0,))
    writer = _Serialiser([out])
    writer.buffers.append(writer.buffer(None))
    subgraph = writer.subgraph(out)
    shared = writer.offsets([subgraph] * 100_000)
    buffers = writer.offsets(writer.buffers)
    writer.b.Finish(writer.table("Model", Version=3, Subgraphs=shared, Buffers=buffers), b"TFL3")
    started = time.process_time()
    with pytest.raises(UserError, match="more than 100000 tables"):
        import_tflite(bytes(writer.b.Output()), "m.tflite")
    assert time.process_time() - started < MAX_SECONDS


def test_a_vector_longer_than_the_file_is_found() -> None:
    data = bytearray(serialise([OutSubgraph([int8("x")], inputs=(0,), outputs=(0,))], "test"))
    model = tflite.Model.GetRootAs(bytes(data), 0)
    at = model._tab.Vector(model._tab.Offset(8)) - 4
    struct.pack_into("<I", data, at, 0x7FFFFFFF)
    with pytest.raises(FlatbufferError, match="2147483647 elements"):
        verify_flatbuffer(bytes(data), schema.MODEL)


def test_buffers_behind_the_flatbuffer_are_read_and_bounds_checked() -> None:
    values = np.array([[1, -2, 3, -4]], np.int8)
    constant = OutTensor("c", (1, 4), TYPE.INT8, Quant((0.5,), (0,)), values)
    out = OutSubgraph([int8("x"), constant, int8("y")], [OutOp(CODE.MINIMUM, (0, 1), (2,))], (0,), (2,))
    inline = serialise([out], "test")
    offset = len(inline) + 200

    def external(size: int) -> bytes:
        """The same file whose constant is 4 bytes at its very end."""

        def buffer(self: _Serialiser, data: np.ndarray | None) -> int:
            return self.table("Buffer") if data is None else self.table("Buffer", Offset=offset, Size=size)

        with mock.patch.object(_Serialiser, "buffer", buffer):
            head = serialise([out], "test")
        assert len(head) < offset
        return head.ljust(offset, b"\0") + values.tobytes()

    graph = import_tflite(external(4), "m.tflite")
    assert graph["c"].dtype is DType.INT8
    np.testing.assert_array_equal(graph["c"].data, values)
    with pytest.raises(UserError, match="buffer 1 lies at"):
        import_tflite(external(5), "m.tflite")
