"""What convolutions and fully-connected share: rules, accumulator bounds, requantization, cases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

import numpy as np

from .cases import Draw
from .fixed_point import Requant, quantize_multiplier, requant_for
from .float_requant import FloatRequant, float_requant, rounding_problems
from .op import Activation, Op, Problem, Tensors
from .rounding import Rounding
from .types import DType, Quant, Tensor
from .window import Window, same_padding

_BIAS = {DType.INT8: (DType.INT32,), DType.INT16: (DType.INT64,), DType.FLOAT32: (DType.FLOAT32,)}
_WEIGHTS = {DType.INT8: DType.INT8, DType.INT16: DType.INT8, DType.FLOAT32: DType.FLOAT32}

ACCUMULATOR_LIMIT = 1 << 30
"""int32 accumulators stay below this in absolute value, left shift included, so that 2 * acc fits int32."""

ACCUMULATOR_LIMIT_INT64 = 1 << 47
"""int64 accumulators stay below this, so that the product with a 15-bit multiplier fits int64."""


def weight_zero_point(weights: Tensor) -> int:
    """The zero point of weights with one scale; 0 for per-channel and float weights.

    It is nonzero only in models made from uint8 ones; TFLM applies it in fully-connected layers.
    """
    return weights.quant.zero_point[0] if weights.quant and not weights.quant.per_axis else 0


def centred_weights(weights: Tensor) -> np.ndarray:
    """Constant integer weights minus their zero point: int8 where that is 0, else int16."""
    assert weights.data is not None
    zero = weight_zero_point(weights)
    return weights.data if zero == 0 else weights.data.astype(np.int16) - np.int16(zero)


def _finite_problems(constants: Iterable[Tensor]) -> Iterable[Problem]:
    for t in constants:
        if t.data is not None and t.dtype is DType.FLOAT32 and not np.isfinite(t.data).all():
            yield Problem(
                "weights and biases are finite numbers",
                f"{t.name!r} holds NaN or infinity",
                "the training diverged, or the export failed",
            )


@dataclass(frozen=True)
class WeightedOp(Op):
    """An op that multiplies activations by constant weights and adds a bias per output channel.

    CHANNEL_AXIS   dimension of the weights that counts output channels
    rounding       from accumulator to output; ONNX roundings are for int8 activations
    """

    x: str
    weights: str
    bias: str | None
    y: str
    rounding: Rounding = field(default=Rounding.TFLITE_DOUBLE, kw_only=True)

    INPUTS: ClassVar[tuple[str, ...]] = ("x", "weights", "bias")
    CHANNEL_AXIS: ClassVar[int] = 0

    @property
    def fused(self) -> Activation:
        """The fused activation."""
        raise TypeError(f"{self.kind()} has no activation")

    def weight_rules(self, tensors: Tensors) -> Iterable[Problem]:
        """Rules on types, quantization and accumulators; shapes must have been checked before."""
        problems = list(
            weight_type_problems(tensors, self.x, self.weights, self.bias, self.y, self.CHANNEL_AXIS)
        )
        problems += rounding_problems(self.rounding, tensors[self.x])
        problems += _finite_problems([tensors[n] for n in (self.weights, self.bias) if n is not None])
        return problems or self._accumulator_problems(tensors)

    def weight_sums(self, tensors: Tensors) -> np.ndarray:
        """Sum of |weight| per output channel, float64[OC]; bounds the accumulator."""
        magnitudes = np.abs(centred_weights(tensors[self.weights]).astype(np.float64))
        other = tuple(d for d in range(magnitudes.ndim) if d != self.CHANNEL_AXIS % magnitudes.ndim)
        return np.asarray(magnitudes.sum(axis=other))

    def real_scales(self, tensors: Tensors) -> np.ndarray:
        """Factor from accumulator to output, float64[OC]: x.scale * weights.scale / y.scale in double."""
        x, w, y = tensors[self.x], tensors[self.weights], tensors[self.y]
        assert x.quant and w.quant and y.quant
        return _real_scales(x.quant, w.quant, y.quant, w.shape[self.CHANNEL_AXIS])

    def requant(self, tensors: Tensors) -> Requant:
        """Accumulator to output, per output channel."""
        x, w, y = tensors[self.x], tensors[self.weights], tensors[self.y]
        assert x.quant and w.quant and y.quant
        return _requant(x.quant, w.quant, y.quant, w.shape[self.CHANNEL_AXIS], y.dtype, self.fused)

    def float_scales(self, tensors: Tensors) -> np.ndarray:
        """Factor from accumulator to output under an ONNX rounding, float32[OC], all in float32."""
        x, w, y = tensors[self.x], tensors[self.weights], tensors[self.y]
        assert x.quant and w.quant and y.quant
        scales = np.float32(x.quant.s) * np.array(w.quant.scale, np.float32) / np.float32(y.quant.s)
        return np.broadcast_to(scales, w.shape[self.CHANNEL_AXIS])

    def float_requant(self, tensors: Tensors) -> FloatRequant:
        """Accumulator to output under an ONNX rounding, per output channel."""
        return float_requant(self.float_scales(tensors), tensors[self.y], self.fused)

    def finish(self, tensors: Tensors, acc: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
        """Output elements of accumulators [..., OC] without bias: add it, requantize (float: clamp)."""
        dtype = tensors[self.x].dtype
        if dtype is DType.FLOAT32:
            return float_clamp(acc if bias is None else acc + bias, self.fused)
        total = acc.astype(np.int64) + (0 if bias is None else bias.astype(np.int64))
        if self.rounding.onnx:
            return self.float_requant(tensors).apply(total)
        requant = self.requant(tensors)
        return requant.apply_int64(total) if dtype is DType.INT16 else requant.apply(total)

    def _accumulator_problems(self, tensors: Tensors) -> Iterable[Problem]:
        x = tensors[self.x]
        if x.dtype is DType.FLOAT32:
            return
        # A float factor shifts nothing to the left.
        sums = self.weight_sums(tensors)
        real = np.zeros(len(sums)) if self.rounding.onnx else self.real_scales(tensors)
        low, high = x.dtype.integer_range
        bound = sums * max(x.zero_point - low, high - x.zero_point)
        bias = tensors[self.bias].data if self.bias is not None else None
        if bias is not None:
            bound = bound + np.abs(bias.reshape(-1).astype(np.float64))
        if x.dtype is DType.INT16:
            yield from int64_accumulator_problems(bound, real)
        else:
            # A channel without weights is constant: it is computed here, so no accumulator can overflow.
            yield from int32_accumulator_problems(np.where(sums > 0, bound, 0.0), real)


def _real_scales(x: Quant, w: Quant, y: Quant, count: int) -> np.ndarray:
    real = np.float64(x.s) * np.array(w.scale, np.float64) / np.float64(y.s)
    return np.broadcast_to(real, count)


@lru_cache(maxsize=256)
def _requant(x: Quant, w: Quant, y: Quant, count: int, dtype: DType, fused: Activation) -> Requant:
    """Remembered, because the planner asks kernels about many parts of a layer, which have the same."""
    found = requant_for(_real_scales(x, w, y, count), Tensor("y", (), dtype, y), fused)
    for shared in (found.multiplier, found.shift):
        shared.flags.writeable = False
    return found


def exact_float(x: Tensor, weight_sums: np.ndarray) -> type[np.floating]:
    """The fastest float type in which the products of activations and weights add up exactly.

    weight_sums is the sum of |weight| per output channel. float32 is exact while no partial sum of integers
    reaches 2^24; an int8 activation is at most 255 away from its zero point.
    """
    small = x.dtype is DType.INT8 and 255 * weight_sums.max(initial=0.0) < 1 << 24
    return np.float32 if small else np.float64


def weight_type_problems(
    tensors: Tensors, x: str, weights: str, bias: str | None, y: str, axis: int
) -> Iterable[Problem]:
    """Rules on the types of a weighted op; `axis` is the weight dimension that counts output channels."""
    tx, tw, ty = tensors[x], tensors[weights], tensors[y]
    if tx.dtype not in _WEIGHTS:
        yield Problem("input must be int8, int16 or float32", tx.dtype.value)
        return
    if ty.dtype is not tx.dtype:
        yield Problem("output must have the input's type", f"{tx.dtype.value} to {ty.dtype.value}")
    if not tw.constant:
        yield Problem(
            "weights must be constant", f"{weights!r} is computed", "fold the weights before export"
        )
        return
    if tw.dtype is not _WEIGHTS[tx.dtype]:
        yield Problem(f"{tx.dtype.value} input takes {_WEIGHTS[tx.dtype].value} weights", tw.dtype.value)
    if bias is not None:
        tb = tensors[bias]
        if not tb.constant or tb.dtype not in _BIAS[tx.dtype] or tb.elements != tw.shape[axis]:
            accepted = " or ".join(d.value for d in _BIAS[tx.dtype])
            yield Problem(
                f"bias must be a constant {accepted}[{tw.shape[axis]}]", f"{tb.dtype.value}{list(tb.shape)}"
            )
    if tx.dtype is not DType.FLOAT32:
        yield from _quantization_problems(tx, tw, ty, axis)


def _quantization_problems(x: Tensor, w: Tensor, y: Tensor, axis: int) -> Iterable[Problem]:
    for t in (x, w, y):
        if t.quant is None:
            yield Problem("a quantized op needs quantization of every tensor", f"{t.name!r} has none")
            return
    assert x.quant and w.quant and y.quant
    if x.quant.per_axis or y.quant.per_axis:
        yield Problem("activations have one scale", "one scale per channel")
        return
    if w.quant.per_axis and (w.quant.axis != axis % len(w.shape) or len(w.quant.scale) != w.shape[axis]):
        yield Problem(
            f"weight scales run along dimension {axis % len(w.shape)}",
            f"{len(w.quant.scale)} along {w.quant.axis}",
        )
    if w.quant.per_axis and any(w.quant.zero_point):
        yield Problem(
            "weights with one scale per channel must have zero point 0",
            str(sorted(set(w.quant.zero_point))[:3]),
        )
    if x.dtype is DType.INT16 and (x.quant.z or y.quant.z):
        yield Problem("int16 activations have zero point 0", f"{x.quant.z}, {y.quant.z}")


def int32_accumulator_problems(bound: np.ndarray, real: np.ndarray) -> Iterable[Problem]:
    """The int32 accumulator, shifted left where the scale asks for it, must stay below ACCUMULATOR_LIMIT.

    bound   largest |accumulator| per output channel; real: factor from accumulator to output
    """
    left = np.array([max(quantize_multiplier(float(r))[1], 0) for r in real], np.float64)
    shifted = bound * 2.0**left
    if shifted.max(initial=0.0) >= ACCUMULATOR_LIMIT:
        yield Problem(
            "accumulators must stay below 2^30",
            f"up to {shifted.max():.3g} in output channel {int(shifted.argmax())}",
            "quantize with larger weight scales for this layer",
        )


def int64_accumulator_problems(bound: np.ndarray, real: np.ndarray) -> Iterable[Problem]:
    """The 16x8 rule: accumulators below 2^47, scales below 2^7, scaled values in int32."""
    if bound.max(initial=0.0) >= ACCUMULATOR_LIMIT_INT64:
        yield Problem("int16 accumulators must stay below 2^47", f"up to {bound.max():.3g}")
    if real.max(initial=0.0) >= 127.0:
        yield Problem("the scale from accumulator to output must stay below 127", f"{real.max():.3g}")
    elif (bound * real).max(initial=0.0) >= 2.0**31 - 2.0**16:
        yield Problem(
            "scaled int16 accumulators must fit int32",
            f"up to {(bound * real).max():.3g} output steps",
            "quantize with a larger output scale for this layer",
        )


def float_clamp(x: np.ndarray, activation: Activation) -> np.ndarray:
    """Clamp by a fused activation, float32."""
    low, high = activation.bounds
    return np.clip(x, low, high).astype(np.float32)


def draw_window(draw: Draw) -> tuple[Window, tuple[int, int]]:
    """A random window and an input size it fits; padding is mostly SAME or none, as files can say."""
    kernel = (draw.integer(1, 4), draw.integer(1, 4))
    stride = (draw.integer(1, 3), draw.integer(1, 3))
    dilation = draw.choice([(1, 1), (1, 1), (2, 1), (2, 2)])
    bare = Window(kernel, stride, dilation)
    kind = draw.choice(["same", "same", "none", "none", "any"])
    small = 0 if kind == "same" else 1
    size = tuple(max(1, e * small + draw.integer(0, 8)) for e in bare.extent)
    padding: tuple[tuple[int, int], ...] = ((0, 0), (0, 0))
    if kind == "same":
        padding = tuple(same_padding(n, e, s) for n, e, s in zip(size, bare.extent, stride, strict=True))
    elif kind == "any":
        padding = tuple((draw.integer(0, k - 1), draw.integer(0, k - 1)) for k in kernel)
    return Window(kernel, stride, dilation, (padding[0], padding[1])), (size[0], size[1])


def draw_weights(
    draw: Draw, name: str, shape: tuple[int, ...], x_dtype: DType, axis: int, per_channel: bool = True
) -> Tensor:
    """Random constant weights for an input of `x_dtype`: symmetric int8, or float32."""
    if x_dtype is DType.FLOAT32:
        data = draw.rng().normal(size=shape).astype(np.float32)
        return Tensor(name, shape, DType.FLOAT32, None, data)
    data = draw.rng().integers(-127, 128, size=shape).astype(np.int8)
    count = draw.choice([1, shape[axis]]) if per_channel else 1
    scale = draw.rng().uniform(0.002, 0.1, size=count).astype(np.float32)
    quant = Quant(tuple(float(s) for s in scale), (0,) * count, axis if count > 1 else None)
    return Tensor(name, shape, DType.INT8, quant, data)


def draw_bias(draw: Draw, name: str, count: int, x: Tensor, weights: Tensor) -> Tensor | None:
    """A random bias, or None."""
    if draw.choice([True, True, False]) is False:
        return None
    if x.dtype is DType.FLOAT32:
        return Tensor(name, (count,), DType.FLOAT32, None, draw.rng().normal(size=count).astype(np.float32))
    dtype = DType.INT32 if x.dtype is DType.INT8 else DType.INT64
    assert x.quant and weights.quant
    scale = tuple(float(np.float32(x.quant.s * s)) for s in weights.quant.scale)
    quant = Quant(scale, (0,) * len(scale), 0 if len(scale) > 1 else None)
    data = draw.rng().integers(-20000, 20001, size=count).astype(dtype.numpy)
    return Tensor(name, (count,), dtype, quant, data)


def draw_output(draw: Draw, name: str, x: Tensor, weights: Tensor, taps: int) -> Tensor:
    """A quantized output tensor (shape not set) whose scale suits sums of `taps` products.

    Most accumulators then land inside the output's range instead of at its ends, and a few saturate.
    """
    if x.dtype is DType.FLOAT32:
        return Tensor(name, (), DType.FLOAT32)
    assert x.quant and weights.quant
    low, high = x.dtype.integer_range
    typical = 0.3 * high * 73.0 * taps**0.5 * x.quant.s * max(weights.quant.scale)
    scale = np.float32(typical / high * 2.0 ** draw.rng().uniform(-1.0, 3.0))
    zero = 0 if x.dtype is DType.INT16 else draw.integer(low, high)
    return Tensor(name, (), x.dtype, Quant((float(scale),), (zero,)))
