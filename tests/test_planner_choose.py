"""Kernels are chosen by cost, scratch memory and flash, as the goal says."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from patchloom.ir import Graph, Op
from patchloom.passes.planner.choose import Choice, choose
from patchloom.passes.planner.kernel import Call, Const, Kernel, Struct, Tensors
from planner_fakes import KERNELS, Build, Map

MAP = next(k for k in KERNELS if k.name == "map")


@dataclass(frozen=True)
class Facts:
    """What a made-up kernel costs: cycles by op (None: not measured), bytes of weights, scratch and code."""

    cycles: Mapping[str, float] | None
    weights: int = 0
    scratch: int = 0
    code: int = 0


class Table:
    """Costs from facts by kernel name."""

    def __init__(self, facts: Mapping[str, Facts]) -> None:
        self.facts = facts

    def of(self, kernel: Kernel, op: Op, tensors: Tensors) -> float | None:
        cycles = self.facts[kernel.name].cycles
        return None if cycles is None else cycles[op.name]

    def code_bytes(self, kernel: Kernel) -> int:
        return self.facts[kernel.name].code


def kernel(name: str, facts: Facts, **more: object) -> Kernel:
    """A kernel of Map with the weights and scratch that the facts say."""
    struct = Struct("p", (("weights", Const("w", np.zeros(facts.weights, np.int8))),))
    call = Call(name, (), (), struct)
    made = replace(MAP, name=name, header=f"{name}.h", emit=lambda op, t: (call,))
    return replace(made, scratch_bytes=lambda op, t: facts.scratch, **more)


def chain(count: int) -> Graph:
    """`count` Map ops in a row."""
    b = Build()
    x = b.input(8)
    for _ in range(count):
        x = b.map(x)
    return b.graph(x)


def chosen(graph: Graph, facts: Mapping[str, Facts], goal: str, flash: int | None = None) -> list[str]:
    """Names of the kernels chosen for the ops in order."""
    kernels = [kernel(n, f) for n, f in facts.items()]
    found = choose(graph, frozenset(), kernels, Choice(goal, Table(facts), flash))  # type: ignore[arg-type]
    return [k.name for op in graph.ops if (k := found[op.name])]


def each(graph: Graph, cycles: float) -> dict[str, float]:
    return {op.name: cycles for op in graph.ops}


def test_the_goal_decides_between_fast_and_small() -> None:
    graph = chain(2)
    facts = {
        "slow": Facts(each(graph, 1000), weights=100, code=50),
        "fast": Facts(each(graph, 900), weights=1000, scratch=64, code=50),
        "tiny": Facts(each(graph, 9000), weights=10, scratch=32),
    }
    assert chosen(graph, facts, "latency") == ["fast", "fast"]
    assert chosen(graph, facts, "balanced") == ["slow", "slow"]  # 10 % of the cycles are not worth 10 x flash
    assert chosen(graph, facts, "ram") == ["slow", "slow"]
    assert chosen(graph, facts, "flash") == ["tiny", "tiny"]


def test_a_flash_limit_takes_the_fast_kernel_where_it_gains_most() -> None:
    graph = chain(2)
    first, second = (op.name for op in graph.ops)
    facts = {
        "small": Facts(each(graph, 1000), weights=100),
        "fast": Facts({first: 950, second: 600}, weights=400),
    }
    assert chosen(graph, facts, "latency", 800) == ["fast", "fast"]
    assert chosen(graph, facts, "latency", 799) == ["small", "fast"]
    assert chosen(graph, facts, "latency", 499) == ["small", "small"]
    assert chosen(graph, facts, "latency", 10) == ["small", "small"], "nothing keeps it: the smallest"


def test_code_of_a_kernel_counts_once() -> None:
    graph = chain(4)
    facts = {"small": Facts(each(graph, 1000)), "fast": Facts(each(graph, 500), code=300)}
    assert chosen(graph, facts, "latency", 300) == ["fast"] * 4
    assert chosen(graph, facts, "latency", 299) == ["small"] * 4


def test_kernels_that_were_not_measured_lose_to_those_that_were() -> None:
    graph = chain(1)
    facts = {"unknown": Facts(None), "known": Facts(each(graph, 5))}
    assert chosen(graph, facts, "balanced") == ["known"]
    nothing = {"one": Facts(None), "two": Facts(None)}
    assert chosen(graph, nothing, "balanced") == ["one"], "the first of the table"


def test_what_no_kernel_accepts_stays_open() -> None:
    graph = chain(1)
    never = kernel("never", Facts(None), accepts=lambda op, t: False)
    assert choose(graph, frozenset(), [never], Choice()) == {graph.ops[0].name: None}


@pytest.mark.parametrize("seed", range(20))
def test_the_choice_under_a_limit_is_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = chain(3)
    facts = {
        f"k{i}": Facts(
            {op.name: float(rng.integers(100, 300)) for op in graph.ops},
            weights=int(rng.integers(0, 100)),
            code=int(rng.integers(0, 150)),
        )
        for i in range(3)
    }
    limit = int(rng.integers(100, 400))

    def flash(names: tuple[str, ...]) -> int:
        return sum(facts[n].weights for n in names) + sum(facts[n].code for n in set(names))

    def cycles(names: tuple[str, ...]) -> float:
        table = [facts[n].cycles for n in names]
        return sum(t[op.name] for t, op in zip(table, graph.ops, strict=True) if t)

    every = list(itertools.product(facts, repeat=3))
    fitting = [names for names in every if flash(names) <= limit]
    got = tuple(chosen(graph, facts, "latency", limit))
    if fitting:
        assert flash(got) <= limit
        assert cycles(got) == min(map(cycles, fitting))
    else:
        assert flash(got) == min(map(flash, every))
    smallest = tuple(chosen(graph, facts, "flash"))
    assert flash(smallest) == min(map(flash, every))
    assert isinstance(graph.ops[0], Map)
