"""arg_reduce: where the largest or smallest element along an axis is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, one_op_graph
from ..elementwise import draw_shape
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..plain import INDICES, NUMBERS, alike_problems, axis_problems, type_problems
from ..types import DType, Tensor


@dataclass(frozen=True)
class ArgReduce(Op):
    """y = index along `axis` of the largest (or smallest) element of x; keep_dims leaves the axis as 1.

    x     float32 or integers, quantized or not (the order of stored values is that of real ones)
    y     int32 or int64
    last  of equal elements the last one is taken, else the first. Not-a-number is never the answer unless
          it is the first element.
    """

    x: str
    y: str
    axis: int
    keep_dims: bool
    largest: bool
    last: bool = False

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        yield from axis_problems(tensors, self.x, self.axis)
        if tensors[self.x].quant is None:
            yield from type_problems(tensors, self.x, NUMBERS)
        else:
            yield from alike_problems(tensors, (self.x,))
        yield from type_problems(tensors, self.y, INDICES)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        shape = tensors[self.x].shape
        return ((*shape[: self.axis], *((1,) if self.keep_dims else ()), *shape[self.axis + 1 :]),)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x = np.moveaxis(inputs[0], self.axis, 0)
        best, where = x[0].copy(), np.zeros(x.shape[1:], np.int64)
        for i in range(1, x.shape[0]):
            better = x[i] > best if self.largest else x[i] < best
            better = better | (x[i] == best) if self.last else better
            best, where = np.where(better, x[i], best), np.where(better, i, where)
        return (np.expand_dims(where, self.axis) if self.keep_dims else where,)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        shape = draw_shape(draw, high=7)
        axis = draw.integer(0, len(shape) - 1)
        flags = [draw.choice([True, False]) for _ in range(3)]
        op = cls("arg_reduce", "x", "y", axis, *flags)
        dtype = draw.choice([DType.FLOAT32, *NUMBERS])
        return one_op_graph(op, [Tensor("x", shape, dtype), Tensor("y", (), draw.choice(list(INDICES)))])
