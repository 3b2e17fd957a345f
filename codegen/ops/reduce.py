"""Kernels of reduce."""

from __future__ import annotations

from ...ir import DType
from ...ir.ops.reduce import Reduce
from ...ir.plain import INTEGERS
from ...passes.planner.kernel import Call, Kernel, Pointer, Struct, Tensors
from .float_work import reduce_work
from .typed import bytes_of, first_is, reduction_walk, type_of


def _emit_floats(op: Reduce, tensors: Tensors) -> tuple[Call, ...]:
    pointers = (Pointer("x", op.x, "float"), Pointer("y", op.y, "float", writable=True))
    block = Struct("pl_reduce_f32_params", reduction_walk(tensors[op.x].shape, op.axes))
    return (Call("pl_reduce_f32", pointers, ("x", "y", f"PL_REDUCE_{op.function.upper()}", "&p"), block),)


def _emit_integers(op: Reduce, tensors: Tensors) -> tuple[Call, ...]:
    x = tensors[op.x]
    pointers = (bytes_of("x", op.x), bytes_of("y", op.y, writable=True))
    block = Struct("pl_reduce_int_params", reduction_walk(x.shape, op.axes))
    arguments = ("x", "y", type_of(x), f"PL_REDUCE_INT_{op.function.upper()}", "&p")
    return (Call("pl_reduce_int", pointers, arguments, block),)


KERNELS = (
    Kernel(
        "pl_reduce_f32",
        "portable/reduce_f32.h",
        Reduce,
        first_is((DType.FLOAT32,)),
        _emit_floats,
        work=reduce_work,
    ),
    Kernel(
        "pl_reduce_int",
        "portable/reduce_int.h",
        Reduce,
        first_is((*INTEGERS, DType.BOOL)),
        _emit_integers,
        work=reduce_work,
    ),
)
