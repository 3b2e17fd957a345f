"""scatter_elements: a tensor with single elements replaced, each at its own index of one dimension."""

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
    axis_problems,
    constant_index_problems,
    draw_indices,
    type_problems,
)
from ..scatter import REDUCTIONS, reduction_problems, scatter
from ..types import DType, Tensor
from .gather_elements import element_index, element_shape_problems


@dataclass(frozen=True)
class ScatterElements(Op):
    """y = x, then y[i, indices[i, j, k], k] = updates[i, j, k] for axis 1, and so on, in order.

    x, updates, y  any type, stored alike; plain numbers where `reduction` is not "none" (add, mul, max, min)
    indices        int32 or int64, of the shape of updates and the rank of x, no dimension but `axis` larger
                   than that of x; negative ones count from the end, computed ones outside are clamped,
                   constant ones must lie inside
    """

    x: str
    indices: str
    updates: str
    y: str
    axis: int
    reduction: str = "none"

    INPUTS: ClassVar[tuple[str, ...]] = ("x", "indices", "updates")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        yield from reduction_problems(tensors, (self.x, self.updates, self.y), self.reduction)
        yield from type_problems(tensors, self.indices, INDICES)
        taken, given = tensors[self.indices].shape, tensors[self.updates].shape
        if taken != given:
            yield Problem(f"updates must be {list(taken)}", str(list(given)))
        problems = list(axis_problems(tensors, self.x, self.axis))
        yield from problems
        if not problems:
            yield from element_shape_problems(tensors, self.x, self.indices, self.axis)
            yield from constant_index_problems(tensors, self.indices, [tensors[self.x].shape[self.axis]])

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, indices, updates = inputs
        y = x.copy()
        scatter(y, element_index(indices, x.shape, self.axis), updates, self.reduction)
        return (y,)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        shape = draw_shape(draw)
        axis = draw.integer(0, len(shape) - 1)
        reduction = draw.choice(REDUCTIONS)
        dtype = draw.choice(STORED if reduction == "none" else [DType.FLOAT32, *STORED[:-1]])
        taken = tuple(draw.integer(1, 6 if d == axis else n) for d, n in enumerate(shape))
        indices = draw_indices(draw, "indices", taken, [shape[axis]])
        op = cls("scatter_elements", "x", "indices", "updates", "y", axis, reduction)
        updates = Tensor("updates", taken, dtype)
        return one_op_graph(op, [Tensor("x", shape, dtype), indices, updates, Tensor("y", (), dtype)])
