"""Importers of reductions: sums, extremes and where they are, norms, cumulative sums, largest elements."""

from __future__ import annotations

import numpy as np

from ...ir import DType
from ...ir.ops.arg_reduce import ArgReduce
from ...ir.ops.cumsum import CumSum
from ...ir.ops.mean import Mean
from ...ir.ops.one_hot import OneHot
from ...ir.ops.reduce import Reduce
from ...ir.ops.top_k import TopK
from ...ir.ops.unary import Unary
from ..tflite.builder import axis_of
from ..tflite.tensors import Unsupported
from .builder import Converter
from .node import NodeImport
from .ops_elementwise import emit_binary


def _axes(op: NodeImport) -> tuple[int, ...] | None:
    """Ascending axes; all of them when none are given. None: nothing is to be reduced."""
    rank = len(op.shape())
    axes = op.axes_input(1, rank)
    if not axes:
        if op.integer("noop_with_empty_axes", 0):
            return None
        return tuple(range(rank))
    return tuple(sorted(set(axes)))


def _reduce(function: str, of_one: str = "") -> Converter:
    """One reduction. `of_one` is its function of a single element, where that is not the element itself."""

    def convert(op: NodeImport) -> None:
        axes = _axes(op)
        if not axes:
            _unreduced(op, of_one)
            return
        keep = bool(op.integer("keepdims", 1))
        if function == "mean":
            op.emit(Mean(op.name(), op.x(), op.y(), axes, keep))
        else:
            op.emit(Reduce(op.name(), op.x(), op.y(), function, axes, keep))

    return convert


def _unreduced(op: NodeImport, of_one: str) -> None:
    """Without axes each element is reduced on its own."""

    if not of_one:
        op.alias(op.x())
    elif of_one == "square":
        emit_binary(op, "mul", op.x(), op.x(), op.y())
    else:
        op.emit(Unary(op.name(), op.x(), op.y(), of_one))


def _arg(largest: bool) -> Converter:
    def convert(op: NodeImport) -> None:
        axis, keep = op.axis(len(op.shape()), 0), bool(op.integer("keepdims", 1))
        last = bool(op.integer("select_last_index", 0))
        op.emit(ArgReduce(op.name(), op.x(), op.y(dtype=DType.INT64), axis, keep, largest, last))

    return convert


def _cumulative(product: bool) -> Converter:
    def convert(op: NodeImport) -> None:
        axis = axis_of(int(op.scalar(1, "axis")), len(op.shape()))
        flags = bool(op.integer("exclusive", 0)), bool(op.integer("reverse", 0))
        op.emit(CumSum(op.name(), op.x(), op.y(), axis, *flags, product))

    return convert


def _top_k(op: NodeImport) -> None:
    shape = op.shape()
    axis = op.axis(len(shape), -1)
    k = op.integer("k") if op.attribute("k") is not None else int(op.scalar(1, "k"))
    if not 1 <= k <= shape[axis]:
        raise Unsupported("k lies within the dimension", f"{k} of {shape[axis]}")
    largest = bool(op.integer("largest", 1))
    op.emit(TopK(op.name(), op.x(), op.y(0), op.y(1, DType.INT64), k, axis, largest))


def _hardmax(op: NodeImport) -> None:
    """One where the first largest element along the axis is, else zero."""
    shape = op.shape()
    axis = op.axis(len(shape), -1)
    if op.opset < 13:
        raise Unsupported("Hardmax is of operator set 13 or newer", str(op.opset))
    where = op.temporary("where", DType.INT64)
    op.emit(ArgReduce(op.name(), op.x(), where, axis, False, True, False))
    values = op.make_constant(np.array([0, 1], np.float32), "values")
    op.emit(OneHot(op.name(), where, values, op.y(), shape[axis], axis))


CONVERTERS: dict[str, Converter] = {
    "ArgMax": _arg(True),
    "ArgMin": _arg(False),
    "CumProd": _cumulative(True),
    "CumSum": _cumulative(False),
    "Hardmax": _hardmax,
    "ReduceL1": _reduce("l1", "abs"),
    "ReduceL2": _reduce("l2", "abs"),
    "ReduceLogSum": _reduce("log_sum", "log"),
    "ReduceLogSumExp": _reduce("log_sum_exp"),
    "ReduceMax": _reduce("max"),
    "ReduceMean": _reduce("mean"),
    "ReduceMin": _reduce("min"),
    "ReduceProd": _reduce("prod"),
    "ReduceSum": _reduce("sum"),
    "ReduceSumSquare": _reduce("sum_square", "square"),
    "TopK": _top_k,
}
