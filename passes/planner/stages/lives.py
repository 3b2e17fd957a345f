"""Lifetimes when some ops run together row by row: rings instead of maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ....ir import Op
from ..demand import Demand
from ..lives import Block, Timeline, scratch_name, timeline
from ..types import Stage
from .reach import COLUMNS
from .shape import Rows, row_bytes, slides


@dataclass(frozen=True, eq=False)
class Staged:
    """A stage of the plan and what it does along its rows."""

    stage: Stage
    rows: Rows


def ring_bytes(need: Demand, stage: Stage, value: str) -> int:
    """Bytes of the ring of a value."""
    t = need.graph[value]
    return stage.rings[value] * row_bytes(t, stage.pitch(value, t.shape[COLUMNS]))


def staged_timeline(need: Demand, order: tuple[Op, ...], staged: Sequence[Staged]) -> Timeline:
    """Blocks, aliases and slides when the ops of each stage run together.

    Requires: the ops of a stage follow each other in `order`.
    """
    time = timeline(need, order)
    if not staged:
        return time
    blocks = dict(time.blocks)
    positions = {op.name: t for t, op in enumerate(order)}
    limits: dict[tuple[str, str], int] = {}
    for s in staged:
        first, last = positions[s.stage.ops[0]], positions[s.stage.ops[-1]]
        blocks.update(_blocks(need, s, blocks, positions))
        for (a, b), limit in slides(s.rows, need.graph, need.extern).items():
            x = b if s.rows.upwards else a
            dies = x in time.blocks and first <= time.blocks[x].end <= last
            if dies and not s.stage.strips and limit > -time.blocks[b].size:
                limits[a, b] = limit
    moved = {y for s in staged for op in s.rows.ops for y in op.outputs}
    aliases = tuple(a for a in time.aliases if a.b not in moved or _passes_on(a.a, a.b, staged))
    return replace(time, blocks=blocks, aliases=aliases, slides=limits)


def _passes_on(x: str, y: str, staged: Sequence[Staged]) -> bool:
    """Whether both are single rows that pass through the same stage, so that y may replace x in place."""
    for s in staged:
        kept = s.rows.kept
        if x in kept and y in kept:
            return all(kept[v].passing and kept[v].rows == 1 for v in (x, y))
    return False


def _blocks(need: Demand, s: Staged, whole: dict[str, Block], positions: dict[str, int]) -> dict[str, Block]:
    """The blocks that the stage changes."""
    first, last = positions[s.stage.ops[0]], positions[s.stage.ops[-1]]
    found: dict[str, Block] = {}
    for op, flow in zip(s.rows.ops, s.rows.run.flows, strict=True):
        y = op.outputs[0]
        if y in s.stage.rings:
            passing = s.rows.kept[y].passing
            found[y] = replace(
                whole[y],
                size=ring_bytes(need, s.stage, y),
                start=whole[y].start if passing else first,
                end=whole[y].end if passing else last,
            )
        else:
            found[y] = replace(whole[y], start=first, end=max(whole[y].end, last))
        for x in op.inputs:
            if x in whole and x not in s.stage.rings and x not in found:
                found[x] = replace(whole[x], end=max(whole[x].end, last))
        scratch = scratch_name(op.name)
        keeps = flow.whole or (s.stage.fed and op is s.rows.ops[0])
        if keeps and scratch in whole:
            found[scratch] = replace(whole[scratch], start=first, end=last)
    return found
