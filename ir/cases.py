"""Random one-operator graphs: how an operator's `case` draws shapes, types and data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

import numpy as np

from .graph import Graph
from .op import Op
from .types import DType, Quant, State, Tensor

T = TypeVar("T")


class Draw(Protocol):
    """Source of choices: a seeded generator (`RandomDraw`) or Hypothesis, which can also shrink."""

    def integer(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        ...

    def choice(self, options: Sequence[T]) -> T: ...

    def rng(self) -> np.random.Generator:
        """For bulk data."""
        ...


class RandomDraw:
    """Choices from a seeded NumPy generator."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def integer(self, low: int, high: int) -> int:
        return int(self._rng.integers(low, high + 1))

    def choice(self, options: Sequence[T]) -> T:
        return options[self.integer(0, len(options) - 1)]

    def rng(self) -> np.random.Generator:
        return self._rng


def draw_quant(draw: Draw, dtype: DType, low_log2: int = -10, high_log2: int = 0) -> Quant | None:
    """A random per-tensor quantization for `dtype`; int16 is symmetric, float has none."""
    if dtype is DType.FLOAT32:
        return None
    scale = float(np.float32(2.0 ** draw.integer(low_log2, high_log2) * draw.rng().uniform(0.5, 1.0)))
    low, high = dtype.integer_range
    return Quant((scale,), (0 if dtype is DType.INT16 else draw.integer(low, high),))


def draw_data(draw: Draw, shape: tuple[int, ...], dtype: DType) -> np.ndarray:
    """Random data over the whole range of an integer type, or normal floats."""
    if dtype is DType.FLOAT32:
        return draw.rng().normal(size=shape).astype(np.float32)
    low, high = dtype.integer_range
    return draw.rng().integers(low, high + 1, size=shape).astype(dtype.numpy)


def one_op_graph(op: Op, tensors: Iterable[Tensor], states: tuple[State, ...] = ()) -> Graph:
    """A graph of one op: its non-constant inputs become graph inputs, its outputs graph outputs.

    Output tensors are passed with a right dtype and quantization; their shape is inferred.
    """
    table = {t.name: t for t in tensors}
    for name, shape in zip(op.outputs, op.infer(table), strict=True):
        y = table[name]
        table[name] = Tensor(name, shape, y.dtype, y.quant)
    inputs = tuple(dict.fromkeys(n for n in op.inputs if not table[n].constant))
    return Graph(op.kind(), table, (op,), inputs, op.outputs, states)
