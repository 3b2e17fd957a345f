"""Cost tables: cycles of every kernel on a core, fitted to counts on the emulator (benchmarks/costs.py)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from .. import boards
from ..ir import Graph, Op
from ..passes.planner.kernel import Call, Kernel, Pointer, Tensors
from ..passes.planner.stages.options import row_cycles
from ..passes.planner.stages.pieces import staged_kernels
from ..passes.planner.stages.reach import steps
from ..passes.planner.types import Plan, Stage
from .kernels import KERNELS

TABLES = Path(__file__).parent / "costs"

COPIES = ("pl_copy", "pl_copy2d", "pl_copy_nd")
"""Kernels that only move bytes, for nothing where the plan leaves them nothing to do."""


@dataclass(frozen=True)
class KernelCost:
    """One kernel on one core.

    rounds       cost of one round of each loop body that the kernel's `work` counts
    code_bytes   .text + .rodata it adds to a library at -O2
    """

    rounds: Mapping[str, float]
    code_bytes: int


@dataclass(frozen=True)
class CostTable:
    """All kernels of one core by (kernel, operator); `unit`: "cycles" by `cycle_model`, or "instructions"."""

    core: str
    unit: str
    cycle_model: str | None
    kernels: Mapping[tuple[str, str], KernelCost]

    @cached_property
    def _by_name(self) -> dict[str, KernelCost]:
        return {name: cost for (name, _), cost in reversed(list(self.kernels.items()))}

    def of(self, kernel: Kernel, op: Op, tensors: Tensors) -> float | None:
        """Predicted cost of running `op` by `kernel`, None when it was not measured."""
        # the same function called for another operator does the same work
        known = self.kernels.get((kernel.name, op.kind())) or self._by_name.get(kernel.name)
        work = kernel.work(op, tensors)
        if known is None or not work.keys() <= known.rounds.keys():
            return None
        return sum(known.rounds[name] * count for name, count in work.items())

    def code_bytes(self, kernel: Kernel) -> int:
        """Flash of the kernel's code, 0 when it was not measured."""
        known = self.kernels.get((kernel.name, kernel.op.kind()))
        return known.code_bytes if known else 0


def table_path(core: str) -> Path:
    """The table that a core uses: its own, or that of the core `boards` says it is timed like."""
    return TABLES / f"{boards.core(core).timed_like or core}.json"


@cache
def load(core: str) -> CostTable:
    """The cost table of `core`; an empty one where nothing was measured."""
    path = table_path(core)
    if not path.is_file():
        return CostTable(core, "cycles", None, {})
    data = json.loads(path.read_text())
    kernels = {
        (name, op): KernelCost(entry["rounds"], entry["code_bytes"])
        for name, ops in data["kernels"].items()
        for op, entry in ops.items()
    }
    return CostTable(core, data["unit"], data["cycle_model"], kernels)


def _is_free(chosen: Plan, calls: Sequence[Call]) -> bool:
    """Whether all calls are copies whose source and destination the plan put at the same place."""

    def start(pointer: Pointer) -> tuple[str, str, int] | None:
        place = chosen.places.get(pointer.value)
        return None if place is None else (place.region, place.owner, place.offset + pointer.offset)

    pairs = [[start(p) for p in call.pointers] for call in calls if call.copy]
    return bool(calls) and len(pairs) == len(calls) and all(x == y and x is not None for x, y in pairs)


def predicted(graph: Graph, chosen: Plan, table: CostTable) -> float | None:
    """Cost of one inference, None when a kernel of the plan was not measured."""
    kernels = {(k.name, k.op): k for k in KERNELS}
    ops = {op.name: op for op in graph.ops}
    total = 0.0
    for step in chosen.steps:
        op = ops[step.op]
        kernel = kernels.get((step.kernel, type(op)))
        if kernel is None or (step.kernel in COPIES and _is_free(chosen, kernel.emit(op, graph.tensors))):
            continue
        stage = chosen.stage_of(op.name)
        if stage is None:
            cost = table.of(kernel, op, graph.tensors)
        else:
            cost = _staged(graph, stage, op, kernel, table)
        if cost is None:
            return None
        total += cost
    return total


def _staged(graph: Graph, stage: Stage, op: Op, kernel: Kernel, table: CostTable) -> float | None:
    """Cost of an op in a stage: all its rows, in all strips."""
    costs = [
        row_cycles(table, run, steps(op, graph.tensors))
        for run in staged_kernels(kernel, op, graph.tensors, stage)
    ]
    known = [c for c in costs if c is not None]
    return sum(known) if costs and len(known) == len(costs) else None
