"""gather_elements: single elements of a tensor, each at its own index of one dimension."""

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
class GatherElements(Op):
    """y[i, j, k] = x[i, indices[i, j, k], k] for axis 1, and so on.

    x, y     any type, stored alike
    indices  int32 or int64, of the rank of x, no dimension but `axis` larger than that of x; negative ones
             count from the end, computed ones outside are clamped, constant ones must lie inside
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
        if problems:
            return
        yield from element_shape_problems(tensors, self.x, self.indices, self.axis)
        yield from constant_index_problems(tensors, self.indices, [tensors[self.x].shape[self.axis]])

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.indices].shape,)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, indices = inputs
        return (x[element_index(indices, x.shape, self.axis)],)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        shape = draw_shape(draw)
        axis = draw.integer(0, len(shape) - 1)
        dtype = draw.choice(STORED)
        taken = tuple(draw.integer(1, 6 if d == axis else n) for d, n in enumerate(shape))
        indices = draw_indices(draw, "indices", taken, [shape[axis]])
        tensors = [Tensor("x", shape, dtype), indices, Tensor("y", (), dtype)]
        return one_op_graph(cls("gather_elements", "x", "indices", "y", axis), tensors)


def element_shape_problems(tensors: Tensors, x: str, indices: str, axis: int) -> Iterable[Problem]:
    """Indices have the rank of x and, but for `axis`, no larger dimensions."""
    sizes, taken = tensors[x].shape, tensors[indices].shape
    fits = len(sizes) == len(taken) and all(
        t <= n or d == axis for d, (t, n) in enumerate(zip(taken, sizes, strict=False))
    )
    if not fits:
        rule = f"indices have the rank of the data and, but for axis {axis}, no larger dimensions"
        yield Problem(rule, f"{list(taken)} of {list(sizes)}")


def element_index(indices: np.ndarray, shape: tuple[int, ...], axis: int) -> tuple[np.ndarray, ...]:
    """Index arrays of the elements that `indices` of dimension `axis` name, for data of `shape`."""
    settled = settled_index(indices, shape[axis])
    grids = np.indices(indices.shape)
    return tuple(settled if d == axis else np.asarray(grids[d]) for d in range(indices.ndim))
