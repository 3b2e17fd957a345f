"""Lowering: functions of one byte become tables."""

from __future__ import annotations

import numpy as np

from ..ir import DType, Graph, Op, Tensor
from ..ir.ops.add import Add
from ..ir.ops.cast import Cast
from ..ir.ops.hard_swish import HardSwish
from ..ir.ops.leaky_relu import LeakyRelu
from ..ir.ops.logistic import Logistic
from ..ir.ops.lookup import Lookup
from ..ir.ops.maximum import Maximum
from ..ir.ops.minimum import Minimum
from ..ir.ops.mul import Mul
from ..ir.ops.prelu import PRelu
from ..ir.ops.quantize import Quantize
from ..ir.ops.relu import Relu
from ..ir.ops.sub import Sub
from ..ir.ops.tanh import Tanh
from ..ir.ops.unary import Unary
from .rewrite import fresh_name

ELEMENTWISE = (
    Add,
    Cast,
    HardSwish,
    LeakyRelu,
    Logistic,
    Maximum,
    Minimum,
    Mul,
    PRelu,
    Quantize,
    Relu,
    Sub,
    Tanh,
    Unary,
)
"""Ops whose every output element depends on one element of each operand alone."""

_BYTES = (DType.INT8, DType.UINT8)


def lower(graph: Graph) -> Graph:
    """Replace every element-wise op that is a function of one byte by a Lookup; equal tables are shared.

    That is a unary op from int8 or uint8 to int8 or uint8, or a binary one whose other operand is a
    constant of one element. The table is the op's own reference on all 256 values.

    Requires: the rules of every op are met.
    Ensures:  outputs bit-identical; no 8-bit relu, leaky_relu, hard_swish, logistic, tanh and no
              quantize between 8-bit types is left.
    """
    tables: dict[tuple[DType, bytes], Tensor] = {}
    added: dict[str, Tensor] = {}
    ops: list[Op] = []
    for op in graph.ops:
        x = _only_variable(graph, op)
        if x is None:
            ops.append(op)
            continue
        (y,) = op.outputs
        entries = _table(graph, op, x)
        key = (graph[y].dtype, entries.tobytes())
        if key not in tables:
            name = fresh_name(graph.rewritten(graph.ops, added.values()), f"{op.name}_table")
            tables[key] = added[name] = Tensor(name, (256,), graph[y].dtype, None, entries)
        ops.append(Lookup(op.name, x, tables[key].name, y))
    return graph.rewritten(ops, added.values())


def _only_variable(graph: Graph, op: Op) -> str | None:
    """The one byte operand the op is a function of; None when it is none."""
    if not isinstance(op, ELEMENTWISE):
        return None
    variables = [x for x in op.inputs if not graph[x].constant]
    if len(variables) != 1:
        return None
    (x,), (y,) = variables, op.outputs
    if graph[x].dtype not in _BYTES or graph[y].dtype not in _BYTES or graph[x].shape != graph[y].shape:
        return None
    return x if all(graph[c].elements == 1 for c in op.inputs if c != x) else None


def _table(graph: Graph, op: Op, x: str) -> np.ndarray:
    """Outputs for the bytes 0 to 255 read as x's type, in that order."""
    values = np.arange(256, dtype=np.uint8).view(graph[x].dtype.numpy)
    operands = [values if n == x else graph[n].data for n in op.inputs]
    (result,) = op.reference(graph.tensors, *(o for o in operands if o is not None))
    return result.astype(graph[op.outputs[0]].dtype.numpy).reshape(256)
