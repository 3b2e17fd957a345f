"""reshape: the same elements under another shape (also squeeze, expand_dims, flatten)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

import numpy as np

from ..cases import Draw, one_op_graph
from ..graph import Graph
from ..movement import draw_operand, draw_shape, same_type_problems
from ..op import Arrays, Op, Problem, Tensors
from ..types import Tensor


@dataclass(frozen=True)
class Reshape(Op):
    """y = x in row-major order, of shape `shape`; x, y any type, as many elements."""

    x: str
    y: str
    shape: tuple[int, ...]

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x = tensors[self.x]
        if prod(self.shape) != x.elements:
            yield Problem(
                "reshape must keep the number of elements", f"{list(x.shape)} to {list(self.shape)}"
            )
        yield from same_type_problems(tensors, self.inputs, self.outputs)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (self.shape,)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        return (inputs[0].reshape(self.shape),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        x = draw_operand(draw, "x", draw_shape(draw))
        whole = (x.elements,)
        shape = draw.choice([whole, (1, *x.shape), tuple(reversed(x.shape)), (1, 1, *whole)])
        return one_op_graph(cls("reshape", "x", "y", shape), [x, Tensor("y", (), x.dtype, x.quant)])
