"""The plan checker: every kind of wrong plan is rejected with a message that names what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from patchloom.ir import Graph
from patchloom.passes.planner import Place, Plan, PlanError, Step, check, plan
from planner_fakes import KERNELS, Build


def sample() -> tuple[Graph, Plan]:
    """x -> a -> y, with b = x in between, a state read and written, and scratch."""
    b = Build()
    x = b.input(16)
    s = b.state(16)
    old = b.read(s)
    a = b.mix(x, old, size=16, scratch=8)
    b.write(s, b.map(a))
    y = b.mix(a, x, size=16)
    graph = b.graph(y)
    found = plan(graph, frozenset(), KERNELS)
    check(graph, found, KERNELS)
    return graph, found


def moved(found: Plan, name: str, **change: object) -> Plan:
    return replace(found, places={**found.places, name: replace(found.places[name], **change)})  # type: ignore[arg-type]


def without(found: Plan, name: str) -> Plan:
    return replace(found, places={n: p for n, p in found.places.items() if n != name})


def swapped(found: Plan, i: int, j: int) -> Plan:
    steps = list(found.steps)
    steps[i], steps[j] = steps[j], steps[i]
    return replace(found, steps=tuple(steps))


X, OLD, A, NEW, Y = "v0", "v1", "v2", "v3", "v4"
WRONG: dict[str, tuple[Callable[[Plan], Plan], str]] = {
    "outside the arena": (lambda p: moved(p, Y, offset=4096), "outside"),
    "negative offset": (lambda p: moved(p, Y, offset=-4), "outside"),
    "unaligned": (lambda p: moved(p, Y, offset=p.places[Y].offset + 1), "multiple of 4|outside"),
    "no place": (lambda p: without(p, Y), "has no place"),
    "unknown region": (lambda p: moved(p, Y, region="flash"), "outside"),
    "output in the state buffer": (lambda p: moved(p, Y, region="state", offset=0), "v4|state"),
    "computed value in flash": (lambda p: moved(p, Y, region="const"), "only constants live in flash"),
    "written into the caller's input": (lambda p: moved(p, Y, region="input", offset=0, owner=X), "outside"),
    "a step missing": (lambda p: replace(p, steps=p.steps[1:]), "each op of the graph once"),
    "a step twice": (lambda p: replace(p, steps=(*p.steps, p.steps[0])), "each op of the graph once"),
    "used before it is computed": (lambda p: swapped(p, 1, 4), "reads 'v2' before it is computed"),
    "state accessed out of order": (lambda p: swapped(p, 0, 3), "accessed in the order"),
    "a state without place": (lambda p: replace(p, states={}), "state 's0' has no place"),
    "no scratch": (lambda p: replaced_scratch(p, None), "needs 8 B of scratch"),
    "scratch over an input": (lambda p: replaced_scratch(p, p.places[X]), "scratch overlaps 'v0'"),
    "scratch over an output": (lambda p: replaced_scratch(p, p.places[A]), "scratch overlaps 'v2'"),
    "another kernel": (
        lambda p: replace(p, steps=tuple(replace(s, kernel="map") for s in p.steps)),
        "no kernel 'map'",
    ),
    "overlap nobody declares": (
        lambda p: moved(p, Y, offset=p.places[A].offset),
        "output 'v4' overlaps input 'v2'",
    ),
    "a live value overwritten": (
        lambda p: moved(p, NEW, region="arena", offset=p.places[X].offset, owner=""),
        "lost",
    ),
}


def replaced_scratch(found: Plan, place: Place | None) -> Plan:
    steps: list[Step] = [replace(s, scratch=place) if s.scratch else s for s in found.steps]
    return replace(found, steps=tuple(steps))


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_plan_is_rejected(kind: str) -> None:
    graph, found = sample()
    spoil, message = WRONG[kind]
    with pytest.raises(PlanError, match=message):
        check(graph, spoil(found), KERNELS)


def test_the_message_names_op_value_bytes_and_culprit() -> None:
    b = Build()
    x = b.input(16)
    one = b.mix(x, size=16)
    two = b.mix(x, size=8)
    graph = b.graph(b.mix(one, two, x, size=4))
    found = plan(graph, frozenset(), KERNELS)
    bad = moved(found, two, offset=found.places[one].offset + 4)
    with pytest.raises(
        PlanError, match=r"mix2: bytes 4\.\.12 of 'v1' at arena\+\d+ are lost: byte 4 holds byte 0 of 'v2'"
    ):
        check(graph, bad, KERNELS)


def test_writing_into_the_callers_input_is_rejected() -> None:
    b = Build()
    x = b.input(16)
    y = b.map(x)
    graph = b.graph(b.mix(y, size=4))
    found = plan(graph, frozenset(), KERNELS, input_mode="extern")
    with pytest.raises(PlanError, match="writes 'v1' into the caller's input 'v0'"):
        check(graph, moved(found, y, region="input", offset=0, owner=x), KERNELS)


def test_an_output_lost_at_the_end_is_rejected() -> None:
    b = Build()
    x = b.input(16)
    one, two = b.mix(x, size=16), b.mix(x, size=16)
    graph = b.graph(one, two)
    found = plan(graph, frozenset(), KERNELS)
    with pytest.raises(PlanError, match=r"at the end: bytes 0\.\.16 of output"):
        check(graph, moved(found, two, offset=found.places[one].offset), KERNELS)


def test_a_state_overwritten_by_another_value_is_rejected() -> None:
    b = Build()
    x, s = b.input(16), b.state(16)
    y = b.mix(x, b.read(s), size=16)
    z = b.mix(y, size=4)
    graph = b.graph(z)
    found = plan(graph, frozenset(), KERNELS)
    with pytest.raises(PlanError, match="output 'v2' overlaps input 'v1'"):
        check(graph, moved(found, y, region="state", offset=0, owner=s), KERNELS)
    old = graph.ops[0].outputs[0]
    with pytest.raises(PlanError, match="state 's0'"):
        bad = moved(
            moved(found, y, region="state", offset=0, owner=s), old, region="arena", offset=0, owner=""
        )
        check(graph, replace(bad, arena_bytes=64), KERNELS)
