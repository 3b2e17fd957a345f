"""gather: slices of a tensor at given indices of one dimension."""

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
    axis_problems,
    constant_index_problems,
    draw_indices,
    settled_index,
    type_problems,
)
from ..types import Tensor


@dataclass(frozen=True)
class Gather(Op):
    """y[.., i.., ..] = x[.., indices[i..], ..]: dimension `axis` of x becomes the dimensions of indices.

    x, y     any type, stored alike
    indices  int32 or int64, computed or constant; negative ones count from the end. Computed ones outside
             the dimension are clamped to it, constant ones must lie inside.
    """

    x: str
    indices: str
    y: str
    axis: int

    INPUTS: ClassVar[tuple[str, ...]] = ("x", "indices")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        problems = list(axis_problems(tensors, self.x, self.axis))
        yield from problems
        yield from alike_problems(tensors, (self.x, self.y))
        yield from type_problems(tensors, self.indices, INDICES)
        if not problems:
            yield from constant_index_problems(tensors, self.indices, [tensors[self.x].shape[self.axis]])

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        shape = tensors[self.x].shape
        return ((*shape[: self.axis], *tensors[self.indices].shape, *shape[self.axis + 1 :]),)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, indices = inputs
        return (np.take(x, settled_index(indices, x.shape[self.axis]), axis=self.axis),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        shape = draw_shape(draw)
        axis = draw.integer(0, len(shape) - 1)
        dtype = draw.choice(STORED)
        taken = draw.choice([(), (3,), (2, 2), (7,)])
        indices = draw_indices(draw, "indices", taken, [shape[axis]])
        tensors = [Tensor("x", shape, dtype), indices, Tensor("y", (), dtype)]
        return one_op_graph(cls("gather", "x", "indices", "y", axis), tensors)
