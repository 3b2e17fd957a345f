"""What each op may cost row by row, by the kernels there are."""

from __future__ import annotations

from collections.abc import Sequence

from ....ir import Graph, Op
from ..choose import Costs
from ..kernel import Kernel
from .pieces import Piece, RowKernel, RowOption, row_options, strip
from .reach import COLUMNS, ROWS, steps

CALL_COST = 40.0
"""Cycles per call of a layer of a stage beside its kernel: the loop's tests, the call, the rows' places."""

_SLOW = 2.5
"""Kernels that cost this many times the fastest are not looked at, unless they need least memory."""

Parts = tuple[tuple[int, int], ...]
"""Output columns [start, end) of each strip; one of all columns where rows are whole."""


class Options:
    """Kernels of every op row by row, and what they cost; answers are remembered."""

    def __init__(
        self, graph: Graph, features: frozenset[str], kernels: Sequence[Kernel], costs: Costs
    ) -> None:
        self.graph, self._costs = graph, costs
        self._kernels = [k for k in kernels if k.features <= features]
        shapes = {op.name: graph[op.outputs[0]].shape for op in graph.ops if op.outputs}
        self._widths = {name: shape[COLUMNS] if len(shape) == 4 else 1 for name, shape in shapes.items()}
        self._usable: dict[str, list[RowOption]] = {}
        self._figures: dict[tuple[str, str, int, tuple[int, int]], tuple[float, int] | None] = {}
        self._forms: dict[tuple[str, str, int, tuple[int, int]], tuple[object, ...]] = {}
        self._picked: dict[tuple[str, float, Parts, bool], RowOption | None] = {}

    def whole(self, op: Op) -> Parts:
        """All columns of an op's output."""
        return ((0, self.width(op)),)

    def width(self, op: Op) -> int:
        """Output columns of an op."""
        return self._widths[op.name]

    def pick(self, op: Op, cap: float, parts: Parts, single: bool = False) -> RowOption | None:
        """The cheapest kernel that takes at most `cap` bytes beside single rows of its input and output.

        Where none does, the one that takes least; None where the op cannot be in a stage. `single`: it
        computes one row per call.
        """
        key = op.name, cap, parts, single
        if key not in self._picked:
            able = [o for o in self._row_options(op) if o.unit == 1 or not single]
            able = [o for o in able if self._able(op, o, parts)]
            small = [o for o in able if self.extra(op, o, parts) <= cap]
            self._picked[key] = min(small, key=lambda o: self.cost(op, o, parts), default=None) or min(
                able, key=lambda o: (self.extra(op, o, parts), self.cost(op, o, parts)), default=None
            )
        return self._picked[key]

    def _able(self, op: Op, option: RowOption, parts: Parts) -> bool:
        """Whether one function of C can compute all parts."""
        if not all(self._weigh(op, option, columns) for columns in parts):
            return False
        alike = len(parts) == 1 or option.pointers  # with row pointers a kernel has one form
        return alike or len({self._form(op, option, columns) for columns in parts}) == 1

    def _form(self, op: Op, option: RowOption, columns: tuple[int, int]) -> tuple[object, ...]:
        key = op.name, option.kernel.name, option.unit, self._alike(op, columns)
        if key not in self._forms:
            self._forms[key] = option.run(strip(op, self.graph.tensors, key[-1])).form
        return self._forms[key]

    def cost(self, op: Op, option: RowOption, parts: Parts) -> float:
        """Cycles of all rows of the columns in `parts`, calls included."""
        figures = [self._weigh(op, option, columns) for columns in parts]
        return sum(f[0] for f in figures if f)

    def scratch(self, op: Op, option: RowOption, parts: Parts) -> int:
        """Scratch bytes of a call."""
        figures = [self._weigh(op, option, columns) for columns in parts]
        return max(f[1] for f in figures if f)

    def extra(self, op: Op, option: RowOption, parts: Parts) -> int:
        """Scratch, and what several rows per call add to the rings before and behind."""
        rows = option.unit - 1
        if not rows:
            return self.scratch(op, option, parts)
        x, y = self.graph[op.inputs[0]], self.graph[op.outputs[0]]
        share = max(b - a for a, b in parts) / self.width(op)
        per_row = (x.size_bytes + y.size_bytes) / y.shape[ROWS]
        return self.scratch(op, option, parts) + round(rows * per_row * share)

    def _row_options(self, op: Op) -> list[RowOption]:
        """Kernels that are not much slower than the fastest, and those that need no scratch memory."""
        if op.name not in self._usable:
            tensors = self.graph.tensors
            able = [k for k in self._kernels if type(op) is k.op and k.accepts(op, tensors)]
            costs = {id(k): known_cost(self._costs, k, Piece(op, tensors, {})) for k in able}
            limit = _SLOW * min(costs.values(), default=0.0)
            able = [k for k in able if costs[id(k)] <= limit or not k.scratch_bytes(op, tensors)]
            self._usable[op.name] = [o for k in able for o in row_options(k, op, tensors)]
        return self._usable[op.name]

    def _weigh(self, op: Op, option: RowOption, columns: tuple[int, int]) -> tuple[float, int] | None:
        """(cycles, scratch bytes) of some columns, None where the kernel cannot compute them alone."""
        columns = self._alike(op, columns)
        key = op.name, option.kernel.name, option.unit, columns
        if key not in self._figures:
            part = strip(op, self.graph.tensors, columns)
            run = option.run(part)
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
        if start == 0 or end == width:
            return columns
        start = min(start, max(1, (width - (end - start)) // 2))
        return start, start + end - columns[0]


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
