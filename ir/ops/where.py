"""where: one of two elements, chosen by a third, with broadcasting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw, one_op_graph
from ..elementwise import draw_shape
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..plain import STORED, alike_problems, broadcast_problems, draw_plain, type_problems
from ..types import DType, Tensor


@dataclass(frozen=True)
class Where(Op):
    """y = a where the condition is true, else b; shapes broadcast as in NumPy.

    condition  bool
    a, b, y    any one type and quantization
    """

    condition: str
    a: str
    b: str
    y: str

    INPUTS: ClassVar[tuple[str, ...]] = ("condition", "a", "b")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        yield from type_problems(tensors, self.condition, (DType.BOOL,))
        yield from alike_problems(tensors, (self.a, self.b, self.y))
        yield from broadcast_problems(tensors, self.inputs)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tuple(np.broadcast_shapes(*(tensors[n].shape for n in self.inputs))),)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        return (np.where(*inputs),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        shape = draw_shape(draw)
        dtype = draw.choice(STORED)
        tensors = [Tensor("y", (), dtype)]
        for name, t in (("condition", DType.BOOL), ("a", dtype), ("b", dtype)):
            own = tuple(draw.choice([1, n, n]) for n in shape)[draw.choice([0, 0, len(shape) - 1]) :]
            data = draw_plain(draw, t, own) if draw.integer(0, 3) == 0 else None
            tensors.append(Tensor(name, own, t, None, data))
        if all(t.constant for t in tensors[1:]):
            tensors[1] = Tensor("condition", tensors[1].shape, DType.BOOL)
        return one_op_graph(cls("where", "condition", "a", "b", "y"), tensors)
