"""What the data-movement operators share: rules on copied bytes and random shapes."""

from __future__ import annotations

from collections.abc import Iterable

from .cases import Draw, draw_quant
from .op import Problem, Tensors
from .types import DType, Tensor

MAX_DIMENSIONS = 6
"""Dimensions the strided copy kernel walks; TFLite's own limit is 5 for slices and 6 for transposes."""


def same_type_problems(tensors: Tensors, xs: tuple[str, ...], ys: tuple[str, ...]) -> Iterable[Problem]:
    """Bytes are copied as they are, so all operands must be stored alike."""
    kinds = sorted({tensors[n].dtype.value for n in (*xs, *ys)})
    if len(kinds) > 1:
        yield Problem("inputs and outputs must have one type", ", ".join(kinds))
    if any((q := tensors[n].quant) is not None and q.per_axis for n in (*xs, *ys)):
        yield Problem("activations have one scale", "one scale per channel")


def dimension_problems(tensors: Tensors, x: str) -> Iterable[Problem]:
    """The strided copy walks at most MAX_DIMENSIONS dimensions."""
    if len(tensors[x].shape) > MAX_DIMENSIONS:
        yield Problem(
            f"at most {MAX_DIMENSIONS} dimensions", str(len(tensors[x].shape)), "reshape before this op"
        )


def normal_axis(axis: int, rank: int) -> int:
    """`axis` counted from the front; negative ones count from the back."""
    return axis + rank if axis < 0 else axis


def draw_shape(draw: Draw, low_rank: int = 1, high_rank: int = 4, high: int = 6) -> tuple[int, ...]:
    """A random shape of small dimensions."""
    return tuple(draw.integer(1, high) for _ in range(draw.integer(low_rank, high_rank)))


def draw_operand(draw: Draw, name: str, shape: tuple[int, ...]) -> Tensor:
    """A random int8, int16 or float32 activation."""
    dtype = draw.choice([DType.INT8, DType.INT16, DType.FLOAT32])
    return Tensor(name, shape, dtype, draw_quant(draw, dtype))
