"""leaky_relu: identity for positive values, times alpha for negative ones."""

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
    saturate,
    scale_ratio_problems,
    unary_problems,
)
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..types import DType, Tensor


@dataclass(frozen=True)
class LeakyRelu(Op):
    """y = x if x >= 0 else alpha * x; int8, int16 or float32."""

    x: str
    y: str
    alpha: float

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        problems = list(unary_problems(tensors, self.x, self.y))
        yield from problems
        if not problems and tensors[self.x].dtype is not DType.FLOAT32:
            for real in self.ratios(tensors):
                yield from scale_ratio_problems(real, reach(tensors[self.x]))

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def ratios(self, tensors: Tensors) -> tuple[float, float]:
        """Factors for non-negative and for negative values."""
        x, y = tensors[self.x], tensors[self.y]
        assert x.quant and y.quant
        return x.quant.s / y.quant.s, x.quant.s * float(np.float32(self.alpha)) / y.quant.s

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, y = inputs[0], tensors[self.y]
        if x.dtype == np.float32:
            return (np.where(x > 0, x, x * np.float32(self.alpha)),)
        centred = x.astype(np.int64) - tensors[self.x].zero_point
        positive, negative = (rescale(centred, real) for real in self.ratios(tensors))
        return (saturate(np.where(centred >= 0, positive, negative) + y.zero_point, y),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        dtype = draw.choice(list(ACTIVATIONS))
        x = Tensor("x", draw_shape(draw, high=9), dtype, draw_quant(draw, dtype))
        y = Tensor("y", (), dtype, draw_quant(draw, dtype))
        alpha = draw.choice([0.0, 0.01, 0.1, 0.25, 1.5, -0.5])
        return one_op_graph(cls("leaky_relu", "x", "y", float(np.float32(alpha))), [x, y])
