"""tile: a tensor repeated along its dimensions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, one_op_graph
from ..graph import Graph
from ..movement import MAX_DIMENSIONS, draw_operand, draw_shape
from ..op import Arrays, Op, Problem, Tensors
from ..plain import alike_problems
from ..types import Tensor


@dataclass(frozen=True)
class Tile(Op):
    """y[i, j, ..] = x[i % n, j % m, ..]: dimension d of x behind itself repeats[d] times; stored alike.

    Dimensions and repeated dimensions of more than one element are at most MAX_DIMENSIONS together.
    """

    x: str
    y: str
    repeats: tuple[int, ...]

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        shape = tensors[self.x].shape
        if len(self.repeats) != len(shape) or min(self.repeats, default=1) < 1:
            yield Problem(f"one positive number of repeats per dimension of {list(shape)}", str(self.repeats))
            return
        loops = sum(n > 1 for n in (*shape, *self.repeats))
        if loops > MAX_DIMENSIONS:
            rule = f"at most {MAX_DIMENSIONS} dimensions and repeats of more than one element"
            yield Problem(rule, f"{loops}", "repeat in two steps")
        yield from alike_problems(tensors, (self.x, self.y))

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tuple(n * r for n, r in zip(tensors[self.x].shape, self.repeats, strict=True)),)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        return (np.tile(inputs[0], self.repeats),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        x = draw_operand(draw, "x", draw_shape(draw, high_rank=3))
        repeats = tuple(draw.choice([1, 1, 2, 3]) for _ in x.shape)
        return one_op_graph(cls("tile", "x", "y", repeats), [x, Tensor("y", (), x.dtype, x.quant)])
