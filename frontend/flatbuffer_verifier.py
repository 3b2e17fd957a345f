"""Bounds checks for flatbuffers, driven by tables: the Python flatbuffers runtime has no verifier.

A `Table` says which slots of a flatbuffer table are read and what they hold. `verify_flatbuffer`
walks a file along such a description and checks every offset, vtable, vector and string before
anything else looks at them; slots the description leaves out must not be read. Source of the binary
layout: the FlatBuffers internals document (https://flatbuffers.dev/internals/). Alignment is not
required: nothing here reads through pointers.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_DEPTH = 16
"""Tables within tables; TensorFlow Lite's schema, as far as it is read, nests 4 deep."""

MAX_TABLES = 400_000
"""Tables visited, shared ones once per reference. Bounds the work for files whose offsets share or cycle."""

MAX_ITEMS = 1 << 22
"""Elements of all vectors wider than a byte, which are copied into Python objects when read."""


class FlatbufferError(ValueError):
    """The file is not a well-formed flatbuffer of the expected schema."""


@dataclass(frozen=True)
class Scalar:
    """An inline number of `size` bytes."""

    size: int


@dataclass(frozen=True)
class Text:
    """A string."""


@dataclass(frozen=True)
class Vector:
    """A vector of numbers of `size` bytes each."""

    size: int


@dataclass(frozen=True)
class Table:
    """A table and the slots of it that are read, by slot number."""

    name: str
    slots: Mapping[int, Slot] = field(default_factory=dict)


@dataclass(frozen=True)
class Tables:
    """A vector of tables."""

    table: Table


@dataclass(frozen=True)
class Union:
    """A table whose type is the number in slot `selector`; types not listed are left alone."""

    selector: int
    tables: Mapping[int, Table]


Slot = Scalar | Text | Vector | Table | Tables | Union

_INLINE = 4
"""Bytes of an offset field inside a table."""


def verify_flatbuffer(data: bytes, root: Table) -> None:
    """Check that `data` is a flatbuffer whose root is a `root`, as far as that describes it.

    Raises FlatbufferError that names the first field out of bounds.
    """
    walk = _Walk(data)
    walk.table(walk.follow(0, root.name), root, root.name, 0)


class _Walk:
    """One verification: the data and what is left of the work limits."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.tables_left = MAX_TABLES
        self.items_left = MAX_ITEMS

    def need(self, start: int, count: int, what: str) -> None:
        """Bytes [start, start + count) lie inside the file."""
        if start < 0 or start + count > len(self.data):
            raise FlatbufferError(f"{what} lies at byte {start} to {start + count} of {len(self.data)}")

    def u16(self, at: int, what: str) -> int:
        self.need(at, 2, what)
        return int(struct.unpack_from("<H", self.data, at)[0])

    def u32(self, at: int, what: str) -> int:
        self.need(at, 4, what)
        return int(struct.unpack_from("<I", self.data, at)[0])

    def follow(self, at: int, what: str) -> int:
        """Where the offset stored at byte `at` points."""
        target = at + self.u32(at, what)
        self.need(target, 4, what)
        return target

    def vector(self, at: int, size: int, what: str) -> int:
        """Check the vector whose offset is stored at byte `at`; returns its length."""
        start = self.follow(at, what)
        length = self.u32(start, what)
        self.need(start + 4, length * size, f"{what} ({length} elements)")
        if size > 1:
            self.items_left -= length
            if self.items_left < 0:
                raise FlatbufferError(f"{what}: more than {MAX_ITEMS} vector elements in all")
        return length

    def fields(self, pos: int, what: str) -> tuple[list[int], int]:
        """Field offsets by slot and the inline size of the table at byte `pos`."""
        self.need(pos, 4, what)
        vtable = pos - int(struct.unpack_from("<i", self.data, pos)[0])
        size = self.u16(vtable, f"vtable of {what}")
        if size < 4 or size % 2:
            raise FlatbufferError(f"vtable of {what} has {size} bytes")
        self.need(vtable, size, f"vtable of {what}")
        inline = self.u16(vtable + 2, f"vtable of {what}")
        self.need(pos, inline, what)
        return list(struct.unpack_from(f"<{size // 2 - 2}H", self.data, vtable + 4)), inline

    def table(self, pos: int, table: Table, path: str, depth: int) -> None:
        """Check the table at byte `pos` and everything below it."""
        self.tables_left -= 1
        if self.tables_left < 0 or depth > MAX_DEPTH:
            raise FlatbufferError(f"{path}: more than {MAX_TABLES} tables or {MAX_DEPTH} levels")
        offsets, inline = self.fields(pos, path)
        for slot, kind in table.slots.items():
            offset = offsets[slot] if slot < len(offsets) else 0
            if offset == 0:
                continue
            what = f"{path} field {slot}"
            size = kind.size if isinstance(kind, Scalar) else _INLINE
            if offset < 4 or offset + size > inline:
                raise FlatbufferError(f"{what} lies outside its table")
            self.slot(pos + offset, kind, what, depth, self.selected(pos, kind, offsets, inline, what))

    def selected(self, pos: int, kind: Slot, offsets: list[int], inline: int, what: str) -> Table | None:
        """The table a union holds, None for other slots and for types that are not read."""
        if not isinstance(kind, Union) or kind.selector >= len(offsets) or not offsets[kind.selector]:
            return None
        offset = offsets[kind.selector]
        if offset < 4 or offset >= inline:
            raise FlatbufferError(f"type of {what} lies outside its table")
        return kind.tables.get(self.data[pos + offset])

    def slot(self, at: int, kind: Slot, what: str, depth: int, selected: Table | None) -> None:
        """Check one present field stored at byte `at`."""
        if isinstance(kind, Text):
            self.vector(at, 1, what)
        elif isinstance(kind, Vector):
            self.vector(at, kind.size, what)
        elif isinstance(kind, Table):
            self.table(self.follow(at, what), kind, what, depth + 1)
        elif isinstance(kind, Tables):
            length = self.vector(at, _INLINE, what)
            start = self.follow(at, what) + 4
            for i in range(length):
                element = f"{kind.table.name} {i}"
                self.table(self.follow(start + _INLINE * i, element), kind.table, element, depth + 1)
        elif selected is not None:
            self.table(self.follow(at, what), selected, what, depth + 1)
