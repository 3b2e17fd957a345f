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
    """y[iy*s+ky*d-top, ix*s+kx*d-left, oc] += x[iy,ix,ic] * weights[oc,ky,kx,ic], then + bias[oc], act.

    x            [1,H,W,IC] int8, int16 or float32
    weights      [OC,KH,KW,IC/groups] int8 (one scale or one per OC, zero point 0) or float32; runs of
                 OC/groups outputs see runs of IC/groups inputs
    bias         [OC] int32 (int64 for int16 x), float32, or absent
    y            [1,OH,OW,OC] of x's type; products that fall outside are dropped
    window       of the convolution this is the transpose of: only kernel, stride, dilation and the top
                 and left padding count. Only floats may be dilated or have groups
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
        groups = self.groups(tensors)
        if groups == 0:
            yield Problem("input must be [1,H,W,IC] and weights [OC,KH,KW,IC]", f"{x.shape} and {w.shape}")
            return
        if x.dtype is not DType.FLOAT32 and (self.window.dilation != (1, 1) or groups != 1):
            found = f"dilation {self.window.dilation}, {groups} groups"
            hint = "split the channels in front of it and join the results for groups"
            yield Problem(
                "a transposed convolution of integers must not be dilated or have groups", found, hint
            )
        if min(self.output_size) < 1:
            yield Problem("the output must have rows and columns", str(self.output_size))
            return
        if weight_zero_point(w):
            yield Problem("weights must have zero point 0", str(weight_zero_point(w)))
        yield from self.weight_rules(tensors)

    def groups(self, tensors: Tensors) -> int:
        """Groups of channels; 0 where the shapes do not fit each other."""
        x, w = tensors[self.x].shape, tensors[self.weights].shape
        if len(x) != 4 or x[0] != 1 or len(w) != 4 or not w[3] or x[3] % w[3] or w[0] % (x[3] // w[3]):
            return 0
        return x[3] // w[3]

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return ((1, *self.output_size, tensors[self.weights].shape[0]),)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x = inputs[0][0].astype(np.float64) - tensors[self.x].zero_point
        w = inputs[1].astype(np.float64)
        (height, width, _), outputs = x.shape, len(w)
        (top, left), (sh, sw) = (pair[0] for pair in self.window.padding), self.window.stride
        (dh, dw), (extent_h, extent_w) = self.window.dilation, self.window.extent
        out_h, out_w = self.output_size
        rows = max((height - 1) * sh + extent_h, top + out_h)
        columns = max((width - 1) * sw + extent_w, left + out_w)
        acc = np.zeros((rows, columns, outputs))
        # one matrix product per group and tap: [H,W,G,1,IC/G] by [G,IC/G,OC/G]
        groups = self.groups(tensors)
        grouped = x.reshape(height, width, groups, 1, -1)
        for ky, kx in np.ndindex(*self.window.kernel):
            products = grouped @ w[:, ky, kx].reshape(groups, outputs // groups, -1).swapaxes(1, 2)
            y0, x0 = ky * dh, kx * dw
            acc[y0 : y0 + (height - 1) * sh + 1 : sh, x0 : x0 + (width - 1) * sw + 1 : sw] += (
                products.reshape(height, width, outputs)
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
