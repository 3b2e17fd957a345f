"""layer_normalization: values brought to mean 0 and variance 1 over the last dimensions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isqrt, prod
from typing import ClassVar

import numpy as np

from ..cases import Draw, draw_data, draw_quant, one_op_graph
from ..elementwise import ACTIVATIONS, draw_shape, reach, saturate, unary_problems
from ..fixed_point import quantize_multiplier, requantize_int64
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..types import DType, Quant, Tensor

NORMAL_BITS = 16
"""Fractional bits of normalised integers before they are scaled."""

BIAS_SHIFT = 8
"""The bias is this much coarser than products of normalised value and scale: its scale is scale's / 2^8."""

MAX_COUNT = 1 << 14
"""Most elements normalised together as integers: normalised values stay below 2^7, sums below 2^31."""


@dataclass(frozen=True)
class LayerNormalization(Op):
    """y = (x - mean) / sqrt(variance + epsilon) * scale + bias, mean and variance over dimensions >= axis.

    x, y    int8, int16 or float32
    scale   x.shape[axis:] float32; for integers a constant int16 with one scale s and zero point 0; or absent
    bias    x.shape[axis:] float32; for integers a constant int32 of scale float32(s) / 2^8; or absent
    centred False: the mean is taken for 0 (RMS normalization)

    Integers, exact: for the n values c = x - zero point of a row, with S their sum (0 when not centred),
        D = n * sum(c^2) - S^2 + max(1, round(n^2 * epsilon / x.scale^2)),  normal = (n * c - S) / sqrt(D)
    n * c - S and D are integers. D is shifted left by 2t bits into [2^60, 2^62), r = floor(sqrt of that),
    inverse = floor(2^61 / r), at most 2^31 - 1; normal becomes (n * c - S) * inverse, rounded half up to
    16 fractional bits. The sum of normal * scale and bias * 2^8 is requantized by the 16x8 rule.
    """

    x: str
    scale: str | None
    bias: str | None
    y: str
    axis: int
    epsilon: float = 1e-5
    centred: bool = True

    INPUTS: ClassVar[tuple[str, ...]] = ("x", "scale", "bias")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x = tensors[self.x]
        if not 0 <= self.axis < len(x.shape):
            yield Problem("axis must be a dimension of the input", f"{self.axis} of {list(x.shape)}")
            return
        problems = list(unary_problems(tensors, self.x, self.y))
        yield from problems
        integer = x.dtype is not DType.FLOAT32
        wanted = (DType.INT16, DType.INT32) if integer else (DType.FLOAT32, DType.FLOAT32)
        for name, dtype in zip((self.scale, self.bias), wanted, strict=True):
            if name is None:
                continue
            t = tensors[name]
            if t.shape != x.shape[self.axis :] or t.dtype is not dtype or (integer and not t.constant):
                rule = (
                    f"scale and bias of {x.dtype.value} input must be {wanted[0].value} and {wanted[1].value}"
                )
                problems.append(Problem(f"{rule}, {list(x.shape[self.axis :])}", self._text(t)))
                yield problems[-1]
        if not self.epsilon >= 0:
            yield Problem("epsilon must not be negative", f"{self.epsilon:g}")
        elif integer and not problems:
            yield from self._integer_problems(tensors)

    @staticmethod
    def _text(t: Tensor) -> str:
        return f"{t.name!r} is {'constant ' if t.constant else ''}{t.dtype.value}{list(t.shape)}"

    def _integer_problems(self, tensors: Tensors) -> Iterable[Problem]:
        scale = tensors[self.scale].quant if self.scale is not None else Quant((1.0,), (0,))
        if scale is None or scale.per_axis or scale.z:
            yield Problem("the scale must have one scale and zero point 0", str(scale))
            return
        if self.bias is not None:
            bias, want = tensors[self.bias].quant, Quant((scale.s / (1 << BIAS_SHIFT),), (0,))
            if bias != want:
                yield Problem(f"the bias must have scale {want.s:g} and zero point 0", str(bias))
        if self.count(tensors) > MAX_COUNT:
            yield Problem(f"at most {MAX_COUNT} elements are normalised together", f"{self.count(tensors)}")
        elif (self.count(tensors) * reach(tensors[self.x])) ** 2 + self.offset(tensors) >= 1 << 62:
            yield Problem("epsilon must be small for the scale of the input", f"{self.epsilon:g}")
        total = 15 - self.requant(tensors)[1]
        if not 1 <= total <= 62:
            yield Problem("the output scale must be near the input's", f"a shift by {total} bits")

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def count(self, tensors: Tensors) -> int:
        """Elements normalised together."""
        return prod(tensors[self.x].shape[self.axis :])

    def offset(self, tensors: Tensors) -> int:
        """What epsilon adds to D of an integer input."""
        quant = tensors[self.x].quant
        assert quant
        return max(1, round(self.count(tensors) ** 2 * self.epsilon / quant.s**2))

    def requant(self, tensors: Tensors) -> tuple[int, int]:
        """Multiplier and shift from sums of scaled values to integer outputs."""
        y = tensors[self.y].quant
        scale = tensors[self.scale].quant if self.scale is not None else None
        assert y
        return quantize_multiplier((scale.s if scale else 1.0) * 2.0**-NORMAL_BITS / y.s)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        rest = list(inputs[1:])
        scale = rest.pop(0) if self.scale is not None else None
        bias = rest.pop(0) if self.bias is not None else None
        rows = inputs[0].reshape(-1, self.count(tensors))
        finish = self._float if rows.dtype == np.float32 else self._integer
        return (finish(tensors, rows, scale, bias).reshape(inputs[0].shape),)

    def _float(
        self, tensors: Tensors, x: np.ndarray, scale: np.ndarray | None, bias: np.ndarray | None
    ) -> np.ndarray:
        if self.centred:
            x = x - x.mean(axis=1, keepdims=True, dtype=np.float32)
        variance = np.square(x).mean(axis=1, keepdims=True, dtype=np.float32)
        y = x / np.sqrt(variance + np.float32(self.epsilon))
        y = y if scale is None else y * scale.reshape(-1)
        return y if bias is None else y + bias.reshape(-1)

    def _integer(
        self, tensors: Tensors, x: np.ndarray, scale: np.ndarray | None, bias: np.ndarray | None
    ) -> np.ndarray:
        n, y = x.shape[1], tensors[self.y]
        c = x.astype(np.int64) - tensors[self.x].zero_point
        total = c.sum(axis=1, keepdims=True) * int(self.centred)
        d = n * np.square(c).sum(axis=1, keepdims=True) - np.square(total) + self.offset(tensors)
        pairs = [_inverse_root(int(v)) for v in d.ravel()]
        inverse, shift = (np.array(p, np.int64)[:, None] for p in zip(*pairs, strict=True))
        normal = ((n * c - total) * inverse + (np.int64(1) << (shift - 1))) >> shift
        acc = normal if scale is None else normal * scale.reshape(-1).astype(np.int64)
        acc = acc if bias is None else acc + (bias.reshape(-1).astype(np.int64) << BIAS_SHIFT)
        return saturate(requantize_int64(acc, *self.requant(tensors)) + y.zero_point, y)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        dtype = draw.choice(list(ACTIVATIONS))
        shape = draw_shape(draw, high=9)
        axis = draw.choice([len(shape) - 1, draw.integer(0, len(shape) - 1)])
        tensors = [Tensor("x", shape, dtype, draw_quant(draw, dtype))]
        names: list[str | None] = [None, None]
        s = float(np.float32(draw.rng().uniform(0.5, 2.0) / 20000))
        if dtype is DType.FLOAT32 or draw.choice([True, True, False]):
            names = ["scale", draw.choice(["bias", "bias", None])]
            tensors += draw_affine(draw, shape[axis:], dtype, s, names[1] is not None)
        quant = None
        if dtype is not DType.FLOAT32:
            low, high = dtype.integer_range
            zero = draw.integer(low, high) if dtype is DType.INT8 else 0
            quant = Quant((float(np.float32(draw.rng().uniform(2.0, 6.0) / high)),), (zero,))
        tensors.append(Tensor("y", (), dtype, quant))
        epsilon = draw.choice([1e-5, 1e-12, 1e-2])
        return one_op_graph(
            cls("norm", "x", names[0], names[1], "y", axis, epsilon, draw.choice([True, False])), tensors
        )


def _inverse_root(d: int) -> tuple[int, int]:
    """(inverse, shift): value * inverse >> shift is value / sqrt(d) with NORMAL_BITS fractional bits."""
    t = (62 - d.bit_length()) // 2
    inverse = min((1 << 61) // isqrt(d << 2 * t), (1 << 31) - 1)
    return inverse, 61 - NORMAL_BITS - t


def draw_affine(draw: Draw, shape: tuple[int, ...], dtype: DType, s: float, with_bias: bool) -> list[Tensor]:
    """Random constants `scale` and `bias` for inputs of `dtype`; s: scale of the integer scales."""
    rng = draw.rng()
    if dtype is DType.FLOAT32:
        scale, bias = (
            Tensor(n, shape, dtype, None, draw_data(draw, shape, dtype)) for n in ("scale", "bias")
        )
    else:
        data = rng.integers(-30000, 30001, size=shape).astype(np.int16)
        scale = Tensor("scale", shape, DType.INT16, Quant((s,), (0,)), data)
        offsets = rng.integers(-5000000, 5000001, size=shape).astype(np.int32)
        bias = Tensor("bias", shape, DType.INT32, Quant((s / (1 << BIAS_SHIFT),), (0,)), offsets)
    return [scale, bias] if with_bias else [scale]
