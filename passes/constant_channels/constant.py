"""Values of which every channel is constant become constants, and what computed them goes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...ir import Graph, Op, Tensor
from ...ir.ops.concat import Concat
from ..rewrite import remove_dead_ops
from .bounds import BINARY, Range, channel_ranges


def replace_constant_values(graph: Graph) -> Graph:
    """Make constants of values that cannot depend on the input at all, such as a saturated gate.

    Only where nothing but element-wise ops of two operands and concats read them, beside a value that does
    depend on the input: these take constants. Values seen from outside stay computed.

    Requires: the rules of every op are met.
    Ensures:  outputs and states bit-identical; the bytes of all constants together do not grow.
    """
    ranges = channel_ranges(graph)
    producers = graph.producers()
    chosen = {n for n in producers if n in ranges and ranges[n].constant.all() and n not in graph.outputs}
    readers = graph.consumers()
    while stay := {
        n
        for n in chosen
        if not chosen.issuperset(producers[n].outputs)
        or not all(_takes(graph, op, chosen) for op in readers[n])
    }:
        chosen -= stay
    if not chosen:
        return graph
    constants = [_constant(graph[n], ranges[n]) for n in chosen]
    ops = [op for op in graph.ops if not op.outputs or chosen.isdisjoint(op.outputs)]
    smaller = remove_dead_ops(graph.rewritten(ops, constants))
    return smaller if _constant_bytes(smaller) <= _constant_bytes(graph) else graph


def _takes(graph: Graph, op: Op, chosen: set[str]) -> bool:
    """Whether the op goes as well, or can read constants in place of the chosen values."""
    if op.outputs and chosen.issuperset(op.outputs):
        return True
    return isinstance(op, (*BINARY, Concat)) and any(
        x not in chosen and not graph[x].constant for x in op.inputs
    )


def _constant(t: Tensor, values: Range) -> Tensor:
    data = np.broadcast_to(values.low, t.shape) if t.shape else values.low.reshape(())
    return replace(t, data=np.ascontiguousarray(data.astype(t.dtype.numpy)).reshape(t.shape))


def _constant_bytes(graph: Graph) -> int:
    return sum(t.size_bytes for t in graph.tensors.values() if t.constant)
