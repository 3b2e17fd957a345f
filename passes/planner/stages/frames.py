"""Bytes that a stage takes, apart from its kernels: they depend on its rows only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ....ir import Graph
from .reach import COLUMNS
from .shape import Rows, row_bytes


@dataclass(frozen=True, eq=False)
class Frame:
    """Memory of a stage.

    rows     what it does along its rows
    edges    bytes that live through it, its inputs and outputs, these overlapping where they may
    apart    the same where they do not overlap
    """

    rows: Rows
    edges: int
    apart: int
    graph: Graph
    round_up: Callable[[int], int]

    @cached_property
    def lasting(self) -> frozenset[int]:
        """Places of ops whose scratch is needed for the whole stage: sums, and counts of rows fed."""
        run = self.rows.run
        found = {i for i, f in enumerate(run.flows) if f.whole}
        return frozenset(found | ({0} if run.fed else set()))

    @cached_property
    def _rings(self) -> list[tuple[str, int, int, int, bool]]:
        """(value, place of its op, place of its last user, bytes of a column, whether they pass)."""
        ops = self.rows.ops
        last = {x: i for i, op in enumerate(ops) for x in op.inputs}
        at = {op.outputs[0]: i for i, op in enumerate(ops)}
        kept = self.rows.kept.items()
        return [(v, at[v], last[v], k.rows * row_bytes(self.graph[v], 1), k.passing) for v, k in kept]

    @cached_property
    def whole_rows(self) -> Rings:
        """Its rings when rows are whole."""
        graph = self.graph
        return self.rings({v: graph[v].shape[COLUMNS] for v in self.rows.kept})

    def rings(self, columns: Mapping[str, int]) -> Rings:
        """Its rings when rows have so many columns."""
        kept, passing = 0, [0] * len(self.rows.ops)
        for value, first, last, column, passes in self._rings:
            size = self.round_up(column * columns[value])
            if not passes:
                kept += size
                continue
            for i in range(first, last + 1):
                passing[i] += size
        return Rings(kept, passing, self.lasting)


@dataclass(frozen=True, eq=False)
class Rings:
    """kept: bytes of rings that are there for the whole stage; passing: of others, beside each op."""

    kept: int
    passing: Sequence[int]
    lasting: frozenset[int]

    def with_scratch(self, scratch: Sequence[int]) -> int:
        """Bytes with the scratch memory of each op, which all but the lasting share with passing rings."""
        if not self.lasting:
            return self.kept + max(map(int.__add__, self.passing, scratch))
        once = sum(scratch[i] for i in self.lasting)
        beside = (0 if i in self.lasting else n for i, n in enumerate(scratch))
        return self.kept + once + max(map(int.__add__, self.passing, beside))
