"""Local rewrites: what graph passes share to replace an op and to merge two equal values."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace

from ..ir import Graph, Op, Tensor
from ..ir.ops.write_state import WriteState


@dataclass(frozen=True, eq=False)
class Site:
    """A graph with its producers and consumers at hand."""

    graph: Graph
    producers: Mapping[str, Op]
    consumers: Mapping[str, list[Op]]

    @classmethod
    def of(cls, graph: Graph) -> Site:
        return cls(graph, graph.producers(), graph.consumers())

    def __getitem__(self, name: str) -> Tensor:
        return self.graph[name]

    def fresh(self, stem: str) -> str:
        """A name no value and no op has."""
        return fresh_name(self.graph, stem)

    def private(self, name: str) -> bool:
        """Whether exactly one op reads the value and nobody outside the graph sees it."""
        return len(self.consumers[name]) == 1 and name not in self.graph.outputs

    def stored_alike(self, a: str, b: str) -> bool:
        """Whether two values have one type and one quantization (shapes may differ)."""
        return self[a].dtype is self[b].dtype and self[a].quant == self[b].quant


@dataclass(frozen=True, eq=False)
class Change:
    """What a rewrite does to a graph.

    ops      name of an op -> the ops that stand in its place (none: it is removed)
    tensors  added or replaced
    """

    ops: Mapping[str, tuple[Op, ...]]
    tensors: tuple[Tensor, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """Values renamed everywhere after `ops` was applied."""

    def apply(self, graph: Graph) -> Graph:
        ops = (new for op in graph.ops for new in self.ops.get(op.name, (op,)))
        return graph.rewritten([op.renamed(self.names) for op in ops], self.tensors)


Rewrite = Callable[[Site, Op], Change | None]
"""Looks at one op: None when the rewrite does not apply there."""


def apply_rewrites(graph: Graph, rewrites: tuple[Rewrite, ...]) -> Graph:
    """The graph after every rewrite has been applied until none applies any more.

    Rewrites must each make the graph smaller or simpler, so that this ends.
    """
    site = Site.of(graph)
    changed = True
    while changed:
        changed = False
        for name in [op.name for op in site.graph.ops]:
            for rewrite in rewrites:
                op = next((o for o in site.graph.ops if o.name == name), None)
                change = rewrite(site, op) if op else None
                if change is not None:
                    site = Site.of(remove_dead_ops(change.apply(site.graph)))
                    changed = True
    return site.graph


def remove_dead_ops(graph: Graph) -> Graph:
    """Remove ops whose results nobody reads.

    Requires: nothing.
    Ensures:  outputs and states bit-identical; ops that write a state stay.
    """
    needed = set(graph.outputs)
    kept: list[Op] = []
    for op in reversed(graph.ops):
        if isinstance(op, WriteState) or not needed.isdisjoint(op.outputs):
            kept.append(op)
            needed.update(op.inputs)
    return graph if len(kept) == len(graph.ops) else graph.rewritten(reversed(kept))


def remove_copy(site: Site, op: Op, x: str, y: str) -> Change | None:
    """Drop an op whose output `y` is its input `x`, of equal type, shape and quantization.

    Graph outputs keep their names: then `x` takes the name `y`, unless it is itself seen from outside
    or constant, when the op must stay and copy.
    """
    if not site.stored_alike(x, y) or site[x].shape != site[y].shape:
        return None
    if y not in site.graph.outputs:
        return Change({op.name: ()}, names={y: x})
    if x not in site.producers or x in site.graph.outputs:
        return None
    return Change({op.name: ()}, names={x: y})


def fresh_name(graph: Graph, stem: str, taken: Container[str] = ()) -> str:
    """A name no value and no op of the graph has, and that is not taken: the stem, or it with a number."""
    ops = {op.name for op in graph.ops}
    name, n = stem, 2
    while name in graph.tensors or name in ops or name in taken:
        name, n = f"{stem}_{n}", n + 1
    return name


def retyped(t: Tensor, like: Tensor) -> Tensor:
    """`t` with the type and quantization of `like`."""
    return replace(t, dtype=like.dtype, quant=like.quant)
