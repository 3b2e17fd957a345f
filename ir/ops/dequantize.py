"""dequantize: integer to float."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..cases import Draw, draw_quant, one_op_graph
from ..elementwise import draw_shape, quant_problems, type_names
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..types import DType, Tensor

TYPES = (DType.INT8, DType.UINT8, DType.INT16)


@dataclass(frozen=True)
class Dequantize(Op):
    """y = scale * (x - zero point), float32, from int8, uint8 or int16.

    The difference has at most 17 bits, so one float32 product is rounded exactly once.
    """

    x: str
    y: str

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, y = tensors[self.x], tensors[self.y]
        if x.dtype not in TYPES or y.dtype is not DType.FLOAT32:
            rule = f"dequantize takes {type_names(TYPES)} to float32"
            yield Problem(rule, f"{x.dtype.value} to {y.dtype.value}")
            return
        yield from quant_problems(tensors, (self.x,), symmetric_int16=False)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        quant = tensors[self.x].quant
        assert quant
        return ((inputs[0].astype(np.float64) - quant.z).astype(np.float32) * np.float32(quant.s),)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        dtype = draw.choice(list(TYPES))
        x = Tensor("x", draw_shape(draw, high=9), dtype, draw_quant(draw, dtype))
        return one_op_graph(cls("dequantize", "x", "y"), [x, Tensor("y", (), DType.FLOAT32)])
