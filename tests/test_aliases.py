"""Every alias a kernel declares: operands placed exactly like that give the same results as apart."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from patchloom.codegen import KERNELS, Origin, build_view, known_answers, render
from patchloom.codegen.library import port_stems
from patchloom.emulation.harness import Inputs, build, execute
from patchloom.emulation.verify import random_inputs
from patchloom.ir import Graph, Op, evaluate, initial_state
from patchloom.ir.cases import RandomDraw
from patchloom.passes import lower
from patchloom.passes.planner.kernel import Alias, accepting
from patchloom.passes.planner.types import Place, Plan, Step
from test_operators import TESTED, assert_same

_CASES = 30
"""Random cases drawn per operator; those whose kernel and sharing were seen before are skipped."""
_SAMPLES = 4

Together = tuple[Alias, ...]
"""Aliases used at once, by one op."""


def _sharings(aliases: tuple[Alias, ...]) -> Iterator[Together]:
    """Each alias alone; all views at once, one distance per pair."""
    yield from ((a,) for a in aliases)
    views = {(a.a, a.b): a for a in aliases if a.view}
    if len(views) > 1:
        yield tuple(views.values())


def _plan(graph: Graph, op: Op, kernels: Mapping[str, str], shared: Together) -> Plan:
    """`op`'s operands overlap as the aliases say, all else lies apart."""
    hub = shared[0].a if len({a.a for a in shared}) == 1 else shared[0].b
    relative = {hub: 0}
    for alias in shared:
        relative |= {alias.b: alias.delta} if alias.a == hub else {alias.a: -alias.delta}
    low, align = min(relative.values()), 16
    places, end = {}, 0
    for name, offset in relative.items():
        places[name] = Place("arena", offset - low)
        end = max(end, offset - low + graph[name].size_bytes)
    for name in graph.tensors:
        if not graph[name].constant and name not in places:
            end = -(-end // align) * align
            places[name] = Place("arena", end)
            end += graph[name].size_bytes
    states, state_bytes = {}, 0
    for state in graph.states:
        states[state.name] = state_bytes
        state_bytes += -(-state.size_bytes // align) * align
    steps = tuple(Step(o.name, kernels[o.name]) for o in graph.ops)
    return Plan(steps, places, states, end, state_bytes, 0)


def _outputs(graph: Graph, plan: Plan, samples: list[Inputs]) -> list[Inputs]:
    answers = known_answers(graph, port_stems("output", graph.outputs))
    view = build_view(graph, plan, Origin("0", "test", "case", "0" * 64, "host"), answers)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        for name, data in render(view).items():
            (folder / name).write_bytes(data)
        program = build(folder, view, graph, None, folder, sanitize=False)
        outcome = execute(program, samples, reset_every=len(samples))
    assert outcome.damaged_guards == 0
    return [s.outputs for s in outcome.samples]


def _cases(op: type[Op]) -> Iterator[tuple[Graph, Op, dict[str, str], Together]]:
    """Graphs whose op has a kernel with aliases, one per kernel and kind of sharing."""
    seen: dict[tuple[object, ...], int] = {}
    for seed in range(_CASES):
        graph = lower(op.case(RandomDraw(seed)))
        found = {o.name: accepting(o, graph.tensors, KERNELS, frozenset())[0][1] for o in graph.ops}
        names = {name: k.name for name, k in found.items() if k}
        for o in graph.ops:
            kernel = found[o.name]
            variable = [n for n in (*o.inputs, *o.outputs) if n in graph.tensors and not graph[n].constant]
            aliases = kernel.aliases(o, graph.tensors) if kernel else ()
            for shared in _sharings(tuple(a for a in aliases if a.a in variable and a.b in variable)):
                key = (names[o.name], len(shared), *((a.a, a.b, a.view, a.delta > 0) for a in shared))
                seen[key] = seen.get(key, 0) + 1
                if seen[key] <= 1:
                    yield graph, o, names, shared


@pytest.mark.parametrize("op", TESTED, ids=lambda op: op.kind())
def test_operands_may_overlap_as_declared(op: type[Op]) -> None:
    for graph, o, names, shared in _cases(op):
        samples = list(random_inputs(graph, _SAMPLES))
        state = initial_state(graph)
        expected = [evaluate(graph, s, state) for s in samples]
        outputs = _outputs(graph, _plan(graph, o, names, shared), samples)
        for want, got in zip(expected, outputs, strict=True):
            for name in graph.outputs:
                assert_same(got[name], want[name], f"{names[o.name]} with {shared}")


def test_every_kind_of_sharing_is_declared_by_some_kernel() -> None:
    shared = [a for op in TESTED for _, _, _, aliases in _cases(op) for a in aliases]
    assert {(False, 0), (True, 0), (True, 1), (True, -1)} <= {(a.view, int(np.sign(a.delta))) for a in shared}
