"""mul: element-wise product with broadcasting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..cases import Draw, draw_quant, one_op_graph
from ..elementwise import (
    ACTIVATIONS,
    binary_problems,
    draw_broadcast,
    infer_broadcast,
    reach,
    rescale,
    scale_ratio_problems,
)
from ..fixed_point import activation_range
from ..float_requant import activation_range_f32, nearest_even, rounding_problems
from ..graph import Graph
from ..op import Activation, Arrays, Op, Problem, Tensors
from ..rounding import Rounding
from ..types import DType, Tensor
from ..weighted import float_clamp


@dataclass(frozen=True)
class Mul(Op):
    """y = act(a * b); a, b, y int8, int16 or float32, shapes broadcast as in NumPy."""

    a: str
    b: str
    y: str
    activation: Activation = Activation.NONE
    rounding: Rounding = field(default=Rounding.TFLITE_DOUBLE, kw_only=True)

    INPUTS: ClassVar[tuple[str, ...]] = ("a", "b")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        problems = list(binary_problems(tensors, self.a, self.b, self.y))
        yield from problems
        if self.rounding.onnx:
            yield from rounding_problems(self.rounding, tensors[self.a])
        elif not problems and tensors[self.a].dtype is not DType.FLOAT32:
            bound = reach(tensors[self.a]) * reach(tensors[self.b])
            yield from scale_ratio_problems(self.ratio(tensors), bound)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return infer_broadcast(tensors, self.a, self.b)

    def ratio(self, tensors: Tensors) -> float:
        """Product of the operands' scales over the output's scale."""
        a, b, y = (tensors[n].quant for n in (self.a, self.b, self.y))
        assert a and b and y
        return a.s * b.s / y.s

    def float_ratio(self, tensors: Tensors) -> np.float32:
        """As `ratio` for an ONNX rounding, each operation in float32."""
        a, b, y = (tensors[n].quant for n in (self.a, self.b, self.y))
        assert a and b and y
        return np.float32(a.s) * np.float32(b.s) / np.float32(y.s)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        a, b = inputs
        if a.dtype == np.float32:
            return (float_clamp(a * b, self.activation),)
        y = tensors[self.y]
        centred = [q.astype(np.int64) - tensors[n].zero_point for q, n in ((a, self.a), (b, self.b))]
        if self.rounding.onnx:
            zero = np.float32(y.zero_point + self.rounding.offset)
            scaled = (centred[0] * centred[1]).astype(np.float32) * self.float_ratio(tensors) + zero
            product = nearest_even(scaled) - self.rounding.offset
            return (np.clip(product, *activation_range_f32(self.activation, y)),)
        product = rescale(centred[0] * centred[1], self.ratio(tensors)) + y.zero_point
        return (np.clip(product, *activation_range(self.activation, y)),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        dtype = draw.choice(list(ACTIVATIONS))
        shape_a, shape_b = draw_broadcast(draw)
        tensors = [
            Tensor("a", shape_a, dtype, draw_quant(draw, dtype)),
            Tensor("b", shape_b, dtype, draw_quant(draw, dtype)),
            Tensor("y", (), dtype, draw_quant(draw, dtype, 1, 4)),
        ]
        return one_op_graph(cls("mul", "a", "b", "y", draw.choice(list(Activation))), tensors)
