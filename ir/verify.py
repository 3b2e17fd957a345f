"""The verifier: what every graph must satisfy before and after each pass."""

from __future__ import annotations

from ..errors import UnsupportedModel, Violation
from .graph import Graph
from .op import Op
from .ops.read_state import ReadState
from .ops.write_state import WriteState


class InvalidGraph(AssertionError):
    """A pass or a frontend built a broken graph: a defect of the tool, not of the model."""


def check_rules(graph: Graph) -> None:
    """Raise UnsupportedModel with every rule of every op that is not met."""
    violations = [
        Violation(graph.label(op), p.rule, p.found, p.hint)
        for op in graph.ops
        for p in op.rules(graph.tensors)
    ]
    if violations:
        raise UnsupportedModel(graph.source or graph.name, violations, len(graph.ops))


def verify(graph: Graph) -> Graph:
    """The same graph, or InvalidGraph naming the first structural fault.

    Checks: names defined before use and written once, inputs and outputs exist, constants have the
    declared type and shape, op names are unique, states exist, inferred shapes equal declared ones.
    """
    defined = {n for n, t in graph.tensors.items() if t.constant} | set(graph.inputs)
    states = {s.name for s in graph.states}
    seen: set[str] = set()
    for op in graph.ops:
        _check_op(graph, op, defined, states, seen)
        defined.update(op.outputs)
        seen.add(op.name)
    for name in graph.outputs:
        if name not in defined:
            raise InvalidGraph(f"output {name!r} is never computed")
    for t in graph.tensors.values():
        if t.data is not None and (t.data.shape != t.shape or t.data.dtype != t.dtype.numpy):
            found = f"{t.data.dtype}{t.data.shape}"
            raise InvalidGraph(f"constant {t.name!r} is {found}, declared {t.dtype}{t.shape}")
    return graph


def _check_op(graph: Graph, op: Op, defined: set[str], states: set[str], seen: set[str]) -> None:
    if op.name in seen:
        raise InvalidGraph(f"two ops are called {op.name!r}")
    for x in op.inputs:
        if x not in defined:
            raise InvalidGraph(f"{op.name}: reads {x!r} before it is computed")
    for y in op.outputs:
        if y in defined:
            raise InvalidGraph(f"{op.name}: {y!r} is written twice")
        if y not in graph.tensors:
            raise InvalidGraph(f"{op.name}: {y!r} has no type")
    if isinstance(op, ReadState | WriteState) and op.state not in states:
        raise InvalidGraph(f"{op.name}: state {op.state!r} is not declared")
    for y, shape in zip(op.outputs, op.infer(graph.tensors), strict=True):
        if graph[y].shape != shape:
            raise InvalidGraph(f"{op.name}: {y!r} is declared {graph[y].shape}, inferred {shape}")
