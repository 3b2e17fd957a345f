"""Rewrites runs of ops so that they compute one block of channels after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...ir import DType, Graph, Op, Tensor, verify
from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.finish_sums import FinishSums
from ...ir.ops.partial_sums import PartialSums
from ...ir.ops.reshape import Reshape
from ..rewrite import fresh_name
from .runs import Dense, Run, runs_of

Blocks = tuple[tuple[str, int], ...]
"""(name of the op that ends a run, number of blocks) of the runs that are split."""


def split_channels(graph: Graph, blocks: Blocks) -> Graph:
    """The graph with these runs computed in blocks of channels.

    Every block of `expand`'s output channels goes through the ops between and is multiplied with its part
    of `project`'s weights; the products are added to int32 sums, from which the output is made at last.
    int32 additions can be done in any order.

    Requires: all other graph passes are done.
    Ensures:  outputs bit-identical; as many MACs and weights.
    Raises ValueError for ops that end no run, runs that share an op, or less than two blocks.
    """
    if not blocks:
        return graph
    found = runs_of(graph)
    taken: set[str] = set()
    for name, count in blocks:
        run = found.get(name)
        names = {op.name for op in run.ops} if run else set()
        if run is None or taken & names or not 2 <= count <= run.channels:
            raise ValueError(f"{name!r} cannot be computed in {count} blocks of channels")
        taken |= names
    ops: list[Op] = []
    writer = _Writer(graph)
    counts = dict(blocks)
    for op in graph.ops:
        if op.name in counts:
            ops += writer.run(found[op.name], counts[op.name])
        elif op.name not in taken:
            ops.append(op)
    made = graph.rewritten(ops, writer.tensors)
    return verify(replace(made, labels={**graph.labels, **writer.labels}))


@dataclass
class _Writer:
    """Makes ops and tensors; remembers the tensors, and what the ops are called in messages."""

    graph: Graph
    tensors: list[Tensor] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def run(self, run: Run, count: int) -> list[Op]:
        """The ops in place of a run."""
        ops: list[Op] = []
        sums: str | None = None
        for number, (start, end) in enumerate(run.cuts(count), 1):
            suffix, channels = f"block {number}", np.arange(start, end)
            made = self._block(run, channels, suffix)
            sums = self._sums(run, channels, made[-1].outputs[0], sums, suffix, made)
            for old, new in zip(run.ops, made, strict=True):
                self.labels[new.name] = f"{self.graph.label(old)}, channels {start} to {end - 1}"
            ops += made
        assert sums is not None
        return [*ops, self._finish(run.project, sums)]

    def _block(self, run: Run, channels: np.ndarray, suffix: str) -> list[Op]:
        """`expand` and the ops between for some channels."""
        op: Any = run.expand
        y = self._value(op.y, run, channels, suffix)
        made: list[Op] = [
            replace(
                op,
                name=self._name(op.name, suffix),
                weights=self._part(op.weights, 0, channels, suffix),
                bias=self._bias(op.bias, channels, suffix),
                y=y,
            )
        ]
        for op in run.between:
            changes: dict[str, Any] = {"name": self._name(op.name, suffix), "x": y}
            y = changes["y"] = self._value(op.outputs[0], run, channels, suffix)
            if isinstance(op, DepthwiseConv2D):
                changes["weights"] = self._part(op.weights, 3, channels, suffix)
                changes["bias"] = self._bias(op.bias, channels, suffix)
            if isinstance(op, Reshape):
                changes["shape"] = self._shape(op.shape, run, channels)
            made.append(replace(op, **changes))
        return made

    def _sums(
        self, run: Run, channels: np.ndarray, x: str, sums: str | None, suffix: str, made: list[Op]
    ) -> str:
        """Append the op that multiplies the block with its part of the weights; the sums it makes."""
        op = run.project
        data = self.graph[op.weights].data
        assert data is not None
        repeats = data.shape[-1] // run.channels  # rows of a map, flattened, have several pixels
        columns = (np.arange(repeats)[:, None] * run.channels + channels).reshape(-1)
        weights = self._part(op.weights, data.ndim - 1, columns, suffix)
        y = self._tensor(Tensor(f"{op.y} sums", self.graph[op.y].shape, DType.INT32), suffix)
        name = self._name(op.name, suffix)
        if isinstance(op, Conv2D):
            made.append(PartialSums(name, x, weights, sums, y, op.window))
        else:
            made.append(PartialSums(name, x, weights, sums, y, keep_dims=op.keep_dims))
        return y

    def _finish(self, op: Dense, sums: str) -> FinishSums:
        """The op that makes the output; its bias includes the zero point of the input."""
        tensors, weights = self.graph.tensors, self.graph[op.weights]
        assert weights.data is not None
        products = weights.data.reshape(weights.shape[0], -1).astype(np.int64).sum(axis=1)
        bias = -self.graph[op.x].zero_point * products
        if op.bias is not None:
            given = tensors[op.bias].data
            assert given is not None
            bias = bias + given.reshape(-1)
        scales = op.float_scales(tensors) if op.rounding.onnx else op.real_scales(tensors)
        name = self._name(op.name, "output")
        self.labels[name] = f"{self.graph.label(op)}, output"
        merged = Tensor(f"{name} bias", bias.shape, DType.INT32, None, bias.astype(np.int32))
        factors = tuple(float(s) for s in scales)
        values = (sums, self._tensor(merged, ""), op.y, factors, op.activation)
        return FinishSums(name, *values, rounding=op.rounding)

    # --- names and tensors -------------------------------------------------------------------------

    def _name(self, stem: str, suffix: str) -> str:
        name = fresh_name(self.graph, f"{stem} {suffix}".strip(), self._taken)
        self._taken.add(name)
        return name

    def _tensor(self, t: Tensor, suffix: str) -> str:
        """Keep a tensor, under a new name."""
        new = replace(t, name=self._name(t.name, suffix))
        self.tensors.append(new)
        return new.name

    def _shape(self, shape: Sequence[int], run: Run, channels: np.ndarray) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] // run.channels * len(channels))

    def _value(self, value: str, run: Run, channels: np.ndarray, suffix: str) -> str:
        t = self.graph[value]
        return self._tensor(replace(t, shape=self._shape(t.shape, run, channels)), suffix)

    def _bias(self, bias: str | None, channels: np.ndarray, suffix: str) -> str | None:
        return None if bias is None else self._part(bias, len(self.graph[bias].shape) - 1, channels, suffix)

    def _part(self, value: str, axis: int, index: np.ndarray, suffix: str) -> str:
        """A constant with some indices of an axis."""
        t = self.graph[value]
        assert t.data is not None
        data = np.ascontiguousarray(np.take(t.data, index, axis))
        quant = t.quant
        if quant is not None and quant.axis == axis and len(quant.scale) == t.shape[axis]:
            scale, zero = (tuple(v[i] for i in index) for v in (quant.scale, quant.zero_point))
            quant = replace(quant, scale=scale, zero_point=zero)
        return self._tensor(replace(t, shape=data.shape, data=data, quant=quant), suffix)
