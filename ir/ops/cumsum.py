"""cumsum: running sums or products along one dimension."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, one_op_graph
from ..elementwise import draw_shape
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..plain import NUMBERS, alike_problems, axis_problems, type_problems, wrapped
from ..types import DType, Tensor


@dataclass(frozen=True)
class CumSum(Op):
    """y[.., i, ..] = x[.., 0, ..] + ... + x[.., i, ..] along `axis`; float32 or wrapping plain integers.

    exclusive  without x[.., i, ..] itself
    reverse    from the end instead
    product    products instead of sums
    """

    x: str
    y: str
    axis: int
    exclusive: bool = False
    reverse: bool = False
    product: bool = False

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        yield from axis_problems(tensors, self.x, self.axis)
        yield from type_problems(tensors, self.x, NUMBERS)
        yield from alike_problems(tensors, (self.x, self.y))

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x = inputs[0] if inputs[0].dtype == np.float32 else inputs[0].astype(np.int64)
        x = np.flip(x, self.axis) if self.reverse else x
        with np.errstate(all="ignore"):
            y = np.cumprod(x, self.axis) if self.product else np.cumsum(x, self.axis)
        if self.exclusive:
            y = np.roll(y, 1, self.axis)
            np.moveaxis(y, self.axis, 0)[0] = int(self.product)
        y = np.flip(y, self.axis) if self.reverse else y
        return (y if y.dtype == np.float32 else wrapped(y, tensors[self.y].dtype),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        shape = draw_shape(draw, high=7)
        flags = [draw.choice([True, False]) for _ in range(3)]
        op = cls("cumsum", "x", "y", draw.integer(0, len(shape) - 1), *flags)
        dtype = draw.choice([DType.FLOAT32, *NUMBERS])
        return one_op_graph(op, [Tensor("x", shape, dtype), Tensor("y", (), dtype)])
