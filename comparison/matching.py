"""Which value of one graph is which of another.

Outputs belong together, then values of equal name. The rest is aligned by its place in the order of
computation: the longest common subsequence of values of equal shape, those of equal operators first, between
the pairs that are known. Values that are only moved or converted are left out unless their names agree.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..ir import Graph, Tensor
from ..ir.ops.dequantize import Dequantize
from ..ir.ops.quantize import Quantize
from ..ir.ops.reshape import Reshape
from ..ir.ops.transpose import Transpose
from .order import same_elements, squeezed

How = Literal["output", "name", "position"]

_MOVES = (Dequantize, Quantize, Reshape, Transpose)
_KNOWN, _SAME_OP, _SAME_SHAPE = 1 << 20, 3, 2
"""What a pair is worth: a known one is never given up, two of equal operators beat two of equal shape."""


@dataclass(frozen=True, eq=False)
class Node:
    """A computed value: its tensor, the kind of operator, how messages call that, and what it reads."""

    tensor: Tensor
    kind: str
    label: str
    reads: tuple[str, ...]
    moved: bool

    @property
    def name(self) -> str:
        return self.tensor.name


@dataclass(frozen=True, eq=False)
class Pair:
    """Two values taken for the same, and why."""

    a: Node
    b: Node
    how: How

    @property
    def layer(self) -> Node:
        """The node that says what computes it: of the first graph, unless that only converts."""
        return self.b if self.a.moved and not self.b.moved else self.a


def nodes_of(graph: Graph, available: Collection[str]) -> list[Node]:
    """The values that operators compute and that can be had, in order."""
    return [
        Node(graph[y], op.kind(), graph.label(op), op.inputs, isinstance(op, _MOVES))
        for op in graph.ops
        for y in op.outputs
        if y in available
    ]


def match(a: Sequence[Node], b: Sequence[Node], outputs: Sequence[tuple[str, str]]) -> list[Pair]:
    """Pairs in the order of `a`.

    outputs   names of graph outputs that belong together
    """
    where_a, where_b = ({n.name: i for i, n in enumerate(side)} for side in (a, b))
    found: dict[int, tuple[int, How]] = {}
    for x, y in outputs:
        if x in where_a and y in where_b and _alike(a[where_a[x]], b[where_b[y]]):
            found[where_a[x]] = (where_b[y], "output")
    taken = {j for j, _ in found.values()}
    for i, node in enumerate(a):
        j = where_b.get(node.name)
        if j is not None and i not in found and j not in taken and _alike(node, b[j]):
            found[i] = (j, "name")
            taken.add(j)
    for i, j in _aligned(a, b, {i: j for i, (j, _) in found.items()}):
        found.setdefault(i, (j, "position"))
    return [Pair(a[i], b[j], how) for i, (j, how) in sorted(found.items())]


def _alike(a: Node, b: Node) -> bool:
    return same_elements(a.tensor.shape, b.tensor.shape)


def _aligned(a: Sequence[Node], b: Sequence[Node], known: dict[int, int]) -> list[tuple[int, int]]:
    """The common subsequence of highest worth, known pairs among it."""
    rows = [i for i, n in enumerate(a) if i in known or not n.moved]
    columns = [j for j, n in enumerate(b) if j in set(known.values()) or not n.moved]
    worth = _worth(a, b, rows, columns, known)
    best = np.zeros((len(rows) + 1, len(columns) + 1), np.int64)
    for r in range(len(rows)):
        diagonal = np.where(worth[r] > 0, best[r, :-1] + worth[r], 0)
        # along a row the best only grows, so a running maximum is the recurrence
        best[r + 1, 1:] = np.maximum.accumulate(np.maximum(best[r, 1:], diagonal))
    pairs, r, c = [], len(rows), len(columns)
    while r and c:
        if worth[r - 1, c - 1] and best[r, c] == best[r - 1, c - 1] + worth[r - 1, c - 1]:
            r, c = r - 1, c - 1
            pairs.append((rows[r], columns[c]))
        elif best[r, c] == best[r - 1, c]:
            r -= 1
        else:
            c -= 1
    return pairs


def _worth(
    a: Sequence[Node], b: Sequence[Node], rows: Sequence[int], columns: Sequence[int], known: dict[int, int]
) -> np.ndarray:
    """int64[rows, columns]: what pairing them is worth, 0 where they do not belong together."""
    worth = np.zeros((len(rows), len(columns)), np.int64)
    taken = set(known.values())
    shapes = [squeezed(b[j].tensor.shape) for j in columns]
    for r, i in enumerate(rows):
        mine = squeezed(a[i].tensor.shape)
        for c, j in enumerate(columns):
            if i in known or j in taken:
                worth[r, c] = _KNOWN * (known.get(i) == j)
            elif shapes[c] == mine:
                worth[r, c] = _SAME_OP if a[i].kind == b[j].kind else _SAME_SHAPE
    return worth
