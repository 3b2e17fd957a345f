"""layout: transposes move towards the outputs until they meet their inverse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..ir import Graph, Op
from ..ir.ops.reshape import Reshape
from ..ir.ops.transpose import Transpose
from .layout_rules import REBUILD, TRANSPARENT
from .rewrite import remove_dead_ops
from .views import Shape, View, inverse, moves, permuted


def layout(graph: Graph) -> Graph:
    """Move transposes through the ops behind them, so that those of a channels-first model cancel.

    Requires: rules hold.
    Ensures:  outputs bit-identical on integer graphs, on float graphs up to the order in which a mean,
              a sum and a fully_connected behind a flattened map add. Inputs and outputs keep names and
              shapes. Fewer elements are moved by transposes than before, or the graph is the same.
    """
    if not any(isinstance(op, Transpose) for op in graph.ops):
        return graph
    candidates = [graph, *(Mover(graph).run(seeds) for seeds in (frozenset(), _seeds(graph)))]
    return min(candidates, key=moved_elements)


def moved_elements(graph: Graph) -> int:
    """Elements that transposes put elsewhere, those that only rename dimensions left out."""
    return sum(
        graph[op.y].elements
        for op in graph.ops
        if isinstance(op, Transpose) and moves(graph[op.x].shape, op.perm)
    )


def _seeds(graph: Graph) -> frozenset[tuple[str, Shape]]:
    """Inputs that reach a transpose through transparent ops, with its permutation: transposed at once."""
    readers = graph.consumers()
    found = set()
    for name in graph.inputs:
        seen, waiting = {name}, [name]
        while waiting:
            for op in readers[waiting.pop()]:
                if isinstance(op, Transpose) and len(op.perm) == len(graph[name].shape):
                    found.add((name, op.perm))
                elif isinstance(op, TRANSPARENT):
                    new = [y for y in op.outputs if y not in seen]
                    seen.update(new)
                    waiting += new
    return frozenset(min((s for s in found if s[0] == n), default=(n, ())) for n in graph.inputs)


class Mover:
    """Rebuilds the graph op by op; transposes are not built but noted as views of what they read."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors = dict(graph.tensors)
        self._ops: list[Op] = []
        self._names = {op.name for op in graph.ops}
        self._views: dict[str, View] = {}
        self._built: dict[View, str] = {}

    def run(self, seeds: Iterable[tuple[str, Shape]]) -> Graph:
        for name, perm in seeds:
            if perm:
                base = self.value(name, f"{name}_moved", permuted(self.tensors[name].shape, perm))
                self.add(Transpose(self.name(base), name, base, perm))
                self._views[name] = View(base, inverse(perm))
                self._built[self._views[name]] = name
        for op in self.graph.ops:
            self._rebuild(op)
        for name in dict.fromkeys(self.graph.outputs):
            if name in self._views and self._built.get(self._views[name]) != name:
                self._write(self._views[name], name)
        return remove_dead_ops(self.graph.rewritten(self._ops, self.tensors.values()))

    # --- building -------------------------------------------------------------------------------

    def add(self, op: Op) -> None:
        self._ops.append(op)

    def name(self, stem: str) -> str:
        """A new op name."""
        name, n = stem, 2
        while name in self._names:
            name, n = f"{stem}_{n}", n + 1
        self._names.add(name)
        return name

    def value(self, like: str, stem: str, shape: Shape, data: np.ndarray | None = None) -> str:
        """A new value or constant with the type of `like`."""
        name, n = stem, 2
        while name in self.tensors:
            name, n = f"{stem}_{n}", n + 1
        self.tensors[name] = replace(self.tensors[like], name=name, shape=shape, data=data)
        return name

    def view(self, name: str) -> View:
        return self._views.get(name) or View(name, tuple(range(len(self.tensors[name].shape))))

    def see(self, name: str, view: View) -> None:
        """Note that a value of the old graph is a view of one of the new."""
        self._views[name] = view

    def result(self, y: str, perm: Shape, shape: Shape | None = None) -> str:
        """The value that an op on bases writes, of which `y` is a view.

        shape   pending of the view
        """
        logical = self.graph[y].shape if shape is None else None
        base_shape = permuted(logical, inverse(perm)) if logical is not None else ()
        name = self.value(y, f"{y}_moved", base_shape)
        self.see(y, View(name, perm, shape))
        return name

    def _write(self, view: View, y: str) -> None:
        """Compute the value `y` that a view stands for."""
        moved, shape = view.base, permuted(self.tensors[view.base].shape, view.perm)
        reshaped = view.shape is not None or view.plain
        if not View(view.base, view.perm).plain:
            moved = self.value(y, f"{y}_ordered", shape) if reshaped else y
            self.add(Transpose(self.name(f"{y}_transpose"), view.base, moved, view.perm))
        if reshaped:
            self.add(Reshape(self.name(f"{y}_reshape"), moved, y, self.tensors[y].shape))

    def plain(self, name: str) -> str:
        """A value of the new graph that is `name` in its own order of elements."""
        view = self.view(name)
        if view.plain:
            return view.base
        if view not in self._built:
            y = self.value(name, f"{name}_ordered", self.graph[name].shape)
            self._write(view, y)
            self._built[view] = y
        return self._built[view]

    # --- ops ------------------------------------------------------------------------------------

    def _rebuild(self, op: Op) -> None:
        if all(self.view(x).plain for x in op.inputs) and not isinstance(op, Transpose):
            self._as_it_is(op)
            return
        for kinds, rebuild in REBUILD:
            if isinstance(op, kinds) and rebuild(self, op):
                return
        self._as_it_is(op)

    def _as_it_is(self, op: Op) -> None:
        """The op on its operands in their own order."""
        self.add(op.renamed({x: self.plain(x) for x in op.inputs}))
