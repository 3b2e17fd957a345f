"""binary: a function of two elements, chosen by name, with broadcasting."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw, one_op_graph
from ..elementwise import draw_broadcast, infer_broadcast
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..plain import INTEGERS, broadcast_problems, type_problems, wrapped
from ..types import DType, Tensor

Function = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Truncated quotient; 0 where b is 0, wrapped where it does not fit."""
    safe = np.where((b == 0) | (b == -1), 1, b)
    quotient = a // safe + ((a % safe != 0) & ((a < 0) != (safe < 0)))
    return np.where(b == 0, 0, np.where(b == -1, np.negative(a), quotient))


def _mod(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Remainder with the divisor's sign; 0 where b is 0 or -1."""
    safe = np.where((b == 0) | (b == -1), 1, b)
    return a % safe


def _fmod(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Remainder with the dividend's sign; 0 where b is 0."""
    return np.where(b == 0, 0, a - np.where(b == 0, 0, b) * _divide(a, b))


def _power(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a ** b modulo 2**64; the truncated quotient 1 / a ** -b for negative b, 0 where a is 0."""
    result = np.power(a, np.maximum(b, 0))
    unit = np.where(a == 1, 1, np.where(a == -1, np.where(b % 2 == 0, 1, -1), 0))
    return np.where(b < 0, unit, result)


def _shift_left(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Shifts by 0 to 63 bits; others give 0."""
    inside = (b >= 0) & (b < 64)
    return np.where(inside, np.left_shift(a, np.where(inside, b, 0)), 0)


def _shift_right(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Shifts by 0 to 63 bits that copy the sign; others leave nothing but the sign."""
    return np.right_shift(a, np.where((b >= 0) & (b < 64), b, 63))


FLOAT: dict[str, Function] = {
    "div": np.divide,
    "fmod": np.fmod,
    "mod": np.mod,
    "pow": np.power,
    "prelu": lambda a, b: np.where(a < 0, a * b, a),
}
INTEGER: dict[str, Function] = {
    "add": np.add,
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
    "div": _divide,
    "fmod": _fmod,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "mod": _mod,
    "mul": np.multiply,
    "pow": _power,
    "prelu": lambda a, b: np.where(a < 0, a * b, a),
    "shift_left": _shift_left,
    "shift_right": _shift_right,
    "sub": np.subtract,
}
LOGIC: dict[str, Function] = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}
COMPARE: dict[str, Function] = {
    "equal": np.equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
}
FUNCTIONS = tuple(sorted({*FLOAT, *INTEGER, *LOGIC, *COMPARE}))


@dataclass(frozen=True)
class Binary(Op):
    """y = function(a, b) on plain numbers; a and b have one type, shapes broadcast as in NumPy.

    function  one of FUNCTIONS: FLOAT (float32), INTEGER (plain integers, wrapping at their width), LOGIC
              (bool), COMPARE (float32, integers or bool to bool)

    Float add, sub, mul, maximum and minimum are operators of their own. Integer division truncates; mod has
    the sign of b, fmod that of a. What ONNX leaves undefined is defined here: integer division by 0 and
    remainders of it are 0, left shifts by less than 0 or more than 63 bits give 0, such right shifts the
    sign alone: 0 or -1. Right shifts copy the sign.
    """

    a: str
    b: str
    y: str
    function: str

    INPUTS: ClassVar[tuple[str, ...]] = ("a", "b")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        a, b, y = (tensors[n] for n in (self.a, self.b, self.y))
        yield from broadcast_problems(tensors, (self.a, self.b))
        if self.function not in FUNCTIONS:
            yield Problem(f"the function must be one of {', '.join(FUNCTIONS)}", self.function)
            return
        for name in (self.a, self.b):
            yield from type_problems(tensors, name, operand_types(self.function))
        if a.dtype is not b.dtype:
            yield Problem("operands must have one type", f"{a.dtype.value} and {b.dtype.value}")
        want = DType.BOOL if self.function in COMPARE else a.dtype
        if y.dtype is not want or y.quant is not None:
            found = y.dtype.value if y.quant is None else f"quantized {y.dtype.value}"
            yield Problem(f"the output must be plain {want.value}", found)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return infer_broadcast(tensors, self.a, self.b)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        a, b = inputs
        with np.errstate(all="ignore"):
            if self.function in COMPARE:
                return (COMPARE[self.function](a, b),)
            if a.dtype == np.bool_:
                return (LOGIC[self.function](a, b),)
            if a.dtype == np.float32:
                return (FLOAT[self.function](a, b),)
            exact = INTEGER[self.function](a.astype(np.int64), b.astype(np.int64))
            return (wrapped(exact, tensors[self.y].dtype),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        function = draw.choice(FUNCTIONS)
        dtype = draw.choice(operand_types(function))
        shape_a, shape_b = draw_broadcast(draw)
        y = Tensor("y", (), DType.BOOL if function in COMPARE else dtype)
        op = cls("binary", "a", "b", "y", function)
        return one_op_graph(op, [Tensor("a", shape_a, dtype), Tensor("b", shape_b, dtype), y])


def operand_types(function: str) -> tuple[DType, ...]:
    """Types the operands of `function` may have."""
    if function in COMPARE:
        return (DType.FLOAT32, *INTEGERS, DType.BOOL)
    if function in LOGIC:
        return (DType.BOOL,)
    return (*((DType.FLOAT32,) if function in FLOAT else ()), *(INTEGERS if function in INTEGER else ()))
