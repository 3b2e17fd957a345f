"""top_k: the largest or smallest elements along one dimension, and where they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw, one_op_graph
from ..elementwise import draw_shape
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..plain import INDICES, NUMBERS, alike_problems, axis_problems, type_problems
from ..types import DType, Tensor


@dataclass(frozen=True)
class TopK(Op):
    """The k largest (or smallest) elements of x along `axis`, in that order; of equal ones the first first.

    x, values  float32 or integers, stored alike; not-a-number is taken only where nothing else is left
    indices    int32 or int64
    """

    x: str
    values: str
    indices: str
    k: int
    axis: int
    largest: bool

    OUTPUTS: ClassVar[tuple[str, ...]] = ("values", "indices")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        problems = list(axis_problems(tensors, self.x, self.axis))
        yield from problems
        if not problems and not 1 <= self.k <= tensors[self.x].shape[self.axis]:
            yield Problem(f"k must be in 1 to {tensors[self.x].shape[self.axis]}", str(self.k))
        yield from alike_problems(tensors, (self.x, self.values))
        if tensors[self.x].dtype not in NUMBERS:
            yield Problem("the input must be numbers", tensors[self.x].dtype.value)
        yield from type_problems(tensors, self.indices, INDICES)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        shape = tensors[self.x].shape
        taken = (*shape[: self.axis], self.k, *shape[self.axis + 1 :])
        return taken, taken

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x = inputs[0]
        # The order of equal elements is kept by a stable sort, of ~x where the largest come first: -x has no
        # room for the smallest integer.
        key = x if not self.largest else -x if x.dtype == np.float32 else ~x.astype(np.int64)
        order = np.argsort(key, axis=self.axis, kind="stable").take(range(self.k), axis=self.axis)
        return np.take_along_axis(x, order, axis=self.axis), order

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        shape = draw_shape(draw, high=9)
        axis = draw.integer(0, len(shape) - 1)
        op = cls(
            "top_k", "x", "values", "indices", draw.integer(1, shape[axis]), axis, draw.choice([True, False])
        )
        dtype, index = draw.choice([DType.FLOAT32, *NUMBERS]), draw.choice(list(INDICES))
        tensors = [Tensor("x", shape, dtype), Tensor("values", (), dtype), Tensor("indices", (), index)]
        return one_op_graph(op, tensors)
