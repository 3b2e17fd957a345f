"""partial_sums: a convolution or matrix product over some of its input channels, added to int32 sums."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw, draw_quant, one_op_graph
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..types import DType, Tensor
from ..weighted import ACCUMULATOR_LIMIT, draw_weights, draw_window, weight_zero_point
from ..window import Window, patches

_PIXEL = Window((1, 1))


@dataclass(frozen=True)
class PartialSums(Op):
    """y = sums + products of x and weights, modulo 2^32; made by the pass `channel_blocks`.

    y[oy,ox,oc] = sums[oy,ox,oc] + sum over ky,kx,ic of x[oy*s+ky*d-p, ..., ic] * weights[oc,ky,kx,ic]

    x        [1,H,W,C] int8, multiplied as stored; outside there is its zero point. With weights [OC,IC] any
             shape whose elements divide into rows of IC
    weights  constant int8 [OC,KH,KW,C], or [OC,IC]; their zero point is 0
    sums     int32 of y's shape; absent: zeros
    y        int32 [1,OH,OW,OC]; of rows x.shape[:-1] + [OC] with keep_dims, else [rows, OC]
    window   of weights [OC,KH,KW,C]
    """

    x: str
    weights: str
    sums: str | None
    y: str
    window: Window = _PIXEL
    keep_dims: bool = False

    INPUTS: ClassVar[tuple[str, ...]] = ("x", "weights", "sums")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, w, y = tensors[self.x], tensors[self.weights], tensors[self.y]
        if x.dtype is not DType.INT8 or y.dtype is not DType.INT32:
            yield Problem("int8 input gives int32 sums", f"{x.dtype.value} to {y.dtype.value}")
        if not w.constant or w.dtype is not DType.INT8 or weight_zero_point(w):
            yield Problem("weights must be constant int8 with zero point 0", w.dtype.value)
            return
        if len(w.shape) == 2:
            fits = x.elements % w.shape[1] == 0 and (not self.keep_dims or x.shape[-1] == w.shape[1])
        else:
            fits = len(w.shape) == len(x.shape) == 4 and x.shape[0] == 1 and x.shape[3] == w.shape[3]
            fits = fits and min(self.window.output_size(*x.shape[1:3])) > 0
        if not fits:
            yield Problem("input and weights must fit", f"{list(x.shape)} and {list(w.shape)}")
            return
        sums = tensors[self.sums] if self.sums is not None else None
        if sums and (sums.dtype is not DType.INT32 or sums.shape != self.infer(tensors)[0]):
            yield Problem("sums must be int32 like the output", f"{sums.dtype.value}{list(sums.shape)}")
        if 128 * np.abs(self._rows(tensors)).sum(axis=1).max(initial=0) >= ACCUMULATOR_LIMIT:
            yield Problem("sums of one block must stay below 2^30", f"{w.elements // w.shape[0]} products")

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        x, w = tensors[self.x], tensors[self.weights]
        if len(w.shape) == 2:
            rows = x.shape[:-1] if self.keep_dims else (x.elements // w.shape[1],)
            return ((*rows, w.shape[0]),)
        return ((1, *self.window.output_size(*x.shape[1:3]), w.shape[0]),)

    def _rows(self, tensors: Tensors) -> np.ndarray:
        """Weights as int64[OC, products]."""
        w = tensors[self.weights]
        assert w.data is not None
        return w.data.reshape(w.shape[0], -1).astype(np.int64)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, weights = inputs[0], self._rows(tensors).astype(np.float64)  # exact: sums stay below 2^53
        if len(tensors[self.weights].shape) == 4:
            x = patches(x, self.window, tensors[self.x].zero_point)
        products = x.astype(np.float64).reshape(-1, weights.shape[1]) @ weights.T
        total = products.astype(np.int64).reshape(self.infer(tensors)[0])
        if self.sums is not None:
            total = total + inputs[2]
        return (total.astype(np.int32),)

    def macs(self, tensors: Tensors) -> int:
        w = tensors[self.weights]
        return tensors[self.y].elements * w.elements // w.shape[0]

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        depth, outputs = draw.integer(1, 40), draw.integer(1, 14)
        window, keep_dims, kind = Window((1, 1)), False, draw.choice(["rows", "pixels", "window"])
        shape: tuple[int, ...] = (1, draw.integer(1, 5), draw.integer(1, 5), depth)
        if kind == "rows":
            shape, keep_dims = draw.choice([(1, depth), (3, depth), shape]), draw.choice([False, True])
        elif kind == "window":
            window, size = draw_window(draw)
            shape = (1, *size, depth)
        x = Tensor("x", shape, DType.INT8, draw_quant(draw, DType.INT8))
        taps = () if kind == "rows" else window.kernel
        w = draw_weights(draw, "weights", (outputs, *taps, depth), DType.INT8, axis=0)
        op = cls("part", "x", "weights", draw.choice([None, "sums"]), "y", window, keep_dims)
        y = Tensor("y", (), DType.INT32)
        sums = Tensor("sums", op.infer({"x": x, "weights": w})[0], DType.INT32)
        return one_op_graph(op, [x, w, y, sums] if op.sums else [x, w, y])
