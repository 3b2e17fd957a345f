"""A machine that executes plans of the operators in planner_fakes byte by byte on real memory.

A byte that a plan overwrites too early gives a wrong result here.
"""

from __future__ import annotations

import numpy as np
from patchloom.ir import Graph, Op, evaluate, initial_state
from patchloom.ir.ops.read_state import ReadState
from patchloom.ir.ops.write_state import WriteState
from patchloom.passes.planner.types import Place, Plan
from planner_fakes import AddBytes, Cut, Join, Map, Mix, flat, mapped, mixed, salt


def expected(graph: Graph, inputs: dict[str, np.ndarray]) -> dict[str, bytes]:
    """What `execute` must give, by the operators' references."""
    state = initial_state(graph)
    values = evaluate(graph, inputs, state)
    result = {y: np.ascontiguousarray(values[y]).tobytes() for y in graph.outputs}
    return result | {f"state:{name}": np.ascontiguousarray(data).tobytes() for name, data in state.items()}


def execute(graph: Graph, plan: Plan, inputs: dict[str, np.ndarray]) -> dict[str, bytes]:
    """Run a plan on real memory. Outputs by name, and states by name with "state:" in front."""
    state = initial_state(graph)
    rng = np.random.default_rng(0)
    arenas = plan.arenas or {"": plan.arena_bytes}
    memory = {("arena", n): rng.integers(0, 256, size + 64).astype(np.uint8) for n, size in arenas.items()}
    memory["state", ""] = rng.integers(0, 256, plan.state_bytes + 64).astype(np.uint8)
    values = {n: flat(t.data).astype(np.uint8) for n, t in graph.tensors.items() if t.data is not None}

    def at(place: Place, size: int) -> np.ndarray:
        owner = "" if place.region == "state" else place.owner
        return memory[place.region, owner][place.offset : place.offset + size]

    def bytes_of(name: str) -> np.ndarray:
        return values[name] if name in values else at(plan.places[name], graph[name].size_bytes)

    for s in graph.states:
        at(Place("state", plan.states[s.name]), s.size_bytes)[:] = flat(state[s.name])
    for x in graph.inputs:
        if plan.places[x].region == "input":
            memory["input", x] = flat(inputs[x]).astype(np.uint8)
        else:
            bytes_of(x)[:] = flat(inputs[x])
    ops = {op.name: op for op in graph.ops}
    for step in plan.steps:
        op = ops[step.op]
        if isinstance(op, ReadState):
            bytes_of(op.y)[:] = at(Place("state", plan.states[op.state]), graph[op.y].size_bytes)
        elif isinstance(op, WriteState):
            at(Place("state", plan.states[op.state]), graph[op.x].size_bytes)[:] = bytes_of(op.x)
        else:
            scratch = (
                at(step.scratch, op.scratch)
                if isinstance(op, Mix) and step.scratch
                else np.zeros(0, np.uint8)
            )
            _run_kernel(op, [bytes_of(x) for x in op.inputs], [bytes_of(y) for y in op.outputs], scratch)
    for x in graph.inputs:
        if plan.places[x].region == "input":
            assert (memory["input", x] == flat(inputs[x])).all(), f"the caller's input {x} was written"
    result = {y: bytes_of(y).tobytes() for y in graph.outputs}
    for s in graph.states:
        result[f"state:{s.name}"] = at(Place("state", plan.states[s.name]), s.size_bytes).tobytes()
    return result


def _run_kernel(op: Op, inputs: list[np.ndarray], outputs: list[np.ndarray], scratch: np.ndarray) -> None:
    """Execute as a C kernel would: one byte after another, straight on memory."""
    if isinstance(op, Mix):
        scratch[:] = 0xA5
        for y, name in zip(outputs, op.ys, strict=True):
            y[:] = 0x5A
            y[:] = mixed(op.name + name, y.size, [x.astype(np.int64) for x in inputs])
    elif isinstance(op, Map):
        for i in range(outputs[0].size):
            outputs[0][i] = mapped(op.name, inputs[0][i : i + 1].astype(np.int64))[0]
    elif isinstance(op, AddBytes):
        a, b = inputs
        for i in range(outputs[0].size):
            outputs[0][i] = (int(a[i]) + 2 * int(b[i]) + salt(op.name)) % 256
    elif isinstance(op, Join):
        at = 0
        for x in inputs:
            for i in range(x.size):
                outputs[0][at + i] = x[i]
            at += x.size
    else:
        assert isinstance(op, Cut)
        at = op.begin
        for y in outputs:
            for i in range(y.size):
                y[i] = inputs[0][at + i]
            at += y.size
