"""Plans of random graphs: accepted by the checker, right when executed, and as small as they claim."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from patchloom.ir import verify
from patchloom.passes.planner import Place, Plan, PlanError, check, plan
from patchloom.passes.planner.demand import InputMode
from planner_fakes import KERNELS, random_graph, random_inputs
from planner_machine import execute, expected


def draw(seed: int, most_ops: int):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    graph = verify(random_graph(rng, int(rng.integers(1, most_ops))))
    return rng, graph, random_inputs(rng, graph)


@pytest.mark.parametrize("mode", ["arena", "extern"])
@pytest.mark.parametrize("first_seed", [0, 1000])
def test_plans_of_random_graphs_are_accepted_and_compute_what_the_reference_does(
    mode: InputMode, first_seed: int
) -> None:
    for seed in range(first_seed, first_seed + 40):
        _, graph, inputs = draw(seed, 20)
        found = plan(graph, frozenset(), KERNELS, input_mode=mode, time_limit_s=0.5)
        check(graph, found, KERNELS)
        assert execute(graph, found, inputs) == expected(graph, inputs), seed
        assert found.lower_bound_bytes <= found.arena_bytes


def test_big_random_graphs_are_planned_right() -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        graph = verify(random_graph(rng, 120))
        inputs = random_inputs(rng, graph)
        found = plan(graph, frozenset(), KERNELS, time_limit_s=1.0)
        check(graph, found, KERNELS)
        assert execute(graph, found, inputs) == expected(graph, inputs), seed


def test_what_the_checker_accepts_computes_the_right_result_and_it_rejects_most_corruptions() -> None:
    rejected = total = 0
    for seed in range(80):
        rng, graph, inputs = draw(seed, 14)
        mode: InputMode = "extern" if seed % 3 == 0 else "arena"
        good = plan(graph, frozenset(), KERNELS, input_mode=mode, time_limit_s=0.2)
        want = expected(graph, inputs)
        for _ in range(10):
            bad = corrupted(rng, good)
            total += 1
            try:
                check(graph, bad, KERNELS)
            except PlanError:
                rejected += 1
                continue
            assert execute(graph, bad, inputs) == want, (seed, bad)
    assert rejected > total / 2


def corrupted(rng: np.random.Generator, good: Plan) -> Plan:
    """The plan with one value or scratch moved, or two neighbouring steps swapped."""
    kind, steps = rng.random(), list(good.steps)
    with_scratch = [i for i, step in enumerate(steps) if step.scratch]
    shift = 4 * int(rng.integers(-3, 4))
    if kind < 0.2 and len(steps) > 1:
        i = int(rng.integers(len(steps) - 1))
        steps[i], steps[i + 1] = steps[i + 1], steps[i]
    elif kind < 0.4 and with_scratch:
        i = int(rng.choice(with_scratch))
        scratch = steps[i].scratch
        assert scratch is not None
        steps[i] = replace(steps[i], scratch=Place("arena", max(0, scratch.offset + shift)))
    else:
        name = str(rng.choice(sorted(good.places)))
        place = good.places[name]
        return replace(good, places={**good.places, name: replace(place, offset=place.offset + shift)})
    return replace(good, steps=tuple(steps))


def test_no_smaller_arena_exists_where_a_plan_claims_to_be_optimal() -> None:
    tried = 0
    for seed in range(400):
        _, graph, _ = draw(seed, 5)
        found = plan(graph, frozenset(), KERNELS, input_mode="extern", time_limit_s=0.5)
        names = [name for name, place in found.places.items() if place.region == "arena"]
        scratched = any(step.scratch for step in found.steps)
        smaller = found.arena_bytes // 4 - 1
        if not found.optimal or scratched or not names or not 1 <= smaller ** len(names) <= 3000:
            continue
        tried += 1
        for offsets in product(range(smaller), repeat=len(names)):
            moved = {name: Place("arena", 4 * at) for name, at in zip(names, offsets, strict=True)}
            small = replace(found, places={**found.places, **moved}, arena_bytes=found.arena_bytes - 4)
            with pytest.raises(PlanError):
                check(graph, small, KERNELS)
    assert tried > 20
