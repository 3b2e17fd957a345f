"""Run a graph with the operators' references: the judge of every other implementation."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

import numpy as np

from .graph import Graph
from .ops.read_state import ReadState
from .ops.write_state import WriteState


def initial_state(graph: Graph) -> dict[str, np.ndarray]:
    """The state of a freshly reset network, by state name."""
    return {s.name: s.initial.copy() for s in graph.states}


def evaluate(
    graph: Graph, inputs: Mapping[str, np.ndarray], state: MutableMapping[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """All values of one inference by name. `state` is updated in place (absent: a fresh one is used).

    Raises ValueError when an input is missing or has another shape or type than the graph says.
    """
    state = initial_state(graph) if state is None else state
    values: dict[str, np.ndarray] = {n: t.data for n, t in graph.tensors.items() if t.data is not None}
    for name in graph.inputs:
        want, got = graph[name], inputs.get(name)
        if got is None or got.shape != want.shape or got.dtype != want.dtype.numpy:
            found = "nothing" if got is None else f"{got.dtype}{list(got.shape)}"
            raise ValueError(f"input {name!r} must be {want.dtype.value}{list(want.shape)}, found {found}")
        values[name] = got
    for op in graph.ops:
        if isinstance(op, ReadState):
            values[op.y] = state[op.state].copy()
        elif isinstance(op, WriteState):
            state[op.state] = values[op.x].reshape(state[op.state].shape).copy()
        else:
            results = op.reference(graph.tensors, *(values[x] for x in op.inputs))
            for name, result in zip(op.outputs, results, strict=True):
                values[name] = result.astype(graph[name].dtype.numpy).reshape(graph[name].shape)
    return values
