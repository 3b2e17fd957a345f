"""resize_nearest: rows and columns repeated or dropped to reach another size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, one_op_graph
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..resize import Sampling, draw_resize, nearest_indices, resize_problems
from ..types import DType, Tensor


@dataclass(frozen=True)
class ResizeNearest(Op):
    """y[0, i, j] = x[0, near(i), near(j)], near in float32 as TFLite's RESIZE_NEAREST_NEIGHBOR.

    x     [1,H,W,C] int8, int16 or float32
    y     [1,size[0],size[1],C] of x's type, stored values unchanged
    """

    x: str
    y: str
    size: tuple[int, int]
    align_corners: bool
    half_pixel_centers: bool

    @property
    def sampling(self) -> Sampling:
        return Sampling(self.align_corners, self.half_pixel_centers)

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        yield from resize_problems(tensors, self.x, self.y, self.size, self.sampling)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return ((1, *self.size, tensors[self.x].shape[3]),)

    def indices(self, tensors: Tensors) -> tuple[np.ndarray, np.ndarray]:
        """Input row of every output row and input column of every output column, int32."""
        _, height, width, _ = tensors[self.x].shape
        return self.positions(height, self.size[0]), self.positions(width, self.size[1])

    def positions(self, size_in: int, size_out: int) -> np.ndarray:
        """Input index of every output index along an axis of these sizes."""
        return nearest_indices(size_in, size_out, self.sampling)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        rows, columns = self.indices(tensors)
        return (inputs[0][:, rows][:, :, columns],)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        x, size, sampling = draw_resize(draw, (DType.INT8, DType.INT16, DType.FLOAT32))
        op = cls("resize", "x", "y", size, sampling.align_corners, sampling.half_pixel_centers)
        return one_op_graph(op, [x, Tensor("y", (), x.dtype, x.quant)])
