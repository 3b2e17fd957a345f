"""relu: clamp from below, or from both sides (RELU6, RELU_N1_TO_1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, draw_quant, one_op_graph
from ..elementwise import (
    ACTIVATIONS,
    draw_shape,
    reach,
    rescale,
    same_quant,
    scale_ratio_problems,
    unary_problems,
)
from ..fixed_point import activation_range
from ..graph import Graph
from ..op import Activation, Arrays, Op, Problem, Tensors
from ..types import DType, Tensor
from ..weighted import float_clamp


@dataclass(frozen=True)
class Relu(Op):
    """y = x clamped to the range of `activation`; int8, int16 or float32.

    RELU also requantizes; the two-sided clamps need equal quantization of x and y.
    """

    x: str
    y: str
    activation: Activation = Activation.RELU

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        if self.activation is Activation.NONE:
            yield Problem("relu has an activation", self.activation.value)
        problems = list(unary_problems(tensors, self.x, self.y))
        yield from problems
        if problems or tensors[self.x].dtype is DType.FLOAT32:
            return
        yield from scale_ratio_problems(self.ratio(tensors), reach(tensors[self.x]))
        if self.activation is not Activation.RELU and not same_quant(tensors, (self.x, self.y)):
            rule = f"{self.activation.value} needs equal quantization of input and output"
            yield Problem(rule, f"{self.x!r} and {self.y!r} differ", "requantize behind it instead")

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def ratio(self, tensors: Tensors) -> float:
        """Input scale over output scale."""
        x, y = tensors[self.x], tensors[self.y]
        assert x.quant and y.quant
        return x.quant.s / y.quant.s

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, y = inputs[0], tensors[self.y]
        if x.dtype == np.float32:
            return (float_clamp(x, self.activation),)
        centred = x.astype(np.int64) - tensors[self.x].zero_point
        scaled = rescale(centred, self.ratio(tensors)) + y.zero_point
        return (np.clip(scaled, *activation_range(self.activation, y)),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        dtype = draw.choice(list(ACTIVATIONS))
        # RELU_N1_TO_1 is left to the unit tests: TFLM has no such operator.
        activation = draw.choice([Activation.RELU, Activation.RELU6])
        x_quant = draw_quant(draw, dtype, -8, 0)
        y_quant = draw_quant(draw, dtype, -8, 0) if activation is Activation.RELU else x_quant
        x = Tensor("x", draw_shape(draw, high=9), dtype, x_quant)
        return one_op_graph(cls("relu", "x", "y", activation), [x, Tensor("y", (), dtype, y_quant)])
