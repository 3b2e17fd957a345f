"""max_pool2d: largest element of each window, NHWC; padding does not take part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw
from ..fixed_point import activation_range
from ..graph import Graph
from ..op import Activation, Arrays, Op, Problem, Tensors
from ..pooling import draw_pool, infer_pool, pool_problems
from ..weighted import float_clamp
from ..window import Window, patches


@dataclass(frozen=True)
class MaxPool2D(Op):
    """y[oy,ox,c] = act(largest of the elements of x under the window that are inside x).

    x, y  [1,H,W,C] int8, int16 or float32 (only floats may be dilated), with equal quantization
    """

    x: str
    y: str
    window: Window
    activation: Activation = Activation.NONE

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        yield from pool_problems(tensors, self.x, self.y, self.window)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return infer_pool(tensors, self.x, self.window)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x = inputs[0]
        if x.dtype == np.float32:
            largest = patches(x, self.window, -np.inf).max(axis=(2, 3))
            return (float_clamp(largest, self.activation)[np.newaxis],)
        low, _ = tensors[self.x].dtype.integer_range
        largest = patches(x, self.window, low).max(axis=(2, 3))
        return (np.clip(largest, *activation_range(self.activation, tensors[self.y]))[np.newaxis],)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        return draw_pool(draw, lambda window, act: cls("max_pool2d", "x", "y", window, act))
