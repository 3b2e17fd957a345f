"""Many one-op graphs in one program: to test kernel variants on a core, and to measure what they cost."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..boards import Board
from ..codegen import KERNELS, Origin, build_view, known_answers, render
from ..codegen.library import port_stems
from ..ir import Graph, Op, Tensor, verify
from ..passes.planner import plan
from ..passes.planner.kernel import Kernel
from . import elf
from .counts import CountRequest, Counts
from .harness import Inputs, build, execute


@dataclass(frozen=True)
class Cost:
    """One case: the kernel that ran, and its layer function's counts.

    None where nothing was counted, or nothing ran: a copy whose source and destination are the same place.
    """

    kernel: str
    instructions: int | None
    cycles: int | None


@dataclass(frozen=True, eq=False)
class Trial:
    """What the C computed, per sample and by the merged graph's output names; `costs` by case.

    code_bytes   size of all kernel functions, shared ones included (0 on the host)
    """

    graph: Graph
    outputs: tuple[Inputs, ...]
    costs: tuple[Cost, ...]
    stack_bytes: int | None
    code_bytes: int


def cases_of(graph: Graph) -> list[Graph]:
    """Each op of a graph without state as a graph of its own, in order: layers of a model as cases."""
    result = []
    for op in graph.ops:
        inputs = tuple(dict.fromkeys(n for n in op.inputs if not graph[n].constant))
        tensors = {n: graph[n] for n in (*op.inputs, *op.outputs)}
        result.append(Graph("case", tensors, (op,), inputs, op.outputs, ()))
    return result


def merge(cases: Sequence[Graph]) -> Graph:
    """One graph of all `cases`, which have one op each and no state; names get the prefix `c<number>_`."""
    tensors: dict[str, Tensor] = {}
    ops: list[Op] = []
    inputs: list[str] = []
    outputs: list[str] = []
    for i, case in enumerate(cases):
        names = {n: f"c{i}_{n}" for n in case.tensors}
        tensors |= {names[n]: replace(t, name=names[n]) for n, t in case.tensors.items()}
        (op,) = case.ops
        ops.append(replace(op.renamed(names), name=f"c{i}_{op.name}"))
        inputs += [names[n] for n in case.inputs]
        outputs += [names[n] for n in case.outputs]
    return verify(Graph("trial", tensors, tuple(ops), tuple(inputs), tuple(outputs), ()))


def run_trial(
    cases: Sequence[Graph],
    board: Board | None,
    kernels: Sequence[Kernel] = KERNELS,
    samples: Sequence[Mapping[str, np.ndarray]] | None = None,
    *,
    isa: frozenset[str] = frozenset(),
    count: bool = False,
) -> Trial:
    """Run `cases` with the first of `kernels` that accepts each, on `board` or (None) on the host.

    samples   inputs of `merge(cases)`; one of random bytes by default
    isa       what kernels may require on the host, where kernels of any ISA run by their C equivalents,
              with address and undefined-behaviour sanitizers
    count     instructions and cycles of the last sample
    Raises UnsupportedModel when no kernel accepts a case, AssertionError for writes outside the arena.
    """
    graph = merge(cases)
    if samples is None:
        rng = np.random.default_rng(len(cases))
        samples = [
            {n: rng.integers(-128, 128, graph[n].shape).astype(graph[n].dtype.numpy) for n in graph.inputs}
        ]
    chosen = plan(graph, board.isa if board else isa, tuple(kernels), time_limit_s=0.0, reorder=False)
    answers = known_answers(graph, port_stems("output", graph.outputs))
    view = build_view(graph, chosen, Origin("0", "trial", "cases", "0" * 64, "trial"), answers)
    with tempfile.TemporaryDirectory(prefix="patchloom-trial-") as name:
        folder = Path(name)
        for file, data in render(view).items():
            (folder / file).write_bytes(data)
        program = build(folder, view, graph, board, folder, hooked=False, sanitize=board is None)
        request, image = None, elf.read(program.path) if board else None
        if image and count:
            symbols = [image.address(layer.symbol) & ~1 for layer in view.layers]
            request = CountRequest((*symbols, image.address("guest_mark") & ~1))
        outcome = execute(program, samples, reset_every=len(samples), checks=False, count=request)
    assert outcome.damaged_guards == 0, "a kernel wrote outside the arena"
    order = {step.op: i for i, step in enumerate(chosen.steps)}
    by_step = _costs(outcome.counts, [layer.number for layer in view.layers])
    costs = tuple(
        Cost(chosen.steps[i].kernel, *by_step.get(i + 1, (None, None)))
        for i in (order[op.name] for op in graph.ops)
    )
    functions = [s for s in image.symbols if s.is_function and s.name.startswith("pl_")] if image else []
    code = sum({s.address: s.size_bytes for s in functions}.values())
    return Trial(graph, tuple(s.outputs for s in outcome.samples), costs, outcome.stack_bytes, code)


def _costs(counts: Counts | None, layers: Sequence[int]) -> dict[int, tuple[int | None, int | None]]:
    """(instructions, cycles) in the last run by number of the layer, of which there is a function each."""
    if counts is None or not layers:
        return {}
    last = [(s.instructions, s.cycles) for s in counts.intervals()[-len(layers) :]]
    return dict(zip(layers, last, strict=True))
