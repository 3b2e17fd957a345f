"""instance_normalization: values brought to mean 0 and variance 1 per channel or group of channels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw, draw_data, one_op_graph
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..types import DType, Tensor


@dataclass(frozen=True)
class InstanceNormalization(Op):
    """y = (x - mean) / sqrt(variance + epsilon) * scale[c] + bias[c]; mean and variance per item and group.

    x, y         [N, ..., C] float32, channels last
    scale, bias  [C] float32
    groups       how many runs of C / groups channels are normalised together, over all positions:
                 C gives instance normalization, fewer group normalization
    """

    x: str
    scale: str
    bias: str
    y: str
    groups: int
    epsilon: float = 1e-5

    INPUTS: ClassVar[tuple[str, ...]] = ("x", "scale", "bias")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, y = tensors[self.x], tensors[self.y]
        if len(x.shape) < 2:
            yield Problem("input must be [N,...,C]", str(list(x.shape)))
            return
        if x.dtype is not DType.FLOAT32 or y.dtype is not DType.FLOAT32:
            yield Problem("input and output must be float32", f"{x.dtype.value} to {y.dtype.value}")
        if self.groups < 1 or x.shape[-1] % self.groups:
            yield Problem("channels must divide into groups", f"{x.shape[-1]} by {self.groups}")
        for name in (self.scale, self.bias):
            t = tensors[name]
            if t.shape != x.shape[-1:] or t.dtype is not DType.FLOAT32:
                found = f"{name!r} is {t.dtype.value}{list(t.shape)}"
                yield Problem(f"scale and bias must be float32[{x.shape[-1]}]", found)
        if not self.epsilon >= 0:
            yield Problem("epsilon must not be negative", f"{self.epsilon:g}")

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, scale, bias = inputs
        items, channels = x.shape[0], x.shape[-1]
        grouped = x.reshape(items, -1, self.groups, channels // self.groups)
        centred = grouped - grouped.mean(axis=(1, 3), keepdims=True, dtype=np.float32)
        variance = np.square(centred).mean(axis=(1, 3), keepdims=True, dtype=np.float32)
        normal = centred / np.sqrt(variance + np.float32(self.epsilon))
        return (normal.reshape(x.shape) * scale + bias,)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        per_group, groups = draw.choice([1, 1, 2, 3]), draw.integer(1, 5)
        inner = draw.choice([(4,), (3, 5), (2, 3, 2), ()])
        shape = (draw.choice([1, 1, 2]), *inner, groups * per_group)
        x = Tensor("x", shape, DType.FLOAT32)
        affine = [
            Tensor(n, shape[-1:], DType.FLOAT32, None, draw_data(draw, shape[-1:], DType.FLOAT32))
            for n in ("scale", "bias")
        ]
        op = cls("norm", "x", "scale", "bias", "y", groups, draw.choice([1e-5, 1e-2]))
        return one_op_graph(op, [x, *affine, Tensor("y", (), DType.FLOAT32)])
