"""Which bytes of the arena are in use at every step of a plan, and by what: the data of a picture of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...ir import Graph, Op
from .demand import Demand
from .kernel import Kernel
from .lives import Block, scratch_name
from .offsets import round_up
from .stages.lives import Staged, staged_timeline
from .stages.pieces import row_options, staged_kernels
from .stages.reach import Geometry
from .stages.replay import replay
from .stages.shape import flows_of, rows_of
from .types import Place, Plan, Stage


@dataclass(frozen=True)
class Occupant:
    """A run of bytes of the arena, and what needs it how long.

    name         the value; "<scratch of OP>" for scratch memory
    kind         "value", "ring" (some rows of a value) or "scratch"
    memory       of the board, where the plan has an arena in each of several; else ""
    offset       from the start of that arena; `size_bytes` from there on
    first, last  steps, counted from 0; -1: the caller writes inputs, as many as there are: it reads outputs
    """

    name: str
    kind: str
    memory: str
    offset: int
    size_bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class StepUse:
    """The arena while one op runs.

    stage       number of the stage it belongs to, counted from 0; None: it runs whole
    live_bytes  in use; what several occupants share counts once
    live        numbers of the occupants, by offset
    """

    op: str
    kernel: str
    stage: int | None
    live_bytes: int
    live: tuple[int, ...]


@dataclass(frozen=True)
class Ring:
    """The rows that a stage keeps of a value. `passing`: only from the step that makes them to the last that
    uses them, so that others may have the bytes at other steps; else for the whole stage."""

    value: str
    rows: int
    size_bytes: int
    passing: bool


@dataclass(frozen=True)
class StageUse:
    """The arena while a stage runs.

    first, last    its steps
    strips         of columns, one after the other; 1: whole rows
    direction      "down", or "up": from the last row to the first
    fed            the caller gives the rows of its input one by one
    rings          what is kept of the values inside; ring_bytes: all of them
    scratch_bytes  the largest of its ops'
    inputs         whole values that it reads, outputs: that it makes
    through        values that it does not touch, but that are needed behind it
    live_peak_bytes   the most in use at one of its steps
    """

    first: int
    last: int
    ops: tuple[str, ...]
    strips: int
    direction: str
    fed: bool
    rings: tuple[Ring, ...]
    ring_bytes: int
    scratch_bytes: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    through: tuple[str, ...]
    live_peak_bytes: int


@dataclass(frozen=True)
class Usage:
    """The arena over time. `live_peak_bytes`: the most in use at one step; no arena can be smaller."""

    steps: tuple[StepUse, ...]
    stages: tuple[StageUse, ...]
    occupants: tuple[Occupant, ...]
    live_peak_bytes: int


def usage(graph: Graph, plan: Plan, kernels: Sequence[Kernel], alignment: int = 4) -> Usage:
    """What is in the arena when; `graph` is the one that the plan is for.

    alignment   sizes are counted in multiples of it, as offsets are: nothing can use the rest
    Requires: a plan that the checker accepts.
    """
    ops = {op.name: op for op in graph.ops}
    table = {(k.name, k.op): k for k in kernels}
    chosen = {s.op: table.get((s.kernel, type(ops[s.op]))) for s in plan.steps}
    staged = [_staged(graph, stage, ops, chosen) for stage in plan.stages]
    scratch = {s.op: _scratch(graph, plan, ops[s.op], chosen[s.op]) for s in plan.steps}
    need = Demand(
        graph,
        {s.op: s.kernel for s in plan.steps},
        dict.fromkeys(scratch, ()),
        scratch,
        frozenset(x for x in graph.inputs if x in plan.places and plan.places[x].region == "input"),
        alignment,
    )
    blocks = staged_timeline(need, tuple(ops[s.op] for s in plan.steps), staged).blocks
    occupants = tuple(_occupants(plan, blocks, alignment))
    steps = tuple(_step(plan, i, occupants) for i in range(len(plan.steps)))
    stages = tuple(_stage(plan, s, occupants, steps) for s in staged)
    return Usage(steps, stages, occupants, max((s.live_bytes for s in steps), default=0))


def _staged(graph: Graph, stage: Stage, ops: Mapping[str, Op], chosen: Mapping[str, Kernel | None]) -> Staged:
    """What a stage does along its rows, worked out again."""
    picked = {}
    for name in stage.ops:
        kernel = chosen[name]
        assert kernel is not None
        options = row_options(kernel, ops[name], graph.tensors)
        picked[name] = next(o for o in options if o.unit == stage.units[name])
    inside = [ops[name] for name in stage.ops]
    flows = flows_of(Geometry(graph), inside, picked, stage.upwards)
    assert flows is not None
    held = frozenset(i for i, name in enumerate(stage.ops) if name in stage.held)
    run = replay(flows, stage.fed, held)
    assert run is not None
    whole = frozenset(y for op in inside for y in op.outputs if y not in stage.rings)
    return Staged(stage, rows_of(inside, run, whole, stage.upwards))


def _scratch(graph: Graph, plan: Plan, op: Op, kernel: Kernel | None) -> int:
    stage = plan.stage_of(op.name)
    if kernel is None:
        return 0
    if stage is None:
        return kernel.scratch_bytes(op, graph.tensors)
    if stage.fed and op.name == stage.ops[0]:
        return stage.counter_bytes
    return max(run.scratch_bytes for run in staged_kernels(kernel, op, graph.tensors, stage))


def _occupants(plan: Plan, blocks: Mapping[str, Block], alignment: int) -> Iterable[Occupant]:
    """What lies in the arena, by offset."""
    places = {name: place for name, place in plan.places.items() if place.region == "arena"}
    places |= {scratch_name(s.op): s.scratch for s in plan.steps if s.scratch and s.scratch.region == "arena"}
    rings = {v for stage in plan.stages for v in stage.rings}
    scratch = {scratch_name(s.op) for s in plan.steps}

    def order(item: tuple[str, Place]) -> tuple[str, int, int]:
        return item[1].owner, item[1].offset, blocks[item[0]].start

    for name, place in sorted(((n, p) for n, p in places.items() if n in blocks), key=order):
        kind = "ring" if name in rings else "scratch" if name in scratch else "value"
        b = blocks[name]
        yield Occupant(name, kind, place.owner, place.offset, round_up(b.size, alignment), b.start, b.end)


def _step(plan: Plan, number: int, occupants: Sequence[Occupant]) -> StepUse:
    live = [i for i, o in enumerate(occupants) if o.first <= number <= o.last and o.size_bytes]
    step = plan.steps[number]
    stage = next((i for i, s in enumerate(plan.stages) if step.op in s.ops), None)
    return StepUse(step.op, step.kernel, stage, _covered([occupants[i] for i in live]), tuple(live))


def _covered(live: Sequence[Occupant]) -> int:
    """Bytes that are used by one at least; they come by memory and offset."""
    total, memory, end = 0, "", 0
    for o in live:
        if o.memory != memory:
            memory, end = o.memory, 0
        total += max(0, o.offset + o.size_bytes - max(end, o.offset))
        end = max(end, o.offset + o.size_bytes)
    return total


def _stage(plan: Plan, s: Staged, occupants: Sequence[Occupant], steps: Sequence[StepUse]) -> StageUse:
    stage, number = s.stage, {step.op: i for i, step in enumerate(plan.steps)}
    first, last = number[stage.ops[0]], number[stage.ops[-1]]
    by_name = {o.name: o for o in occupants}
    rings = tuple(
        Ring(v, rows, by_name[v].size_bytes, s.rows.kept[v].passing) for v, rows in stage.rings.items()
    )
    scratch = (by_name.get(scratch_name(name)) for name in stage.ops)
    touched = {v for op in s.rows.ops for v in (*op.inputs, *op.outputs)}
    through = (o for o in occupants if o.kind == "value" and o.first < first and o.last > last)
    return StageUse(
        first,
        last,
        stage.ops,
        stage.passes,
        "up" if stage.upwards else "down",
        stage.fed,
        rings,
        sum(r.size_bytes for r in rings),
        max((o.size_bytes for o in scratch if o), default=0),
        tuple(dict.fromkeys(x for op in s.rows.ops for x in op.inputs if x in by_name and _is_from(s, x))),
        tuple(y for y in s.rows.escapes if y in by_name),
        tuple(o.name for o in through if o.name not in touched),
        max(u.live_bytes for u in steps[first : last + 1]),
    )


def _is_from(s: Staged, x: str) -> bool:
    """Whether a value comes from outside the stage."""
    return all(x not in op.outputs for op in s.rows.ops)
