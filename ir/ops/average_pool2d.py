"""average_pool2d: mean of each window, NHWC; padding counts neither in the sum nor in the number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw
from ..fixed_point import activation_range
from ..graph import Graph
from ..op import Activation, Arrays, Op, Problem, Tensors
from ..pooling import draw_pool, infer_pool, pool_problems
from ..types import DType
from ..weighted import float_clamp
from ..window import Window, patches


@dataclass(frozen=True)
class AveragePool2D(Op):
    """y[oy,ox,c] = act(mean of the elements of x under the window that are inside x).

    x, y  [1,H,W,C] int8, int16 or float32, with equal quantization. Integers round half away from zero.
    """

    x: str
    y: str
    window: Window
    activation: Activation = Activation.NONE

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        yield from pool_problems(tensors, self.x, self.y, self.window)
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
        total = taps.sum(axis=(2, 3), dtype=np.int64)
        mean = np.sign(total) * ((np.abs(total) + count // 2) // count)
        return (np.clip(mean, *activation_range(self.activation, tensors[self.y]))[np.newaxis],)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        return draw_pool(draw, lambda window, act: cls("average_pool2d", "x", "y", window, act))
