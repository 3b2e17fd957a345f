"""How far computed values are from those of a reference, and which of them must not differ at all."""

from __future__ import annotations

import numpy as np

from ..codegen.selftest import FLOAT_TOLERANCE
from ..ir import DType, Graph
from ..ir.ops.concat import Concat
from ..ir.ops.dequantize import Dequantize
from ..ir.ops.expand import Expand
from ..ir.ops.gather import Gather
from ..ir.ops.gather_elements import GatherElements
from ..ir.ops.gather_nd import GatherND
from ..ir.ops.max_pool2d import MaxPool2D
from ..ir.ops.maximum import Maximum
from ..ir.ops.minimum import Minimum
from ..ir.ops.one_hot import OneHot
from ..ir.ops.pad import Pad
from ..ir.ops.read_state import ReadState
from ..ir.ops.relu import Relu
from ..ir.ops.reshape import Reshape
from ..ir.ops.resize_nearest import ResizeNearest
from ..ir.ops.slice import Slice
from ..ir.ops.split import Split
from ..ir.ops.tile import Tile
from ..ir.ops.top_k import TopK
from ..ir.ops.transpose import Transpose
from ..ir.ops.where import Where
from ..ir.ops.write_state import WriteState
from ..passes.planner.kernel import STATE_PREFIX

# Ops on floats whose results leave no room for rounding: one product, choices and moves.
_EXACT = (
    Concat,
    Dequantize,
    Expand,
    Gather,
    GatherElements,
    GatherND,
    MaxPool2D,
    Maximum,
    Minimum,
    OneHot,
    Pad,
    ReadState,
    Relu,
    Reshape,
    ResizeNearest,
    Slice,
    Split,
    Tile,
    TopK,
    Transpose,
    Where,
)


def rounded_values(graph: Graph) -> frozenset[str]:
    """Values and states (with STATE_PREFIX) that depend on float arithmetic, which may be rounded."""
    values: set[str] = set()
    states: set[str] = set()
    grown = True
    while grown:  # a state carries it to the ops before its write
        before = len(values) + len(states)
        for op in graph.ops:
            if isinstance(op, WriteState):
                states.update([op.state] if op.x in values else [])
                continue
            rounds = any(graph[y].dtype is DType.FLOAT32 for y in op.outputs) and not isinstance(op, _EXACT)
            carries = not values.isdisjoint(op.inputs) or (isinstance(op, ReadState) and op.state in states)
            if rounds or carries:
                values.update(op.outputs)
        grown = len(values) + len(states) > before
    return frozenset(values | {STATE_PREFIX + s for s in states})


def largest_difference(want: np.ndarray, got: np.ndarray) -> float:
    """Largest |want - got|: 0 between equal infinities or NaNs, infinite where only one is not finite."""
    a, b = want.astype(np.float64).ravel(), got.astype(np.float64).ravel()
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        distance = np.abs(a - b)
    return float(np.where(same, 0.0, np.where(np.isnan(distance), np.inf, distance)).max(initial=0.0))


def tolerance(want: np.ndarray, rounded: bool) -> float:
    """Largest difference accepted of a graph output.

    Floats: FLOAT_TOLERANCE * max(1, largest |want|). Integers: one step where they depend on float
    arithmetic (`rounded`), else none.
    """
    if want.dtype != np.float32:
        return 1.0 if rounded else 0.0
    finite = np.abs(want[np.isfinite(want)])
    return FLOAT_TOLERANCE * max(1.0, float(finite.max(initial=0.0)))
