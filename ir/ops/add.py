"""add: element-wise sum with broadcasting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..additive import (
    AdditiveScales,
    additive_scales,
    additive_sum,
    additive_sum_f32,
    draw_additive,
    float_sum_problems,
    scale_problems,
)
from ..cases import Draw
from ..elementwise import binary_problems, infer_broadcast
from ..graph import Graph
from ..op import Activation, Arrays, Op, Problem, Tensors
from ..rounding import Rounding
from ..types import DType
from ..weighted import float_clamp


@dataclass(frozen=True)
class Add(Op):
    """y = act(a + b); a, b, y int8, int16 or float32, shapes broadcast as in NumPy."""

    a: str
    b: str
    y: str
    activation: Activation = Activation.NONE
    rounding: Rounding = field(default=Rounding.TFLITE_DOUBLE, kw_only=True)

    INPUTS: ClassVar[tuple[str, ...]] = ("a", "b")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        problems = list(binary_problems(tensors, self.a, self.b, self.y))
        yield from problems
        if self.rounding.onnx and not problems:
            yield from float_sum_problems(tensors, (self.a, self.b, self.y), self.rounding)
        elif not problems and tensors[self.a].dtype is not DType.FLOAT32:
            yield from scale_problems(self.scales(tensors))

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return infer_broadcast(tensors, self.a, self.b)

    def scales(self, tensors: Tensors) -> AdditiveScales:
        """Scale factors of the quantized sum."""
        return additive_scales(tensors, self.a, self.b, self.y)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        a, b = inputs
        if a.dtype == np.float32:
            return (float_clamp(a + b, self.activation),)
        names = (self.a, self.b, self.y)
        if self.rounding.onnx:
            return (additive_sum_f32(tensors, names, (a, b), self.rounding, self.activation),)
        scales = self.scales(tensors)
        return (additive_sum(tensors, names, (a, b), scales, 1, self.activation),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        return draw_additive(draw, lambda activation: cls("add", "a", "b", "y", activation))
