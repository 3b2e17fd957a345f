"""uint8 graphs become int8 graphs: stored values and zero points shift by 128."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from ..ir import DType, Graph, Op, Quant, State, Tensor
from ..ir.ops.average_pool2d import AveragePool2D
from ..ir.ops.cast import Cast
from ..ir.ops.dequantize import Dequantize
from ..ir.ops.lookup import Lookup
from ..ir.ops.mean import Mean
from ..ir.ops.pad import Pad
from ..ir.ops.quantize import Quantize
from ..ir.ops.resize_bilinear import ResizeBilinear
from .rewrite import fresh_name

_ON_STORED_VALUES = (AveragePool2D, Cast, Lookup, Mean, ResizeBilinear)
"""Ops whose result depends on stored values, not on real ones: division rounds ties away from a stored 0."""

_ANY_TYPE = (Quantize, Dequantize)
"""Ops that read and write uint8 themselves."""

_WEIGHT_FIELDS = ("weights", "weights_feature", "weights_time")


def shift_uint8(graph: Graph) -> Graph:
    """Store quantized uint8 values as int8 with zero point - 128; graph inputs and outputs keep uint8.

    Requires: nothing. uint8 tensors without quantization are plain numbers and stay.
    Ensures:  outputs bit-identical. Boundaries are crossed by a quantize that only shifts. Ops that
              round stored values (average pooling with ties, ...) keep uint8, which their rules then
              report.
    """
    quantized = {n for n, t in graph.tensors.items() if t.dtype is DType.UINT8 and t.quant is not None}
    fixed = {n for op in graph.ops if _rounds_stored_values(op) for n in (*op.inputs, *op.outputs)}
    kept = quantized & (fixed | {*graph.inputs, *graph.outputs})
    weights = {getattr(op, f) for op in graph.ops for f in _WEIGHT_FIELDS if hasattr(op, f)}
    tensors = dict(graph.tensors)
    for name in quantized - kept:
        tensors[name] = _centred(graph[name]) if name in weights else _shifted(graph[name])
    shifter = _Shifter(graph, tensors, quantized, kept)
    ops = tuple(new for op in graph.ops for new in shifter.rewrite(op))
    states = tuple(_shifted_state(s) for s in graph.states)
    return replace(graph, ops=ops, tensors=tensors, states=states) if quantized else graph


def _rounds_stored_values(op: Op) -> bool:
    if isinstance(op, AveragePool2D) and not op.window.padded and prod(op.window.kernel) % 2:
        return False  # an odd number of elements has no ties
    return isinstance(op, _ON_STORED_VALUES)


def _quant(quant: Quant) -> Quant:
    return replace(quant, zero_point=tuple(z - 128 for z in quant.zero_point))


def _shifted(t: Tensor) -> Tensor:
    assert t.quant is not None
    data = None if t.data is None else (t.data ^ 0x80).view(np.int8)
    return replace(t, dtype=DType.INT8, quant=_quant(t.quant), data=data)


def _centred(t: Tensor) -> Tensor:
    """Weights with zero point 0, which every kernel takes, where they fit int8; shifted ones otherwise."""
    if t.data is None or t.quant is None or t.quant.per_axis:
        return _shifted(t)
    data = t.data.astype(np.int16) - t.quant.z
    if data.min() < -128 or data.max() > 127:
        return _shifted(t)
    return replace(t, dtype=DType.INT8, quant=Quant(t.quant.scale, (0,)), data=data.astype(np.int8))


def _shifted_state(state: State) -> State:
    if state.dtype is not DType.UINT8 or state.quant is None:
        return state
    initial = (state.initial ^ 0x80).view(np.int8)
    return replace(state, dtype=DType.INT8, quant=_quant(state.quant), initial=initial)


class _Shifter:
    """Rewrites ops one after the other; knows which kept values have an int8 twin already."""

    def __init__(self, graph: Graph, tensors: dict[str, Tensor], quantized: set[str], kept: set[str]) -> None:
        self._graph = graph
        self._tensors = tensors
        self._quantized = quantized
        self._kept = kept
        self._twins: dict[str, str] = {}

    def rewrite(self, op: Op) -> list[Op]:
        """The op on shifted values, with the quantize ops it needs before and behind it."""
        if isinstance(op, _ANY_TYPE) or _rounds_stored_values(op):
            return [op]
        if isinstance(op, Pad) and op.x in self._quantized:
            op = replace(op, value=op.value - 128)
        new = [x for x in dict.fromkeys(op.inputs) if x in self._kept and x not in self._twins]
        before = [self._quantize(op, x, self._add_twin(x)) for x in new]
        behind = [self._quantize(op, self._add_twin(y), y) for y in op.outputs if y in self._kept]
        return [*before, op.renamed(self._twins), *behind]

    def _add_twin(self, name: str) -> str:
        twin = self._fresh(f"{name}_int8")
        self._tensors[twin] = replace(_shifted(self._graph[name]), name=twin, data=None)
        self._twins[name] = twin
        return twin

    def _quantize(self, op: Op, x: str, y: str) -> Quantize:
        return Quantize(self._fresh(f"{op.name}_{y}"), x, y)

    def _fresh(self, stem: str) -> str:
        return fresh_name(self._graph, stem, self._tensors)
