"""scatter_nd: a tensor with slices replaced at positions given by tuples of indices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw, one_op_graph
from ..elementwise import draw_shape
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..plain import INDICES, STORED, constant_index_problems, draw_indices, settled_index, type_problems
from ..scatter import REDUCTIONS, reduction_problems, scatter
from ..types import DType, Tensor


@dataclass(frozen=True)
class ScatterND(Op):
    """y = x, then y[*indices[i..]] = updates[i..] (or their sum, product, maximum, minimum), in order.

    x, updates, y  any type, stored alike; plain numbers where `reduction` is not "none"
    indices        int32 or int64; its last axis holds positions in the first dimensions of x. Negative ones
                   count from the end, computed ones outside are clamped, constant ones must lie inside.
    """

    x: str
    indices: str
    updates: str
    y: str
    reduction: str = "none"

    INPUTS: ClassVar[tuple[str, ...]] = ("x", "indices", "updates")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        yield from reduction_problems(tensors, (self.x, self.updates, self.y), self.reduction)
        yield from type_problems(tensors, self.indices, INDICES)
        shape, taken = tensors[self.x].shape, tensors[self.indices].shape
        if not taken or not 1 <= taken[-1] <= len(shape):
            rule = "the last axis of indices has a position for 1 or more dimensions of the data"
            yield Problem(rule, f"indices {list(taken)} of {list(shape)}")
            return
        want = (*taken[:-1], *shape[taken[-1] :])
        if tensors[self.updates].shape != want:
            yield Problem(f"updates must be {list(want)}", str(list(tensors[self.updates].shape)))
        yield from constant_index_problems(tensors, self.indices, shape[: taken[-1]])

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, indices, updates = inputs
        depth = indices.shape[-1]
        y = x.copy()
        slices = y.reshape(*x.shape[:depth], -1)
        chosen = [settled_index(indices[..., d], x.shape[d]).ravel()[:, None] for d in range(depth)]
        rows, width = chosen[0].shape[0], slices.shape[-1]
        places = (*(np.broadcast_to(c, (rows, width)) for c in chosen),)
        within = np.broadcast_to(np.arange(width), (rows, width))
        scatter(slices, (*places, within), updates.reshape(rows, width), self.reduction)
        return (y,)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        shape = draw_shape(draw)
        depth = draw.integer(1, len(shape))
        reduction = draw.choice(REDUCTIONS)
        dtype = draw.choice(STORED if reduction == "none" else [DType.FLOAT32, *STORED[:-1]])
        taken = (*draw.choice([(), (3,), (2, 2)]), depth)
        indices = draw_indices(draw, "indices", taken, shape[:depth])
        updates = Tensor("updates", (*taken[:-1], *shape[depth:]), dtype)
        op = cls("scatter_nd", "x", "indices", "updates", "y", reduction)
        return one_op_graph(op, [Tensor("x", shape, dtype), indices, updates, Tensor("y", (), dtype)])
