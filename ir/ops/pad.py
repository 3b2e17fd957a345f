"""pad: elements of one constant value around a tensor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, one_op_graph
from ..graph import Graph
from ..movement import dimension_problems, draw_operand, draw_shape, same_type_problems
from ..op import Arrays, Op, Problem, Tensors
from ..types import DType, Tensor


@dataclass(frozen=True)
class Pad(Op):
    """y = x with padding[d] = (before, after) elements of `value` along each dimension d.

    x, y     any type, stored alike
    value    as stored: the zero point for TFLite's PAD, any value for PADV2
    """

    x: str
    y: str
    padding: tuple[tuple[int, int], ...]
    value: int | float

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x = tensors[self.x]
        if len(self.padding) != len(x.shape):
            yield Problem("one pair of paddings per dimension", f"{len(self.padding)} for {list(x.shape)}")
        if any(n < 0 for pair in self.padding for n in pair):
            yield Problem("padding must not be negative", str(self.padding), "crop with a slice")
        if x.dtype not in (DType.FLOAT32, DType.FLOAT16):
            low, high = (0, 1) if x.dtype is DType.BOOL else x.dtype.integer_range
            if not low <= self.value <= high:
                yield Problem(f"the padding value must be a stored {x.dtype.value}", str(self.value))
        yield from same_type_problems(tensors, self.inputs, self.outputs)
        yield from dimension_problems(tensors, self.x)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        shape = tensors[self.x].shape
        return (tuple(a + n + b for n, (a, b) in zip(shape, self.padding, strict=True)),)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        return (np.pad(inputs[0], self.padding, constant_values=self.value),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        x = draw_operand(draw, "x", draw_shape(draw))
        padding = tuple((draw.integer(0, 3), draw.integer(0, 3)) for _ in x.shape)
        value: int | float = x.zero_point
        if draw.choice([False, True]):
            value = float(draw.integer(-8, 8)) if x.dtype is DType.FLOAT32 else draw.integer(-128, 127)
        return one_op_graph(cls("pad", "x", "y", padding, value), [x, Tensor("y", (), x.dtype, x.quant)])
