"""finish_sums: int32 sums of products become the output of the layer they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from ..cases import Draw, draw_quant, one_op_graph
from ..fixed_point import Requant, requant_for
from ..float_requant import FloatRequant, float_requant
from ..graph import Graph
from ..op import Activation, Arrays, Op, Problem, Tensors
from ..rounding import Rounding
from ..types import DType, Tensor
from ..weighted import int32_accumulator_problems


@dataclass(frozen=True)
class FinishSums(Op):
    """y[...,oc] = act(requantize(sums[...,oc] + bias[oc])); made by the pass `channel_blocks`.

    sums    int32 [..., OC]. Whoever makes this op proves |sums + bias| * 2^max(shift, 0) < 2^30; otherwise
            sum and left shift are taken modulo 2^32
    bias    constant int32 [OC]; it includes what the zero point of the layer's input amounts to
    y       int8, of the shape of sums
    scales  factor from accumulator to output per channel, in float64 (ONNX roundings: float32)
    """

    sums: str
    bias: str
    y: str
    scales: tuple[float, ...]
    activation: Activation = Activation.NONE
    rounding: Rounding = field(default=Rounding.TFLITE_DOUBLE, kw_only=True)

    INPUTS: ClassVar[tuple[str, ...]] = ("sums", "bias")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        sums, bias, y = tensors[self.sums], tensors[self.bias], tensors[self.y]
        if sums.dtype is not DType.INT32 or y.dtype is not DType.INT8:
            yield Problem("int32 sums give an int8 output", f"{sums.dtype.value} to {y.dtype.value}")
        if y.quant is None or y.quant.per_axis:
            yield Problem("the output has one scale", "none or several")
        channels = sums.shape[-1:]
        if bias.data is None or bias.dtype is not DType.INT32 or bias.shape != channels:
            yield Problem(f"bias must be a constant int32{list(channels)}", f"{bias.dtype}{list(bias.shape)}")
        elif (len(self.scales),) != channels:
            yield Problem("there is a scale per output channel", f"{len(self.scales)} of {channels[0]}")
        elif not self.rounding.onnx:
            bound = np.abs(bias.data.astype(np.float64))
            yield from int32_accumulator_problems(bound, np.array(self.scales))

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.sums].shape,)

    def requant(self, tensors: Tensors) -> Requant:
        """Accumulator to output, per channel."""
        return requant_for(np.array(self.scales, np.float64), tensors[self.y], self.activation)

    def float_requant(self, tensors: Tensors) -> FloatRequant:
        """Accumulator to output under an ONNX rounding, per channel."""
        return float_requant(np.array(self.scales, np.float32), tensors[self.y], self.activation)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        total = _wrapped(inputs[0].astype(np.int64) + inputs[1].astype(np.int64))
        if self.rounding.onnx:
            return (self.float_requant(tensors).apply(total),)
        how = self.requant(tensors)
        left = np.maximum(how.shift, 0).astype(np.int64)
        shifted = _wrapped(total << (left + 1)) >> 1
        return (replace(how, shift=np.minimum(how.shift, 0)).apply(shifted),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        channels, rng = draw.integer(1, 21), draw.rng()
        shape = (*draw.choice([(1,), (1, 3, 2), (5,)]), channels)
        scales = tuple(float(s) for s in 2.0 ** rng.uniform(-26.0, 2.0, channels))
        data = rng.integers(-(1 << 26), 1 << 26, channels).astype(np.int32)
        y_quant = draw_quant(draw, DType.INT8, -8, 0)
        tensors = [
            Tensor("sums", shape, DType.INT32),
            Tensor("bias", (channels,), DType.INT32, None, data),
            Tensor("y", (), DType.INT8, y_quant),
        ]
        op = cls("finish", "sums", "bias", "y", scales, draw.choice(list(Activation)))
        return one_op_graph(op, tensors)


def _wrapped(x: np.ndarray) -> np.ndarray:
    """int64 values modulo 2^32, as int32 holds them."""
    return x.astype(np.int32).astype(np.int64)
