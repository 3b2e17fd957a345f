"""transpose_conv: 2-D transposed convolution (the gradient of a convolution with respect to its input)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, draw_quant, one_op_graph
from ..graph import Graph
from ..op import Activation, Arrays, Problem, Tensors
from ..types import DType, Tensor
from ..weighted import WeightedOp, draw_bias, draw_output, draw_weights, weight_zero_point
from ..window import Window


@dataclass(frozen=True)
class TransposeConv(WeightedOp):
    """y[iy*s+ky-top, ix*s+kx-left, oc] += x[iy,ix,ic] * weights[oc,ky,kx,ic], then + bias[oc], act.

    x            [1,H,W,IC] int8, int16 or float32
    weights      [OC,KH,KW,IC] int8 (one scale or one per OC, zero point 0) or float32
    bias         [OC] int32 (int64 for int16 x), float32, or absent
    y            [1,OH,OW,OC] of x's type; products that fall outside are dropped
    window       of the convolution this is the transpose of: only kernel, stride and the top and
                 left padding count
    output_size  (OH, OW)
    """

    window: Window
    output_size: tuple[int, int]
    activation: Activation = Activation.NONE

    @property
    def fused(self) -> Activation:
        return self.activation

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, w = tensors[self.x], tensors[self.weights]
        if len(x.shape) != 4 or x.shape[0] != 1 or len(w.shape) != 4 or w.shape[3] != x.shape[3]:
            yield Problem("input must be [1,H,W,IC] and weights [OC,KH,KW,IC]", f"{x.shape} and {w.shape}")
            return
        if self.window.dilation != (1, 1):
            yield Problem("a transposed convolution must not be dilated", f"dilation {self.window.dilation}")
        if min(self.output_size) < 1:
            yield Problem("the output must have rows and columns", str(self.output_size))
            return
        if weight_zero_point(w):
            yield Problem("weights must have zero point 0", str(weight_zero_point(w)))
        yield from self.weight_rules(tensors)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return ((1, *self.output_size, tensors[self.weights].shape[0]),)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x = inputs[0][0].astype(np.float64) - tensors[self.x].zero_point
        w = inputs[1].astype(np.float64)
        (height, width, _), (outputs, kernel_h, kernel_w, _) = x.shape, w.shape
        (top, left), (sh, sw) = (pair[0] for pair in self.window.padding), self.window.stride
        out_h, out_w = self.output_size
        rows = max((height - 1) * sh + kernel_h, top + out_h)
        columns = max((width - 1) * sw + kernel_w, left + out_w)
        acc = np.zeros((rows, columns, outputs))
        for ky in range(kernel_h):
            for kx in range(kernel_w):
                acc[ky : ky + (height - 1) * sh + 1 : sh, kx : kx + (width - 1) * sw + 1 : sw] += (
                    x @ w[:, ky, kx].T
                )
        acc = acc[None, top : top + out_h, left : left + out_w]
        return (self.finish(tensors, acc, inputs[2] if self.bias is not None else None),)

    def macs(self, tensors: Tensors) -> int:
        """As if no product fell outside: every input element meets every weight of its channel."""
        _, height, width, _ = tensors[self.x].shape
        return height * width * tensors[self.weights].elements

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        dtype = draw.choice([DType.INT8, DType.INT16, DType.FLOAT32])
        size = (draw.integer(1, 6), draw.integer(1, 6))
        kernel = (draw.integer(1, 4), draw.integer(1, 4))
        stride = (draw.integer(1, 3), draw.integer(1, 3))
        same = draw.choice([False, True])
        out, pad = [], []
        for n, k, s in zip(size, kernel, stride, strict=True):
            # SAME as TFLite defines it: the output is n * s, the overhang is cut off on both sides.
            total = max(k - s, 0) if same else 0
            out.append(n * s if same else (n - 1) * s + k)
            pad.append((total // 2, total - total // 2))
        window = Window(kernel, stride, (1, 1), (pad[0], pad[1]))
        channels, outputs = draw.integer(1, 7), draw.integer(1, 7)
        x = Tensor("x", (1, *size, channels), dtype, draw_quant(draw, dtype))
        w = draw_weights(draw, "weights", (outputs, *kernel, channels), dtype, axis=0)
        bias = draw_bias(draw, "bias", outputs, x, w)
        y = draw_output(draw, "y", x, w, channels * kernel[0] * kernel[1])
        activation = draw.choice(list(Activation))
        op = cls("tconv", "x", "weights", "bias" if bias else None, "y", window, (out[0], out[1]), activation)
        return one_op_graph(op, [t for t in (x, w, bias, y) if t is not None])
