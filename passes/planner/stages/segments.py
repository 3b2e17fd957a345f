"""Every run of ops that may be a stage, with the bytes and cycles it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ....ir import Op
from ..choose import Costs
from ..demand import Demand
from ..kernel import Kernel
from ..livebytes import LiveBytes, bits
from ..offsets import round_up
from .lives import ring_bytes
from .options import Options, Parts, known_cost
from .pieces import Columns, Piece, RowOption
from .reach import Geometry
from .replay import Replay, replay
from .shape import Rows, flows_of, rows_of, slides, stage_of, strips_of

STRIPS = (2, 3, 4, 6)
"""Numbers of strips tried."""

LONGEST = 40
"""Ops in one stage at most."""

CAPS = (float("inf"), 8192.0, 5120.0, 3072.0, 2048.0, 1280.0, 704.0, 384.0, 0.0)
"""Bytes that a kernel in a stage may take beside single rows: what is tried."""

STRIP_CAPS = (256.0, 0.0)
"""The same for stages cut into strips, which are for the smallest arenas."""


@dataclass(frozen=True, eq=False)
class Segment:
    """Ops [start, end) of the order, as one stage or (rows is None) as a whole op.

    bytes_    of the arena while it runs, fragmentation not counted
    macs      with what strips compute twice
    kernels   name and scratch bytes of each op
    """

    start: int
    end: int
    bytes_: int
    cycles: float
    macs: int
    kernels: Mapping[str, tuple[str, int]]
    rows: Rows | None = None
    strips: tuple[Columns, ...] = ()
    picked: Mapping[str, RowOption] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Stage:
    """Ops, and the kernel and columns of each."""

    start: int
    end: int
    rows: Rows
    picked: Mapping[str, RowOption]
    parts: Mapping[str, Parts]
    strips: tuple[Columns, ...] = field(default=())


class Segments:
    """Enumerates segments of one order; `demands` are the choices of kernels for ops that run whole.

    fed   the first op of the order takes rows from the caller: it is in a stage
    """

    def __init__(
        self,
        demands: Sequence[Demand],
        order: Sequence[Op],
        options: Options,
        kernels: Sequence[Kernel],
        costs: Costs,
        fed: bool = False,
    ) -> None:
        self._demands, self._order, self._options, self._costs = demands, tuple(order), options, costs
        self._kernels = {(k.name, k.op): k for k in kernels}
        self._fed = fed
        self._graph = graph = demands[0].graph
        self._geometry = Geometry(graph)
        self._memory = [LiveBytes(need) for need in demands]
        self._names = [*graph.inputs, *(y for op in graph.ops for y in op.outputs)]
        self._index = {op.name: t for t, op in enumerate(graph.ops)}
        self._live, self._done = self._lives()

    def _lives(self) -> tuple[list[int], list[int]]:
        """Sets of values live, and of ops done, before each op of the order and behind the last."""
        memory = self._memory[0]
        live, done = [memory.start], [0]
        for op in self._order:
            t = self._index[op.name]
            live.append(memory.step(t, live[-1], done[-1])[1])
            done.append(done[-1] | 1 << t)
        return live, done

    def all(self) -> Iterator[Segment]:
        """Whole ops and stages."""
        for start in range(len(self._order)):
            if start or not self._fed:
                yield from self._whole(start)
            yield from self._stages(start)

    def _whole(self, start: int) -> Iterator[Segment]:
        op = self._order[start]
        for memory, need in zip(self._memory, self._demands, strict=True):
            name = need.kernels[op.name]
            peak, _ = memory.step(self._index[op.name], self._live[start], self._done[start])
            kernel = self._kernels.get((name, type(op)))
            cycles = known_cost(self._costs, kernel, Piece(op, self._graph.tensors, {})) if kernel else 0.0
            chosen = {op.name: (name, need.scratch[op.name])}
            yield Segment(start, start + 1, peak, cycles, op.macs(self._graph.tensors), chosen)

    def _stages(self, start: int) -> Iterator[Segment]:
        """Stages that begin with an op."""
        seen: set[tuple[object, ...]] = set()
        for cap in CAPS:
            ops, picked = self._able(start, cap)
            run = self._longest(ops, picked, self._fed and not start)
            if run is None:
                continue
            for count in range(1, len(run.flows) + 1):
                chosen = {op.name: picked[op.name] for op in ops[:count]}
                key = tuple((o.kernel.name, o.unit) for o in chosen.values())
                if key in seen:
                    continue
                seen.add(key)
                rows = self._rows(start, start + count, chosen, run)
                if rows is None:
                    continue
                parts = {op.name: self._options.whole(op) for op in rows.ops}
                yield self._segment(_Stage(start, start + count, rows, chosen, parts))
                if count > 1 and not run.fed and all(o.unit == 1 for o in chosen.values()):
                    yield from self._in_strips(start, start + count, rows, seen)

    def _able(self, start: int, cap: float) -> tuple[tuple[Op, ...], dict[str, RowOption]]:
        """The ops from `start` on that can run row by row, and their kernels."""
        picked: dict[str, RowOption] = {}
        for at, op in enumerate(self._order[start : start + LONGEST], start):
            given = self._fed and not at  # the caller gives one row at a time
            option = self._options.pick(op, cap, self._options.whole(op), given)
            if option is None:
                break
            picked[op.name] = option
        return self._order[start : start + len(picked)], picked

    def _longest(self, ops: Sequence[Op], picked: Mapping[str, RowOption], fed: bool) -> Replay | None:
        """The replay of as many of the ops as can run together."""
        for count in range(len(ops), 0, -1):
            flows = flows_of(self._geometry, ops[:count], picked)
            if flows is not None:
                return replay(flows, fed)
        return None

    def _rows(self, start: int, end: int, picked: Mapping[str, RowOption], longest: Replay) -> Rows | None:
        ops = self._order[start:end]
        run = longest.prefix(len(ops))
        if run is None:
            flows = flows_of(self._geometry, ops, picked)
            run = replay(flows, longest.fed) if flows else None
        if run is None:
            return None
        live = {self._names[i] for i in bits(self._live[end])}
        return rows_of(ops, run, frozenset(y for op in ops for y in op.outputs if y in live))

    def _in_strips(
        self, start: int, end: int, rows: Rows, seen: set[tuple[object, ...]]
    ) -> Iterator[Segment]:
        """The stage cut into columns, one row per call."""
        for count in STRIPS:
            strips = strips_of(rows, self._geometry, count)
            if strips is None:
                return
            parts = {op.name: tuple(s[op.outputs[0]] for s in strips) for op in rows.ops}
            for cap in STRIP_CAPS:
                picked = {op.name: self._options.pick(op, cap, parts[op.name]) for op in rows.ops}
                found = {name: o for name, o in picked.items() if o is not None and o.unit == 1}
                key = (count, *(o.kernel.name for o in found.values()))
                if len(found) == len(picked) and key not in seen:
                    seen.add(key)
                    yield self._segment(_Stage(start, end, rows, found, parts, strips))

    def upwards(self, s: Segment) -> Rows | None:
        """The rows of a stage computed from the last to the first; None where they cannot be."""
        if s.rows is None or s.strips or s.rows.run.fed:
            return None
        flows = flows_of(self._geometry, s.rows.ops, s.picked, upwards=True)
        run = replay(flows) if flows else None
        return rows_of(s.rows.ops, run, frozenset(s.rows.escapes), upwards=True) if run else None

    # --- figures ---------------------------------------------------------------------------------

    def _segment(self, s: _Stage) -> Segment:
        options = self._options
        figures = {
            op.name: (
                s.picked[op.name].kernel.name,
                options.scratch(op, s.picked[op.name], s.parts[op.name]),
            )
            for op in s.rows.ops
        }
        if s.rows.run.fed:
            name, _ = figures[s.rows.ops[0].name]
            figures[s.rows.ops[0].name] = name, stage_of(s.rows).counter_bytes
        cycles = sum(options.cost(op, s.picked[op.name], s.parts[op.name]) for op in s.rows.ops)
        macs = sum(self._macs(op, s.parts[op.name]) for op in s.rows.ops)
        size = self._bytes(s, figures)
        return Segment(s.start, s.end, size, cycles, macs, figures, s.rows, s.strips, s.picked)

    def _macs(self, op: Op, parts: Parts) -> int:
        """MACs of an op; every output pixel takes equally many."""
        columns = sum(b - a for a, b in parts)
        return op.macs(self._graph.tensors) * columns // self._options.width(op)

    def _bytes(self, s: _Stage, figures: Mapping[str, tuple[str, int]]) -> int:
        """What lives through it, its inputs and outputs (overlapping where they may), rings, scratch."""
        before, after = self._live[s.start], self._live[s.end]
        through = self._memory[0].cost(before & after, self._done[s.start])
        return through + self._edges(s, before & ~after) + self._inside(s, figures)

    def _edges(self, s: _Stage, dying: int) -> int:
        """Inputs that are not needed any more, and outputs; the best pair of them overlaps."""
        need = self._demands[0]
        inputs = [self._names[i] for i in bits(dying)]
        size = {v: 0 if v in need.extern else self._round(self._graph[v].size_bytes) for v in inputs}
        outputs = {v: self._round(self._graph[v].size_bytes) for v in s.rows.escapes}
        pairs = slides(s.rows, self._graph, need.extern) if not s.strips else {}
        saved = [
            size[x] + outputs[y] - max(outputs[y], size[x] + max(0, -limit))
            for (x, y), limit in pairs.items()
            if x in size
        ]
        return sum(size.values()) + sum(outputs.values()) - max([0, *saved])

    def _inside(self, s: _Stage, figures: Mapping[str, tuple[str, int]]) -> int:
        """Rings for the whole stage, and the most that passing rows and scratch need beside them."""
        stage, ops = stage_of(s.rows, s.strips), s.rows.ops
        kept, passing = 0, [0] * len(ops)
        position = {op.outputs[0]: i for i, op in enumerate(ops)}
        last = {x: i for i, op in enumerate(ops) for x in op.inputs}
        for value, ring in s.rows.kept.items():
            n = self._round(ring_bytes(self._demands[0], stage, value))
            if not ring.passing:
                kept += n
                continue
            for i in range(position[value], last[value] + 1):
                passing[i] += n
        for i, op in enumerate(ops):
            scratch = self._round(figures[op.name][1])
            if s.rows.run.flows[i].whole or (s.rows.run.fed and not i):
                kept += scratch
            else:
                passing[i] += scratch
        return kept + max(passing)

    def _round(self, size: int) -> int:
        return round_up(size, self._demands[0].alignment)
