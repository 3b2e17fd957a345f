"""maximum: the larger of two elements, with broadcasting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw
from ..elementwise import draw_choice, infer_broadcast, selection_problems
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors


@dataclass(frozen=True)
class Maximum(Op):
    """y = max(a, b); a, b, y int8, int16, int32 or float32 with equal quantization, shapes broadcast."""

    a: str
    b: str
    y: str

    INPUTS: ClassVar[tuple[str, ...]] = ("a", "b")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        yield from selection_problems(tensors, self.a, self.b, self.y)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return infer_broadcast(tensors, self.a, self.b)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        return (np.maximum(inputs[0], inputs[1]),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        return draw_choice(draw, cls("maximum", "a", "b", "y"))
