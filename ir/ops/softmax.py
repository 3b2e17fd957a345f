"""softmax: exp(beta * x) normalised to sum 1 along an axis, or the logarithm of that."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from ..cases import Draw, draw_quant, one_op_graph
from ..elementwise import ACTIVATIONS, draw_shape, fixed_quant, quant_problems, type_names
from ..fixed_point import doubling_high_mul, quantize_multiplier, rounding_shift_right
from ..float_requant import rounding_problems, softmax_f32
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..rounding import Rounding
from ..transcendental import exp_on_negative_values, interpolate, interpolated_table, reciprocal
from ..types import DType, Quant, Tensor

_OUTPUTS = {
    (DType.INT8, DType.INT8): fixed_quant(2.0**-8, -128),
    (DType.INT8, DType.INT16): fixed_quant(2.0**-16, -32768),
    (DType.INT16, DType.INT16): fixed_quant(2.0**-15, 0),
}
_ACCUMULATOR_BITS = 12
"""Integer bits of the int8 sum of exponentials."""

_DEPTH_LIMIT = {DType.INT8: (1 << _ACCUMULATOR_BITS) - 1, DType.INT16: 1 << 16}
"""Longest last axis whose sum of exponentials fits int32."""


@dataclass(frozen=True)
class Softmax(Op):
    """y[..., c] = exp(beta * x[..., c]) / sum over k of exp(beta * x[..., k]).

    x  [..., C] int8, int16 or float32; y of x's type, or int16 for int8 x. Integer outputs have a
    fixed quantization: int8 (1/256, -128), int16 (1/32768, 0), int8 to int16 (1/65536, -32768).
    Under an ONNX rounding int8 gives int8 of any quantization, with beta 1.
    axis  the dimension of c, counted from the end (-1: the last); floats may have any
    log   the output is the natural logarithm of the above; floats only
    """

    x: str
    y: str
    beta: float = 1.0
    rounding: Rounding = field(default=Rounding.TFLITE_DOUBLE, kw_only=True)
    axis: int = -1
    log: bool = False

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, y = tensors[self.x], tensors[self.y]
        if not x.shape or x.dtype not in ACTIVATIONS:
            yield Problem(
                f"input must be {type_names(ACTIVATIONS)} with a last axis", f"{x.dtype.value}{list(x.shape)}"
            )
            return
        if not -len(x.shape) <= self.axis <= -1:
            yield Problem("axis must be a dimension counted from the end", f"{self.axis} of {list(x.shape)}")
        if x.dtype is DType.FLOAT32:
            if y.dtype is not x.dtype:
                yield Problem("float32 softmax gives float32", y.dtype.value)
            return
        if self.axis != -1 or self.log:
            found = f"axis {self.axis}, log {self.log}"
            yield Problem("integer softmax runs along the last axis and is no logarithm", found)
        if (x.dtype, y.dtype) not in _OUTPUTS:
            yield Problem(
                "softmax is int8 to int8 or int16, or int16 to int16", f"{x.dtype.value} to {y.dtype.value}"
            )
            return
        if self.rounding.onnx:
            yield from quant_problems(tensors, (self.x, self.y))
            yield from rounding_problems(self.rounding, x)
            if y.dtype is not DType.INT8 or self.beta != 1.0:
                yield Problem(
                    "softmax with an ONNX rounding gives int8, with beta 1",
                    f"{y.dtype.value}, beta {self.beta:g}",
                )
            return
        yield from quant_problems(tensors, (self.x,))
        want = _OUTPUTS[x.dtype, y.dtype]
        if y.quant != want:
            rule = f"{y.dtype.value} output of softmax has scale {want.s:g} and zero point {want.z}"
            yield Problem(
                rule, "no quantization" if y.quant is None else f"{y.quant.scale}, {y.quant.zero_point}"
            )
        if x.shape[-1] > _DEPTH_LIMIT[x.dtype]:
            yield Problem(f"the last axis has at most {_DEPTH_LIMIT[x.dtype]} elements", f"{x.shape[-1]}")
        if x.dtype is DType.INT16 and x.quant and self.beta * min(x.quant.scale) > 2.5:
            yield Problem(
                "beta times an int16 input scale is at most 2.5", f"{self.beta * min(x.quant.scale):g}"
            )
        if not self.beta > 0 or (x.quant and self.beta * min(x.quant.scale) * 2**26 <= 1):
            yield Problem("beta times the input scale must be above 2^-26", f"beta {self.beta:g}")

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def exponentials(self, tensors: Tensors) -> np.ndarray:
        """int32[256]: exp(-i * beta * scale) as Q0 for int8 differences i from the largest element.

        0 stands for differences TFLite skips because they leave the range of its Q5 argument.
        """
        x = tensors[self.x]
        assert x.quant
        multiplier, shift = quantize_multiplier(min(float(self.beta) * x.quant.s * 2.0**26, 2.0**31 - 1))
        differences = np.arange(256, dtype=np.int64)
        reach = math.floor(31 * 2.0**26 / 2.0**shift)
        scaled = doubling_high_mul(np.where(differences <= reach, -differences << shift, 0), multiplier)
        values = np.where(differences <= reach, exp_on_negative_values(scaled, 5), 0)
        return values.astype(np.int32)

    def multiplier(self, tensors: Tensors) -> tuple[int, int]:
        """Multiplier and shift from an int16 difference to the argument of `tables()[0]`."""
        x = tensors[self.x]
        assert x.quant
        return quantize_multiplier(x.quant.s * float(np.float32(self.beta)) / (10.0 / 65535.0))

    @staticmethod
    def tables() -> tuple[np.ndarray, np.ndarray]:
        """int16[513] tables of exp on [-10, 0] and of 1/(1+x) on [0, 1], for int16."""
        return interpolated_table(math.exp, -10.0, 0.0), interpolated_table(lambda v: 1 / (1 + v), 0.0, 1.0)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x = inputs[0]
        largest = x.max(axis=self.axis, keepdims=True)
        if x.dtype == np.float32:
            scaled = (x - largest) * np.float32(self.beta)
            e = np.exp(scaled).astype(np.float32)
            total = e.sum(axis=self.axis, keepdims=True, dtype=np.float32)
            return (scaled - np.log(total) if self.log else e / total,)
        if self.rounding.onnx:
            return (softmax_f32(tensors[self.x], x, tensors[self.y]),)
        differences = largest.astype(np.int64) - x
        if x.dtype == np.int16:
            return (self._int16(tensors, differences),)
        return (self._int8(tensors, differences),)

    def _int8(self, tensors: Tensors, differences: np.ndarray) -> np.ndarray:
        low, high = tensors[self.y].dtype.integer_range
        e, scale, shift = self._shares(tensors, differences)
        return np.clip(rounding_shift_right(doubling_high_mul(e, scale), shift) + low, low, high)

    def _shares(self, tensors: Tensors, differences: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Exponentials, the reciprocal of their sum, and the right shift of their products, of int8 x."""
        e = self.exponentials(tensors).astype(np.int64)[differences]
        total = rounding_shift_right(e, _ACCUMULATOR_BITS).sum(axis=-1, keepdims=True)
        scale, bits = reciprocal(total, _ACCUMULATOR_BITS)
        return e, scale, bits + 31 - 8 * tensors[self.y].dtype.itemsize

    def largest_shift(self, tensors: Tensors, x: np.ndarray) -> int:
        """Right shift at the end for int8 `x`, the largest of all rows.

        TFLM asserts that it is at most 31 and ends the process otherwise, as for 512 equal elements.
        """
        differences = x.max(axis=-1, keepdims=True).astype(np.int64) - x
        return int(self._shares(tensors, differences)[2].max())

    def _int16(self, tensors: Tensors, differences: np.ndarray) -> np.ndarray:
        multiplier, shift = self.multiplier(tensors)
        exp_table, reciprocal_table = self.tables()
        left, right = max(shift, 0), max(-shift, 0)
        scaled = rounding_shift_right(doubling_high_mul(-differences << left, multiplier), right)
        e = interpolate(np.clip(scaled + 32767, -32768, 32767), exp_table)
        total = e.sum(axis=-1, keepdims=True)
        headroom = 32 - np.frompyfunc(int.bit_length, 1, 1)(total.astype(object)).astype(np.int64)
        shifted = ((total << (headroom - 1)) + (1 << 13)) >> 14
        inverse = interpolate(np.clip(shifted - (1 << 15) - (1 << 16), -32768, 32767), reciprocal_table)
        right_shift = 31 - headroom
        return np.clip((e * inverse + (np.int64(1) << (right_shift - 1))) >> right_shift, 0, 32767)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        types = [*_OUTPUTS, (DType.FLOAT32, DType.FLOAT32)]
        x_dtype, y_dtype = draw.choice(types)
        quant: Quant | None = draw_quant(draw, x_dtype, -12 if x_dtype is DType.INT16 else -8, 0)
        x = Tensor("x", draw_shape(draw, high=12), x_dtype, quant)
        y = Tensor("y", (), y_dtype, _OUTPUTS.get((x_dtype, y_dtype)))
        return one_op_graph(cls("softmax", "x", "y", draw.choice([1.0, 1.0, 0.5, 2.0])), [x, y])
