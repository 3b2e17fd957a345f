"""resize_bilinear: rows and columns interpolated to reach another size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, one_op_graph
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..resize import (
    FRACTION_BITS,
    Samples,
    Sampling,
    draw_resize,
    linear_samples_float,
    linear_samples_integer,
    resize_problems,
)
from ..types import DType, Tensor


@dataclass(frozen=True)
class ResizeBilinear(Op):
    """y[0, i, j] = x interpolated between the four neighbours of (i, j), as TFLite's RESIZE_BILINEAR.

    Integers are interpolated as stored, with 10 fractional bits per axis, to nearest, ties away from 0.

    x     [1,H,W,C] int8, int16 or float32
    y     [1,size[0],size[1],C] of x's type
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
        problems = list(resize_problems(tensors, self.x, self.y, self.size, self.sampling))
        yield from problems
        if problems:
            return
        _, height, width, _ = tensors[self.x].shape
        for samples, limit in zip(self.samples(tensors), (height, width), strict=True):
            if samples.lower.max() >= limit:
                yield Problem(
                    "sampled positions must stay inside the input (they have 10 fractional bits)",
                    f"{height}x{width} to {self.size[0]}x{self.size[1]}",
                    "resize in two steps",
                )

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return ((1, *self.size, tensors[self.x].shape[3]),)

    def samples(self, tensors: Tensors) -> tuple[Samples, Samples]:
        """Neighbours and weights of the output rows and columns."""
        height, width = tensors[self.x].shape[1:3]
        return self.positions(tensors, height, self.size[0]), self.positions(tensors, width, self.size[1])

    def positions(self, tensors: Tensors, size_in: int, size_out: int) -> Samples:
        """Neighbours and weights along an axis of these sizes."""
        floating = tensors[self.x].dtype is DType.FLOAT32
        sample = linear_samples_float if floating else linear_samples_integer
        return sample(size_in, size_out, self.sampling)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x = inputs[0]
        rows, columns = self.samples(tensors)
        floating = tensors[self.x].dtype is DType.FLOAT32
        values = x if floating else x.astype(np.int64)
        one = np.float32(1) if floating else 1 << FRACTION_BITS
        top, bottom = values[:, rows.lower], values[:, rows.upper]
        fy = rows.fraction[None, :, None, None]
        fx = columns.fraction[None, None, :, None]
        total = (
            top[:, :, columns.lower] * (one - fy) * (one - fx)
            + bottom[:, :, columns.lower] * fy * (one - fx)
            + top[:, :, columns.upper] * (one - fy) * fx
            + bottom[:, :, columns.upper] * fy * fx
        )
        if floating:
            return (total,)
        half = 1 << (2 * FRACTION_BITS - 1)
        magnitude = (np.abs(total) + half) >> (2 * FRACTION_BITS)
        return (np.where(total < 0, -magnitude, magnitude),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        # int16 is left to the unit tests: TFLM has no such kernel.
        x, size, sampling = draw_resize(draw, (DType.INT8, DType.FLOAT32))
        op = cls("resize", "x", "y", size, sampling.align_corners, sampling.half_pixel_centers)
        return one_op_graph(op, [x, Tensor("y", (), x.dtype, x.quant)])
