"""Where the planner puts values: sharing memory, states, the caller's inputs, and what it refuses."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from patchloom.errors import UnsupportedModel
from patchloom.ir import DType, Graph
from patchloom.passes.planner import Place, Plan, check, plan
from patchloom.passes.planner.alias import Overlaps
from patchloom.passes.planner.demand import InputMode, demand
from patchloom.passes.planner.groups import free_groups
from patchloom.passes.planner.lives import timeline
from patchloom.passes.planner.offsets import first_fit, lower_bound
from patchloom.passes.planner.solver import solve
from planner_fakes import KERNELS, Build


def planned(graph: Graph, mode: InputMode = "arena") -> Plan:
    found = plan(graph, frozenset(), KERNELS, input_mode=mode)
    check(graph, found, KERNELS)
    return found


def test_a_chain_needs_its_largest_input_and_output_together() -> None:
    b = Build()
    x = b.input(100)
    y = b.mix(b.mix(b.mix(x, size=40), size=60), size=8)
    found = planned(b.graph(y))
    assert found.arena_bytes == 140
    assert found.optimal


def test_an_elementwise_op_runs_in_place_when_its_input_is_needed_no_more() -> None:
    b = Build()
    x = b.input(100)
    y = b.map(x)
    found = planned(b.graph(y))
    assert found.arena_bytes == 100
    assert found.places[x] == found.places[y]


def test_an_elementwise_op_does_not_overwrite_an_input_read_later() -> None:
    b = Build()
    x = b.input(100)
    y = b.map(x)
    found = planned(b.graph(b.add(y, x)))
    assert found.arena_bytes == 200


def test_an_overwrite_at_a_distance_uses_exactly_that_distance() -> None:
    b = Build()
    x = b.input(100)
    y = b.map(x, delta=-8, size=60)
    found = planned(b.graph(y))
    assert found.arena_bytes == 108
    assert found.places[y].offset == found.places[x].offset - 8


def test_concat_inputs_are_computed_where_the_concat_wants_them() -> None:
    b = Build()
    x = b.input(4)
    left, right = b.mix(x, size=40), b.mix(x, size=24)
    y = b.join(left, right)
    found = planned(b.graph(y))
    base = found.places[y].offset
    assert (found.places[left].offset, found.places[right].offset) == (base, base + 40)
    assert found.arena_bytes == 68


def test_a_concat_of_a_value_with_itself_copies_one_of_them() -> None:
    b = Build()
    y = b.join(x := b.mix(b.input(4), size=40), x)
    found = planned(b.graph(y))
    assert found.arena_bytes == 80
    assert found.places[x].offset - found.places[y].offset in (0, 40)


def test_a_value_joined_twice_lies_in_one_concat_only() -> None:
    b = Build()
    x = b.mix(b.input(4), size=40)
    one, two = b.join(x, b.mix(x, size=8)), b.join(x, b.mix(x, size=16))
    found = planned(b.graph(one, two))
    assert found.arena_bytes == 48 + 56


def test_a_misaligned_concat_input_is_copied() -> None:
    b = Build()
    x = b.input(4)
    left, right = b.mix(x, size=6), b.mix(x, size=10)
    found = planned(b.graph(b.join(left, right)))
    assert all(place.offset % 4 == 0 for place in found.places.values())


def test_split_and_slice_results_stay_inside_their_source() -> None:
    b = Build()
    x = b.mix(b.input(4), size=64)
    first, second = b.cut(x, 32, 32)
    (middle,) = b.cut(x, 16, begin=24)
    found = planned(b.graph(b.mix(first, second, middle, x, size=4)))
    assert found.arena_bytes == 68
    assert found.places[middle].offset == found.places[x].offset + 24


def test_a_view_keeps_its_source_from_being_overwritten() -> None:
    b = Build()
    x = b.mix(b.input(4), size=64)
    (view,) = b.cut(x, 64)
    changed = b.map(x)
    found = planned(b.graph(b.mix(changed, view, size=4)))
    assert found.arena_bytes == 64 + 64 + 4


def test_scratch_is_apart_from_the_operands_of_its_step_only() -> None:
    b = Build()
    x = b.input(16)
    y = b.mix(x, size=16, scratch=64)
    z = b.mix(y, size=80)
    found = planned(b.graph(z))
    assert found.arena_bytes == 96
    assert found.steps[0].scratch is not None
    assert found.steps[1].scratch is None


def test_extern_inputs_need_no_arena_and_are_never_overwritten() -> None:
    b = Build()
    x = b.input(100)
    y = b.map(x)
    found = planned(b.graph(b.mix(y, size=4)), "extern")
    assert found.places[x] == Place("input", 0, x)
    assert found.arena_bytes == 104


def test_a_view_of_an_extern_input_stays_in_the_callers_buffer_unless_it_is_an_output() -> None:
    b = Build()
    x = b.input(100)
    (part,) = b.cut(x, 20, begin=8)
    (out,) = b.cut(x, 12)
    found = planned(b.graph(b.mix(part, size=4), out), "extern")
    assert found.places[part] == Place("input", 8, x)
    assert found.places[out].region == "arena"


def test_an_input_may_be_an_output_and_is_then_kept() -> None:
    b = Build()
    x = b.input(100)
    y = b.map(x)
    assert planned(b.graph(y, x)).arena_bytes == 200


def test_a_constant_output_stays_in_flash() -> None:
    b = Build()
    c = b.constant(12)
    y = b.mix(b.input(4), size=4)
    assert planned(b.graph(y, c)).places[c] == Place("const", 0)


def test_inputs_are_all_alive_at_once_before_the_first_step() -> None:
    b = Build()
    x, unused = b.input(40), b.input(60)
    found = planned(b.graph(b.mix(x, size=4)))
    assert found.arena_bytes == 100
    assert {found.places[x].offset, found.places[unused].offset} in ({0, 40}, {0, 60})


def test_a_recurrent_state_updated_in_place_needs_no_arena() -> None:
    b = Build()
    s = b.state(80)
    old = b.read(s)
    new = b.map(old)
    b.write(s, new)
    y = b.mix(b.input(4), new, size=4)
    found = planned(b.graph(y))
    assert found.places[old].region == found.places[new].region == "state"
    assert (found.arena_bytes, found.state_bytes) == (8, 80)


def test_a_state_read_is_copied_when_somebody_reads_it_after_the_next_write() -> None:
    b = Build()
    s = b.state(80)
    old = b.read(s)
    x = b.input(80)
    b.write(s, b.map(x))
    found = planned(b.graph(b.mix(old, b.read(s), size=4)))
    assert found.places[old].region == "arena"


def test_graph_outputs_never_live_in_the_state_buffer() -> None:
    b = Build()
    s = b.state(80)
    old = b.read(s)
    found = planned(b.graph(old))
    assert found.places[old].region == "arena"


def test_states_are_laid_out_one_after_another_and_aligned() -> None:
    b = Build()
    first, second = b.state(5), b.state(7)
    y = b.mix(b.read(first), b.read(second), size=4)
    found = planned(b.graph(y))
    assert found.states == {first: 0, second: 8}
    assert found.state_bytes == 16


def test_wide_elements_are_aligned_to_their_size() -> None:
    b = Build()
    x = b.input(4)
    y = b.mix(x, size=16, dtype=DType.INT64)
    found = planned(b.graph(b.mix(y, x, size=4)))
    assert found.places[y].offset % 8 == 0


def test_a_larger_alignment_can_be_asked_for() -> None:
    b = Build()
    x = b.input(5)
    y = b.mix(x, size=5)
    graph = b.graph(b.mix(x, y, size=5))
    found = plan(graph, frozenset(), KERNELS, alignment=16)
    check(graph, found, KERNELS, alignment=16)
    assert found.arena_bytes == 48


def test_equal_graphs_give_equal_plans() -> None:
    def once() -> Plan:
        b = Build()
        x = b.input(24)
        values = [b.mix(x, size=8 * n) for n in range(1, 8)]
        return planned(b.graph(b.join(*values), b.add(values[2], b.map(values[2]))))

    assert once() == once()


def test_all_ops_without_a_kernel_are_reported_at_once() -> None:
    b = Build()
    x = b.input(8)
    graph = b.graph(b.add(b.map(x), b.join(b.map(x))))
    with pytest.raises(UnsupportedModel) as caught:
        plan(graph, frozenset(), tuple(k for k in KERNELS if k.name in ("map", "mix")))
    assert len(caught.value.violations) == 2
    assert "2 of 4 ops are unsupported" in str(caught.value)


def test_kernels_that_need_features_are_used_only_on_boards_that_have_them() -> None:
    b = Build()
    graph = b.graph(b.map(b.input(8)))
    fast = replace(next(k for k in KERNELS if k.name == "map"), name="map__dsp", features=frozenset({"dsp"}))
    kernels = (fast, *KERNELS)
    assert plan(graph, frozenset(), kernels).steps[0].kernel == "map"
    assert plan(graph, frozenset({"dsp"}), kernels).steps[0].kernel == "map__dsp"


def test_the_solver_packs_better_than_greedy_placement_and_proves_its_bound() -> None:
    improved = 0
    for seed in range(20):
        need = demand(tangle(np.random.default_rng(seed)), frozenset(), KERNELS)
        overlaps = Overlaps(need, timeline(need, need.graph.ops))
        bound = lower_bound(overlaps)
        greedy = first_fit(overlaps, (), free_groups(overlaps, ()))
        solved = solve(overlaps, greedy, bound, 1.0)
        assert bound <= solved.bound <= solved.packing.size <= greedy.size
        improved += solved.packing.size < greedy.size
    assert improved >= 5


def tangle(rng: np.random.Generator) -> Graph:
    """Values of random sizes and lifetimes, nothing shared."""
    b = Build()
    values = [b.input(4)]
    for _ in range(24):
        reads = {values[-1], values[-min(int(rng.integers(1, 9)), len(values))]}
        values.append(b.mix(*sorted(reads), size=4 * int(rng.integers(1, 30))))
    return b.graph(values[-1])


def test_the_example_in_the_documentation_is_true() -> None:
    page = (Path(__file__).parent.parent / "docs" / "planner.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "docs/planner.md", "exec"), {})
