"""Compute at compile time what depends on constants only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir import Graph, Op, Tensor
from ..ir.ops.reshape import Reshape
from ..ir.ops.write_state import WriteState
from .rewrite import fresh_name


def fold_constants(graph: Graph) -> Graph:
    """Replace ops whose inputs are all constant by constants.

    Requires: rules hold.
    Ensures:  outputs bit-identical. Values the caller sees stay computed: a reshape copies the constant
              to where the caller finds them.
    """
    tensors = dict(graph.tensors)
    ops: list[Op] = []
    for op in graph.ops:
        if not _foldable(graph, op, tensors):
            ops.append(op)
            continue
        results = op.reference(tensors, *(_data(tensors[x]) for x in op.inputs))
        for y, result in zip(op.outputs, results, strict=True):
            t = tensors[y]
            data = np.ascontiguousarray(result.astype(t.dtype.numpy)).reshape(t.shape)
            if y not in graph.outputs:
                tensors[y] = replace(t, data=data)
                continue
            constant = fresh_name(graph, f"{y}_constant", tensors)
            tensors[constant] = replace(t, name=constant, data=data)
            name = (
                op.name if y == op.outputs[0] else fresh_name(graph, f"{op.name}_{y}", {o.name for o in ops})
            )
            ops.append(Reshape(name, constant, y, t.shape))
    return graph if ops == list(graph.ops) else graph.rewritten(ops, tensors.values())


def _foldable(graph: Graph, op: Op, tensors: dict[str, Tensor]) -> bool:
    if not op.inputs or isinstance(op, WriteState) or not all(tensors[x].constant for x in op.inputs):
        return False
    return not (isinstance(op, Reshape) and op.y in graph.outputs)


def _data(t: Tensor) -> np.ndarray:
    assert t.data is not None
    return t.data
