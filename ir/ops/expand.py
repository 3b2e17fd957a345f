"""expand: a tensor repeated along its dimensions of size 1, and along new ones in front."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, one_op_graph
from ..elementwise import broadcast_shape, draw_shape
from ..graph import Graph
from ..movement import MAX_DIMENSIONS, draw_operand
from ..op import Arrays, Op, Problem, Tensors
from ..plain import alike_problems
from ..types import Tensor


@dataclass(frozen=True)
class Expand(Op):
    """y = x broadcast to `shape`, to which x's shape must broadcast as in NumPy; any type, stored alike."""

    x: str
    y: str
    shape: tuple[int, ...]

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        shape = tensors[self.x].shape
        if broadcast_shape(shape, self.shape) != self.shape:
            yield Problem(
                "the input must broadcast to the output's shape", f"{list(shape)} to {list(self.shape)}"
            )
        if len(self.shape) > MAX_DIMENSIONS:
            yield Problem(f"at most {MAX_DIMENSIONS} dimensions", str(len(self.shape)))
        yield from alike_problems(tensors, (self.x, self.y))

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (self.shape,)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        return (np.ascontiguousarray(np.broadcast_to(inputs[0], self.shape)),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        shape = draw_shape(draw)
        own = tuple(draw.choice([1, n]) for n in shape)[draw.integer(0, len(shape)) :]
        x = draw_operand(draw, "x", own)
        return one_op_graph(cls("expand", "x", "y", shape), [x, Tensor("y", (), x.dtype, x.quant)])
