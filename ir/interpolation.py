"""Sampling of ONNX's Resize: which input elements an output element is a weighted sum of, along one axis.

Positions are computed in float32 as onnxruntime does, which decides ties of nearest neighbours; weights
in double precision. Formulas: the specification of Resize-19 and, for the cubic filter, equation (4) of
Keys, "Cubic convolution interpolation for digital image processing" (1981).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

MODES = ("nearest", "linear", "cubic")
COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_crop_and_resize",
)
NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")

OUTSIDE = -1
"""Index of a first tap that says: the position is outside, the output is the extrapolation value."""


@dataclass(frozen=True)
class Interpolation:
    """The attributes of Resize, by ONNX's names and defaults.

    mode             one of MODES; coordinates (coordinate_transformation_mode) one of COORDINATES
    nearest          (nearest_mode) one of NEAREST
    cubic_a          cubic_coeff_a; exclude_outside, antialias: as ONNX has them
    extrapolation    output where tf_crop_and_resize looks outside the input
    """

    mode: str = "nearest"
    coordinates: str = "half_pixel"
    nearest: str = "round_prefer_floor"
    cubic_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False
    extrapolation: float = 0.0


@dataclass(frozen=True)
class Axis:
    """Sizes of one axis, output elements per input element (`scale`), and the part of it that is shown."""

    size_in: int
    size_out: int
    scale: float
    roi: tuple[float, float] = (0.0, 1.0)


def positions(axis: Axis, coordinates: str) -> np.ndarray:
    """float32[size_out]: position of every output element in the input."""
    f = np.float32
    i, scale, span = np.arange(axis.size_out, dtype=f), f(axis.scale), f(axis.size_in - 1)
    length = scale * f(axis.size_in)
    match coordinates:
        case "asymmetric":
            return i / scale
        case "align_corners":
            return i * f(0) if length == 1 else i * span / (length - f(1))
        case "tf_crop_and_resize":
            start, end = f(axis.roi[0]), f(axis.roi[1])
            if length == 1:
                return i * f(0) + f(0.5) * (start + end) * span
            return start * span + i * (end - start) * span / (length - f(1))
        case "pytorch_half_pixel" if axis.size_out == 1:
            return i * f(0)
        case "half_pixel_symmetric":
            offset = f(axis.size_in) / f(2) * (f(1) - f(axis.size_out) / length)
            return offset + (i + f(0.5)) / scale - f(0.5)
        case _:
            return (i + f(0.5)) / scale - f(0.5)


def taps(axis: Axis, how: Interpolation) -> tuple[np.ndarray, np.ndarray]:
    """(int32[size_out,n] input indices, float32[size_out,n] weights); OUTSIDE: see there."""
    position = positions(axis, how.coordinates)
    if how.mode == "nearest":
        index = np.clip(_nearest(position, how.nearest), 0, axis.size_in - 1)[:, None].astype(np.int32)
        weights = np.ones(index.shape)
    else:
        index, weights = _filtered(position.astype(np.float64), axis, how)
    if how.coordinates == "tf_crop_and_resize":
        index[(position < 0) | (position > axis.size_in - 1), 0] = OUTSIDE
    return index, weights.astype(np.float32)


def _nearest(position: np.ndarray, mode: str) -> np.ndarray:
    match mode:
        case "floor":
            return np.floor(position)
        case "ceil":
            return np.ceil(position)
        case "round_prefer_ceil":
            return np.floor(position.astype(np.float64) + 0.5)
        case _:
            return np.ceil(position.astype(np.float64) - 0.5)


def _filtered(position: np.ndarray, axis: Axis, how: Interpolation) -> tuple[np.ndarray, np.ndarray]:
    """Taps of linear and cubic filters: the filter at the distances of the elements below it."""
    stretch = max(1.0, 1.0 / axis.scale) if how.antialias else 1.0
    reach = (1 if how.mode == "linear" else 2) * stretch
    first = -math.floor(reach)
    index = np.floor(position)[:, None] + np.arange(first, math.ceil(reach) + 1)
    distance = np.abs(index - position[:, None]) / stretch
    weights = np.maximum(1 - distance, 0) if how.mode == "linear" else _cubic(distance, how.cubic_a)
    if how.exclude_outside:
        weights = np.where((index < 0) | (index >= axis.size_in), 0.0, weights)
    if how.exclude_outside or how.antialias:
        total = weights.sum(axis=1, keepdims=True)
        weights = weights / np.where(total == 0, 1.0, total)
    used = np.flatnonzero((weights != 0).any(axis=0))
    chosen = slice(used[0], used[-1] + 1)
    return np.clip(index, 0, axis.size_in - 1).astype(np.int32)[:, chosen], weights[:, chosen]


def _cubic(x: np.ndarray, a: float) -> np.ndarray:
    """The cubic filter at distances x >= 0."""
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))
