"""average_pool2d: mean of each window, NHWC; padding counts neither in the sum nor in the number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from ..cases import Draw
from ..fixed_point import activation_range
from ..float_requant import activation_range_f32, quantize_sum_f32, rounding_problems
from ..graph import Graph
from ..op import Activation, Arrays, Op, Problem, Tensors
from ..pooling import draw_pool, infer_pool, pool_problems
from ..rounding import Rounding
from ..types import DType
from ..weighted import float_clamp
from ..window import Window, patches


@dataclass(frozen=True)
class AveragePool2D(Op):
    """y[oy,ox,c] = act(mean of the elements of x under the window that are inside x).

    x, y  [1,H,W,C] int8, int16 or float32 (only floats may be dilated), with equal quantization. Integers
          round half away from zero.

    Under an ONNX rounding real values are added in float32, row by row, and quantizations may differ.
    """

    x: str
    y: str
    window: Window
    activation: Activation = Activation.NONE
    rounding: Rounding = field(default=Rounding.TFLITE_DOUBLE, kw_only=True)

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        yield from pool_problems(tensors, self.x, self.y, self.window, self.rounding.onnx)
        yield from rounding_problems(self.rounding, tensors[self.x])
        bits = 0 if tensors[self.x].dtype is DType.FLOAT32 else 8 * tensors[self.x].dtype.itemsize
        bound = (1 << bits) // 2 * self.window.kernel[0] * self.window.kernel[1]
        if bound >= 1 << 30:
            yield Problem("sums of a window must fit 32 bits", f"up to {bound}")

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return infer_pool(tensors, self.x, self.window)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x = inputs[0]
        count = patches(np.ones(x.shape, np.int64), self.window, 0).sum(axis=(2, 3))
        taps = patches(x, self.window, 0)
        if x.dtype == np.float32:
            mean = taps.sum(axis=(2, 3), dtype=np.float32) / count.astype(np.float32)
            return (float_clamp(mean, self.activation)[np.newaxis],)
        if self.rounding.onnx:
            return (self._in_float(tensors, x, count)[np.newaxis],)
        total = taps.sum(axis=(2, 3), dtype=np.int64)
        mean = np.sign(total) * ((np.abs(total) + count // 2) // count)
        return (np.clip(mean, *activation_range(self.activation, tensors[self.y]))[np.newaxis],)

    def _in_float(self, tensors: Tensors, x: np.ndarray, count: np.ndarray) -> np.ndarray:
        """An ONNX rounding: elements are made real and added one after the other."""
        source, y = tensors[self.x], tensors[self.y]
        assert source.quant and y.quant
        real = (x.astype(np.int64) - source.quant.z).astype(np.float32) * np.float32(source.quant.s)
        taps = patches(real, self.window, 0.0)
        total = np.zeros(taps[:, :, 0, 0].shape, np.float32)
        for ky, kx in np.ndindex(self.window.kernel):
            total += taps[:, :, ky, kx]
        mean = total / count.astype(np.float32) / np.float32(y.quant.s)
        rounded = quantize_sum_f32(mean, y, self.rounding)
        return np.clip(rounded, *activation_range_f32(self.activation, y))

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        return draw_pool(draw, lambda window, act: cls("average_pool2d", "x", "y", window, act))
