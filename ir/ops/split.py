"""split: consecutive parts of a tensor along one dimension (SPLIT and SPLIT_V)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw, one_op_graph
from ..graph import Graph
from ..movement import draw_operand, draw_shape, normal_axis, same_type_problems
from ..op import Arrays, Op, Problem, Tensors
from ..types import Tensor


@dataclass(frozen=True)
class Split(Op):
    """ys[i] = the next sizes[i] indices of x along `axis`; any type, all stored alike."""

    x: str
    ys: tuple[str, ...]
    axis: int
    sizes: tuple[int, ...]

    OUTPUTS: ClassVar[tuple[str, ...]] = ("ys",)

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        shape = tensors[self.x].shape
        if not -len(shape) <= self.axis < len(shape):
            yield Problem(f"axis must be one of the {len(shape)} dimensions", str(self.axis))
            return
        if min(self.sizes) < 1 or sum(self.sizes) != shape[self.axis]:
            yield Problem(f"sizes must be positive and add up to {shape[self.axis]}", str(list(self.sizes)))
        if len(self.sizes) != len(self.ys):
            yield Problem("one size per output", f"{len(self.sizes)} sizes, {len(self.ys)} outputs")
        yield from same_type_problems(tensors, self.inputs, self.outputs)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        shape = tensors[self.x].shape
        axis = normal_axis(self.axis, len(shape))
        return tuple((*shape[:axis], n, *shape[axis + 1 :]) for n in self.sizes)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        return tuple(np.split(inputs[0], np.cumsum(self.sizes)[:-1], axis=self.axis))

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        shape = draw_shape(draw)
        axis = draw.integer(0, len(shape) - 1)
        count = draw.integer(1, 4)
        sizes = (
            (draw.integer(1, 3),) * count
            if draw.choice([False, True])
            else tuple(draw.integer(1, 4) for _ in range(count))
        )
        x = draw_operand(draw, "x", (*shape[:axis], sum(sizes), *shape[axis + 1 :]))
        ys = tuple(f"y{i}" for i in range(count))
        op = cls("split", "x", ys, draw.choice([axis, axis - len(shape)]), sizes)
        return one_op_graph(op, [x, *(Tensor(y, (), x.dtype, x.quant) for y in ys)])
