"""unary: a function of every element, chosen by name."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, draw_quant, one_op_graph
from ..elementwise import draw_shape, quant_problems, saturate
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..plain import INTEGERS, type_problems, wrapped
from ..types import DType, Tensor
from ..unary_functions import FLOAT, INTEGER, TESTS

FUNCTIONS = tuple(sorted({*FLOAT, *TESTS, *INTEGER, "not"}))
QUANTIZED = (DType.INT8, DType.UINT8)


@dataclass(frozen=True)
class Unary(Op):
    """y = function(x), element by element.

    function     one of FUNCTIONS. float32 to float32: FLOAT; float32 to bool: isnan, isinf; plain integers:
                 abs, bitwise_not, neg, sign (wrapping); bool: not
    alpha, beta  parameters of clip (lowest, highest; the highest wins), celu and elu and swish and
                 thresholded_relu (alpha), hard_sigmoid (clamp of alpha x + beta to [0, 1]), isinf (not 0:
                 find negative, positive infinities), pow (exponent), selu (alpha, factor), shrink
                 (threshold, bias)

    round goes to the even integer from halves. A FLOAT function of quantized int8 or uint8 is that of the
    real value in float32, divided by y's scale and rounded to the nearest, halves to even, as ONNX's
    QuantizeLinear does; not-a-number becomes the zero point. Such an op is a table of 256 bytes.
    """

    x: str
    y: str
    function: str
    alpha: float = 0.0
    beta: float = 0.0

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, y = tensors[self.x], tensors[self.y]
        if self.function not in FUNCTIONS:
            yield Problem(f"the function must be one of {', '.join(FUNCTIONS)}", self.function)
            return
        if math.isnan(self.alpha) or math.isnan(self.beta):
            yield Problem("parameters must be numbers", f"{self.alpha}, {self.beta}")
        if self.function == "celu" and self.alpha == 0:
            yield Problem("alpha of celu must not be 0", "0")
        want = DType.BOOL if self.function in TESTS else x.dtype
        if y.dtype is not want:
            yield Problem(f"the output must be {want.value}", y.dtype.value)
        if x.quant is not None and x.dtype in QUANTIZED and self.function in FLOAT:
            yield from quant_problems(tensors, (self.x, self.y))
            return
        if y.quant is not None:
            yield Problem("a plain input gives a plain output", f"{self.y!r} has a scale")
        yield from type_problems(tensors, self.x, self._types())

    def _types(self) -> tuple[DType, ...]:
        """Plain types the function takes."""
        floats = (DType.FLOAT32,) if self.function in FLOAT or self.function in TESTS else ()
        integers = INTEGERS if self.function in INTEGER else ()
        return (*floats, *integers) or (DType.BOOL,)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, y = inputs[0], tensors[self.y]
        with np.errstate(all="ignore"):
            if x.dtype == np.bool_:
                return (~x,)
            quant = tensors[self.x].quant
            if quant is not None:
                real = np.float32(quant.s) * (x.astype(np.int64) - quant.z).astype(np.float32)
                return (self._quantized(self._float(real), y),)
            if x.dtype != np.float32:
                return (wrapped(INTEGER[self.function](x.astype(np.int64)), y.dtype),)
            return (self._float(x),)

    def _float(self, x: np.ndarray) -> np.ndarray:
        function = FLOAT.get(self.function) or TESTS[self.function]
        return function(x, np.float32(self.alpha), np.float32(self.beta))

    def _quantized(self, real: np.ndarray, y: Tensor) -> np.ndarray:
        assert y.quant
        # Bounded, so that the conversion is defined; far beyond any 8-bit type and zero point.
        limit = 2.0**20
        steps = np.rint(real / np.float32(y.quant.s))
        whole = np.clip(np.nan_to_num(steps, nan=0.0), -limit, limit).astype(np.int64)
        return saturate(whole + y.quant.z, y)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        function = draw.choice(FUNCTIONS)
        shape = draw_shape(draw, high=9)
        alpha, beta = draw.choice([(1.0, 0.5), (0.25, 1.5), (1.5, 1.0)])
        if function == "clip":
            alpha = -alpha
        op = cls("unary", "x", "y", function, alpha, beta)
        kinds = list(op._types()) + ([DType.INT8, DType.UINT8] if function in FLOAT else [])
        dtype = draw.choice(kinds)
        quantized = (
            function in FLOAT
            and dtype in QUANTIZED
            and (function not in INTEGER or draw.choice([True, False]))
        )
        x_quant = draw_quant(draw, dtype, -7, -2) if quantized else None
        y_quant = draw_quant(draw, dtype, -7, -2) if quantized else None
        y_dtype = DType.BOOL if function in TESTS else dtype
        return one_op_graph(op, [Tensor("x", shape, dtype, x_quant), Tensor("y", (), y_dtype, y_quant)])
