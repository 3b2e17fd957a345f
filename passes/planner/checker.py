"""The plan checker: replays a plan byte by byte, independently of how the planner came to it.

Every byte of memory carries the identity of the value byte it holds. Moves of bytes (views, state
reads and writes) keep the identity, every other op makes new ones. A step is right when all bytes of
its operands hold the identities they should.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

import numpy as np

from ...ir import Graph, Op
from ...ir.ops.read_state import ReadState
from ...ir.ops.write_state import WriteState
from .kernel import Alias, Kernel
from .stages.check import Operands, StageReplay, stage_problem
from .stages.pieces import staged_kernels
from .types import Place, Plan, Stage, Step

UNWRITTEN = -1
_ROOMY = 1 << 24
"""Bytes that no arena has beyond twice its values: a plan read from a file may say anything."""


class PlanError(AssertionError):
    """A plan that would compute wrong results: a defect of the planner, not of the model."""


def check(graph: Graph, plan: Plan, kernels: tuple[Kernel, ...], *, alignment: int = 4) -> None:
    """Accept a plan or raise PlanError naming the op, the value, the byte range and the culprit.

    Checks: every op runs once (in a stage, all its rows, as they are needed), state ops in the graph's
    order per state; kernels accept their ops; every place is aligned and inside its region; every operand
    holds its value when it is read, in the arena, in states and in the caller's inputs; outputs overlap
    inputs only as the kernel declares; scratch overlaps neither; graph outputs and states are intact after
    the last step; the caller's inputs are never written.
    """
    replay = _Replay(graph, plan, kernels, alignment)
    replay.check_places()
    replay.check_order()
    steps = {step.op: step for step in plan.steps}
    for step in plan.steps:
        stage = plan.stage_of(step.op)
        if stage is None:
            replay.run(step)
        elif stage.ops[0] == step.op:
            replay.run_stage(stage, [steps[name] for name in stage.ops])
    replay.check_end()


class _Memory:
    """Regions as arrays of byte identities."""

    def __init__(self) -> None:
        self.regions: dict[tuple[str, str], np.ndarray] = {}
        self._starts: list[int] = []
        self._names: list[str] = []
        self._next = 0

    def identities(self, name: str, size: int) -> np.ndarray:
        """`size` fresh byte identities that belong to `name`."""
        start = self._next
        self._starts.append(start)
        self._names.append(name)
        self._next += size
        return np.arange(start, start + size, dtype=np.int64)

    def describe(self, identity: int) -> str:
        """Which value byte an identity is."""
        if identity == UNWRITTEN:
            return "bytes nobody has written"
        i = bisect_right(self._starts, identity) - 1
        return f"byte {identity - self._starts[i]} of {self._names[i]}"

    def view(self, place: Place, size: int) -> np.ndarray:
        """The identities at a place, writable."""
        return self.regions[_buffer(place)][place.offset : place.offset + size]


class _Replay:
    def __init__(self, graph: Graph, plan: Plan, kernels: tuple[Kernel, ...], alignment: int) -> None:
        self.graph, self.plan, self.alignment = graph, plan, alignment
        self.ops = {op.name: op for op in graph.ops}
        self.kernels = {(k.op, k.name): k for k in kernels}
        self.memory = _Memory()
        self.bytes_of: dict[str, np.ndarray] = {}
        self.state_bytes_of: dict[str, np.ndarray] = {}

    # --- static facts ----------------------------------------------------------------------------

    def check_places(self) -> None:
        """Every value has a place inside its region; then the inputs and states are put there."""
        graph, plan, regions = self.graph, self.plan, self.memory.regions
        most = _ROOMY + 2 * sum(t.size_bytes for t in graph.tensors.values())
        if not (0 <= plan.arena_bytes <= most and 0 <= plan.state_bytes <= most):
            raise PlanError(f"arena of {plan.arena_bytes} B, state of {plan.state_bytes} B")
        if problem := stage_problem(graph, plan.stages):
            raise PlanError(problem)
        arenas = plan.arenas or {"": plan.arena_bytes}
        if min(arenas.values()) < 0 or sum(arenas.values()) != plan.arena_bytes:
            raise PlanError(f"arenas of {dict(arenas)} B are not {plan.arena_bytes} B together")
        for name, size in arenas.items():
            regions["arena", name] = np.full(size, UNWRITTEN, np.int64)
        regions["state", ""] = np.full(plan.state_bytes, UNWRITTEN, np.int64)
        for x in graph.inputs:
            self.bytes_of[x] = self._fresh(x)
            if plan.places.get(x, Place("", 0)).region == "input":
                regions["input", x] = self.bytes_of[x].copy()
        for name in (*graph.inputs, *(y for op in graph.ops for y in op.outputs), *graph.outputs):
            if name not in plan.places:
                raise PlanError(f"value {name!r} has no place")
            self._check_place(f"value {name!r}", plan.places[name], self._held_bytes(name), self._align(name))
            if graph[name].constant != (plan.places[name].region == "const"):
                raise PlanError(f"value {name!r}: only constants live in flash, found {plan.places[name]}")
        for state in graph.states:
            if state.name not in plan.states:
                raise PlanError(f"state {state.name!r} has no place")
            place = Place("state", plan.states[state.name])
            align = max(self.alignment, state.dtype.itemsize)
            self._check_place(f"state {state.name!r}", place, state.size_bytes, align)
            there = self.memory.view(place, state.size_bytes)
            if (there != UNWRITTEN).any():
                raise PlanError(f"state {state.name!r} overlaps {self.memory.describe(int(there.max()))}")
            self.state_bytes_of[state.name] = self.memory.identities(
                f"state {state.name!r}", state.size_bytes
            )
            there[:] = self.state_bytes_of[state.name]
        for x in graph.inputs:
            self._place_input(x)

    def _held_bytes(self, name: str) -> int:
        """Bytes of a value that exist at once."""
        t = self.graph[name]
        for stage in self.plan.stages:
            if name in stage.rings:
                _, _, width, channels = t.shape
                return stage.rings[name] * stage.pitch(name, width) * channels * t.dtype.itemsize
        return t.size_bytes

    def _place_input(self, x: str) -> None:
        place = self.plan.places[x]
        if place.region == "input":
            if place != Place("input", 0, x):
                raise PlanError(f"input {x!r} must be at the start of its own buffer, found {place}")
        elif place.region == "arena":
            there = self.memory.view(place, self.graph[x].size_bytes)
            if (there != UNWRITTEN).any():
                raise PlanError(f"input {x!r} overlaps {self.memory.describe(int(there.max()))}")
            there[:] = self.bytes_of[x]
        else:
            raise PlanError(f"input {x!r} must be in the arena or in the caller's buffer, found {place}")

    def _check_place(self, what: str, place: Place, size: int, align: int) -> None:
        if place.region == "const":
            return
        key = _buffer(place)
        limit = self.memory.regions[key].size if key in self.memory.regions else -1
        if place.offset < 0 or place.offset + size > limit:
            raise PlanError(
                f"{what}: bytes {place.offset}..{place.offset + size} are outside {key}, {limit} B"
            )
        if place.region == "input" and align > self._align(place.owner):
            raise PlanError(f"{what}: needs alignment {align}, the buffer of {place.owner!r} has less")
        if place.offset % align:
            raise PlanError(f"{what}: offset {place.offset} is not a multiple of {align}")

    def check_order(self) -> None:
        """Every op once, state ops of each state in the graph's order."""
        order = [step.op for step in self.plan.steps]
        if sorted(order) != sorted(self.ops):
            raise PlanError("the steps are not each op of the graph once")
        for state in self.graph.states:
            wanted = [n for n, op in self.ops.items() if _state_of(op) == state.name]
            found = [n for n in order if _state_of(self.ops[n]) == state.name]
            if wanted != found:
                raise PlanError(f"state {state.name!r} is accessed in the order {found}, must be {wanted}")

    # --- replay ----------------------------------------------------------------------------------

    def run(self, step: Step) -> None:
        op = self.ops[step.op]
        if isinstance(op, ReadState):
            self._read_state(op)
        elif isinstance(op, WriteState):
            self._write_state(op)
        else:
            self._compute(op, step)

    def run_stage(self, stage: Stage, steps: list[Step]) -> None:
        """All ops of a stage, row by row."""
        order = [step.op for step in self.plan.steps]
        first = order.index(stage.ops[0])
        if tuple(order[first : first + len(stage.ops)]) != stage.ops:
            raise PlanError(f"the ops of the stage of {stage.ops[0]!r} do not follow each other")
        operands = [self._operands(stage, step) for step in steps]
        for o in operands:
            for x in o.op.inputs:
                self.bytes_of.setdefault(x, self._fresh(x)) if self.graph[x].constant else None
            for y in o.op.outputs:
                self.bytes_of[y] = self._fresh(y)
        StageReplay(
            self.graph,
            stage,
            operands,
            self.plan.places,
            self.bytes_of,
            self.memory.view,
            self.memory.identities,
            _fail,
        ).run()
        for y in (y for o in operands for y in o.op.outputs):
            if self.plan.places[y].region != "arena":
                raise PlanError(f"{y!r}: outputs of stages live in the arena")

    def _operands(self, stage: Stage, step: Step) -> Operands:
        op, tensors = self.ops[step.op], self.graph.tensors
        kernel = self.kernels.get((type(op), step.kernel))
        parts = staged_kernels(kernel, op, tensors, stage) if kernel else ()
        if kernel is None or not parts:
            raise PlanError(f"{op.name}: {step.kernel!r} cannot run it {stage.units[op.name]} rows at a time")
        if not all(p.accepted for p in parts):
            raise PlanError(f"{op.name}: {step.kernel!r} cannot run its strips of columns")
        fed = stage.fed and op.name == stage.ops[0]
        size = stage.counter_bytes if fed else max(p.scratch_bytes for p in parts)
        if size and (step.scratch is None or step.scratch.region != "arena"):
            raise PlanError(f"{op.name}: needs {size} B of scratch in the arena, found {step.scratch}")
        if size and step.scratch is not None:
            self._check_place(f"scratch of {op.name!r}", step.scratch, size, self.alignment)
        declared = kernel.aliases(op, tensors)
        in_place = frozenset(a.a for a in declared if not a.delta and self._same_place(a.a, a.b))
        return Operands(op, step.scratch if size else None, size, in_place)

    def _same_place(self, a: str, b: str) -> bool:
        return a in self.plan.places and self.plan.places[a] == self.plan.places[b]

    def _read_state(self, op: ReadState) -> None:
        source, identities = self._state_place(op.state), self.state_bytes_of[op.state]
        self._expect(op, f"state {op.state!r}", source, identities)
        self._check_overlap(op, ("state " + op.state, source), op.y, identities.size, {0})
        self.bytes_of[op.y] = identities
        self._write(op, op.y, self.plan.places[op.y], identities)

    def _write_state(self, op: WriteState) -> None:
        target = self._state_place(op.state)
        identities = self._operand(op, op.x)
        place = self.plan.places.get(op.x, Place("const", 0))
        same = (place.region, place.offset) == (target.region, target.offset)
        if not same and _overlap(place, identities.size, target, identities.size):
            raise PlanError(f"{op.name}: {op.x!r} partly overlaps state {op.state!r}")
        self.state_bytes_of[op.state] = identities
        self._write(op, f"state {op.state}", target, identities)

    def _compute(self, op: Op, step: Step) -> None:
        graph, places = self.graph, self.plan.places
        kernel = self.kernels.get((type(op), step.kernel))
        if kernel is None or not kernel.accepts(op, graph.tensors):
            raise PlanError(f"{op.name}: no kernel {step.kernel!r} that accepts it")
        aliases = kernel.aliases(op, graph.tensors)
        inputs = [x for x in dict.fromkeys(op.inputs) if not graph[x].constant]
        for x in inputs:
            self._operand(op, x)
            for y in op.outputs:
                declared = {a.delta for a in aliases if (a.a, a.b) == (x, y)}
                self._check_overlap(op, (x, places[x]), y, graph[x].size_bytes, declared)
        self._check_outputs_apart(op)
        self._check_scratch(op, step, kernel.scratch_bytes(op, graph.tensors), inputs)
        for y in op.outputs:
            self.bytes_of[y] = self._result(op, y, aliases)
        for y in op.outputs:
            self._write(op, y, places[y], self.bytes_of[y])

    def _result(self, op: Op, y: str, aliases: Iterable[Alias]) -> np.ndarray:
        """Identities of an output: those of the inputs it is a view of, fresh ones elsewhere."""
        identities = self._fresh(y)
        told = np.zeros(identities.size, bool)
        for alias in aliases:
            if not alias.view or alias.b != y or alias.a not in self.bytes_of:
                continue
            source = self.bytes_of[alias.a]
            low, high = max(0, -alias.delta), min(identities.size, source.size - alias.delta)
            new = ~told[low:high]
            identities[low:high][new] = source[low + alias.delta : high + alias.delta][new]
            told[low:high] = True
        return identities

    def _operand(self, op: Op, x: str) -> np.ndarray:
        """The identities of an operand, which must be where the plan says it is."""
        if self.graph[x].constant:
            return self.bytes_of.setdefault(x, self._fresh(x))
        if x not in self.bytes_of:
            raise PlanError(f"{op.name}: reads {x!r} before it is computed")
        self._expect(op, f"{x!r}", self.plan.places[x], self.bytes_of[x])
        return self.bytes_of[x]

    def _check_outputs_apart(self, op: Op) -> None:
        places = self.plan.places
        for i, y in enumerate(op.outputs):
            for z in op.outputs[i + 1 :]:
                if _overlap(places[y], self.graph[y].size_bytes, places[z], self.graph[z].size_bytes):
                    raise PlanError(f"{op.name}: outputs {y!r} and {z!r} overlap")

    def _check_scratch(self, op: Op, step: Step, size: int, inputs: list[str]) -> None:
        if not size:
            return
        if step.scratch is None or step.scratch.region != "arena":
            raise PlanError(f"{op.name}: needs {size} B of scratch in the arena, found {step.scratch}")
        self._check_place(f"scratch of {op.name!r}", step.scratch, size, self.alignment)
        for value in (*inputs, *op.outputs):
            if _overlap(step.scratch, size, self.plan.places[value], self.graph[value].size_bytes):
                raise PlanError(f"{op.name}: scratch overlaps {value!r}")
        self.memory.view(step.scratch, size)[:] = self.memory.identities(f"scratch of {op.name!r}", size)

    def _check_overlap(
        self, op: Op, source: tuple[str, Place], y: str, size: int, declared: set[int]
    ) -> None:
        name, place = source
        target = self.plan.places[y]
        if (
            _overlap(place, size, target, self.graph[y].size_bytes)
            and target.offset - place.offset not in declared
        ):
            raise PlanError(
                f"{op.name}: output {y!r} overlaps input {name!r} at distance {target.offset - place.offset},"
                f" the kernel declares {sorted(declared) or 'no overlap'}"
            )

    def _write(self, op: Op, what: str, place: Place, identities: np.ndarray) -> None:
        there = self.memory.view(place, identities.size)
        if place.region == "input" and not np.array_equal(there, identities):
            raise PlanError(f"{op.name}: writes {what!r} into the caller's input {place.owner!r}")
        there[:] = identities

    def _expect(self, op: Op | None, what: str, place: Place, identities: np.ndarray) -> None:
        """The bytes at a place are these; else tell which are not and whose they are."""
        there = self.memory.view(place, identities.size)
        wrong = np.flatnonzero(there != identities)
        if wrong.size:
            first, last = int(wrong[0]), int(wrong[-1])
            who = "at the end" if op is None else op.name
            raise PlanError(
                f"{who}: bytes {first}..{last + 1} of {what} at {place.region}+{place.offset} are lost:"
                f" byte {first} holds {self.memory.describe(int(there[first]))}"
            )

    def check_end(self) -> None:
        """Graph outputs and states are intact."""
        for y in dict.fromkeys(self.graph.outputs):
            if not self.graph[y].constant:
                if self.plan.places[y].region == "state":
                    raise PlanError(f"output {y!r} must not live in the state buffer")
                self._expect(None, f"output {y!r}", self.plan.places[y], self.bytes_of[y])
        for state in self.graph.states:
            self._expect(
                None, f"state {state.name!r}", self._state_place(state.name), self.state_bytes_of[state.name]
            )

    def _state_place(self, state: str) -> Place:
        return Place("state", self.plan.states[state], state)

    def _align(self, name: str) -> int:
        return max(self.alignment, self.graph[name].dtype.itemsize)

    def _fresh(self, name: str) -> np.ndarray:
        return self.memory.identities(f"{name!r}", self.graph[name].size_bytes)


def _fail(message: str) -> None:
    raise PlanError(message)


def _state_of(op: Op) -> str | None:
    return op.state if isinstance(op, ReadState | WriteState) else None


def _buffer(place: Place) -> tuple[str, str]:
    """Which buffer a place is in: all states share one."""
    return place.region, "" if place.region == "state" else place.owner


def _overlap(a: Place, a_size: int, b: Place, b_size: int) -> bool:
    """Whether two places share a byte."""
    if _buffer(a) != _buffer(b) or a.region == "const":
        return False
    return a.offset < b.offset + b_size and b.offset < a.offset + a_size
