"""What a value is made of: plain floats, or multiples of a scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..ir import DType, Graph, Quant
from ..ir.ops.dequantize import Dequantize
from ..ir.ops.reshape import Reshape
from ..ir.ops.transpose import Transpose
from .measure import Kind

_MOVES = (Dequantize, Reshape, Transpose)


@dataclass(frozen=True)
class Grid:
    """What is known of the elements of a value.

    integer    it is stored as one
    quant      scale and zero point it is stored with, or was before it was converted to floats
    quantized  it depends on quantized values
    """

    integer: bool
    quant: Quant | None
    quantized: bool


def grids_of(graph: Graph) -> Mapping[str, Grid]:
    """By name of the value."""
    grids = {
        n: Grid(t.dtype is not DType.FLOAT32, t.quant, t.quant is not None) for n, t in graph.tensors.items()
    }
    for op in graph.ops:
        variable = [grids[x] for x in op.inputs if not graph[x].constant]
        for y in op.outputs:
            own = grids[y]
            moved = isinstance(op, _MOVES) and own.quant is None and bool(variable)
            quant = variable[0].quant if moved else own.quant
            grids[y] = Grid(own.integer, quant, own.quantized or any(g.quantized for g in variable))
    return grids


def kind_of(a: Grid, b: Grid) -> Kind:
    """How two values are compared: see measure.Tally."""
    scales = [g.quant and g.quant.scale for g in (a, b)]
    if a.integer and b.integer:
        return "integers" if scales[0] == scales[1] else "noise"
    if a.integer or b.integer or a.quantized != b.quantized or scales[0] != scales[1]:
        return "noise"
    return "floats"
