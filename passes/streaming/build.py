"""The streamed graph: each op cut to the ranges it computes, between reads and writes of state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...ir import Graph, Op, State, Tensor, evaluate
from ...ir.ops.concat import Concat
from ...ir.ops.pad import Pad
from ...ir.ops.read_state import ReadState
from ...ir.ops.slice import Slice
from ...ir.ops.write_state import WriteState
from ..rewrite import fresh_name
from .demand import Kept, Movement, Schedule
from .flows import Part
from .frames import Rows, TimeAxis


def zero_window(graph: Graph) -> dict[str, np.ndarray]:
    """All values of the network for inputs that are zero everywhere: stored zero points, or 0."""
    inputs = {n: np.full(graph[n].shape, graph[n].zero_point, graph[n].dtype.numpy) for n in graph.inputs}
    return evaluate(graph, inputs)


@dataclass(frozen=True)
class _Piece:
    """Rows of a value that have a name of their own in the new graph."""

    rows: Rows
    name: str


class Builder:
    """Collects the ops of the streamed graph; used once."""

    def __init__(self, graph: Graph, movement: Movement, plan: Schedule) -> None:
        self._old, self._movement, self._plan = graph, movement, plan
        self._zero: Mapping[str, np.ndarray] = zero_window(graph)
        self._tensors: dict[str, Tensor] = {
            n: t for n, t in graph.tensors.items() if n not in movement.tracks
        }
        self._ops: list[Op] = []
        self._states: list[State] = []
        self._labels: dict[str, str] = {}
        self._taken: set[str] = set()
        self._pieces: dict[str, list[_Piece]] = {v: [] for v in movement.tracks}

    def build(self) -> Graph:
        for x in self._old.inputs:
            if x in self._movement.tracks:
                self._input(x)
        for op in self._old.ops:
            if op.name in self._movement.flows:
                self._cut_op(op)
            else:
                self._whole_op(op)
        for y in self._old.outputs:
            if y in self._movement.tracks:
                self._rows(y, (0, self._time(y).rows))
        graph = replace(
            self._old,
            ops=tuple(self._ops),
            tensors=self._tensors,
            states=tuple(self._states),
            labels={**self._old.labels, **self._labels},
        )
        return graph.rewritten(graph.ops)

    # --- ops --------------------------------------------------------------------------------------

    def _input(self, x: str) -> None:
        """The graph's input holds the newest frames under the old name."""
        track = self._movement.tracks[x]
        rows = (track.time.rows - track.shift, track.time.rows)
        self._add_tensor(x, x, track.shift)
        self._pieces[x].append(_Piece(rows, x))
        self._keep(x)

    def _whole_op(self, op: Op) -> None:
        names = {x: self._rows(x, (0, self._time(x).rows)) for x in op.inputs if x in self._movement.tracks}
        self._ops.append(op.renamed(names))

    def _cut_op(self, op: Op) -> None:
        for rows in self._plan.segments[op.name]:
            self._segment(op, rows)
        for y in op.outputs:
            self._keep(y)

    def _segment(self, op: Op, rows: Rows) -> None:
        """One op that computes `rows` of the results of `op`."""
        found = self._movement.flows[op.name]
        names: dict[str, str] = {}
        padding = (0, 0)
        for x in dict.fromkeys(op.inputs):
            if x in self._movement.tracks:
                first, end = found.taps.reads(rows)
                there = self._time(x).rows
                padding = (max(0, -first), max(0, end - there))
                if max(first, 0) < min(end, there):
                    names[x] = self._rows(x, (max(first, 0), min(end, there)))
        for y in op.outputs:
            names[y] = self._name(y, rows)
            self._add_tensor(y, names[y], rows[1] - rows[0])
            self._pieces[y].append(_Piece(rows, names[y]))
        whole = rows == (0, found.times[0].rows)
        name = op.name if whole else self._fresh(f"{op.name}/rows_{rows[0]}_{rows[1]}")
        if not whole:
            self._labels[name] = f"{self._old.label(op)} rows {rows[0]} to {rows[1] - 1}"
        if all(x not in names for x in op.inputs if x in self._movement.tracks):
            self._constant_rows(op, names)
            return
        cut = found.cut(Part(rows[1] - rows[0], padding))
        self._ops.append(replace(cut, name=name).renamed(names))

    def _constant_rows(self, op: Op, names: Mapping[str, str]) -> None:
        """Rows that a pad makes of nothing."""
        assert isinstance(op, Pad)
        t = self._tensors[names[op.y]]
        self._tensors[t.name] = replace(t, data=np.full(t.shape, op.value, t.dtype.numpy))

    # --- state ------------------------------------------------------------------------------------

    def _keep(self, v: str) -> None:
        """Read what older calls left of `v`, and leave what calls to come will need."""
        kept = self._plan.kept.get(v)
        if kept is None:
            return
        state = self._state(v, kept)
        queue = self._named(v, f"{v}/kept", kept.count)
        self._ops.append(ReadState(self._fresh(f"{v}/read"), state, queue))
        newest = self._moved(v, kept, queue) if kept.in_place else self._joined(v, kept, queue)
        self._ops.append(WriteState(self._fresh(f"{v}/keep"), state, newest))

    def _moved(self, v: str, kept: Kept, old: str) -> str:
        """The state's next content, which ops read too: the old rows moved on, the new ones behind them."""
        first, end = kept.rows[0], kept.next_rows[1]
        rest = self._slice(v, old, kept.count, (kept.shift, kept.count), f"{v}/moved")
        new = self._rows(v, (kept.rows[1], end))
        name = self._name(v, (first, end))
        self._add_tensor(v, name, kept.count)
        self._pieces[v].append(_Piece((first, end), self._concat(v, [rest, new], name)))
        return name

    def _joined(self, v: str, kept: Kept, queue: str) -> str:
        """The state's next content, where the old rows stay until ops have read what they need."""
        each = kept.rows[1] - kept.rows[0]
        old = queue if kept.phases == 1 else self._slice(v, queue, kept.count, (0, each), f"{v}/oldest")
        self._pieces[v].append(_Piece(kept.rows, old))
        for wanted in self._plan.requests[v]:
            self._rows(v, wanted)
        newest = self._rows(v, kept.next_rows)
        if kept.phases > 1:
            rest = self._slice(v, queue, kept.count, (each, kept.count), f"{v}/later")
            newest = self._concat(v, [rest, newest], self._named(v, f"{v}/next", kept.count))
        return newest

    def _state(self, v: str, kept: Kept) -> str:
        """A state that starts as if zero frames had always come, all phases behind one another."""
        time, t = self._time(v), self._old[v]
        first, end = kept.next_rows
        first -= kept.shift if kept.in_place else 0
        rows = np.take(self._zero[v], range(first * time.unit, end * time.unit), axis=time.axis)
        initial = np.concatenate([rows] * kept.phases, axis=time.axis)
        name = self._fresh(f"{v}/state")
        self._states.append(State(name, initial.shape, t.dtype, t.quant, initial))
        return name

    # --- rows -------------------------------------------------------------------------------------

    def _rows(self, v: str, rows: Rows) -> str:
        """The name of a value that holds `rows` of `v`, put together from what there is."""
        pieces = self._pieces[v]
        holding = [p for p in pieces if p.rows[0] <= rows[0] and rows[1] <= p.rows[1]]
        if holding:
            best = min(holding, key=lambda p: p.rows[1] - p.rows[0])
            if best.rows == rows:
                return best.name
            name = self._part(v, best, rows, self._name(v, rows))
        else:
            parts = [self._part(v, p, r) for p, r in self._cover(v, rows)]
            name = self._name(v, rows)
            self._add_tensor(v, name, rows[1] - rows[0])
            self._concat(v, parts, name)
        pieces.append(_Piece(rows, name))
        return name

    def _cover(self, v: str, rows: Rows) -> list[tuple[_Piece, Rows]]:
        """Pieces that make up `rows`, and what each gives; always the one that reaches furthest."""
        found: list[tuple[_Piece, Rows]] = []
        at = rows[0]
        while at < rows[1]:
            best = max((p for p in self._pieces[v] if p.rows[0] <= at), key=lambda p: p.rows[1])
            assert best.rows[1] > at, f"row {at} of {v} is neither kept nor computed"
            end = min(best.rows[1], rows[1])
            found.append((best, (at, end)))
            at = end
        return found

    def _part(self, v: str, piece: _Piece, rows: Rows, name: str | None = None) -> str:
        """`rows` of a piece that holds them."""
        if piece.rows == rows:
            return piece.name
        inside = (rows[0] - piece.rows[0], rows[1] - piece.rows[0])
        if name is None:
            return self._slice(
                v, piece.name, piece.rows[1] - piece.rows[0], inside, f"{v}/rows_{rows[0]}_{rows[1]}"
            )
        self._add_tensor(v, name, rows[1] - rows[0])
        return self._slice_to(v, piece.name, inside, name)

    def _slice(self, v: str, x: str, there: int, rows: Rows, stem: str) -> str:
        """A new value: `rows` of `x`, which holds `there` rows of the kind of `v`."""
        if rows == (0, there):
            return x
        return self._slice_to(v, x, rows, self._named(v, stem, rows[1] - rows[0]))

    def _slice_to(self, v: str, x: str, rows: Rows, y: str) -> str:
        time, shape = self._time(v), self._tensors[x].shape
        begin = tuple(rows[0] * time.unit if d == time.axis else 0 for d in range(len(shape)))
        step = (1,) * len(shape)
        self._ops.append(Slice(self._fresh(f"{y}/slice"), x, y, begin, self._tensors[y].shape, step))
        return y

    def _concat(self, v: str, parts: list[str], y: str) -> str:
        self._ops.append(Concat(self._fresh(f"{y}/join"), tuple(parts), y, self._time(v).axis))
        return y

    # --- names ------------------------------------------------------------------------------------

    def _time(self, v: str) -> TimeAxis:
        return self._movement.tracks[v].time

    def _fresh(self, stem: str) -> str:
        name = fresh_name(self._old, stem, self._taken)
        self._taken.add(name)
        return name

    def _name(self, v: str, rows: Rows) -> str:
        """The old name for all rows of a computed value, another one for some of them."""
        if rows == (0, self._time(v).rows) and v not in self._old.inputs:
            return v
        return self._fresh(f"{v}/rows_{rows[0]}_{rows[1]}")

    def _named(self, v: str, stem: str, rows: int) -> str:
        name = self._fresh(stem)
        self._add_tensor(v, name, rows)
        return name

    def _add_tensor(self, v: str, name: str, rows: int) -> None:
        t = self._old[v]
        self._tensors[name] = replace(t, name=name, shape=self._time(v).shape(t.shape, rows))
