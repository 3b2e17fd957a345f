"""mean: average over some axes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod

import numpy as np

from ..cases import Draw, draw_quant, one_op_graph
from ..elementwise import ACTIVATIONS, draw_shape, reach, saturate, unary_problems
from ..fixed_point import quantize_multiplier, requantize_double
from ..float_requant import FloatRequant, float_requant, rounding_problems
from ..graph import Graph
from ..op import Activation, Arrays, Op, Problem, Tensors
from ..rounding import Rounding
from ..types import DType, Tensor


@dataclass(frozen=True)
class Mean(Op):
    """y = mean of x over `axes` (non-negative, ascending), which keep_dims leaves in the shape as 1.

    x, y  int8, int16 or float32. Integer sums are exact in int32; 1/count is folded into the multiplier.
    """

    x: str
    y: str
    axes: tuple[int, ...]
    keep_dims: bool
    rounding: Rounding = field(default=Rounding.TFLITE_DOUBLE, kw_only=True)

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x = tensors[self.x]
        if not self.axes or list(self.axes) != sorted({a for a in self.axes if 0 <= a < len(x.shape)}):
            yield Problem("axes must be ascending dimensions of the input", f"{self.axes} of {list(x.shape)}")
            return
        problems = list(unary_problems(tensors, self.x, self.y))
        yield from problems
        if problems or x.dtype is DType.FLOAT32:
            return
        bound = reach(x) * self.count(tensors)
        if self.rounding.onnx:
            yield from rounding_problems(self.rounding, x)
            if bound >= 1 << 30:
                yield Problem("sums must stay below 2^30", f"up to {bound}")
        elif bound << max(self.requant(tensors)[1], 0) >= 1 << 30:
            yield Problem(
                "sums must stay below 2^30", f"up to {bound}, shifted by {self.requant(tensors)[1]}"
            )

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        shape = tensors[self.x].shape
        if self.keep_dims:
            return (tuple(1 if i in self.axes else n for i, n in enumerate(shape)),)
        return (tuple(n for i, n in enumerate(shape) if i not in self.axes),)

    def count(self, tensors: Tensors) -> int:
        """Elements per mean."""
        return prod(tensors[self.x].shape[a] for a in self.axes)

    def requant(self, tensors: Tensors) -> tuple[int, int]:
        """Multiplier and shift from a sum to the output, 1/count folded in.

        The division by count keeps as many bits as a 32-bit multiplier holds: the multiplier is shifted
        left by floor(log2(count)) first, and divided truncating.
        """
        x, y = tensors[self.x], tensors[self.y]
        assert x.quant and y.quant
        multiplier, shift = quantize_multiplier(x.quant.s / y.quant.s)
        count = self.count(tensors)
        extra = min(count.bit_length() - 1, 32, 31 + shift)
        return (multiplier << extra) // count, shift - extra

    def float_requant(self, tensors: Tensors) -> FloatRequant:
        """From a sum to the output under an ONNX rounding."""
        x, y = tensors[self.x], tensors[self.y]
        assert x.quant and y.quant
        scale = np.float32(x.quant.s) / (np.float32(y.quant.s) * np.float32(self.count(tensors)))
        return float_requant(np.array([scale]), y, Activation.NONE)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x = inputs[0]
        count = self.count(tensors)
        if x.dtype == np.float32:
            return (x.sum(axis=self.axes, keepdims=self.keep_dims, dtype=np.float32) / np.float32(count),)
        total = x.astype(np.int64).sum(axis=self.axes, keepdims=self.keep_dims)
        y = tensors[self.y]
        centred = total - tensors[self.x].zero_point * count
        if self.rounding.onnx:
            return (self.float_requant(tensors).apply(centred),)
        return (saturate(requantize_double(centred, *self.requant(tensors)) + y.zero_point, y),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        dtype = draw.choice(list(ACTIVATIONS))
        shape = draw_shape(draw, high=9)
        axes = tuple(i for i in range(len(shape)) if draw.choice([True, False])) or (len(shape) - 1,)
        if len(shape) == 4 and draw.choice([True, False]):
            axes = (1, 2)
        quant = draw_quant(draw, dtype)
        y_quant = draw.choice([quant, draw_quant(draw, dtype)])
        x = Tensor("x", shape, dtype, quant)
        return one_op_graph(
            cls("mean", "x", "y", axes, draw.choice([True, False])), [x, Tensor("y", (), dtype, y_quant)]
        )
