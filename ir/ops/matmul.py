"""matmul: product of two matrices, or of stacks of them, both of which may be computed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..cases import Draw, draw_data, draw_quant, one_op_graph
from ..elementwise import BROADCAST_DIMS, broadcast_shape, quant_problems, reach, saturate
from ..fixed_point import quantize_multiplier, requantize_double
from ..float_requant import FloatRequant, float_requant, rounding_problems
from ..graph import Graph
from ..op import Activation, Arrays, Op, Problem, Tensors
from ..rounding import Rounding
from ..types import DType, Quant, Tensor

DTYPES = (DType.INT8, DType.FLOAT32)


@dataclass(frozen=True)
class MatMul(Op):
    """y[..., i, j] = sum over k of a[..., i, k] * b[..., k, j]; leading dimensions broadcast.

    a   [..., M, K], with transpose_a [..., K, M]; int8 or float32, constant or computed
    b   [..., K, N], with transpose_b [..., N, K]; of a's type
    y   [..., M, N]. int8: the exact int32 sum of products of centred values is requantized by
        float32(a.scale * b.scale) / y.scale as TFLite's BATCH_MATMUL does; under an ONNX rounding that
        quotient is a float32, as QLinearMatMul has it

    A product with a constant right matrix is a fully_connected, which has faster kernels.
    """

    a: str
    b: str
    y: str
    transpose_a: bool = False
    transpose_b: bool = False
    rounding: Rounding = field(default=Rounding.TFLITE_DOUBLE, kw_only=True)

    INPUTS: ClassVar[tuple[str, ...]] = ("a", "b")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        a, b, y = (tensors[n] for n in (self.a, self.b, self.y))
        found = f"{list(a.shape)} and {list(b.shape)}"
        if not 2 <= len(a.shape) <= BROADCAST_DIMS or not 2 <= len(b.shape) <= BROADCAST_DIMS:
            yield Problem(f"matrices have 2 to {BROADCAST_DIMS} dimensions", found)
            return
        if self.matrix(a, self.transpose_a)[1] != self.matrix(b, self.transpose_b)[0]:
            yield Problem("the inner dimensions of a matrix product must be equal", found)
        if broadcast_shape(a.shape[:-2], b.shape[:-2]) is None:
            yield Problem("leading dimensions of a matrix product must broadcast", found)
        if a.dtype not in DTYPES or not a.dtype is b.dtype is y.dtype:
            found = f"{a.dtype.value}, {b.dtype.value} to {y.dtype.value}"
            yield Problem("operands and output must all be int8 or all float32", found)
            return
        problems = list(quant_problems(tensors, (self.a, self.b, self.y)))
        problems += rounding_problems(self.rounding, a)
        yield from problems
        if not problems and a.dtype is not DType.FLOAT32:
            yield from self._accumulator_problems(tensors)

    def _accumulator_problems(self, tensors: Tensors) -> Iterable[Problem]:
        depth = self.matrix(tensors[self.a], self.transpose_a)[1]
        bound = reach(tensors[self.a]) * reach(tensors[self.b]) * depth
        shift = 0 if self.rounding.onnx else max(self.requant(tensors)[1], 0)
        if bound << shift >= 1 << 30:
            yield Problem("accumulators must stay below 2^30", f"up to {bound}, scale {self.real(tensors):g}")

    @staticmethod
    def matrix(t: Tensor, transposed: bool) -> tuple[int, int]:
        """Rows and columns of the matrices of `t` as the product sees them."""
        rows, columns = t.shape[-2:]
        return (columns, rows) if transposed else (rows, columns)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        a, b = tensors[self.a], tensors[self.b]
        rows, columns = self.matrix(a, self.transpose_a)[0], self.matrix(b, self.transpose_b)[1]
        return ((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), rows, columns),)

    def real(self, tensors: Tensors) -> float:
        """Factor from an int8 sum of products to the output; the product of scales is a float32."""
        a, b, y = (tensors[n].quant for n in (self.a, self.b, self.y))
        assert a and b and y
        return float(np.float32(a.s) * np.float32(b.s)) / y.s

    def requant(self, tensors: Tensors) -> tuple[int, int]:
        """Multiplier and shift for `real`."""
        return quantize_multiplier(self.real(tensors))

    def float_requant(self, tensors: Tensors) -> FloatRequant:
        """From a sum to the output under an ONNX rounding."""
        a, b, y = (tensors[n].quant for n in (self.a, self.b, self.y))
        assert a and b and y
        factor = np.float32(a.s) * np.float32(b.s) / np.float32(y.s)
        return float_requant(np.array([factor]), tensors[self.y], Activation.NONE)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        # float64 holds int8 sums exactly and is nearer to any order of float32 additions than another one.
        a, b = (
            x.astype(np.float64) - tensors[n].zero_point
            for n, x in zip((self.a, self.b), inputs, strict=True)
        )
        a = np.swapaxes(a, -1, -2) if self.transpose_a else a
        b = np.swapaxes(b, -1, -2) if self.transpose_b else b
        y = np.asarray(a @ b)
        if tensors[self.a].dtype is DType.FLOAT32:
            return (y.astype(np.float32),)
        if self.rounding.onnx:
            return (self.float_requant(tensors).apply(y.astype(np.int64)),)
        target = tensors[self.y]
        scaled = requantize_double(y.astype(np.int64), *self.requant(tensors))
        return (saturate(scaled + target.zero_point, target),)

    def macs(self, tensors: Tensors) -> int:
        return tensors[self.y].elements * self.matrix(tensors[self.a], self.transpose_a)[1]

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        dtype = draw.choice(list(DTYPES))
        rows, depth, columns = (draw.integer(1, 9) for _ in range(3))
        batch = draw.choice([(), (1,), (3,), (2, 3)])
        other = draw.choice([batch, (), batch[1:], tuple(draw.choice([1, n]) for n in batch)])
        flags = draw.choice([False, True]), draw.choice([False, True])
        shape_a = (*batch, *((depth, rows) if flags[0] else (rows, depth)))
        shape_b = (*other, *((columns, depth) if flags[1] else (depth, columns)))
        a = Tensor("a", shape_a, dtype, draw_quant(draw, dtype))
        data = draw_data(draw, shape_b, dtype) if draw.choice([True, False, False]) else None
        b = Tensor("b", shape_b, dtype, draw_quant(draw, dtype), data)
        quant: Quant | None = None
        if a.quant and b.quant:
            typical = a.quant.s * b.quant.s * 75.0**2 * depth**0.5 / 50.0
            quant = Quant((float(np.float32(typical)),), (draw.integer(-128, 127),))
        op = cls("matmul", "a", "b", "y", *flags)
        return one_op_graph(op, [a, b, Tensor("y", (), dtype, quant)])
