"""Cut every op and every value down to the channels that stay."""

from __future__ import annotations

from dataclasses import replace
from math import gcd

import numpy as np

from ...ir import Graph, Op, Quant, Tensor
from ...ir.ops.concat import Concat
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.ops.pad import Pad
from ...ir.ops.reshape import Reshape
from ...ir.ops.slice import Slice
from ...ir.ops.split import Split
from ...ir.ops.write_state import WriteState
from ...ir.weighted import WeightedOp
from ..rewrite import fresh_name
from .fold import owned_weights
from .live import Kept, kept_channels, last_axis, residues


def remove_channels(graph: Graph) -> Graph:
    """Remove the channels nobody needs, and ops none of whose results is needed.

    Requires: quantized graph, weights constant.
    Ensures:  outputs and states bit-identical, and of the same shape.
    """
    kept = kept_channels(graph)
    if all(k.all() for n, k in kept.items() if not graph[n].constant):
        return graph
    cut = _Cut(graph, kept)
    ops = [cut.op(op) for op in graph.ops if isinstance(op, WriteState) or cut.needs(op)]
    return graph.rewritten(ops, cut.tensors.values())


class _Cut:
    """Makes the smaller ops; `tensors` collects the values and constants that changed."""

    def __init__(self, graph: Graph, kept: Kept) -> None:
        self._graph = graph
        self._kept = kept
        self._owned = owned_weights(graph)
        self.tensors: dict[str, Tensor] = {
            n: _taken(t, np.flatnonzero(kept[n]), -1)
            for n, t in graph.tensors.items()
            if t.shape and kept[n].any() and not kept[n].all()
        }

    def needs(self, op: Op) -> bool:
        return any(self._kept[y].any() for y in op.outputs)

    def op(self, op: Op) -> Op:
        match op:
            case WeightedOp() if op.name in self._owned:
                return self._weighted(op)
            case Reshape() if op.shape:
                return replace(op, shape=(*op.shape[:-1], int(self._kept[op.y].sum())))
            case Concat():
                return replace(op, xs=tuple(x for x in op.xs if self._kept[x].any()))
            case Split():
                return self._split(op)
            case Slice() if op.size:
                return self._slice(op)
            case Pad() if op.padding:
                return self._pad(op)
        return op

    def _split(self, op: Split) -> Split:
        ys = tuple(y for y in op.ys if self._kept[y].any())
        if not last_axis(len(self._graph[op.x].shape), op.axis):
            return op
        return replace(op, ys=ys, sizes=tuple(int(self._kept[y].sum()) for y in ys))

    def _slice(self, op: Slice) -> Slice:
        begin = int(self._kept[op.x][: op.begin[-1]].sum())
        size = int(self._kept[op.y].sum())
        return replace(op, begin=(*op.begin[:-1], begin), size=(*op.size[:-1], size))

    def _pad(self, op: Pad) -> Pad:
        before, after = op.padding[-1]
        y = self._kept[op.y]
        ends = (int(y[:before].sum()), int(y[y.size - after :].sum()))
        return replace(op, padding=(*op.padding[:-1], ends))

    def _weighted(self, op: WeightedOp) -> WeightedOp:
        graph = self._graph
        w, x = graph[op.weights], self._kept[op.x]
        outputs = np.flatnonzero(self._kept[op.y])
        w = _taken(w, outputs, op.CHANNEL_AXIS)
        if not isinstance(op, DepthwiseConv2D):
            depth = w.shape[-1]
            modulus = gcd(x.size, depth) if isinstance(op, FullyConnected) else depth
            w = _taken(w, np.flatnonzero(np.tile(residues(x, modulus), depth // modulus)), -1)
        self.tensors[w.name] = w
        if op.bias is None or self._kept[op.y].all():
            return op
        bias = _flat(graph[op.bias])
        shared = len(graph.consumers()[bias.name]) > 1 or bias.name in graph.outputs
        name = fresh_name(graph, f"{op.name}_bias", self.tensors) if shared else bias.name
        self.tensors[name] = replace(_taken(bias, outputs, 0), name=name)
        return replace(op, bias=name)


def _flat(bias: Tensor) -> Tensor:
    """The bias as one dimension, which its scales then run along."""
    assert bias.data is not None
    quant = bias.quant
    if quant is not None and quant.per_axis:
        quant = replace(quant, axis=0)
    return replace(bias, shape=(bias.elements,), data=bias.data.reshape(-1), quant=quant)


def _taken(t: Tensor, index: np.ndarray, axis: int) -> Tensor:
    """The tensor with these indices of one axis, scales along it included."""
    axis %= len(t.shape)
    quant = t.quant
    if quant is not None and quant.axis == axis:
        quant = Quant(tuple(quant.scale[i] for i in index), tuple(quant.zero_point[i] for i in index), axis)
    shape = (*t.shape[:axis], len(index), *t.shape[axis + 1 :])
    return replace(
        t, shape=shape, quant=quant, data=None if t.data is None else np.take(t.data, index, axis=axis)
    )
