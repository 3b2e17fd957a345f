"""Every run of ops that may be a stage, with the bytes and cycles it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ....ir import Op
from ..choose import Costs
from ..demand import Demand
from ..kernel import Kernel
from ..livebytes import LiveBytes, bits
from .beginning import Around, Beginning, StageFigures
from .cuts import Cuts
from .options import Options, known_cost
from .pieces import Columns, Piece
from .reach import Geometry
from .replay import replay
from .shape import Rows, flows_of, rows_of

LONGEST = 40
"""Ops in one stage at most."""


@dataclass(frozen=True, eq=False)
class Segment:
    """Ops [start, end) of the order, as one stage or (stage is None) as a whole op.

    bytes_    of the arena while it runs, fragmentation not counted
    macs      with what strips compute twice
    whole     name and scratch bytes of the kernel of a whole op, by its name
    """

    start: int
    end: int
    bytes_: int
    cycles: float
    macs: int
    whole: Mapping[str, tuple[str, int]]
    stage: StageFigures | None = None

    @property
    def kernels(self) -> Mapping[str, tuple[str, int]]:
        """Name and scratch bytes of the kernel of each op."""
        return self.stage.kernels if self.stage else self.whole

    @property
    def rows(self) -> Rows | None:
        """What a stage does along its rows."""
        return self.stage.rows if self.stage else None

    @property
    def strips(self) -> tuple[Columns, ...]:
        """The columns of each strip of a stage; empty where rows are whole."""
        return self.stage.strips if self.stage else ()


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
        self._cuts = Cuts(self._order, self._geometry, options)
        self._memory = [LiveBytes(need) for need in demands]
        self._names = [*graph.inputs, *(y for op in graph.ops for y in op.outputs)]
        self._index = {op.name: t for t, op in enumerate(graph.ops)}
        self._live, self._done = self._lives()
        self._turned: dict[Rows, Rows | None] = {}

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
        yield from self.between(0, len(self._order))

    def between(self, first: int, end: int, stages: bool = True) -> Iterator[Segment]:
        """Those among ops [first, end) of the order."""
        for start in range(first, end):
            if start or not self._fed:
                yield from self._whole(start)
            if stages:
                yield from self._stages(start, min(end, start + LONGEST))

    def _whole(self, start: int) -> Iterator[Segment]:
        op = self._order[start]
        for memory, need in zip(self._memory, self._demands, strict=True):
            name = need.kernels[op.name]
            peak, _ = memory.step(self._index[op.name], self._live[start], self._done[start])
            kernel = self._kernels.get((name, type(op)))
            cycles = known_cost(self._costs, kernel, Piece(op, self._graph.tensors, {})) if kernel else 0.0
            chosen = {op.name: (name, need.scratch[op.name])}
            yield Segment(start, start + 1, peak, cycles, op.macs(self._graph.tensors), chosen)

    def _stages(self, start: int, end: int) -> Iterator[Segment]:
        """Stages that begin with an op."""
        around = [self._around(start, at) for at in range(start, end + 1)]
        ops, fed = self._order[start:end], self._fed and not start
        begun = Beginning(
            self._demands[0], self._geometry, self._options, self._cuts, start, ops, around, fed
        )
        for s in begun.all():
            yield Segment(start, start + len(s.weighed), s.bytes_, s.cycles, s.macs, {}, s)

    def _around(self, start: int, end: int) -> Around:
        before, after = self._live[start], self._live[end]
        through = self._memory[0].cost(before & after, self._done[start])
        dying = [self._names[i] for i in bits(before & ~after)]
        return Around(through, dying, frozenset(self._names[i] for i in bits(after)))

    def upwards(self, s: Segment) -> Rows | None:
        """The rows of a stage computed from the last to the first; None where they cannot be."""
        if s.stage is None or s.stage.cut or s.stage.rows.run.fed:
            return None
        rows = s.stage.rows
        if rows not in self._turned:  # it is in many ways through the network
            flows = flows_of(self._geometry, rows.ops, s.stage.picked, upwards=True)
            run = replay(flows) if flows else None
            escapes = frozenset(rows.escapes)
            self._turned[rows] = rows_of(rows.ops, run, escapes, upwards=True) if run else None
        return self._turned[rows]
