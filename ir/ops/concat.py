"""concat: tensors behind one another along one dimension."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw, draw_data, one_op_graph
from ..graph import Graph
from ..movement import draw_operand, draw_shape, normal_axis, same_type_problems
from ..op import Arrays, Op, Problem, Tensors
from ..types import Tensor


@dataclass(frozen=True)
class Concat(Op):
    """y = xs[0], xs[1], ... along `axis`; any type, all stored alike and of one quantization."""

    xs: tuple[str, ...]
    y: str
    axis: int

    INPUTS: ClassVar[tuple[str, ...]] = ("xs",)

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        shapes = [tensors[x].shape for x in self.xs]
        rank = len(shapes[0])
        if not -rank <= self.axis < rank:
            yield Problem(f"axis must be one of the {rank} dimensions", str(self.axis))
            return
        axis = normal_axis(self.axis, rank)
        if len({(len(s), s[:axis], s[axis + 1 :]) for s in shapes}) > 1:
            yield Problem(
                f"inputs must differ in dimension {axis} only", ", ".join(str(list(s)) for s in shapes)
            )
        yield from same_type_problems(tensors, self.inputs, self.outputs)
        quants = {tensors[n].quant for n in (*self.xs, self.y)}
        if len(quants) > 1:
            yield Problem(
                "inputs and output must have one quantization",
                ", ".join("none" if q is None else f"s={q.scale[0]:.6g} z={q.zero_point[0]}" for q in quants),
                "quantize the model with a converter that rescales the inputs of concatenations",
            )

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        shapes = [tensors[x].shape for x in self.xs]
        axis = normal_axis(self.axis, len(shapes[0]))
        return ((*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :]),)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        return (np.concatenate(inputs, axis=self.axis),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        first = draw_operand(draw, "x0", draw_shape(draw))
        axis = draw.integer(0, len(first.shape) - 1)
        xs = [first]
        for i in range(1, draw.integer(1, 4)):
            shape = (*first.shape[:axis], draw.integer(1, 6), *first.shape[axis + 1 :])
            data = draw_data(draw, shape, first.dtype) if draw.integer(0, 3) == 0 else None
            xs.append(Tensor(f"x{i}", shape, first.dtype, first.quant, data))
        op = cls("concat", tuple(x.name for x in xs), "y", draw.choice([axis, axis - len(first.shape)]))
        return one_op_graph(op, [*xs, Tensor("y", (), first.dtype, first.quant)])
