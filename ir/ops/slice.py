"""slice: evenly spaced elements of a tensor (SLICE and STRIDED_SLICE)."""

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
class Slice(Op):
    """y[i, j, ..] = x[begin[0] + i * stride[0], begin[1] + j * stride[1], ..], i < size[0], j < size[1], ..

    x, y     any type, stored alike
    stride   not 0; negative ones walk backwards from `begin`
    """

    x: str
    y: str
    begin: tuple[int, ...]
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        shape = tensors[self.x].shape
        if not len(self.begin) == len(self.size) == len(self.stride) == len(shape):
            yield Problem("begin, size and stride must have one entry per dimension", f"input {list(shape)}")
            return
        yield from same_type_problems(tensors, self.inputs, self.outputs)
        yield from dimension_problems(tensors, self.x)
        for axis, (n, b, s, step) in enumerate(zip(shape, self.begin, self.size, self.stride, strict=True)):
            if s < 1 or step == 0:
                yield Problem(
                    "sizes must be positive and strides not 0", f"size {s}, stride {step}, axis {axis}"
                )
            elif not (0 <= b < n and 0 <= b + (s - 1) * step < n):
                yield Problem(
                    "a slice must lie inside the input", f"{b} to {b + (s - 1) * step} of {n}, axis {axis}"
                )

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (self.size,)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        index = [b + np.arange(n) * s for b, n, s in zip(self.begin, self.size, self.stride, strict=True)]
        return (inputs[0][np.ix_(*index)] if index else inputs[0],)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        x = draw_operand(draw, "x", draw_shape(draw, high=9))
        begin, size, stride = [], [], []
        for n in x.shape:
            first, last = draw.integer(0, n - 1), draw.integer(0, n - 1)
            step = draw.choice([1, 1, 2, 3]) * (1 if last >= first else -1)
            begin.append(first)
            size.append((last - first) // step + 1)
            stride.append(step)
        op = cls("slice", "x", "y", tuple(begin), tuple(size), tuple(stride))
        return one_op_graph(op, [x, Tensor("y", (), x.dtype, x.quant)])
