"""A stage as the planner weighs it: which rows of which values it keeps, and for how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ....ir import Graph, Op, Tensor
from ..types import Stage
from .pieces import Columns, RowOption
from .reach import ROWS, Geometry, steps, sums_over_the_map
from .replay import Flow, Kept, Replay


@dataclass(frozen=True, eq=False)
class Rows:
    """Ops that run together, seen along their rows; columns do not matter to it.

    escapes   values made here that are whole, because they are used elsewhere or not row by row
    outside   values from elsewhere that are used row by row
    kept      rings of all other values made here
    upwards   rows are computed from the last to the first
    """

    ops: tuple[Op, ...]
    run: Replay
    escapes: tuple[str, ...]
    outside: tuple[str, ...]
    kept: Mapping[str, Kept]
    upwards: bool = False
    _slides: dict[frozenset[str], dict[tuple[str, str], int]] = field(default_factory=dict)

    def held(self) -> frozenset[str]:
        """Names of the ops that wait for others."""
        return frozenset(self.ops[i].name for i in self.run.held)


def flows_of(
    geometry: Geometry, ops: Sequence[Op], picked: Mapping[str, RowOption], upwards: bool = False
) -> list[Flow] | None:
    """How `ops` run row by row, by kernels by name; None where one of them cannot.

    upwards   from the last row to the first: rows are counted from below then
    """
    tensors = geometry.graph.tensors
    found: list[Flow] = []
    whole, made = set[str](), set[str]()
    for op in ops:
        needs = geometry.reaches(op, ROWS)
        if needs is None or any(x in made and (x not in needs or x in whole) for x in op.inputs):
            return None
        summed = sums_over_the_map(op, tensors)
        whole |= {op.outputs[0]} if summed else set()
        made.add(op.outputs[0])
        option, rows = picked[op.name], steps(op, tensors)
        if upwards:
            if rows % option.unit or summed:
                return None
            needs = {x: reach.mirrored(rows) for x, reach in needs.items()}
        found.append(Flow(needs, op.outputs[0], rows, option.unit, summed, not option.pointers))
    return found


def rows_of(ops: Sequence[Op], run: Replay, escaping: frozenset[str], upwards: bool = False) -> Rows:
    """What a stage keeps; `escaping`: values that somebody else needs, too."""
    used = {x for f in run.flows for x in f.inputs}
    made = {f.output for f in run.flows}
    inner = [f.output for f in run.flows if f.output in used and f.output not in escaping and not f.whole]
    kept = {v: run.kept(v) for v in inner}
    escapes = tuple(f.output for f in run.flows if f.output not in kept)
    outside = tuple(dict.fromkeys(x for f in run.flows for x in f.inputs if x not in made))
    return Rows(tuple(ops), run, escapes, outside, kept, upwards)


def row_bytes(t: Tensor, columns: int | None = None) -> int:
    """Bytes of one row of [1,H,W,C], or of some columns of it."""
    _, _, width, channels = t.shape
    return (width if columns is None else columns) * channels * t.dtype.itemsize


def slides(rows: Rows, graph: Graph, extern: frozenset[str]) -> dict[tuple[str, str], int]:
    """(input, output) -> the largest distance at which the output may be written over the input, in bytes;
    upwards (output, input) -> the largest distance at which the input may lie behind the output.

    Only for stages with whole rows: a further strip needs the input again. `graph` is the same in every call.
    """
    if extern not in rows._slides:
        rows._slides[extern] = dict(_slid(rows, graph, extern))
    return rows._slides[extern]


def _slid(rows: Rows, graph: Graph, extern: frozenset[str]) -> Iterator[tuple[tuple[str, str], int]]:
    for x in rows.outside:
        if x in extern or x in graph.outputs or graph[x].constant or not _only_by_rows(rows, x):
            continue
        for y in rows.escapes:
            if len(graph[x].shape) != 4:
                continue
            y_row = row_bytes(graph[y]) if len(graph[y].shape) == 4 else graph[y].size_bytes
            limit = rows.run.overlap_distance(x, row_bytes(graph[x]), y, y_row)
            limit = graph[x].size_bytes if limit is None else limit
            if rows.upwards:  # as seen from the ends of both
                yield (y, x), limit + graph[y].size_bytes - graph[x].size_bytes
            else:
                yield (x, y), limit


def _only_by_rows(rows: Rows, x: str) -> bool:
    return all(x in f.inputs for op, f in zip(rows.ops, rows.run.flows, strict=True) if x in op.inputs)


def stage_of(rows: Rows, strips: tuple[Columns, ...] = ()) -> Stage:
    """The stage as a plan names it."""
    flows = zip(rows.ops, rows.run.flows, strict=True)
    return Stage(
        tuple(op.name for op in rows.ops),
        {v: k.rows for v, k in rows.kept.items()},
        {op.name: flow.unit for op, flow in flows},
        rows.held(),
        strips,
        rows.run.fed,
        rows.upwards,
    )
