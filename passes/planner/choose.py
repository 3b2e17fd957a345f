"""Which kernel runs each op: the cheapest by measured cost, within the flash there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ortools.sat.python import cp_model

from ...ir import Graph, Op
from .kernel import Call, Const, Kernel, Tensors, accepting

Goal = Literal["balanced", "latency", "ram", "flash"]
GOALS: tuple[Goal, ...] = ("balanced", "latency", "ram", "flash")

_MAX_EFFORT = 20.0
"""Deterministic time units of the choice between flash and cycles, about a second each."""

_SLOW = 4.0
"""Kernels that cost this many times the fastest are no candidates unless flash is the goal."""


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

    goal          latency: fewest cycles; balanced: about the least product of cycles and flash, so that one
                  per cent less of one is worth one per cent more of the other; ram: least scratch memory,
                  then fewest cycles; flash: fewest bytes of weights and code, then fewest cycles
    flash_bytes   what weights and code may take together; None: no limit. Where nothing keeps it, the
                  smallest is chosen
    """

    goal: Goal = "balanced"
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
    best = {name: min(options, key=_fastest) for name, options in found.items() if options}
    if any(len(options) > 1 for options in found.values()):
        flash = _Flash(graph, choice.costs)
        limit = choice.flash_bytes
        if choice.goal in ("balanced", "flash") or (limit is not None and flash.total(best) > limit):
            traded = _trade(found, best, flash, choice)
            if traded is None and choice.goal != "flash":
                return choose(graph, features, kernels, Choice("flash", choice.costs))
            best = traded or best
    return {name: best[name].kernel if name in best else None for name in found}


def _fastest(c: _Candidate) -> tuple[float, int, int]:
    return c.cost, c.scratch, c.rank


def _candidates(
    op: Op, tensors: Tensors, features: frozenset[str], kernels: Sequence[Kernel], choice: Choice
) -> list[_Candidate]:
    """Kernels that accept the op and may be chosen for the goal.

    Of kernels with known and unknown costs only the former, and the first where no cost is known.
    """
    usable = accepting(op, tensors, kernels, features)
    costs = [choice.costs.of(k, op, tensors) for _, k in usable]
    if all(cost is None for cost in costs):
        usable, costs = usable[:1], [0.0]
    found = [
        _Candidate(k, cost, k.scratch_bytes(op, tensors), rank)
        for (rank, k), cost in zip(usable, costs, strict=False)
        if cost is not None
    ]
    if choice.goal == "ram":
        return [c for c in found if c.scratch == min(o.scratch for o in found)]
    if choice.goal == "flash":
        return found
    return [c for c in found if c.cost <= _SLOW * min(o.cost for o in found)]


def constant_bytes(calls: Sequence[Call]) -> int:
    """Flash of the constants that calls of kernels need; equal ones are counted each time."""
    return sum(v.data.nbytes for c in calls if c.struct for _, v in c.struct.fields if isinstance(v, Const))


class _Flash:
    """Bytes of weights and code of choices."""

    def __init__(self, graph: Graph, costs: Costs) -> None:
        self._tensors, self._costs = graph.tensors, costs
        self._ops = {op.name: op for op in graph.ops}
        self._known: dict[tuple[str, str], int] = {}

    def weights(self, name: str, kernel: Kernel) -> int:
        """Constants of op `name` as the kernel packs them."""
        if (name, kernel.name) not in self._known:
            calls = kernel.emit(self._ops[name], self._tensors)
            self._known[name, kernel.name] = constant_bytes(calls)
        return self._known[name, kernel.name]

    def code(self, kernel: Kernel) -> int:
        """The kernel's functions."""
        return self._costs.code_bytes(kernel)

    def total(self, chosen: Mapping[str, _Candidate]) -> int:
        """All ops; a kernel's code counts once."""
        code = {c.kernel.header: self.code(c.kernel) for c in chosen.values()}
        return sum(code.values()) + sum(self.weights(n, c.kernel) for n, c in chosen.items())


def _trade(
    found: Mapping[str, list[_Candidate]], best: dict[str, _Candidate], flash: _Flash, choice: Choice
) -> dict[str, _Candidate] | None:
    """The choice with the least weighted sum of cycles and flash, within the flash limit; None where no
    choice keeps it. `best` is the fastest choice."""
    model = cp_model.CpModel()
    headers: dict[str, cp_model.IntVar] = {}
    picks: dict[str, list[tuple[cp_model.IntVar, _Candidate]]] = {}
    bytes_used: list[cp_model.LinearExpr] = []
    cycles: list[cp_model.LinearExpr] = []
    for name in best:
        picks[name] = [(model.new_bool_var(""), c) for c in found[name]]
        model.add_exactly_one(var for var, _ in picks[name])
        for var, c in picks[name]:
            header = c.kernel.header
            if header not in headers:
                headers[header] = model.new_bool_var(header)
                bytes_used.append(headers[header] * flash.code(c.kernel))
            model.add_implication(var, headers[header])
            bytes_used.append(var * flash.weights(name, c.kernel))
            cycles.append(var * round(c.cost))
    if choice.goal != "flash" and choice.flash_bytes is not None:
        model.add(sum(bytes_used) <= choice.flash_bytes)
    per_cycle, per_byte = _prices(found, best, flash, choice.goal)
    model.minimize(per_cycle * sum(cycles) + per_byte * sum(bytes_used))
    for name, options in picks.items():
        for var, c in options:
            model.add_hint(var, c is best[name])
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.catch_sigint_signal = False  # its handler would replace Python's, for good
    solver.parameters.max_deterministic_time = _MAX_EFFORT
    if solver.solve(model) in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return {n: next(c for var, c in options if solver.value(var)) for n, options in picks.items()}
    return None


def _prices(
    found: Mapping[str, list[_Candidate]], best: dict[str, _Candidate], flash: _Flash, goal: Goal
) -> tuple[int, int]:
    """(price of a cycle, price of a byte of flash) as integers."""
    if goal == "balanced":  # d(log cycles) = d(log flash), at the fastest choice
        total = sum(c.cost for c in best.values())
        return max(1, flash.total(best)), max(1, round(total))
    if goal == "flash":  # bytes first: one weighs more than all cycles
        return 1, 1 + round(sum(max(c.cost for c in options) for options in found.values() if options))
    return 1, 0
