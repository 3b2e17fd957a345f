"""Liveness: which channels of each value some op still needs, for all values together.

Ops that keep channels apart (element-wise, depthwise, pooling, concat, ...) tie channels of their inputs to
channels of their outputs: both stay or both go. Ops that mix channels need those with weights.
"""

from __future__ import annotations

from math import gcd

import numpy as np

from ...ir import Graph, Op
from ...ir.ops.average_pool2d import AveragePool2D
from ...ir.ops.concat import Concat
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.dequantize import Dequantize
from ...ir.ops.fully_connected import FullyConnected
from ...ir.ops.max_pool2d import MaxPool2D
from ...ir.ops.mean import Mean
from ...ir.ops.pad import Pad
from ...ir.ops.reshape import Reshape
from ...ir.ops.resize_bilinear import ResizeBilinear
from ...ir.ops.resize_nearest import ResizeNearest
from ...ir.ops.slice import Slice
from ...ir.ops.split import Split
from ...ir.ops.transpose import Transpose
from ...ir.ops.write_state import WriteState
from ...ir.weighted import WeightedOp, centred_weights
from .bounds import BINARY, UNARY, channels
from .fold import owned_weights

_SAME = (*UNARY, AveragePool2D, Dequantize, MaxPool2D, ResizeBilinear, ResizeNearest)
"""Channel c of the output is made of channel c of the first input alone."""

Kept = dict[str, np.ndarray]
"""bool[C] per value or constant: the channels that stay."""


def kept_channels(graph: Graph) -> Kept:
    """The smallest sets of channels with which every op can still be computed.

    Graph inputs and outputs and all that states hold keep every channel. A value of which nothing is
    kept is not needed at all.
    """
    return _Liveness(graph).solve()


def last_axis(rank: int, axis: int) -> bool:
    return axis in (-1, rank - 1)


def residues(kept: np.ndarray, modulus: int) -> np.ndarray:
    """bool[modulus]: residues of the kept channels."""
    return np.asarray(kept.reshape(-1, modulus).any(axis=0))


class _Liveness:
    """Grows the kept sets op by op until every op agrees."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._owned = owned_weights(graph)
        seen = {*graph.inputs, *graph.outputs}
        self._kept = {n: np.full(channels(t), n in seen) for n, t in graph.tensors.items()}
        self._nonzero: dict[str, np.ndarray] = {}
        for op in graph.ops:
            if isinstance(op, WeightedOp) and op.name in self._owned:
                self._nonzero[op.name] = centred_weights(graph[op.weights]) != 0

    def solve(self) -> Kept:
        before = -1
        while (now := sum(int(k.sum()) for k in self._kept.values())) != before:
            before = now
            for op in (*reversed(self._graph.ops), *self._graph.ops):
                if isinstance(op, WriteState) or any(self._kept[y].any() for y in op.outputs):
                    self._agree(op)
        return self._kept

    def _agree(self, op: Op) -> None:
        """Grow the sets of the op's operands until the op can be cut down to them."""
        rank = len(self._graph[op.outputs[0]].shape) if op.outputs else 0
        match op:
            case DepthwiseConv2D() if op.name in self._owned:
                self._tie_groups(op.x, op.y)
            case WeightedOp() if op.name in self._owned:
                self._need_weights(op)
            case Reshape():
                modulus = gcd(self._kept[op.x].size, self._kept[op.y].size)
                self._tie_residues(op.x, op.y, modulus)
            case Transpose() if op.perm[-1:] == (rank - 1,):
                self._tie(op.x, op.y)
            case Mean() if len(self._graph[op.x].shape) - 1 not in op.axes:
                self._tie(op.x, op.y)
            case Concat():
                self._tie_parts(op.y, op.xs, last_axis(rank, op.axis))
            case Split():
                self._tie_parts(op.x, op.ys, last_axis(rank, op.axis))
            case Pad():
                self._tie_padded(op)
            case Slice() if rank and (op.stride[-1] == 1 or op.size[-1] == 1):
                self._tie_at(op.x, op.begin[-1], op.y)
            case _ if isinstance(op, BINARY):
                self._tie_broadcast(op)
            case _ if isinstance(op, _SAME):
                self._tie(op.inputs[0], op.outputs[0])
            case _:
                for name in (*op.inputs, *op.outputs):
                    self._kept[name][:] = True

    def _tie(self, *names: str) -> None:
        kept = np.logical_or.reduce([self._kept[n] for n in names])
        for name in names:
            self._kept[name] = kept.copy()

    def _tie_at(self, whole: str, begin: int, part: str) -> None:
        """Tie channels begin, begin + 1, ... of one value to the channels of another."""
        size = self._kept[part].size
        both = self._kept[whole][begin : begin + size] | self._kept[part]
        self._kept[whole][begin : begin + size] = both
        self._kept[part] = both.copy()

    def _tie_parts(self, whole: str, parts: tuple[str, ...], along_channels: bool) -> None:
        if not along_channels:
            self._tie(whole, *parts)
            return
        begin = 0
        for part in parts:
            self._tie_at(whole, begin, part)
            begin += self._kept[part].size

    def _tie_broadcast(self, op: Op) -> None:
        """Operands of one channel serve all; the others go along with the output."""
        width = self._kept[op.outputs[0]].size
        self._tie(*(n for n in (*op.inputs, *op.outputs) if self._kept[n].size == width))
        for x in op.inputs:
            self._keep_one(x)

    def _tie_groups(self, x: str, y: str) -> None:
        each = self._kept[y].size // self._kept[x].size
        both = self._kept[x] | self._kept[y].reshape(-1, each).any(axis=1)
        self._kept[x], self._kept[y] = both, np.repeat(both, each)

    def _tie_residues(self, x: str, y: str, modulus: int) -> None:
        """Row-major order puts channel i of x only where channel j of y is equal to it by this modulus."""
        both = residues(self._kept[x], modulus) | residues(self._kept[y], modulus)
        for name in (x, y):
            self._kept[name] = np.tile(both, self._kept[name].size // modulus)

    def _tie_padded(self, op: Pad) -> None:
        """Channels of padding go alone."""
        self._tie_at(op.y, op.padding[-1][0] if op.padding else 0, op.x)
        self._keep_one(op.x)
        self._tie_at(op.y, op.padding[-1][0] if op.padding else 0, op.x)

    def _need_weights(self, op: WeightedOp) -> None:
        """Channels of x with a weight other than 0 to a kept output; at least one, for there must be an x."""
        nonzero = self._nonzero[op.name][self._kept[op.y]]
        needed = nonzero.reshape(-1, nonzero.shape[-1]).any(axis=0)
        x = self._kept[op.x]
        modulus = gcd(x.size, needed.size) if isinstance(op, FullyConnected) else x.size
        both = residues(needed, modulus) | residues(x, modulus)
        self._kept[op.x] = np.tile(both, x.size // modulus)
        self._keep_one(op.x, modulus)

    def _keep_one(self, name: str, modulus: int = 0) -> None:
        if not self._kept[name].any():
            self._kept[name][:: modulus or self._kept[name].size] = True
