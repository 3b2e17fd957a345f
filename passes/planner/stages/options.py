"""What each op may cost row by row, by the kernels there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ....ir import Graph, Op
from ..choose import Costs
from ..kernel import Kernel
from .pieces import Piece, RowKernel, RowOption, row_options, strip
from .reach import COLUMNS, ROWS, reaches, steps

CALL_COST = 50.0
"""Cycles per call of a layer of a stage beside its kernel: the loop's tests, the call, the rows' places.

Measured on the Cortex-M4: layers of kws_ref_model and vww_96_int8 by pl_depthwise_conv2d_s8__dsp_3x3row in a
stage, less the same kernel on the whole layer, per call: 35 where the layer is alone in its stage, 41 to 53
where it is one of four to ten."""

_SLOW = 2.5
"""Kernels that cost this many times the fastest that works by rows are not looked at, unless they need no
scratch memory."""

Parts = tuple[tuple[int, int], ...]
"""Output columns [start, end) of each strip; one of all columns where rows are whole."""


@dataclass(frozen=True, eq=False)
class Weighed:
    """A kernel for some columns of an op.

    cycles    of all rows, calls included
    scratch   bytes of a call
    growth    bytes that several rows per call add to the rings before and behind
    """

    option: RowOption
    cycles: float
    scratch: int
    growth: int

    def beats(self, other: Weighed) -> bool:
        """Whether it is better in something and worse in nothing."""
        mine, others = (
            (w.cycles, w.scratch, w.growth, w.option.unit, w.option.pointers) for w in (self, other)
        )
        return mine != others and all(a <= b for a, b in zip(mine, others, strict=True))


@dataclass(frozen=True)
class Taste:
    """What kernels are wanted.

    scratch   bytes at most; extra: bytes at most with what several rows per call take
    price     cycles that are worth a byte of several rows per call
    """

    scratch: float = float("inf")
    price: float = 0.0
    extra: float = float("inf")

    def choose(self, able: Iterable[Weighed]) -> Weighed | None:
        """The cheapest that takes no more; where none does, the one that takes least. None of none."""
        return min(able, key=self._rank, default=None)

    def _rank(self, w: Weighed) -> tuple[bool, float, float]:
        extra = w.scratch + w.growth
        if w.scratch <= self.scratch and extra <= self.extra:
            return False, w.cycles + (self.price * w.growth if w.growth else 0.0), extra
        return True, extra, w.cycles


class Options:
    """Kernels of every op row by row, and what they cost; answers are remembered."""

    def __init__(
        self, graph: Graph, features: frozenset[str], kernels: Sequence[Kernel], costs: Costs
    ) -> None:
        self.graph, self._costs = graph, costs
        self._kernels = [k for k in kernels if k.features <= features]
        shapes = {op.name: graph[op.outputs[0]].shape if op.outputs else () for op in graph.ops}
        self._widths = {name: shape[COLUMNS] if len(shape) == 4 else 1 for name, shape in shapes.items()}
        self._usable: dict[str, list[RowOption]] = {}
        self._menus: dict[tuple[str, bool], tuple[Weighed, ...]] = {}
        self._figures: dict[tuple[str, str, int, tuple[int, int]], tuple[float, int] | None] = {}
        self._forms: dict[tuple[str, str, int, tuple[int, int]], tuple[object, ...]] = {}
        self._pieces: dict[tuple[str, tuple[int, int]], Piece] = {}
        self._dense: dict[str, bool] = {}

    def width(self, op: Op) -> int:
        """Output columns of an op."""
        return self._widths[op.name]

    def menu(self, op: Op, single: bool = False) -> tuple[Weighed, ...]:
        """Kernels for whole rows of an op, none that another beats; `single`: with one row per call."""
        key = op.name, single
        if key not in self._menus:
            options = [o for o in self._row_options(op) if o.unit == 1 or not single]
            able = self._weighed_of(op, options, ((0, self.width(op)),))
            self._menus[key] = tuple(w for w in able if not any(o.beats(w) for o in able))
        return self._menus[key]

    def in_strips(self, op: Op, taste: Taste, parts: Parts) -> Weighed | None:
        """The kernel for the columns in `parts`, one row per call, by one function of C; None where there
        is none."""
        best = [w.option for w in self.menu(op, True)]
        others = [o for o in self._row_options(op) if o.unit == 1 and o not in best]
        for options in (best, others):  # kernels that need wide rows may not do
            left = self._weighed_of(op, options, parts)
            while (chosen := taste.choose(left)) is not None:
                # Last, because the form of a kernel's calls takes long to find out.
                if self._alike_in(op, chosen.option, parts):
                    return chosen
                left.remove(chosen)
        return None

    def _weighed_of(self, op: Op, options: Iterable[RowOption], parts: Parts) -> list[Weighed]:
        """Those of the kernels that can compute the parts."""
        found = []
        for o in options:
            figures = [self._weigh(op, o, columns) for columns in parts]
            known = [f for f in figures if f is not None]
            if len(known) == len(parts):
                cycles, scratch = sum(f[0] for f in known), max(f[1] for f in known)
                found.append(Weighed(o, cycles, scratch, self._growth(op, o, parts)))
        return found

    def _growth(self, op: Op, option: RowOption, parts: Parts) -> int:
        x, y = self.graph[op.inputs[0]], self.graph[op.outputs[0]]
        if option.unit == 1:
            return 0
        share = max(b - a for a, b in parts) / self.width(op)
        per_row = (x.size_bytes + y.size_bytes) / y.shape[ROWS]
        return round((option.unit - 1) * per_row * share)

    def _alike_in(self, op: Op, option: RowOption, parts: Parts) -> bool:
        """Whether one function of C can compute all parts."""
        alike = len(parts) == 1 or option.pointers  # with row pointers a kernel has one form
        return alike or len({self._form(op, option, columns) for columns in parts}) == 1

    def _form(self, op: Op, option: RowOption, columns: tuple[int, int]) -> tuple[object, ...]:
        columns = self._alike(op, columns)
        key = op.name, option.kernel.name, option.unit, columns
        if key not in self._forms:
            self._forms[key] = option.run(self._piece(op, columns)).form
        return self._forms[key]

    def _row_options(self, op: Op) -> list[RowOption]:
        """Of kernels that are not much slower than the fastest, and those that need no scratch memory."""
        if op.name not in self._usable:
            tensors = self.graph.tensors
            able = [k for k in self._kernels if type(op) is k.op and k.accepts(op, tensors)]
            costs = {id(k): known_cost(self._costs, k, Piece(op, tensors, {})) for k in able}
            found: list[RowOption] = []
            limit = float("inf")
            for k in sorted(able, key=lambda k: costs[id(k)]):
                if costs[id(k)] <= limit or not k.scratch_bytes(op, tensors):
                    options = row_options(k, op, tensors)
                    limit = min(limit, _SLOW * costs[id(k)]) if options else limit
                    found += options
            self._usable[op.name] = found
        return self._usable[op.name]

    def _piece(self, op: Op, columns: tuple[int, int]) -> Piece:
        key = op.name, columns
        if key not in self._pieces:
            self._pieces[key] = strip(op, self.graph.tensors, columns)
        return self._pieces[key]

    def _weigh(self, op: Op, option: RowOption, columns: tuple[int, int]) -> tuple[float, int] | None:
        """(cycles, scratch bytes) of some columns, None where the kernel cannot compute them alone."""
        columns = self._alike(op, columns)
        key = op.name, option.kernel.name, option.unit, columns
        if key not in self._figures:
            run = option.run(self._piece(op, columns))
            self._figures[key] = self._weighed(op, run) if run.accepted else None
        return self._figures[key]

    def _weighed(self, op: Op, run: RowKernel) -> tuple[float, int]:
        rows = steps(op, self.graph.tensors)
        cycles = row_cycles(self._costs, run, rows)
        if cycles is None:
            cycles = of_all_rows(run, guessed_cycles(run.piece), rows)
        return cycles, run.scratch_bytes

    def _alike(self, op: Op, columns: tuple[int, int]) -> tuple[int, int]:
        """Columns of the same number that cost the same: inner ones are moved to one place."""
        start, end = columns
        width = self.width(op)
        if start == 0 or end == width or self._between_inputs(op):
            return columns
        start = min(start, max(1, (width - (end - start)) // 2))
        return start, start + end - columns[0]

    def _between_inputs(self, op: Op) -> bool:
        """Whether outputs lie denser than inputs, so that not all of them need equally many."""
        if op.name not in self._dense:
            found = reaches(op, self.graph.tensors, COLUMNS) or {}
            self._dense[op.name] = any(r.up > 1 for r in found.values())
        return self._dense[op.name]


def row_cycles(costs: Costs, run: RowKernel, rows: int) -> float | None:
    """Cycles of all `rows` steps of an op, calls included; None where the kernel was not measured."""
    cycles = costs.of(run.kernel, run.piece.op, run.piece.tensors)
    return None if cycles is None else of_all_rows(run, cycles, rows)


def of_all_rows(run: RowKernel, cycles: float, rows: int) -> float:
    """Cycles of all calls, from those of the piece that the kernel is given."""
    return cycles * rows / run.rows + CALL_COST * -(-rows // run.unit)


def guessed_cycles(part: Piece) -> float:
    """Multiply-accumulates and outputs, for kernels that were not measured."""
    outputs = sum(part.tensors[y].elements for y in part.op.outputs)
    return float(2 * part.op.macs(part.tensors) + 8 * outputs + 100)


def known_cost(costs: Costs, kernel: Kernel, part: Piece) -> float:
    """Cycles of a kernel that runs whole; guessed where it was not measured."""
    cycles = costs.of(kernel, part.op, part.tensors)
    return guessed_cycles(part) if cycles is None else cycles
