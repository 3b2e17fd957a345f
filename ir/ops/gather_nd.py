"""gather_nd: slices of a tensor at positions given by tuples of indices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw, one_op_graph
from ..elementwise import draw_shape
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..plain import (
    INDICES,
    STORED,
    alike_problems,
    constant_index_problems,
    draw_indices,
    settled_index,
    type_problems,
)
from ..types import Tensor


@dataclass(frozen=True)
class GatherND(Op):
    """y[b.., i..] = x[b.., *indices[b.., i..]], b over the first batch_dims dimensions of both.

    x, y     any type, stored alike
    indices  int32 or int64; its last axis holds positions in the dimensions of x behind the batch ones.
             Negative ones count from the end, computed ones outside are clamped, constant ones must lie
             inside.
    """

    x: str
    indices: str
    y: str
    batch_dims: int = 0

    INPUTS: ClassVar[tuple[str, ...]] = ("x", "indices")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        yield from alike_problems(tensors, (self.x, self.y))
        yield from type_problems(tensors, self.indices, INDICES)
        shape, taken, batch = tensors[self.x].shape, tensors[self.indices].shape, self.batch_dims
        deep = bool(taken) and 1 <= taken[-1] <= len(shape) - batch
        if not deep or not 0 <= batch < len(taken) or taken[:batch] != shape[:batch]:
            rule = "the last axis of indices has a position for 1 or more dimensions behind equal batches"
            yield Problem(rule, f"indices {list(taken)} of {list(shape)}, {batch} batch dimensions")
            return
        yield from constant_index_problems(tensors, self.indices, shape[batch : batch + taken[-1]])

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        shape, taken = tensors[self.x].shape, tensors[self.indices].shape
        return ((*taken[:-1], *shape[self.batch_dims + taken[-1] :]),)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, indices = inputs
        depth, batch = indices.shape[-1], self.batch_dims
        batches = np.indices(indices.shape[:-1])[:batch]
        chosen = [settled_index(indices[..., d], x.shape[batch + d]) for d in range(depth)]
        return (x[(*batches, *chosen)],)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        shape = draw_shape(draw)
        batch = draw.integer(0, len(shape) - 1)
        depth = draw.integer(1, len(shape) - batch)
        dtype = draw.choice(STORED)
        taken = (*shape[:batch], *draw.choice([(), (3,), (2, 2)]), depth)
        indices = draw_indices(draw, "indices", taken, shape[batch : batch + depth])
        tensors = [Tensor("x", shape, dtype), indices, Tensor("y", (), dtype)]
        return one_op_graph(cls("gather_nd", "x", "indices", "y", batch), tensors)
