"""Operators that TensorFlow Lite has not: tables as built-in operators, others as custom ones."""

from __future__ import annotations

import json

import numpy as np
import tflite

from ..frontend.tflite.ops_custom import PREFIX
from ..ir import DType, Graph, Op
from ..ir.attributes import to_plain
from ..ir.ops.lookup import Lookup
from ..ir.ops.unary import Unary
from .tflite_ops import CODE, OpWriter
from .tflite_writer import OutOp, OutTensor


def is_table(graph: Graph, op: Op) -> bool:
    """Whether the op is a function of one int8 value that is written as a table."""
    types = [graph[n].dtype for n in (op.inputs[0], *op.outputs)] if isinstance(op, Unary | Lookup) else []
    return types == [DType.INT8, DType.INT8]


def write_table(w: OpWriter, op: Op) -> None:
    """y = table[x + 128]: CAST to int32, ADD, GATHER. Exact in every interpreter.

    Operators of the function's own name (GELU, EXP) round otherwise, or are missing in some interpreters.
    """
    x, y, out = w.graph[op.inputs[0]], w.graph[op.outputs[0]], w.out
    parameters = [w.graph[n].data for n in op.inputs[1:]]
    (data,) = op.reference(w.graph.tensors, np.arange(-128, 128, dtype=np.int8), *parameters)  # type: ignore[arg-type]
    table = out.add(
        OutTensor(f"{op.name}/table", (256,), tflite.TensorType.INT8, y.quant, data.astype(np.int8))
    )
    offset = out.add(
        OutTensor(f"{op.name}/offset", (), tflite.TensorType.INT32, None, np.array(128, np.int32))
    )
    wide, index = (
        out.add(OutTensor(f"{op.name}/{what}", x.shape, tflite.TensorType.INT32))
        for what in ("wide", "index")
    )
    types = {"InDataType": tflite.TensorType.INT8, "OutDataType": tflite.TensorType.INT32}
    out.ops += [
        OutOp(CODE.CAST, (w.value(x.name),), (wide,), 1, ("CastOptions", types)),
        OutOp(CODE.ADD, (wide, offset), (index,), 1, ("AddOptions", {})),
        OutOp(CODE.GATHER, (table, index), (w.value(y.name),), 2, ("GatherOptions", {"Axis": 0})),
    ]


def write_custom(w: OpWriter, op: Op) -> None:
    """A custom operator that only this tool reads. Raises UserError for a variable number of operands."""
    try:
        plain = to_plain(op)
    except TypeError as error:
        raise w.cannot(op, str(error)) from None
    options = json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()
    inputs, outputs = (tuple(w.value(n) for n in names) for names in (op.inputs, op.outputs))
    w.out.ops.append(OutOp(CODE.CUSTOM, inputs, outputs, 1, custom=(PREFIX + op.kind(), options)))
