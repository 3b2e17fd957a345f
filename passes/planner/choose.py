"""Which kernel runs each op: the cheapest by measured cost, within the flash there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ortools.sat.python import cp_model

from ...ir import Graph, Op
from .kernel import Call, Const, Kernel, Tensors, accepting

Goal = Literal["latency", "ram", "flash"]
GOALS: tuple[Goal, ...] = ("latency", "ram", "flash")

_MAX_EFFORT = 20.0
"""Deterministic time units of the flash-limited choice, about a second each."""


class Costs(Protocol):
    """What is known about kernels on one core."""

    def of(self, kernel: Kernel, op: Op, tensors: Tensors) -> float | None:
        """Predicted cycles (or instructions, where the core has no cycle model); None when unknown."""
        ...

    def code_bytes(self, kernel: Kernel) -> int:
        """Flash of the kernel's code, 0 when unknown."""
        ...


class Unknown:
    """No costs: the first kernel of the table that accepts an op is taken."""

    def of(self, kernel: Kernel, op: Op, tensors: Tensors) -> float | None:
        return None

    def code_bytes(self, kernel: Kernel) -> int:
        return 0


@dataclass(frozen=True)
class Choice:
    """How to choose kernels.

    goal          latency: fewest cycles; ram: least scratch memory, then fewest cycles; flash: fewest
                  bytes of weights and code, then fewest cycles
    flash_bytes   what weights and code may take together; None: no limit. Where nothing keeps it, the
                  smallest is chosen
    """

    goal: Goal = "latency"
    costs: Costs = field(default_factory=Unknown)
    flash_bytes: int | None = None


@dataclass(frozen=True)
class _Candidate:
    """One kernel for one op. `rank` is its place in the table."""

    kernel: Kernel
    cost: float
    scratch: int
    rank: int


def choose(
    graph: Graph, features: frozenset[str], kernels: Sequence[Kernel], choice: Choice
) -> dict[str, Kernel | None]:
    """A kernel for every op by name, None where none accepts it."""
    found = {op.name: _candidates(op, graph.tensors, features, kernels, choice) for op in graph.ops}
    best = {name: min(options, key=_key(choice.goal), default=None) for name, options in found.items()}
    tight = choice.goal == "flash" or (
        choice.flash_bytes is not None
        and _flash(graph, {n: c.kernel for n, c in best.items() if c}, choice.costs) > choice.flash_bytes
    )
    if tight and any(len(options) > 1 for options in found.values()):
        best |= _within_flash(graph, found, choice)
    return {name: c.kernel if c else None for name, c in best.items()}


def _candidates(
    op: Op, tensors: Tensors, features: frozenset[str], kernels: Sequence[Kernel], choice: Choice
) -> list[_Candidate]:
    """Kernels that accept the op; of those only the ones with known costs, and the first where none has."""
    usable = accepting(op, tensors, kernels, features)
    costs = [choice.costs.of(k, op, tensors) for _, k in usable]
    if all(cost is None for cost in costs):
        usable, costs = usable[:1], [0.0]
    return [
        _Candidate(k, cost, k.scratch_bytes(op, tensors), rank)
        for (rank, k), cost in zip(usable, costs, strict=False)
        if cost is not None
    ]


def _key(goal: Goal):  # type: ignore[no-untyped-def]
    if goal == "ram":
        return lambda c: (c.scratch, c.cost, c.rank)
    return lambda c: (c.cost, c.scratch, c.rank)


def constant_bytes(calls: Sequence[Call]) -> int:
    """Flash of the constants that calls of kernels need; equal ones are counted each time."""
    return sum(v.data.nbytes for c in calls if c.struct for _, v in c.struct.fields if isinstance(v, Const))


def _flash(graph: Graph, chosen: Mapping[str, Kernel], costs: Costs) -> int:
    ops = {op.name: op for op in graph.ops}
    weights = sum(constant_bytes(k.emit(ops[n], graph.tensors)) for n, k in chosen.items())
    return weights + sum(costs.code_bytes(k) for k in {k.header: k for k in chosen.values()}.values())


def _within_flash(
    graph: Graph, found: Mapping[str, list[_Candidate]], choice: Choice
) -> dict[str, _Candidate | None]:
    """Fewest cycles among the choices that keep the flash limit; fewest bytes where none does, or where that
    is the goal."""
    model = cp_model.CpModel()
    ops = {op.name: op for op in graph.ops}
    headers: dict[str, tuple[Kernel, cp_model.IntVar]] = {}
    picks: dict[str, list[tuple[cp_model.IntVar, _Candidate]]] = {}
    flash: list[cp_model.LinearExpr] = []
    cycles: list[cp_model.LinearExpr] = []
    for name, options in found.items():
        if not options:
            continue
        picks[name] = [(model.new_bool_var(f"{name}:{c.kernel.name}"), c) for c in options]
        model.add_exactly_one(var for var, _ in picks[name])
        for var, c in picks[name]:
            if c.kernel.header not in headers:
                headers[c.kernel.header] = c.kernel, model.new_bool_var(c.kernel.header)
            model.add_implication(var, headers[c.kernel.header][1])
            flash.append(var * constant_bytes(c.kernel.emit(ops[name], graph.tensors)))
            cycles.append(var * round(c.cost))
    flash += [var * choice.costs.code_bytes(kernel) for kernel, var in headers.values()]
    total = sum(flash)
    limit = None if choice.goal == "flash" else choice.flash_bytes
    if limit is not None:
        model.add(total <= limit)
        model.minimize(sum(cycles))
    else:
        model.minimize(total)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = _MAX_EFFORT
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return _within_flash(graph, found, Choice("flash", choice.costs)) if limit is not None else {}
    if limit is None:  # among the smallest, the fastest
        model.add(total <= round(solver.objective_value))
        model.minimize(sum(cycles))
        again = solver.solve(model)
        if again not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return {}
    return {name: next(c for var, c in options if solver.value(var)) for name, options in picks.items()}
