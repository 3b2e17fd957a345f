"""hard_swish: x * relu6(x + 3) / 6."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, draw_quant, one_op_graph
from ..elementwise import draw_shape, saturate, unary_problems
from ..fixed_point import quantize_multiplier, reduced_multiplier, rounding_shift_right
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..types import DType, Tensor

TYPES = (DType.INT8, DType.FLOAT32)


@dataclass(frozen=True)
class HardSwish(Op):
    """y = x * clamp(x + 3, 0, 6) / 6; int8 or float32 (TFLite has no int16)."""

    x: str
    y: str

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        problems = list(unary_problems(tensors, self.x, self.y, TYPES))
        yield from problems
        if problems or tensors[self.x].dtype is DType.FLOAT32:
            return
        (_, output_shift), (_, gate_shift) = self.multipliers(tensors)
        if not -15 <= output_shift <= 0:
            yield Problem(
                "input scale over output scale must be in [2^-9, 2^7)", f"{self._ratio(tensors):.4g}"
            )
        if not -15 <= gate_shift <= 15:
            yield Problem("input scale must be between 2^-22 and 2^7", f"{tensors[self.x].quant}")

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def _ratio(self, tensors: Tensors) -> float:
        x, y = tensors[self.x].quant, tensors[self.y].quant
        assert x and y
        return x.s / y.s

    def multipliers(self, tensors: Tensors) -> tuple[tuple[int, int], tuple[int, int]]:
        """15-bit (multiplier, shift) to the output, and to the gate's scale of 3 / 2**15."""
        x, y = tensors[self.x].quant, tensors[self.y].quant
        assert x and y
        fine = np.float32(x.s) * np.float32(1 / 128)
        pairs = []
        for real in (float(fine / np.float32(y.s)), float(fine / (np.float32(3) / np.float32(32768)))):
            multiplier, shift = quantize_multiplier(real)
            pairs.append((int(reduced_multiplier(multiplier)), shift))
        return pairs[0], pairs[1]

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x = inputs[0]
        if x.dtype == np.float32:
            return (x * np.clip(x + np.float32(3), 0, 6).astype(np.float32) / np.float32(6),)
        y = tensors[self.y]
        (output_multiplier, output_shift), (gate_multiplier, gate_shift) = self.multipliers(tensors)
        fine = (x.astype(np.int64) - tensors[self.x].zero_point) << 7
        value = _doubling_high_mul_16(fine, output_multiplier)
        # The last bit of a left shift comes behind the multiplication, where saturation is meant.
        gate = _saturate_16(fine << max(gate_shift - 1, 0))
        gate = _doubling_high_mul_16(gate, gate_multiplier)
        gate = _saturate_16(gate << 1) if gate_shift > 0 else rounding_shift_right(gate, -gate_shift)
        gate = (gate + (1 << 15)) >> 1
        product = gate * value
        gated = np.sign(product) * (np.abs(product) >> 15)
        return (saturate(rounding_shift_right(gated, -output_shift) + y.zero_point, y),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        dtype = draw.choice(list(TYPES))
        x = Tensor("x", draw_shape(draw, high=9), dtype, draw_quant(draw, dtype, -6, 0))
        y = Tensor("y", (), dtype, draw_quant(draw, dtype, -5, 0))
        return one_op_graph(cls("hard_swish", "x", "y"), [x, y])


def _saturate_16(x: np.ndarray) -> np.ndarray:
    return np.clip(x, -(1 << 15), (1 << 15) - 1)


def _doubling_high_mul_16(a: np.ndarray, b: int) -> np.ndarray:
    """Round-to-nearest a * b / 2**15 of int16 values, b not negative."""
    return (a * b + (1 << 14)) >> 15
