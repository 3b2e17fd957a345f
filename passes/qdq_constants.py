"""Operators with constants, as integer ones: weights, biases and constant operands of quantized groups."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir import DType, Op, Quant, Tensor
from ..ir.float_requant import nearest_even
from ..ir.ops.add import Add
from ..ir.ops.dequantize import Dequantize
from ..ir.ops.mul import Mul
from ..ir.ops.quantize import Quantize
from ..ir.weighted import WeightedOp
from .rewrite import Site

_LARGEST_BIAS = 1 << 22
"""float32 holds q * scale well enough to find integers below it again."""

Fused = tuple[Op, tuple[Tensor, ...]]


def source(site: Site, name: str) -> str | None:
    """The int8 value that `name` is the real value of."""
    op = site.producers.get(name)
    return op.x if isinstance(op, Dequantize) and site[op.x].dtype is DType.INT8 else None


def _spread(scale: tuple[float, ...], axis: int | None, rank: int) -> np.ndarray:
    values = np.array(scale, np.float32)
    return values if axis is None else values.reshape([-1 if d == axis else 1 for d in range(rank)])


def integer_weights(site: Site, op: Op, quantize: Quantize) -> Fused | None:
    """A weighted op on dequantized activations and weights that are multiples of known scales."""
    if not isinstance(op, WeightedOp):
        return None
    x, weights = source(site, op.x), site[op.weights]
    if x is None or weights.data is None or weights.quant is None:
        return None
    stored = _stored_weights(site, weights)
    bias = _stored_bias(site, op, x, weights.quant)
    if stored is None or (op.bias is not None and bias is None):
        return None
    fused = replace(
        op,
        x=x,
        weights=stored.name,
        bias=bias.name if bias else None,
        y=quantize.y,
        rounding=quantize.rounding,
    )
    return fused, (stored, *([bias] if bias else []))


def _stored_weights(site: Site, weights: Tensor) -> Tensor | None:
    """int8 weights, whose zero point is 0 where that holds them all."""
    assert weights.data is not None and weights.quant is not None
    scale = _spread(weights.quant.scale, weights.quant.axis, len(weights.shape))
    q = nearest_even(weights.data / scale)
    low, high = int(q.min()), int(q.max())
    zero = 0
    if low < -128 or high > 127:
        if weights.quant.per_axis or high - low > 255:
            return None
        zero = -128 - low
    quant = replace(weights.quant, zero_point=(zero,) * len(weights.quant.scale))
    name = site.fresh(f"{weights.name}_stored")
    return Tensor(name, weights.shape, DType.INT8, quant, (q + zero).astype(np.int8))


def _stored_bias(site: Site, op: WeightedOp, x: str, weights: Quant) -> Tensor | None:
    """int32 biases in accumulator steps.

    Biases the file holds as integers have their own scale, which means the same step; float ones are
    rounded to it, as onnxruntime does.
    """
    if op.bias is None:
        return None
    bias, x_quant = site[op.bias], site[x].quant
    assert x_quant is not None
    if bias.data is None:
        return None
    step = np.float32(x_quant.s) * np.array(weights.scale, np.float32)
    scale = step if bias.quant is None else np.array(bias.quant.scale, np.float32)
    if scale.size not in (1, bias.elements) or not np.allclose(scale, step, rtol=1e-3, atol=0):
        return None
    q = nearest_even(bias.data.reshape(-1) / scale)
    if np.abs(q).max(initial=0) >= _LARGEST_BIAS:
        return None
    quant = Quant(tuple(float(s) for s in step), (0,) * step.size, 0 if step.size > 1 else None)
    name = site.fresh(f"{bias.name}_stored")
    return Tensor(name, (bias.elements,), DType.INT32, quant, q.astype(np.int32))


def integer_operand(site: Site, op: Op, quantize: Quantize) -> Fused | None:
    """A sum or product of dequantized values, or of one and a constant that was quantized."""
    if not isinstance(op, Add | Mul):
        return None
    names: list[str] = []
    constants: list[Tensor] = []
    for operand in (op.a, op.b):
        name, t = source(site, operand), site[operand]
        if name is None and t.data is not None and t.quant is not None and t.dtype is DType.FLOAT32:
            q = nearest_even(t.data / np.float32(t.quant.s)) + t.quant.z
            name = site.fresh(f"{operand}_stored")
            constants.append(
                Tensor(name, t.shape, DType.INT8, t.quant, np.clip(q, -128, 127).astype(np.int8))
            )
        if name is None:
            return None
        names.append(name)
    if len(constants) == 2:
        return None
    return replace(op, a=names[0], b=names[1], y=quantize.y, rounding=quantize.rounding), tuple(constants)
