"""one_hot: indices as vectors that are on in one place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw, one_op_graph
from ..elementwise import draw_shape
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..plain import INDICES, STORED, alike_problems, draw_plain, type_problems
from ..types import Tensor


@dataclass(frozen=True)
class OneHot(Op):
    """y has a new dimension `axis` of size depth: values[1] where it equals the index, else values[0].

    indices  int32 or int64; negative ones count from the end, those outside are on nowhere
    values   two elements, off and on, of the type of y
    """

    indices: str
    values: str
    y: str
    depth: int
    axis: int

    INPUTS: ClassVar[tuple[str, ...]] = ("indices", "values")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        rank = len(tensors[self.indices].shape)
        if self.depth < 1:
            yield Problem("depth must be positive", str(self.depth))
        if not 0 <= self.axis <= rank:
            yield Problem(f"axis must be between 0 and {rank}", str(self.axis))
        if tensors[self.values].shape != (2,):
            yield Problem("values are two elements, off and on", f"{list(tensors[self.values].shape)}")
        yield from type_problems(tensors, self.indices, INDICES)
        yield from alike_problems(tensors, (self.values, self.y))

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        shape = tensors[self.indices].shape
        return ((*shape[: self.axis], self.depth, *shape[self.axis :]),)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        indices, values = inputs[0].astype(np.int64), inputs[1]
        settled = np.expand_dims(np.where(indices < 0, indices + self.depth, indices), self.axis)
        places = np.arange(self.depth).reshape(-1, *(1,) * (indices.ndim - self.axis))
        return (np.where(settled == places, values[1], values[0]),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        shape = draw_shape(draw, high_dims=3)
        depth, dtype, index = draw.integer(1, 5), draw.choice(STORED), draw.choice(list(INDICES))
        data = draw.rng().integers(-depth - 1, depth + 2, shape).astype(index.numpy)
        indices = Tensor("indices", shape, index, None, data if draw.choice([True, False]) else None)
        constant = indices.data is None and draw.choice([True, False])
        values = Tensor("values", (2,), dtype, None, draw_plain(draw, dtype, (2,)) if constant else None)
        op = cls("one_hot", "indices", "values", "y", depth, draw.integer(0, len(shape)))
        return one_op_graph(op, [indices, values, Tensor("y", (), dtype)])
