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

MAX_TABLES = 100_000
"""Tables visited, shared ones once per reference: bounds the work where many offsets lead to one table.

Offsets only lead forward, so nothing can cycle. A network of 1000 operators has about 10,000 tables."""

MAX_ITEMS = 1 << 22
"""Characters of all strings and elements of all vectors wider than a byte, which are copied when read."""


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

_U32, _I32, _VTABLE = struct.Struct("<I"), struct.Struct("<i"), struct.Struct("<HH")


def verify_flatbuffer(data: bytes, root: Table) -> None:
    """Check that `data` is a flatbuffer whose root is a `root`, as far as that describes it.

    Raises FlatbufferError that names the first field out of bounds.
    """
    walk = _Walk(data)
    walk.table(walk.follow(0, (root.name,)), root, 0)


What = tuple[object, ...]
"""Words that name a place in the file; joined only when it is wrong."""


class _Walk:
    """One verification: the data and what is left of the work limits."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.tables_left = MAX_TABLES
        self.items_left = MAX_ITEMS

    @staticmethod
    def error(what: What, problem: str) -> FlatbufferError:
        return FlatbufferError(f"{' '.join(str(w) for w in what)} {problem}")

    def need(self, start: int, count: int, what: What) -> None:
        """Bytes [start, start + count) lie inside the file."""
        if start < 0 or start + count > len(self.data):
            raise self.error(what, f"lies at byte {start} to {start + count} of {len(self.data)}")

    def u32(self, at: int, what: What) -> int:
        self.need(at, 4, what)
        return int(_U32.unpack_from(self.data, at)[0])

    def follow(self, at: int, what: What) -> int:
        """Where the offset stored at byte `at` points."""
        target = at + self.u32(at, what)
        self.need(target, 4, what)
        return target

    def vector(self, at: int, size: int, what: What) -> int:
        """Check the vector whose offset is stored at byte `at`; returns its length."""
        start = self.follow(at, what)
        length = self.u32(start, what)
        self.need(start + 4, length * size, (*what, f"({length} elements)"))
        if size > 1:
            self.copied(length, what)
        return length

    def copied(self, items: int, what: What) -> None:
        """Account for what becomes Python objects; many tables may share one vector or string."""
        self.items_left -= items
        if self.items_left < 0:
            raise self.error(what, f"needs more than {MAX_ITEMS} characters and vector elements in all")

    def fields(self, pos: int, slots: int, what: What) -> tuple[tuple[int, ...], int]:
        """Offsets of at most `slots` fields and the inline size of the table at byte `pos`."""
        self.need(pos, 4, what)
        vtable = pos - int(_I32.unpack_from(self.data, pos)[0])
        self.need(vtable, 4, ("vtable of", *what))
        size, inline = _VTABLE.unpack_from(self.data, vtable)
        if size < 4 or size % 2:
            raise self.error(("vtable of", *what), f"has {size} bytes")
        self.need(vtable, size, ("vtable of", *what))
        self.need(pos, inline, what)
        count = min(size // 2 - 2, slots)
        return struct.unpack_from(f"<{count}H", self.data, vtable + 4), inline

    def table(self, pos: int, table: Table, depth: int, index: int | None = None) -> None:
        """Check the table at byte `pos` and everything below it."""
        what: What = (table.name,) if index is None else (table.name, index)
        self.tables_left -= 1
        if self.tables_left < 0 or depth > MAX_DEPTH:
            raise self.error(what, f"needs more than {MAX_TABLES} tables or {MAX_DEPTH} levels")
        offsets, inline = self.fields(pos, max(table.slots, default=-1) + 1, what)
        for slot, kind in table.slots.items():
            offset = offsets[slot] if slot < len(offsets) else 0
            if offset == 0:
                continue
            size = kind.size if isinstance(kind, Scalar) else _INLINE
            if offset < 4 or offset + size > inline:
                raise self.error((*what, "field", slot), "lies outside its table")
            if isinstance(kind, Scalar):
                continue
            if isinstance(kind, Union):
                selector = offsets[kind.selector] if kind.selector < len(offsets) else 0
                if selector >= inline:
                    raise self.error((*what, "field", kind.selector), "lies outside its table")
                self.union(pos, offset, selector, kind, what, depth)
            else:
                self.slot(pos + offset, kind, (*what, "field", slot), depth)

    def union(self, pos: int, offset: int, selector: int, kind: Union, what: What, depth: int) -> None:
        """Check the table a union holds, whose type lies at `selector`; unread types are left alone."""
        if selector and (table := kind.tables.get(self.data[pos + selector])) is not None:
            self.table(self.follow(pos + offset, what), table, depth + 1)

    def slot(self, at: int, kind: Slot, what: What, depth: int) -> None:
        """Check one present field stored at byte `at`."""
        if isinstance(kind, Text):
            self.copied(self.vector(at, 1, what), what)
        elif isinstance(kind, Vector):
            self.vector(at, kind.size, what)
        elif isinstance(kind, Table):
            self.table(self.follow(at, what), kind, depth + 1)
        elif isinstance(kind, Tables):
            length = self.vector(at, _INLINE, what)
            start = self.follow(at, what) + 4
            for i in range(length):
                self.table(self.follow(start + _INLINE * i, what), kind.table, depth + 1, i)
