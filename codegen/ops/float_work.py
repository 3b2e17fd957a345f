"""How often the loop bodies of kernels on plain numbers run: what their cost tables count.

Functions that are chosen by name are counted under it, since each is another loop body; so are those of
integers of 64 bits.
"""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import Any

from ...ir import DType, Tensor
from ...ir.ops.layer_normalization import LayerNormalization
from ...ir.ops.lstm import Lstm
from ...ir.ops.matmul import MatMul
from ...ir.ops.reduce import Reduce
from ...ir.ops.unary import Unary
from ...ir.recurrent import RecurrentOp
from ...passes.planner.kernel import Tensors
from .elementwise import broadcast_work


def _counted(name: str, t: Tensor) -> str:
    return f"{name}_64" if t.dtype is DType.INT64 else name


def unary_work(op: Unary, tensors: Tensors) -> dict[str, int]:
    """Elements."""
    return {"calls": 1, _counted(op.function, tensors[op.x]): tensors[op.y].elements}


def binary_work(op: Any, tensors: Tensors) -> dict[str, int]:
    """The walk of a broadcast, and elements."""
    work = broadcast_work(*(tensors[n].shape for n in (op.a, op.b, op.y)))
    work[_counted(op.function, tensors[op.a])] = work.pop("outputs")
    return work


def compare_work(op: Any, tensors: Tensors) -> dict[str, int]:
    """The same; all comparisons of a type take about as long."""
    work = broadcast_work(*(tensors[n].shape for n in (op.a, op.b, op.y)))
    work[f"outputs_{tensors[op.a].dtype.suffix}"] = work.pop("outputs")
    return work


def reduce_work(op: Reduce, tensors: Tensors) -> dict[str, int]:
    """Outputs, runs of elements that lie evenly spaced, and elements."""
    x, y = tensors[op.x], tensors[op.y]
    inner = prod(x.shape[axis] for axis in op.axes[-1:])
    return {
        "calls": 1,
        "outputs": y.elements,
        "runs": x.elements // max(1, inner),
        _counted(op.function, x): x.elements,
    }


def matmul_work(op: MatMul, tensors: Tensors) -> dict[str, int]:
    """Products of rows and columns, of four columns at once and of the rest singly."""
    y, (_, depth) = tensors[op.y], op.matrix(tensors[op.a], op.transpose_a)
    rows, (fours, ones) = y.elements // y.shape[-1], divmod(y.shape[-1], 4)
    return {
        "calls": 1,
        "batches": prod(y.shape[:-2]),
        "rows": rows,
        "fours": rows * fours,
        "fours_inner": rows * fours * depth,
        "ones": rows * ones,
        "ones_inner": rows * ones * depth,
    }


def layer_normalization_work(op: LayerNormalization, tensors: Tensors) -> dict[str, int]:
    """Rows, and elements of each walk over them."""
    elements = tensors[op.x].elements
    return {
        "calls": 1,
        "rows": elements // op.count(tensors),
        "elements": elements,
        "centred": elements if op.centred else 0,
        "scaled": elements * sum(v is not None for v in (op.scale, op.bias)),
    }


def recurrent_work(op: RecurrentOp, tensors: Tensors) -> dict[str, int]:
    """Steps of all sequences, units in them, products of weights, and functions of gates by name."""
    steps, batch, inputs = tensors[op.x].shape
    hidden, sequences = op.hidden(tensors), batch * op.directions
    units = steps * sequences * hidden
    gates = {3: (3, 1, 1), 2: (2, 1), 1: (1,)}[op.FUNCTIONS]
    if isinstance(op, Lstm) and op.input_forget:
        gates = 2, 1, 1
    found: Counter[str] = Counter()
    for i, function in enumerate(op.functions):
        found[f"gate_{function.name}"] += steps * batch * hidden * gates[i % op.FUNCTIONS]
    return {
        "calls": 1,
        "sequences": sequences * hidden,
        "steps": steps * sequences,
        "units": units,
        "dots": units * op.GATES * 2,
        "macs": units * op.GATES * (inputs + hidden),
        **found,
    }


def gather_work(op: Any, tensors: Tensors) -> dict[str, int]:
    """Slices that are copied, and bytes of them."""
    y, taken = tensors[op.y], tensors[op.indices].elements
    outer = prod(tensors[op.x].shape[: op.axis])
    return {"calls": 1, "slices": outer * taken, "bytes": y.size_bytes}


def indexed_work(op: Any, tensors: Tensors) -> dict[str, int]:
    """Indices, elements that they lead to, and bytes of the output, which scatters copy first."""
    moved = tensors[op.updates if hasattr(op, "updates") else op.y]
    return {
        "calls": 1,
        "indices": tensors[op.indices].elements,
        "moved": moved.elements,
        "bytes": tensors[op.y].size_bytes,
    }


def lane_work(op: Any, tensors: Tensors) -> dict[str, int]:
    """Lanes along an axis, and elements of each type."""
    x = tensors[op.x]
    lanes = x.elements // x.shape[op.axis]
    return {"calls": 1, "lanes": lanes, f"elements_{x.dtype.suffix}": x.elements}
