"""prelu: identity for positive values, times a learned alpha for negative ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw, draw_data, draw_quant, one_op_graph
from ..elementwise import (
    BROADCAST_DIMS,
    broadcast_shape,
    draw_shape,
    quant_problems,
    reach,
    rescale,
    saturate,
    scale_ratio_problems,
    unary_problems,
)
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..types import DType, Tensor

_ALPHA = {DType.INT8: DType.INT8, DType.INT16: DType.INT8, DType.FLOAT32: DType.FLOAT32}
"""Type of alpha by type of x."""


@dataclass(frozen=True)
class PRelu(Op):
    """y = x if x >= 0 else alpha * x.

    x, y   int8, int16 or float32
    alpha  int8 (float32 for float32 x) constant whose shape broadcasts to x's, usually [1,1,C]
    """

    x: str
    alpha: str
    y: str

    INPUTS: ClassVar[tuple[str, ...]] = ("x", "alpha")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, alpha = tensors[self.x], tensors[self.alpha]
        if broadcast_shape(x.shape, alpha.shape) != x.shape or len(x.shape) > BROADCAST_DIMS:
            yield Problem(
                "alpha must broadcast to the input's shape", f"{list(alpha.shape)} to {list(x.shape)}"
            )
        if not alpha.constant:
            yield Problem("alpha must be constant", f"{self.alpha!r} is computed")
        problems = list(unary_problems(tensors, self.x, self.y))
        yield from problems
        if problems:
            return
        want = _ALPHA[x.dtype]
        if alpha.dtype is not want:
            yield Problem(f"{x.dtype.value} input takes {want.value} alpha", alpha.dtype.value)
            return
        problems = list(quant_problems(tensors, (self.alpha,)))
        yield from problems
        if problems or x.dtype is DType.FLOAT32:
            return
        positive, negative = self.ratios(tensors)
        yield from scale_ratio_problems(positive, reach(x))
        yield from scale_ratio_problems(negative, reach(x) * reach(alpha))

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def ratios(self, tensors: Tensors) -> tuple[float, float]:
        """Factors for x and for x * alpha, centred."""
        x, alpha, y = (tensors[n].quant for n in (self.x, self.alpha, self.y))
        assert x and alpha and y
        return x.s / y.s, x.s * alpha.s / y.s

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, alpha = inputs
        if x.dtype == np.float32:
            return (np.where(x >= 0, x, x * alpha),)
        y = tensors[self.y]
        centred = x.astype(np.int64) - tensors[self.x].zero_point
        product = centred * (alpha.astype(np.int64) - tensors[self.alpha].zero_point)
        positive, negative = self.ratios(tensors)
        scaled = np.where(centred >= 0, rescale(centred, positive), rescale(product, negative))
        return (saturate(scaled + y.zero_point, y),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        dtype = draw.choice(list(_ALPHA))
        x = Tensor("x", draw_shape(draw), dtype, draw_quant(draw, dtype, -8, -2))
        ones = (1,) * max(len(x.shape) - 1, 0)
        shape = draw.choice([(*ones, x.shape[-1]), x.shape, (*ones, 1), x.shape[-1:]])
        t = _ALPHA[dtype]
        alpha = Tensor("alpha", shape, t, draw_quant(draw, t), draw_data(draw, shape, t))
        y = Tensor("y", (), dtype, draw_quant(draw, dtype, -6, 0))
        return one_op_graph(cls("prelu", "x", "alpha", "y"), [x, alpha, y])
