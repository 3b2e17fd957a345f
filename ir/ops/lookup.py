"""lookup: any function of one byte, as a table. Made by the lower pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..cases import Draw, draw_data, draw_quant, one_op_graph
from ..elementwise import draw_shape, type_names
from ..graph import Graph
from ..op import Arrays, Op, Problem, Tensors
from ..types import DType, Tensor

TYPES = (DType.INT8, DType.UINT8)


@dataclass(frozen=True)
class Lookup(Op):
    """y = table[x as an unsigned byte].

    x      int8 or uint8
    table  constant [256] of y's type: entries 0..127 for x = 0..127, entries 128..255 for uint8 x =
           128..255 or int8 x = -128..-1
    y      int8 or uint8
    """

    x: str
    table: str
    y: str

    INPUTS: ClassVar[tuple[str, ...]] = ("x", "table")

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        x, table, y = (tensors[n] for n in (self.x, self.table, self.y))
        for t in (x, y):
            if t.dtype not in TYPES:
                yield Problem(f"lookup takes {type_names(TYPES)}", f"{t.name!r} is {t.dtype.value}")
        if not table.constant or table.shape != (256,) or table.dtype is not y.dtype:
            found = f"{table.dtype.value}{list(table.shape)}"
            yield Problem("the table must be a constant [256] of the output's type", found)

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return (tensors[self.x].shape,)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, table = inputs
        return (table[x.view(np.uint8)],)

    @classmethod
    def case(cls, draw: Draw) -> Graph:
        x_dtype, y_dtype = draw.choice(list(TYPES)), draw.choice(list(TYPES))
        table = Tensor("table", (256,), y_dtype, None, draw_data(draw, (256,), y_dtype))
        x = Tensor("x", draw_shape(draw, high=9), x_dtype, draw_quant(draw, x_dtype))
        y = Tensor("y", (), y_dtype, draw_quant(draw, y_dtype))
        return one_op_graph(cls("lookup", "x", "table", "y"), [x, table, y])
