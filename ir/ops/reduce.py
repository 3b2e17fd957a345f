"""reduce: sums, products, extremes and norms over some axes, chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, draw_quant, one_op_graph
from ..elementwise import draw_shape
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..plain import INTEGERS, alike_problems, type_problems, wrapped
from ..types import DType, Tensor

Function = Callable[[np.ndarray, tuple[int, ...], bool], np.ndarray]


def _log_sum_exp(x: np.ndarray, axes: tuple[int, ...], keep: bool) -> np.ndarray:
    """log(sum(exp(x))), the largest element taken out so that nothing overflows."""
    largest = x.max(axis=axes, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, np.float32(0))
    total = np.log(np.exp(x - largest).sum(axis=axes, keepdims=True, dtype=np.float32)) + largest
    return total if keep else total.reshape([n for i, n in enumerate(x.shape) if i not in axes])


FLOAT: dict[str, Function] = {
    "l1": lambda x, axes, keep: np.abs(x).sum(axis=axes, keepdims=keep),
    "l2": lambda x, axes, keep: np.sqrt((x * x).sum(axis=axes, keepdims=keep)),
    "log_sum": lambda x, axes, keep: np.log(x.sum(axis=axes, keepdims=keep)),
    "log_sum_exp": _log_sum_exp,
    "max": lambda x, axes, keep: x.max(axis=axes, keepdims=keep),
    "min": lambda x, axes, keep: x.min(axis=axes, keepdims=keep),
    "prod": lambda x, axes, keep: x.prod(axis=axes, keepdims=keep),
    "sum": lambda x, axes, keep: x.sum(axis=axes, keepdims=keep),
    "sum_square": lambda x, axes, keep: (x * x).sum(axis=axes, keepdims=keep),
}
INTEGER: dict[str, Function] = {
    name: FLOAT[name] for name in ("l1", "max", "min", "prod", "sum", "sum_square")
}
LOGIC = ("max", "min")
"""Functions of booleans, any and all; and those of quantized integers, which keep their quantization."""

QUANTIZED = (DType.INT8, DType.INT16)


@dataclass(frozen=True)
class Reduce(Op):
    """y = function of the elements of x along `axes` (ascending), which keep_dims leaves in the shape as 1.

    function  one of FLOAT (float32), INTEGER (plain integers, summed in 64 bits and wrapped to x's type),
              LOGIC (bool; quantized int8 and int16); the mean is an operator of its own
    y         has x's type and quantization
    """

    x: str
    y: str
    function: str
    axes: tuple[int, ...]
    keep_dims: bool

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, y = tensors[self.x], tensors[self.y]
        if self.function not in FLOAT:
            yield Problem(f"the function must be one of {', '.join(FLOAT)}", self.function)
            return
        if not self.axes or list(self.axes) != sorted({a for a in self.axes if 0 <= a < len(x.shape)}):
            yield Problem("axes must be ascending dimensions of the input", f"{self.axes} of {list(x.shape)}")
        if x.quant is not None and x.dtype in QUANTIZED and self.function in LOGIC:
            yield from alike_problems(tensors, (self.x, self.y))
            return
        yield from type_problems(tensors, self.x, operand_types(self.function))
        if y.dtype is not x.dtype or y.quant is not None:
            yield Problem("the output must have the input's type", f"{x.dtype.value} to {y.dtype.value}")

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        shape = tensors[self.x].shape
        if self.keep_dims:
            return (tuple(1 if i in self.axes else n for i, n in enumerate(shape)),)
        return (tuple(n for i, n in enumerate(shape) if i not in self.axes),)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x = inputs[0]
        with np.errstate(all="ignore"):
            if x.dtype in (np.float32, np.bool_):
                return (np.asarray(FLOAT[self.function](x, self.axes, self.keep_dims), x.dtype),)
            exact = np.asarray(INTEGER[self.function](x.astype(np.int64), self.axes, self.keep_dims))
            return (wrapped(exact, tensors[self.y].dtype),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        function = draw.choice(list(FLOAT))
        dtype = draw.choice(operand_types(function))
        shape = draw_shape(draw, high=7)
        axes = tuple(i for i in range(len(shape)) if draw.choice([True, False])) or (len(shape) - 1,)
        op = cls("reduce", "x", "y", function, axes, draw.choice([True, False]))
        quantized = function in LOGIC and dtype in QUANTIZED and draw.choice([True, False])
        quant = draw_quant(draw, dtype) if quantized else None
        return one_op_graph(op, [Tensor("x", shape, dtype, quant), Tensor("y", (), dtype, quant)])


def operand_types(function: str) -> tuple[DType, ...]:
    """Types `function` takes."""
    integers = INTEGERS if function in INTEGER else ()
    return (DType.FLOAT32, *integers, *((DType.BOOL,) if function in LOGIC else ()))
