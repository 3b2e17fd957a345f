"""lrn: local response normalization across neighbouring channels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, one_op_graph
from ..elementwise import draw_shape
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..types import DType, Tensor


@dataclass(frozen=True)
class Lrn(Op):
    """y[..., c] = x[..., c] / (bias + alpha / size * sum of squares of the channels around c) ** beta.

    x, y   [..., C] float32, channels last
    size   channels of the sum: floor((size - 1) / 2) before c, c, and ceil((size - 1) / 2) after it, as
           far as there are such channels
    """

    x: str
    y: str
    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    bias: float = 1.0

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, y = tensors[self.x], tensors[self.y]
        if not x.shape:
            yield Problem("input must have a channel dimension", "a scalar")
        if x.dtype is not DType.FLOAT32 or y.dtype is not DType.FLOAT32:
            yield Problem("input and output must be float32", f"{x.dtype.value} to {y.dtype.value}")
        if self.size < 1:
            yield Problem("size must be at least 1", str(self.size))

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def reach(self) -> tuple[int, int]:
        """Channels before and after c that take part in its sum."""
        return (self.size - 1) // 2, self.size // 2

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x = inputs[0]
        channels = x.shape[-1]
        before, after = self.reach()
        squares = np.square(x)
        total = np.zeros_like(x)
        for c in range(channels):
            window = squares[..., max(0, c - before) : c + after + 1]
            total[..., c] = window.sum(axis=-1, dtype=np.float32)
        base = np.float32(self.bias) + np.float32(self.alpha / self.size) * total
        return (x / np.power(base, np.float32(self.beta)),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        x = Tensor("x", draw_shape(draw, high=9), DType.FLOAT32)
        op = cls("lrn", "x", "y", draw.integer(1, 6), draw.choice([1e-4, 0.5]), 0.75, draw.choice([1.0, 2.0]))
        return one_op_graph(op, [x, Tensor("y", (), DType.FLOAT32)])
