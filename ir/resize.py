"""Sampling positions of resize operators, as TFLite's reference kernels compute them.

Both operators map an output index to input indices in the same way along rows and columns; the
arithmetic (float32 for nearest and float tensors, 10 fractional bits for integer bilinear) is part of
the result and followed bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .cases import Draw, draw_quant
from .op import Problem, Tensors
from .types import DType, Tensor

FRACTION_BITS = 10
"""Fractional bits of positions in integer bilinear interpolation."""

MAX_SIZE = 0x7FFF
"""Largest dimension: kernels keep sampling positions in int16 tables."""


@dataclass(frozen=True)
class Sampling:
    """How positions are aligned: at most one of the two flags is set."""

    align_corners: bool
    half_pixel_centers: bool


@dataclass(frozen=True, eq=False)
class Samples:
    """Per output index: neighbours `lower`, `upper` (int32) and the weight of `upper`.

    fraction  int32 with FRACTION_BITS bits (0 where both neighbours are one), or float32
    """

    lower: np.ndarray
    upper: np.ndarray
    fraction: np.ndarray


def nearest_indices(size_in: int, size_out: int, sampling: Sampling) -> np.ndarray:
    """Input index of every output index, int32[size_out]."""
    scale = _float_scale(size_in, size_out, sampling)
    offset = np.float32(0.5 if sampling.half_pixel_centers else 0.0)
    position = (np.arange(size_out).astype(np.float32) + offset) * scale
    # C's round() is to nearest, ties away from zero; positions are never negative.
    index = np.floor(position.astype(np.float64) + 0.5) if sampling.align_corners else np.floor(position)
    return np.minimum(index.astype(np.int32), size_in - 1)


def linear_samples_integer(size_in: int, size_out: int, sampling: Sampling) -> Samples:
    """Samples of integer bilinear interpolation."""
    one = 1 << FRACTION_BITS
    steps, span = size_out, size_in
    if sampling.align_corners and size_out > 1:
        steps, span = size_out - 1, size_in - 1
    scale = (one * span + steps // 2) // steps
    position = np.arange(size_out, dtype=np.int64) * scale
    if sampling.half_pixel_centers:
        position += scale // 2 - one // 2
    # Divisions truncate in C; only the lower neighbour sees negative positions, and it is clamped to 0.
    lower = np.maximum(position >> FRACTION_BITS, 0)
    upper = np.minimum(np.maximum(position + one - 1, 0) >> FRACTION_BITS, size_in - 1)
    fraction = np.where(lower == upper, 0, position - one * lower)
    return Samples(lower.astype(np.int32), upper.astype(np.int32), fraction.astype(np.int32))


def linear_samples_float(size_in: int, size_out: int, sampling: Sampling) -> Samples:
    """Samples of float32 bilinear interpolation."""
    scale = _float_scale(size_in, size_out, sampling)
    position = np.arange(size_out).astype(np.float32)
    if sampling.half_pixel_centers:
        position = (position + np.float32(0.5)) * scale - np.float32(0.5)
    else:
        position = position * scale
    lower = np.clip(np.floor(position).astype(np.int32), 0, size_in - 1)
    upper = np.minimum(np.ceil(position).astype(np.int32), size_in - 1)
    return Samples(lower, upper, position - lower.astype(np.float32))


def _float_scale(size_in: int, size_out: int, sampling: Sampling) -> np.float32:
    if sampling.align_corners and size_out > 1:
        return np.float32(np.float32(size_in - 1) / np.float32(size_out - 1))
    return np.float32(np.float32(size_in) / np.float32(size_out))


def resize_problems(
    tensors: Tensors, x: str, y: str, size: tuple[int, int], sampling: Sampling
) -> Iterable[Problem]:
    """Rules both resize operators share."""
    tx, ty = tensors[x], tensors[y]
    if len(tx.shape) != 4 or tx.shape[0] != 1:
        yield Problem("input must be [1,H,W,C]", str(list(tx.shape)))
    if tx.dtype not in (DType.INT8, DType.INT16, DType.FLOAT32):
        yield Problem("input must be int8, int16 or float32", tx.dtype.value)
    if ty.dtype is not tx.dtype:
        yield Problem("output must have the input's type", f"{tx.dtype.value} to {ty.dtype.value}")
    if min(size) < 1 or max(size) > MAX_SIZE or max(tx.shape) > MAX_SIZE:
        yield Problem(f"sizes must be 1 to {MAX_SIZE}", f"{list(tx.shape)} to {list(size)}")
    if sampling.align_corners and sampling.half_pixel_centers:
        yield Problem("align_corners and half_pixel_centers exclude one another", "both are set")


def draw_resize(draw: Draw, types: tuple[DType, ...]) -> tuple[Tensor, tuple[int, int], Sampling]:
    """A random input [1,H,W,C] of one of `types`, output size and sampling."""
    dtype = draw.choice(types)
    shape = (1, draw.integer(1, 8), draw.integer(1, 8), draw.integer(1, 5))
    size = (draw.integer(1, 17), draw.integer(1, 17))
    if draw.choice([False, True]):
        size = (shape[1] * 2, shape[2] * 2)
    flags = draw.choice([(False, False), (True, False), (False, True)])
    return Tensor("x", shape, dtype, draw_quant(draw, dtype)), size, Sampling(*flags)
