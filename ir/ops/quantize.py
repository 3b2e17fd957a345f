"""quantize: float to integer, or integer to integer of another type, scale or zero point."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from ..cases import Draw, draw_quant, one_op_graph
from ..elementwise import draw_shape, quant_problems, reach, rescale, saturate, scale_ratio_problems
from ..float_requant import quantize_f32, rounding_problems
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..rounding import Rounding
from ..types import DType, Tensor

TYPES = {
    DType.FLOAT32: (DType.INT8, DType.INT16, DType.UINT8),
    DType.INT8: (DType.INT8, DType.UINT8, DType.INT16, DType.INT32),
    DType.UINT8: (DType.INT8,),
    DType.INT16: (DType.INT8, DType.INT16, DType.INT32),
    DType.INT32: (DType.INT8, DType.INT16),
}
"""Output types by input type."""


@dataclass(frozen=True)
class Quantize(Op):
    """y = clamp(round(real(x) / scale of y) + zero point of y).

    float32 x: rounds half away from zero, saturates (NaN to
    the smallest value). Integer x: fixed-point multiply with double
    rounding by the ratio of the scales. Under an ONNX rounding both are
    float32 arithmetic: round((x - zero point) * scale / scale of y), ties
    to even.
    """

    x: str
    y: str
    rounding: Rounding = field(default=Rounding.TFLITE_DOUBLE, kw_only=True)

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, y = tensors[self.x], tensors[self.y]
        if y.dtype not in TYPES.get(x.dtype, ()):
            accepted = "; ".join(f"{a.value} to {', '.join(d.value for d in b)}" for a, b in TYPES.items())
            yield Problem(f"quantize takes {accepted}", f"{x.dtype.value} to {y.dtype.value}")
            return
        names = [n for n in (self.x, self.y) if tensors[n].dtype is not DType.FLOAT32]
        problems = list(quant_problems(tensors, names, symmetric_int16=False))
        yield from problems
        for name in () if problems else names:
            if tensors[name].dtype is DType.INT32 and tensors[name].zero_point:
                yield Problem("int32 tensors have zero point 0", f"{name!r} has {tensors[name].zero_point}")
        if self.rounding.onnx:
            if x.dtype is not DType.FLOAT32 and x.dtype is not DType.UINT8:
                yield from rounding_problems(self.rounding, x)
        elif not problems and x.dtype is not DType.FLOAT32:
            yield from scale_ratio_problems(self.ratio(tensors), reach(x))

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def ratio(self, tensors: Tensors) -> float:
        """Input scale over output scale."""
        x, y = tensors[self.x], tensors[self.y]
        assert x.quant and y.quant
        return x.quant.s / y.quant.s

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, y = inputs[0], tensors[self.y]
        if self.rounding.onnx:
            return (quantize_f32(self._real(tensors[self.x], x), y, self.rounding),)
        if x.dtype == np.float32:
            assert y.quant
            scaled = (x / np.float32(y.quant.s)).astype(np.float64)
            rounded = np.nan_to_num(np.copysign(np.floor(np.abs(scaled) + 0.5), scaled), nan=-np.inf)
            return (saturate(rounded + y.quant.z, y),)
        centred = x.astype(np.int64) - tensors[self.x].zero_point
        return (saturate(rescale(centred, self.ratio(tensors)) + y.zero_point, y),)

    @staticmethod
    def _real(x: Tensor, q: np.ndarray) -> np.ndarray:
        """float32 values of stored ones."""
        if x.quant is None:
            return q
        return (q.astype(np.int64) - x.quant.z).astype(np.float32) * np.float32(x.quant.s)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        x_dtype = draw.choice(list(TYPES))
        # float32 to uint8 is left to the unit tests: TFLM has it not.
        y_dtype = draw.choice([d for d in TYPES[x_dtype] if (x_dtype, d) != (DType.FLOAT32, DType.UINT8)])
        # An int32 input has no room for a left shift, so its scale is the smaller one.
        low = -2 if x_dtype is DType.INT32 else -8
        x_quant = None if x_dtype is DType.FLOAT32 else draw_quant(draw, x_dtype, -8, -3)
        y_quant = draw_quant(draw, y_dtype, low, 0)
        if x_dtype is DType.INT32 and x_quant:
            x_quant = type(x_quant)(x_quant.scale, (0,))
        if y_dtype is DType.INT32 and y_quant:
            y_quant = type(y_quant)(y_quant.scale, (0,))
        x = Tensor("x", draw_shape(draw, high=9), x_dtype, x_quant)
        return one_op_graph(cls("quantize", "x", "y"), [x, Tensor("y", (), y_dtype, y_quant)])
