"""Replays a stage byte by byte, as the generated C runs it: part of the plan checker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ....ir import Graph, Op
from ..types import Place, Stage
from .pieces import strip
from .reach import COLUMNS, ROWS, Reach, reaches, steps, sums_over_the_map

View = Callable[[Place, int], np.ndarray]
"""(place, size) -> the identities of these bytes, writable."""


@dataclass(frozen=True, eq=False)
class Operands:
    """One op of a stage: where its scratch memory is, and inputs that its output may replace as it goes."""

    op: Op
    scratch: Place | None
    scratch_bytes: int
    in_place: frozenset[str]


@dataclass(frozen=True)
class _Row:
    """A run of bytes of a row of a value: where they lie, and which bytes of the value they are."""

    value: str
    place: Place
    start: int
    size: int


def stage_problem(graph: Graph, stages: Sequence[Stage]) -> str:
    """What stages say that no stage can mean; "" where that is nothing."""
    ops = {op.name: op for op in graph.ops}
    seen: set[str] = set()
    for stage in stages:
        names = set(stage.ops)
        if not names or len(names) < len(stage.ops) or not names <= set(ops) or names & seen:
            return f"a stage of {', '.join(map(repr, stage.ops)) or 'no ops'}"
        seen |= names
        first = f"stage of {stage.ops[0]!r}"
        made = {y: graph[y].shape for name in stage.ops for y in ops[name].outputs}
        widths = {y: shape[COLUMNS] if len(shape) == 4 else 1 for y, shape in made.items()}
        if set(stage.units) != names or not stage.held <= names:
            return f"{first}: rows per call, or ops that wait, are not those of its ops"
        if stage.fed and (stage.units[stage.ops[0]] != 1 or stage.strips):
            return f"{first}: the caller gives single rows"
        for v, rows in stage.rings.items():
            if v not in made or len(made[v]) != 4 or rows < 1:
                return f"{first}: a ring of {rows} rows of {v!r}"
        for strip_ in stage.strips:
            inside = set(strip_) == set(made) and all(0 <= a < b <= widths[v] for v, (a, b) in strip_.items())
            if not inside:
                return f"{first}: a strip of columns {dict(strip_)}"
    return ""


class StageReplay:
    """The memory while a stage runs.

    view      the memory; `identities`: of every byte of every value; `fresh` makes new ones
    fail      raises the error of the checker with a message
    """

    def __init__(
        self,
        graph: Graph,
        stage: Stage,
        operands: Sequence[Operands],
        places: Mapping[str, Place],
        identities: Mapping[str, np.ndarray],
        view: View,
        fresh: Callable[[str, int], np.ndarray],
        fail: Callable[[str], None],
    ) -> None:
        self._graph, self._stage, self._operands, self._places = graph, stage, operands, places
        self._identities, self._view, self._fresh, self._fail = identities, view, fresh, fail
        self._reach: dict[str, Mapping[str, Reach]] = {}
        for o in operands:
            found = reaches(o.op, graph.tensors, ROWS)
            if found is None:
                fail(f"{o.op.name}: it cannot run row by row")
            self._reach[o.op.name] = found or {}
        self._rows = {o.op.name: steps(o.op, graph.tensors) for o in operands}
        self._counted = {  # rows in the order in which they are computed
            name: {x: r.mirrored(self._rows[name]) for x, r in found.items()} if stage.upwards else found
            for name, found in self._reach.items()
        }
        self._sums: dict[str, np.ndarray] = {}

    def run(self) -> None:
        """All strips, one after the other."""
        for s in range(self._stage.passes):
            done = dict.fromkeys(self._rows, 0)
            first = self._operands[0]
            while any(done[name] < rows for name, rows in self._rows.items()):
                before = dict(done)
                for o in self._operands[int(self._stage.fed) :]:
                    self._try(o, done, s)
                if self._stage.fed and done == before:
                    self._try(first, done, s)
                if done == before:
                    self._fail(f"stage of {self._stage.ops[0]!r}: it waits for ever")

    def _try(self, o: Operands, done: dict[str, int], s: int) -> None:
        """Run the next call of an op if the generated code would."""
        name = o.op.name
        first, rows = done[name], self._rows[name]
        if first >= rows:
            return
        end = min(first + self._stage.units[name], rows)
        for other in self._operands:
            reach = self._counted[name].get(other.op.outputs[0])
            if reach is not None and done[other.op.name] < reach.end(end - 1):
                return
        if name in self._stage.held and not self._wanted(o.op.outputs[0], first, done):
            return
        if self._stage.upwards:
            self._call(o, rows - end, rows - first, s)
        else:
            self._call(o, first, end, s)
        done[name] = end

    def _wanted(self, value: str, row: int, done: Mapping[str, int]) -> bool:
        users = [(o.op.name, self._counted[o.op.name].get(value)) for o in self._operands]
        waiting = [(n, r) for n, r in users if r is not None and done[n] < self._rows[n]]
        lasts = [(r, min(done[n] + self._stage.units[n], self._rows[n]) - 1) for n, r in waiting]
        return not waiting or any(row < r.end(last) for r, last in lasts)

    def _call(self, o: Operands, first: int, end: int, s: int) -> None:
        """Scratch is written, inputs are read, outputs are written while inputs are still read."""
        op, y = o.op, o.op.outputs[0]
        summing = sums_over_the_map(op, self._graph.tensors)
        keeps = summing or (self._stage.fed and o is self._operands[0])
        if o.scratch is not None:
            there = self._view(o.scratch, o.scratch_bytes)
            if keeps and first and not np.array_equal(there, self._sums[op.name]):
                self._fail(f"{op.name}: what it keeps between calls is lost at row {first}")
            if not (keeps and first):
                there[:] = self._fresh(f"scratch of {op.name!r}", o.scratch_bytes)
                self._sums[op.name] = there.copy()
        read = [row for x in dict.fromkeys(op.inputs) for row in self._read(o, x, first, end, s)]
        for row in read:
            self._expect(op, row)
        if summing and end < self._rows[op.name]:
            return
        written = (
            [self._whole(y)] if summing else [self._row(y, r, self._made(y, s), s) for r in range(first, end)]
        )
        for row in written:
            self._view(row.place, row.size)[:] = self._bytes(row)
        for row in read:
            if row.value not in o.in_place:
                self._expect(op, row)
        if o.scratch is not None and not np.array_equal(
            self._view(o.scratch, o.scratch_bytes), self._sums[op.name]
        ):
            self._fail(f"{op.name}: output {y!r} overlaps its scratch")

    def _made(self, value: str, s: int) -> tuple[int, int]:
        return self._stage.columns(value, s, self._width(value))

    def _read(self, o: Operands, x: str, first: int, end: int, s: int) -> list[_Row]:
        """The rows of an input that a call reads; all of it where it is not taken row by row."""
        if self._graph[x].constant:
            return []
        reach = self._reach[o.op.name].get(x)
        if reach is None:
            return [self._whole(x)]
        columns = 0, self._width(x)
        if self._stage.strips:
            part = strip(o.op, self._graph.tensors, self._made(o.op.outputs[0], s))
            start = part.starts.get(x, 0)
            columns = start, start + part.tensors[x].shape[COLUMNS]
        return [self._row(x, r, columns, s) for r in range(reach.first(first), reach.end(end - 1))]

    def _whole(self, value: str) -> _Row:
        return _Row(value, self._places[value], 0, self._graph[value].size_bytes)

    def _row(self, value: str, row: int, columns: tuple[int, int], s: int) -> _Row:
        t, place, ring = self._graph[value], self._places[value], self._stage.rings.get(value)
        pixel = t.shape[3] * t.dtype.itemsize
        width, from_column, slot = self._width(value), 0, row
        if ring is not None:
            width, slot = self._stage.pitch(value, width), row % ring
            from_column = self._made(value, s)[0]
        offset = place.offset + (slot * width + columns[0] - from_column) * pixel
        start = (row * self._width(value) + columns[0]) * pixel
        return _Row(value, Place(place.region, offset, place.owner), start, (columns[1] - columns[0]) * pixel)

    def _width(self, value: str) -> int:
        return self._graph[value].shape[COLUMNS]

    def _bytes(self, row: _Row) -> np.ndarray:
        return self._identities[row.value][row.start : row.start + row.size]

    def _expect(self, op: Op, row: _Row) -> None:
        there = self._view(row.place, row.size)
        if not np.array_equal(there, self._bytes(row)):
            at = int(np.flatnonzero(there != self._bytes(row))[0])
            self._fail(
                f"{op.name}: bytes from {row.start + at} of {row.value!r} at"
                f" {row.place.region}+{row.place.offset + at} are not there"
            )
