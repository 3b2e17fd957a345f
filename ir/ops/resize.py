"""resize: rows and columns interpolated to reach another size, in every way ONNX has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, draw_quant, one_op_graph
from ..elementwise import same_quant
from ..graph import Graph
from ..interpolation import COORDINATES, MODES, NEAREST, OUTSIDE, Axis, Interpolation, taps
from ..op import Arrays, Op, Problem, Tensors
from ..resize import MAX_SIZE
from ..types import DType, Tensor

Taps = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Resize(Op):
    """y[0, i, j] = sum over the taps of row i and column j of their weights * x[0, row, column].

    x       [1,H,W,C]: float32; or any type where nearest neighbours are taken, which keeps stored values
    y       [1,size[0],size[1],C] of x's type and quantization
    size    rows and columns of y
    scales  output elements per input element; positions are computed with them, also where size is rounded
    how     the interpolation; roi: start and end of the part of each axis that tf_crop_and_resize shows

    The same as resize_nearest and resize_bilinear, where those can say it: they are what integer kernels
    and TFLite have.
    """

    x: str
    y: str
    size: tuple[int, int]
    scales: tuple[float, float]
    how: Interpolation
    roi: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 1.0), (0.0, 1.0))

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, y, how = tensors[self.x], tensors[self.y], self.how
        if len(x.shape) != 4 or x.shape[0] != 1:
            yield Problem("input must be [1,H,W,C]", str(list(x.shape)))
            return
        if min(self.size) < 1 or max(*self.size, *x.shape) > MAX_SIZE or min(x.shape) < 1:
            yield Problem(f"sizes must be 1 to {MAX_SIZE}", f"{list(x.shape)} to {list(self.size)}")
            return
        named = ((how.mode, MODES), (how.coordinates, COORDINATES), (how.nearest, NEAREST))
        wrong = [
            f"{value!r} is not one of {', '.join(known)}" for value, known in named if value not in known
        ]
        if wrong or not min(self.scales) > 0:
            yield Problem("scales must be positive and modes known", "; ".join(wrong) or str(self.scales))
            return
        if how.mode == "nearest" and (how.antialias or how.exclude_outside):
            yield Problem("nearest neighbours take neither antialias nor exclude_outside", str(how))
        if y.dtype is not x.dtype:
            yield Problem("output must have the input's type", f"{x.dtype.value} to {y.dtype.value}")
        if not same_quant(tensors, (self.x, self.y)):
            yield Problem("input and output must have the same quantization", f"{x.quant} and {y.quant}")
        if x.dtype is not DType.FLOAT32 and (how.mode != "nearest" or self.extrapolates(tensors)):
            yield Problem("interpolation other than nearest neighbours must be float32", x.dtype.value)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return ((1, *self.size, tensors[self.x].shape[3]),)

    def taps(self, tensors: Tensors) -> tuple[Taps, Taps]:
        """Indices and weights of rows and of columns, see interpolation.taps."""
        shape = tensors[self.x].shape
        rows, columns = (
            taps(Axis(shape[1 + d], self.size[d], self.scales[d], self.roi[d]), self.how) for d in (0, 1)
        )
        return rows, columns

    def extrapolates(self, tensors: Tensors) -> bool:
        """Whether an output position is outside the input."""
        return any((index[:, 0] == OUTSIDE).any() for index, _ in self.taps(tensors))

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x = inputs[0]
        (rows, row_weights), (columns, column_weights) = self.taps(tensors)
        if self.how.mode == "nearest" and not self.extrapolates(tensors):
            return (x[:, rows[:, 0]][:, :, columns[:, 0]],)
        wide = np.einsum("hwtc,wt->hwc", x[0][:, np.maximum(columns, 0)], column_weights)
        y = np.einsum("htwc,ht->hwc", wide[np.maximum(rows, 0)], row_weights)
        y[rows[:, 0] == OUTSIDE] = self.how.extrapolation
        y[:, columns[:, 0] == OUTSIDE] = self.how.extrapolation
        return (y[np.newaxis],)

    def macs(self, tensors: Tensors) -> int:
        if self.how.mode == "nearest":
            return 0
        (rows, _), (columns, _) = self.taps(tensors)
        return tensors[self.y].elements * rows.shape[1] * columns.shape[1]

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        mode, coordinates = draw.choice(list(MODES)), draw.choice(list(COORDINATES))
        shape = (1, draw.integer(1, 8), draw.integer(1, 8), draw.integer(1, 5))
        size = (draw.integer(1, 17), draw.integer(1, 17))
        dtype = DType.FLOAT32
        if mode == "nearest" and coordinates != "tf_crop_and_resize":
            dtype = draw.choice([DType.INT8, DType.INT16, DType.FLOAT32])
        how = Interpolation(
            mode,
            coordinates,
            draw.choice(list(NEAREST)),
            draw.choice([-0.75, -0.5]),
            exclude_outside=mode != "nearest" and draw.choice([False, True]),
            antialias=mode != "nearest" and draw.choice([False, True]),
            extrapolation=draw.choice([0.0, 10.0]),
        )
        rng = draw.rng()
        roi = tuple((float(rng.uniform(-0.2, 0.4)), float(rng.uniform(0.6, 1.2))) for _ in range(2))
        # A size is what is left of the scaled one when its fraction is dropped.
        scales = tuple(
            (n + float(rng.uniform(0, 0.9))) / old for n, old in zip(size, shape[1:3], strict=True)
        )
        quant = None if dtype is DType.FLOAT32 else draw_quant(draw, dtype)
        op = cls("resize", "x", "y", size, (scales[0], scales[1]), how, (roi[0], roi[1]))
        return one_op_graph(op, [Tensor("x", shape, dtype, quant), Tensor("y", (), dtype, quant)])
