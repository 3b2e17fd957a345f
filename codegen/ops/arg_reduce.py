"""Kernels of arg_reduce."""

from __future__ import annotations

from ...ir.ops.arg_reduce import ArgReduce
from ...passes.planner.kernel import Call, Kernel, Tensors
from .float_work import lane_work
from .typed import anything, bytes_of, lanes, type_of


def _emit(op: ArgReduce, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    pointers = (bytes_of("x", op.x), bytes_of("y", op.y, writable=True))
    kinds = (type_of(x), type_of(y), int(op.largest), int(op.last))
    return (Call("pl_arg_reduce", pointers, ("x", "y", *lanes(x.shape, op.axis), *kinds)),)


KERNELS = (Kernel("pl_arg_reduce", "portable/arg_reduce.h", ArgReduce, anything, _emit, work=lane_work),)
