"""What a graph and its chosen kernels demand of memory: the planner's whole input, looked up once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ...errors import UnsupportedModel, Violation
from ...ir import Graph, Op
from ...ir.ops.read_state import ReadState
from ...ir.ops.write_state import WriteState
from .choose import Choice, choose
from .kernel import Alias, Kernel

InputMode = Literal["arena", "extern", "rows"]
INPUT_MODES: tuple[InputMode, ...] = ("arena", "extern", "rows")

STATE_COPY = "state_copy"
"""Kernel name of a ReadState or WriteState step when the table has no kernel for it: a plain copy."""


@dataclass(frozen=True, eq=False)
class Demand:
    """A graph with the kernel, aliases and scratch bytes of each op, by op name.

    extern     graph inputs that live in the caller's buffers and are never written
    alignment  every offset is a multiple of this and of the element size
    """

    graph: Graph
    kernels: Mapping[str, str]
    aliases: Mapping[str, tuple[Alias, ...]]
    scratch: Mapping[str, int]
    extern: frozenset[str]
    alignment: int

    def align(self, value: str) -> int:
        """Offsets of `value` are multiples of this many bytes."""
        return max(self.alignment, self.graph[value].dtype.itemsize)

    def variable(self, value: str) -> bool:
        """Whether the value is computed or given at run time: the opposite of constant."""
        return not self.graph[value].constant


def demand(
    graph: Graph,
    features: frozenset[str],
    kernels: tuple[Kernel, ...],
    input_mode: InputMode = "arena",
    alignment: int = 4,
    choice: Choice | None = None,
) -> Demand:
    """Choose a kernel for every op. Raises UnsupportedModel naming all ops no kernel accepts."""
    chosen = choose(graph, features, kernels, choice or Choice())
    missing = [
        op for op in graph.ops if chosen[op.name] is None and not isinstance(op, ReadState | WriteState)
    ]
    if missing:
        raise UnsupportedModel(
            graph.source or graph.name, [_violation(graph, op, kernels) for op in missing], len(graph.ops)
        )
    return Demand(
        graph,
        {name: STATE_COPY if k is None else k.name for name, k in chosen.items()},
        {op.name: _aliases(graph, op, chosen[op.name]) for op in graph.ops},
        {op.name: _scratch(graph, op, chosen[op.name]) for op in graph.ops},
        frozenset() if input_mode == "arena" else frozenset(graph.inputs),
        alignment,
    )


def _violation(graph: Graph, op: Op, kernels: tuple[Kernel, ...]) -> Violation:
    known = [k.name for k in kernels if type(op) is k.op]
    types = ", ".join(f"{graph[v].dtype.value}{list(graph[v].shape)}" for v in (*op.inputs, *op.outputs))
    rule = f"a kernel must accept the operator; {op.kind()} has {', '.join(known) or 'no kernels'}"
    return Violation(graph.label(op), rule, types, "docs/adding_an_operator.md tells how to add a kernel")


def _aliases(graph: Graph, op: Op, kernel: Kernel | None) -> tuple[Alias, ...]:
    """The kernel's aliases from a run-time input to an output; constants are not in the arena."""
    if kernel is None or isinstance(op, ReadState | WriteState):
        return ()
    found = kernel.aliases(op, graph.tensors)
    return tuple(a for a in found if a.a in op.inputs and a.b in op.outputs and not graph[a.a].constant)


def _scratch(graph: Graph, op: Op, kernel: Kernel | None) -> int:
    return 0 if kernel is None else kernel.scratch_bytes(op, graph.tensors)
