"""sub: element-wise difference with broadcasting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..additive import AdditiveScales, additive_scales, additive_sum, draw_additive, scale_problems
from ..cases import Draw
from ..elementwise import binary_problems, infer_broadcast
from ..graph import Graph
from ..op import Activation, Arrays, Op, Problem, Tensors
from ..types import DType
from ..weighted import float_clamp


@dataclass(frozen=True)
class Sub(Op):
    """y = act(a - b); a, b, y int8, int16 or float32, shapes broadcast as in NumPy."""

    a: str
    b: str
    y: str
    activation: Activation = Activation.NONE

    INPUTS: ClassVar[tuple[str, ...]] = ("a", "b")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        problems = list(binary_problems(tensors, self.a, self.b, self.y))
        yield from problems
        if not problems and tensors[self.a].dtype is not DType.FLOAT32:
            yield from scale_problems(self.scales(tensors))

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return infer_broadcast(tensors, self.a, self.b)

    def scales(self, tensors: Tensors) -> AdditiveScales:
        """Scale factors of the quantized difference."""
        return additive_scales(tensors, self.a, self.b, self.y)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        a, b = inputs
        if a.dtype == np.float32:
            return (float_clamp(a - b, self.activation),)
        scales = self.scales(tensors)
        return (additive_sum(tensors, (self.a, self.b, self.y), (a, b), scales, -1, self.activation),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        return draw_additive(draw, lambda activation: cls("sub", "a", "b", "y", activation))
