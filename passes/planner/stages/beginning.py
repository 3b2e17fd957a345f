"""All stages that begin with one op of an order: how long, by which kernels, in how many strips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ....ir import Graph, Op
from ..demand import Demand
from ..offsets import round_up
from .cuts import STRIPS, TASTES, Cut, Cuts
from .frames import Frame
from .options import Options, Taste, Weighed
from .pieces import Columns, RowOption
from .reach import Geometry
from .replay import Replay, replay
from .shape import Rows, flows_of, rows_of, slides

_CAPS = (
    *(8192.0, 6144.0, 5120.0, 4096.0, 3584.0, 3072.0, 2560.0, 2048.0, 1664.0, 1280.0, 1024.0),
    *(704.0, 512.0, 384.0, 256.0, 128.0, 0.0),
)
_SCRATCH = (float("inf"), 4096.0, 2048.0, 1024.0, 512.0, 256.0, 128.0)
_PRICES = (100.0, 1000.0, float("inf"))

WHOLE_ROWS = (
    Taste(),
    *(Taste(extra=cap) for cap in _CAPS),
    *(Taste(scratch=scratch, price=price) for scratch in _SCRATCH for price in _PRICES),
)
"""What kernels are tried. Scratch is memory that the ops of a stage share, rows are not: so the one is
limited and the other has a price; and both together are limited."""


@dataclass(frozen=True, eq=False)
class Around:
    """What lies around a stage.

    through   bytes that live before and behind it
    dying     values that are not needed any more behind it; leaving: values needed there
    """

    through: int
    dying: Sequence[str]
    leaving: frozenset[str]


@dataclass(frozen=True, eq=False)
class StageFigures:
    """A stage: ops [start, start + len(weighed)), their kernels, what it takes and costs."""

    rows: Rows
    bytes_: int
    cycles: float
    macs: int
    weighed: tuple[Weighed, ...]
    cut: Cut | None = None

    @property
    def picked(self) -> dict[str, RowOption]:
        """Kernels by op."""
        return {op.name: w.option for op, w in zip(self.rows.ops, self.weighed, strict=True)}

    @property
    def kernels(self) -> dict[str, tuple[str, int]]:
        """Name of the kernel and scratch bytes by op."""
        scratch = scratch_of(self.rows, self.weighed)
        return {
            op.name: (w.option.kernel.name, n)
            for op, w, n in zip(self.rows.ops, self.weighed, scratch, strict=True)
        }

    @property
    def strips(self) -> tuple[Columns, ...]:
        """Columns of every value per strip; empty where rows are whole."""
        return () if self.cut is None else self.cut.strips(self.rows.ops)


def scratch_of(rows: Rows, weighed: Sequence[Weighed]) -> list[int]:
    """Scratch bytes of the ops of a stage; the first of a fed one keeps the counts of rows done there."""
    found = [w.scratch for w in weighed]
    return [4 * len(found), *found[1:]] if rows.run.fed else found


@dataclass(frozen=True, eq=False)
class Beginning:
    """Stages of the first of some ops and any number of the next.

    fed      the caller gives the rows of the first op's input one by one
    around   by number of ops: what lies around a stage of so many
    """

    need: Demand
    geometry: Geometry
    options: Options
    cuts: Cuts
    start: int
    ops: tuple[Op, ...]
    around: Sequence[Around]
    fed: bool = False
    _nodes: dict[tuple[int, object], int] = field(default_factory=dict)
    _frames: dict[int, Frame | None] = field(default_factory=dict)

    @property
    def graph(self) -> Graph:
        """The graph it is about."""
        return self.need.graph

    def all(self) -> Iterator[StageFigures]:
        """Every stage, by every choice of kernels."""
        seen: set[int] = set()
        for taste in WHOLE_ROWS:
            picked = [taste.choose(menu) for menu in self._menus]
            yield from self._whole_rows([w for w in picked if w is not None], seen)
        if not self.fed:
            yield from self._in_strips()

    @cached_property
    def _menus(self) -> list[tuple[Weighed, ...]]:
        """Kernels of the ops that can run row by row together with all before them."""
        menus: list[tuple[Weighed, ...]] = []
        for i, op in enumerate(self.ops):
            menu = self.options.menu(op, self.fed and not i)
            if not menu:
                break
            menus.append(menu)
        some = {op.name: menu[0].option for op, menu in zip(self.ops, menus, strict=False)}
        low, high = 0, len(menus)  # what so many can, fewer can, too
        while low < high:
            middle = (low + high + 1) // 2
            can = flows_of(self.geometry, self.ops[:middle], some) is not None
            low, high = (middle, high) if can else (low, middle - 1)
        return menus[:low]

    def _whole_rows(self, picked: Sequence[Weighed], seen: set[int]) -> Iterator[StageFigures]:
        kernels, cycles, macs = 0, 0.0, 0
        scratch = [w.scratch for w in picked]
        walk = _Walk(self, picked)
        for count, w in enumerate(picked, 1):
            kernels = self.node(kernels, id(w))
            cycles += w.cycles
            macs += self.ops[count - 1].macs(self.graph.tensors)
            walk.step(w)
            if kernels in seen:
                continue
            seen.add(kernels)
            frame = walk.frame(count)
            if frame is None:
                continue
            if self.fed:
                scratch[0] = 4 * count
            size = frame.edges + frame.whole_rows.with_scratch([self._round(n) for n in scratch[:count]])
            yield StageFigures(frame.rows, size, cycles, macs, tuple(picked[:count]))

    def _in_strips(self) -> Iterator[StageFigures]:
        """Stages cut into columns, one row per call."""
        single = [next((w for w in menu if w.option.unit == 1), None) for menu in self._menus]
        able = single.index(None) if None in single else len(single)
        picked = [w for w in single[:able] if w is not None]
        walk = _Walk(self, picked)
        for count, w in enumerate(picked, 1):
            walk.step(w)
            frame = walk.frame(count) if count > 1 else None
            if frame is None or len(frame.rows.escapes) != 1 or frame.lasting:
                continue
            for strips in STRIPS:
                cut = self.cuts.of(self.start, self.start + count, strips)
                if cut is None:
                    break
                yield from self._cut(frame, cut)

    def _cut(self, frame: Frame, cut: Cut) -> Iterator[StageFigures]:
        ops = [cut.ops[i] for i in range(self.start, cut.end)]
        rings = frame.rings({op.outputs[0]: c.pitch for op, c in zip(frame.rows.ops, ops, strict=True)})
        macs = sum(c.macs for c in ops)
        tried: list[tuple[Weighed, ...]] = []
        for i in range(len(TASTES)):
            weighed = tuple(w for c in ops if (w := c.picked[i]) is not None)
            if len(weighed) < len(ops) or weighed in tried:
                continue
            tried.append(weighed)
            size = frame.apart + rings.with_scratch([self._round(w.scratch) for w in weighed])
            yield StageFigures(frame.rows, size, sum(w.cycles for w in weighed), macs, weighed, cut)

    # --- rows ------------------------------------------------------------------------------------

    def node(self, before: int, then: object) -> int:
        """A number for a sequence: one for what comes first, and what comes then."""
        return self._nodes.setdefault((before, then), len(self._nodes) + 1)

    def frame(self, node: int, count: int, run: Replay | None) -> Frame | None:
        """What the first ops do along their rows; remembered for those that do the same."""
        if node not in self._frames:
            self._frames[node] = None if run is None else self._made(count, run)
        return self._frames[node]

    def known(self, node: int) -> bool:
        """Whether that frame has been asked for."""
        return node in self._frames

    def _made(self, count: int, run: Replay) -> Frame:
        around = self.around[count]
        rows = rows_of(self.ops[:count], run, around.leaving)
        size = {v: self._round(self.graph[v].size_bytes) for v in (*around.dying, *rows.escapes)}
        size |= {v: 0 for v in around.dying if v in self.need.extern}
        apart = sum(size[v] for v in around.dying) + sum(size[y] for y in rows.escapes)
        pairs = slides(rows, self.graph, self.need.extern)
        saved = [
            size[x] + size[y] - max(size[y], size[x] + max(0, -limit))
            for (x, y), limit in pairs.items()
            if x in around.dying
        ]
        edges = around.through + apart - max([0, *saved])
        return Frame(rows, edges, around.through + apart, self.graph, self._round)

    def _round(self, size: int) -> int:
        return round_up(size, self.need.alignment)


class _Walk:
    """One choice of kernels, from the first op on; how all of them run together is asked only if need be."""

    def __init__(self, stages: Beginning, picked: Sequence[Weighed]) -> None:
        self._stages, self._node = stages, 0
        self._ops = stages.ops[: len(picked)]
        self._picked = {op.name: w.option for op, w in zip(self._ops, picked, strict=True)}

    def step(self, w: Weighed) -> None:
        """Go one op further."""
        self._node = self._stages.node(self._node, (w.option.unit, w.option.pointers))

    def frame(self, count: int) -> Frame | None:
        """That of the ops so far."""
        if self._stages.known(self._node):
            return self._stages.frame(self._node, count, None)
        run = self._longest.prefix(count) if self._longest else None
        if run is None:
            flows = flows_of(self._stages.geometry, self._ops[:count], self._picked)
            run = replay(flows, self._stages.fed) if flows else None
        return self._stages.frame(self._node, count, run)

    @cached_property
    def _longest(self) -> Replay | None:
        """The replay of all ops."""
        flows = flows_of(self._stages.geometry, self._ops, self._picked)
        return replay(flows, self._stages.fed) if flows else None
