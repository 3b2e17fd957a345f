"""transpose: dimensions in another order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, one_op_graph
from ..graph import Graph
from ..movement import dimension_problems, draw_operand, draw_shape, same_type_problems
from ..op import Arrays, Op, Problem, Tensors
from ..types import Tensor


@dataclass(frozen=True)
class Transpose(Op):
    """Dimension d of y is dimension perm[d] of x; any type, stored alike."""

    x: str
    y: str
    perm: tuple[int, ...]

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        shape = tensors[self.x].shape
        if sorted(self.perm) != list(range(len(shape))):
            yield Problem(f"perm must name each of the {len(shape)} dimensions once", str(list(self.perm)))
        yield from same_type_problems(tensors, self.inputs, self.outputs)
        yield from dimension_problems(tensors, self.x)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tuple(tensors[self.x].shape[d] for d in self.perm),)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        return (np.ascontiguousarray(inputs[0].transpose(self.perm)),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        x = draw_operand(draw, "x", draw_shape(draw, 2))
        perm = tuple(int(d) for d in draw.rng().permutation(len(x.shape)))
        return one_op_graph(cls("transpose", "x", "y", perm), [x, Tensor("y", (), x.dtype, x.quant)])
