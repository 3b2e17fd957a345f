"""Importers of ConvInteger and MatMulInteger: integer products without scales, by float operators.

Operands are cast to float32 and centred, the result is cast to int32. Every partial sum is a whole number
below 2^24, which is a rule, so float32 holds it exactly in whatever order it comes about.
"""

from __future__ import annotations

from math import prod

import numpy as np
from onnx import TensorProto

from ...ir import DType
from ..tflite.tensors import Unsupported
from .builder import Converter, Value
from .node import NodeImport
from .quantized import Group

_EXACT = 1 << 24
"""Whole numbers up to this are float32 numbers."""

_RANGES = {DType.INT8: (-128, 127), DType.UINT8: (0, 255)}


class _Product:
    """The two operands at positions 0 and 1, their zero points at 2 and 3, and the nodes they become."""

    def __init__(self, op: NodeImport) -> None:
        self.op, self.group = op, Group(op)

    def _constant(self, what: str, data: np.ndarray) -> str:
        name = f"{self.op.base}\n{what}"
        self.op.scope.values[name] = Value(self.op.builder.names.unique(f"{self.op.base}.{what}"), data)
        return name

    def _zero(self, position: int, shape: tuple[int, ...]) -> np.ndarray:
        """The zero point, of a shape that broadcasts against the operand."""
        if not self.op.has(position + 2):
            return np.zeros((), np.float32)
        data = self.op.constant(position + 2, "zero points").astype(np.float32)
        return data.reshape(()) if data.size == 1 else data.reshape(shape)

    def real(self, position: int, zero_shape: tuple[int, ...]) -> tuple[str, float]:
        """(name of the centred operand as floats, its largest magnitude)."""
        zero, known = self._zero(position, zero_shape), self.op.known(position)
        if known is not None:
            centred = known.astype(np.float32) - zero
            return self._constant(f"operand {position}", centred), float(np.abs(centred).max(initial=0.0))
        low, high = _RANGES[self.op.dtype(position)]
        reach = max(float(np.abs(low - zero).max()), float(np.abs(high - zero).max()))
        x = self.group.add("Cast", [self.op.node.input[position]], to=TensorProto.FLOAT)
        if not zero.any():
            return x, reach
        return self.group.add("Sub", [x, self._constant(f"zero point {position}", zero)]), reach

    def close(self, y: str, depth: int, reach: float) -> None:
        """`y` is the sum of `depth` products of magnitude `reach` at most."""
        if depth * reach >= _EXACT:
            found = f"{depth} products of up to {reach:.0f}"
            raise Unsupported("sums of products of integers without scales stay below 2^24", found)
        self.group.close(self.group.add("Cast", [y], to=TensorProto.INT32))


def _conv_integer(op: NodeImport) -> None:
    product, weights = _Product(op), op.constant(1, "weights")
    x, x_reach = product.real(0, (1,))
    w, w_reach = product.real(1, (-1, *(1,) * (weights.ndim - 1)))
    names = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    y = product.group.add("Conv", [x, w], **product.group.attributes(*names))
    product.close(y, prod(weights.shape[1:]), x_reach * w_reach)


def _matmul_integer(op: NodeImport) -> None:
    """Zero points may be one per row of the left matrix and per column of the right one."""
    product, depth = _Product(op), op.shape(0)[-1] if op.shape(0) else 1
    a, a_reach = product.real(0, (-1, 1))
    b, b_reach = product.real(1, (-1,))
    product.close(product.group.add("MatMul", [a, b]), depth, a_reach * b_reach)


CONVERTERS: dict[str, Converter] = {"ConvInteger": _conv_integer, "MatMulInteger": _matmul_integer}
