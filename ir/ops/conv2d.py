"""conv2d: 2-D convolution, NHWC, any stride, dilation, padding and channel groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, draw_quant, one_op_graph
from ..graph import Graph
from ..op import Activation, Arrays, Problem, Tensors
from ..types import DType, Tensor
from ..weighted import (
    WeightedOp,
    draw_bias,
    draw_output,
    draw_weights,
    draw_window,
    exact_float,
    weight_zero_point,
)
from ..window import Window, patches


@dataclass(frozen=True)
class Conv2D(WeightedOp):
    """y[oy,ox,oc] = act(bias[oc] + sum over ky,kx,ic of x[oy*s+ky*d-p, ..., ic] * weights[oc,ky,kx,ic]).

    x        [1,H,W,C] int8, int16 or float32
    weights  [OC,KH,KW,C/groups] int8 (one scale or one per OC) or float32. Zero point 0; with one
             scale it may differ (uint8 models shifted to int8): TFLM ignores it here, so this
             reference alone is the judge of such layers
    bias     [OC] int32 (int64 for int16 x), float32, or absent
    y        [1,OH,OW,OC] of x's type
    """

    window: Window
    activation: Activation = Activation.NONE

    @property
    def fused(self) -> Activation:
        return self.activation

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, w = tensors[self.x], tensors[self.weights]
        if len(x.shape) != 4 or x.shape[0] != 1 or len(w.shape) != 4:
            yield Problem("input must be [1,H,W,C] and weights [OC,KH,KW,C]", f"{x.shape} and {w.shape}")
            return
        if x.shape[3] % w.shape[3] or w.shape[0] % (x.shape[3] // w.shape[3]):
            yield Problem(
                "channels must divide into groups", f"{x.shape[3]} by {w.shape[3]}, {w.shape[0]} outputs"
            )
        if min(self.window.output_size(*x.shape[1:3])) < 1:
            yield Problem("the window must fit the padded input", f"{self.window.extent} on {x.shape[1:3]}")
            return
        yield from self.weight_rules(tensors)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        height, width = self.window.output_size(*tensors[self.x].shape[1:3])
        return ((1, height, width, tensors[self.weights].shape[0]),)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, w = inputs[0], inputs[1].astype(np.float64) - weight_zero_point(tensors[self.weights])
        zero = tensors[self.x].zero_point
        exact = exact_float(tensors[self.x], self.weight_sums(tensors))
        w = w.astype(exact)
        columns = patches(x, self.window, zero).astype(exact) - exact(zero)
        groups = x.shape[3] // w.shape[3]
        parts = []
        for g in range(groups):
            ics = slice(g * w.shape[3], (g + 1) * w.shape[3])
            ocs = slice(g * w.shape[0] // groups, (g + 1) * w.shape[0] // groups)
            left = columns[..., ics].reshape(columns.shape[0] * columns.shape[1], -1)
            parts.append(left @ w[ocs].reshape(w[ocs].shape[0], -1).T)
        acc = np.concatenate(parts, axis=1).reshape(1, *columns.shape[:2], w.shape[0])
        return (self.finish(tensors, acc, inputs[2] if self.bias is not None else None),)

    def macs(self, tensors: Tensors) -> int:
        y, w = tensors[self.y], tensors[self.weights]
        return y.elements * w.elements // w.shape[0]

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        dtype = draw.choice([DType.INT8, DType.INT16, DType.FLOAT32])
        groups = draw.choice([1, 1, 1, 2])
        channels = groups * draw.integer(1, 9)
        outputs = groups * draw.integer(1, 9)
        window, size = draw_window(draw)
        if draw.choice([False, False, True]):
            window, size = Window((1, 1)), (draw.integer(1, 6), draw.integer(1, 6))
        x = Tensor("x", (1, *size, channels), dtype, draw_quant(draw, dtype))
        w = draw_weights(draw, "weights", (outputs, *window.kernel, channels // groups), dtype, axis=0)
        bias = draw_bias(draw, "bias", outputs, x, w)
        y = draw_output(draw, "y", x, w, w.elements // outputs)
        op = cls(
            "conv2d", "x", "weights", "bias" if bias else None, "y", window, draw.choice(list(Activation))
        )
        return one_op_graph(op, [t for t in (x, w, bias, y) if t is not None])
