"""tanh: the hyperbolic tangent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, draw_quant, one_op_graph
from ..elementwise import ACTIVATIONS, draw_shape, fixed_quant
from ..fixed_point import rounding_shift_right
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..sigmoidal import argument_int16, fixed_output_problems, in_fixed_point
from ..transcendental import sigmoid_table, tanh_q4
from ..types import DType, Tensor

_OUTPUTS = {DType.INT8: fixed_quant(2.0**-7, 0), DType.INT16: fixed_quant(2.0**-15, 0)}


@dataclass(frozen=True)
class Tanh(Op):
    """y = tanh(x); int8 (output 1/128, 0), int16 (output 1/32768, 0) or float32."""

    x: str
    y: str

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        yield from fixed_output_problems(tensors, self.x, self.y, _OUTPUTS)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def argument(self, tensors: Tensors) -> tuple[int, int]:
        """(multiplier, right shift) from an int16 input to 1/24 steps of the sigmoid table, times 512."""
        x = tensors[self.x]
        assert x.quant
        return argument_int16(x.quant.s, power_of_two_shifts=(0, 1))

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x = inputs[0]
        if x.dtype == np.float32:
            return (np.tanh(x).astype(np.float32),)
        if x.dtype == np.int16:
            return (self._int16(tensors, x),)
        value, inside, sign = in_fixed_point(tensors[self.x], x)
        y = rounding_shift_right(tanh_q4(value), 24)
        return (np.clip(np.where(inside, y, np.where(sign < 0, -128, 127)), -128, 127),)

    def _int16(self, tensors: Tensors, x: np.ndarray) -> np.ndarray:
        # tanh(x) = 2 sigmoid(2x) - 1: the same table, read twice as far out.
        multiplier, shift = self.argument(tensors)
        value = (x.astype(np.int64) * multiplier + ((1 << shift) >> 1)) >> shift
        magnitude = np.abs(value)
        index = np.minimum(magnitude >> 8, 254)
        table = sigmoid_table().astype(np.int64)
        between = (table[index] << 8) + (magnitude & 255) * (table[index + 1] - table[index])
        result = np.where(magnitude >> 8 >= 255, 0xFFFF << 8, between)
        half = 1 << 23
        return np.where(value >= 0, result - half + 128, -result + half + 127) >> 8

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        dtype = draw.choice(list(ACTIVATIONS))
        quant = draw_quant(draw, dtype, -15, -3) if dtype is DType.INT16 else draw_quant(draw, dtype, -8, 0)
        if dtype is DType.INT16 and draw.choice([True, False]):
            quant = fixed_quant(draw.choice([2.0**-12, 2.0**-11]), 0)
        x = Tensor("x", draw_shape(draw, high=12), dtype, quant)
        return one_op_graph(cls("tanh", "x", "y"), [x, Tensor("y", (), dtype, _OUTPUTS.get(dtype))])
