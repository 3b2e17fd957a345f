"""Quantized sum and difference: both operands are brought to twice the larger scale first.

TFLite's 8 and 16 bit ADD and SUB: y = requantize(rescale(a << L) +- rescale(b << L)), with L = 20 for
int8 and 15 for int16, so that sums of rescaled operands stay below 2**30.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from .cases import Draw, draw_quant, one_op_graph
from .elementwise import ACTIVATIONS, draw_broadcast
from .fixed_point import activation_range, quantize_multiplier, requantize_double
from .float_requant import activation_range_f32, fused_multiply_add, nearest_even, rounding_problems
from .graph import Graph
from .op import Activation, Op, Problem, Tensors
from .rounding import Rounding
from .types import DType, Tensor


@dataclass(frozen=True)
class AdditiveScales:
    """Real factors of operand a, operand b and the output, each below 1; `left_shift` of the operands."""

    a: float
    b: float
    y: float
    left_shift: int


def additive_scales(tensors: Tensors, a: str, b: str, y: str) -> AdditiveScales:
    """Scale factors, in double precision from the float32 scales."""
    qa, qb, qy = tensors[a].quant, tensors[b].quant, tensors[y].quant
    assert qa and qb and qy
    left_shift = 15 if tensors[y].dtype is DType.INT16 else 20
    twice = 2 * max(qa.s, qb.s)
    return AdditiveScales(qa.s / twice, qb.s / twice, twice / ((1 << left_shift) * qy.s), left_shift)


def scale_problems(scales: AdditiveScales) -> Iterable[Problem]:
    """The output factor must be below 1, as TFLite requires."""
    if not scales.y < 1:
        yield Problem(
            "the output scale is too small for the operands",
            f"factor {scales.y:.6g}, must be below 1",
            "quantize the output with a larger scale",
        )


def additive_sum(
    tensors: Tensors,
    names: tuple[str, str, str],
    operands: tuple[np.ndarray, np.ndarray],
    scales: AdditiveScales,
    sign: int,
    activation: Activation,
) -> np.ndarray:
    """a + sign * b on stored values of (a, b, y); int64 array of clamped stored values."""
    parts = []
    for name, q, real in zip(names[:2], operands, (scales.a, scales.b), strict=True):
        shifted = (q.astype(np.int64) - tensors[name].zero_point) << scales.left_shift
        parts.append(requantize_double(shifted, *quantize_multiplier(real)))
    y = tensors[names[2]]
    total = requantize_double(parts[0] + sign * parts[1], *quantize_multiplier(scales.y)) + y.zero_point
    return np.clip(total, *activation_range(activation, y))


@dataclass(frozen=True)
class FloatSum:
    """y = nearest even of a * stored a + (b * stored b + rest), in float32 with each product and sum fused.

    rest  what zero points contribute, that of y included
    """

    a: np.float32
    b: np.float32
    rest: np.float32


_RATIOS = (2.0**-12, 2.0**8)
"""Ratios of scales in a FloatSum: terms are then multiples of 2^-35 and their sums below 2^18, 53 bits."""


def float_sum(tensors: Tensors, a: str, b: str, y: str, rounding: Rounding) -> FloatSum:
    """Factors of an ONNX sum: onnxruntime's QLinearAdd on x86-64 with AVX2, which fuses the first product."""
    qa, qb, qy = tensors[a].quant, tensors[b].quant, tensors[y].quant
    assert qa and qb and qy
    ratio_a = np.float32(qa.s) / np.float32(qy.s)
    ratio_b = np.float32(qb.s) / np.float32(qy.s)
    zero_a, zero_b, zero_y = (q.z + rounding.offset for q in (qa, qb, qy))
    zeros = fused_multiply_add(np.array(zero_a), ratio_a, ratio_b * np.float32(zero_b))
    return FloatSum(ratio_a, ratio_b, np.float32(np.float32(zero_y) - zeros))


def float_sum_problems(
    tensors: Tensors, names: tuple[str, str, str], rounding: Rounding
) -> Iterable[Problem]:
    """int8, and ratios within _RATIOS, so that float64 holds every sum exactly before it is rounded."""
    yield from rounding_problems(rounding, tensors[names[0]])
    found = float_sum(tensors, *names, rounding)
    for ratio in (found.a, found.b):
        if not _RATIOS[0] <= ratio <= _RATIOS[1]:
            rule = f"scales of operands over that of the sum lie between {_RATIOS[0]:g} and {_RATIOS[1]:g}"
            yield Problem(rule, f"{ratio:g}", "quantize the output with a scale closer to the operands'")


def additive_sum_f32(
    tensors: Tensors,
    names: tuple[str, str, str],
    operands: tuple[np.ndarray, np.ndarray],
    rounding: Rounding,
    activation: Activation,
) -> np.ndarray:
    """a + b on stored values of (a, b, y) under an ONNX rounding; int64 array of clamped stored values."""
    factors = float_sum(tensors, *names, rounding)
    a, b = (q.astype(np.int64) + rounding.offset for q in operands)
    total = fused_multiply_add(a, factors.a, fused_multiply_add(b, factors.b, factors.rest))
    return np.clip(
        nearest_even(total) - rounding.offset, *activation_range_f32(activation, tensors[names[2]])
    )


def draw_additive(draw: Draw, make: Callable[[Activation], Op]) -> Graph:
    """A random one-op graph of add or sub."""
    dtype = draw.choice(list(ACTIVATIONS))
    shape_a, shape_b = draw_broadcast(draw)
    low = -6 if dtype is DType.INT8 else -4
    tensors = [
        Tensor("a", shape_a, dtype, draw_quant(draw, dtype, low, 0)),
        Tensor("b", shape_b, dtype, draw_quant(draw, dtype, low, 0)),
        Tensor("y", (), dtype, draw_quant(draw, dtype, low, 2)),
    ]
    return one_op_graph(make(draw.choice(list(Activation))), tensors)
