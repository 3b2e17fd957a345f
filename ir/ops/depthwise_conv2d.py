"""depthwise_conv2d: 2-D convolution of each channel on its own, any channel multiplier."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

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
class DepthwiseConv2D(WeightedOp):
    """y[oy,ox,c*M+m] = act(bias[c*M+m] + sum over ky,kx of x[oy*s+ky*d-p, ..., c] * weights[0,ky,kx,c*M+m]).

    x        [1,H,W,C] int8, int16 or float32
    weights  [1,KH,KW,C*M] int8 (one scale or one per output channel) or float32. Zero point 0; with
             one scale it may differ (uint8 models shifted to int8): TFLM ignores it here, so this
             reference alone is the judge of such layers
    bias     [C*M] int32 (int64 for int16 x), float32, or absent
    y        [1,OH,OW,C*M] of x's type
    """

    window: Window
    activation: Activation = Activation.NONE

    CHANNEL_AXIS: ClassVar[int] = 3

    @property
    def fused(self) -> Activation:
        return self.activation

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, w = tensors[self.x], tensors[self.weights]
        if len(x.shape) != 4 or x.shape[0] != 1 or len(w.shape) != 4 or w.shape[0] != 1:
            yield Problem("input must be [1,H,W,C] and weights [1,KH,KW,C*M]", f"{x.shape} and {w.shape}")
            return
        if w.shape[3] % x.shape[3]:
            yield Problem(
                "output channels must be a multiple of input channels", f"{w.shape[3]} of {x.shape[3]}"
            )
        if min(self.window.output_size(*x.shape[1:3])) < 1:
            yield Problem("the window must fit the padded input", f"{self.window.extent} on {x.shape[1:3]}")
            return
        yield from self.weight_rules(tensors)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        height, width = self.window.output_size(*tensors[self.x].shape[1:3])
        return ((1, height, width, tensors[self.weights].shape[3]),)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, zero = inputs[0], tensors[self.x].zero_point
        channels = x.shape[3]
        w = inputs[1].astype(np.float64) - weight_zero_point(tensors[self.weights])
        w = w.reshape(*self.window.kernel, channels, -1)
        exact = exact_float(tensors[self.x], self.weight_sums(tensors))
        w = w.astype(exact)
        taps = patches(x, self.window, zero)
        acc = np.zeros((*taps.shape[:2], *w.shape[2:]), exact)
        for ky in range(w.shape[0]):
            for kx in range(w.shape[1]):
                acc += (taps[:, :, ky, kx, :].astype(exact) - exact(zero))[..., None] * w[ky, kx]
        acc = acc.reshape(1, *taps.shape[:2], -1)
        return (self.finish(tensors, acc, inputs[2] if self.bias is not None else None),)

    def macs(self, tensors: Tensors) -> int:
        kernel_h, kernel_w = self.window.kernel
        return tensors[self.y].elements * kernel_h * kernel_w

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        dtype = draw.choice([DType.INT8, DType.INT16, DType.FLOAT32])
        channels, multiplier = draw.integer(1, 11), draw.choice([1, 1, 1, 2, 3, 8])
        window, size = draw_window(draw)
        if draw.choice([False] * 9 + [True]):
            window, size = Window((draw.integer(7, 11), 7)), (draw.integer(11, 13), draw.integer(7, 9))
        outputs = channels * multiplier
        x = Tensor("x", (1, *size, channels), dtype, draw_quant(draw, dtype))
        w = draw_weights(draw, "weights", (1, *window.kernel, outputs), dtype, axis=3)
        bias = draw_bias(draw, "bias", outputs, x, w)
        y = draw_output(draw, "y", x, w, w.elements // outputs)
        op = cls(
            "depthwise", "x", "weights", "bias" if bias else None, "y", window, draw.choice(list(Activation))
        )
        return one_op_graph(op, [t for t in (x, w, bias, y) if t is not None])
