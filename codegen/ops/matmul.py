"""Kernels of matmul: transposed operands and broadcast stacks are strides."""

from __future__ import annotations

from math import prod

import numpy as np

from ...ir import DType, Tensor
from ...ir.ops.matmul import MatMul
from ...ir.rounding import ONNX_ROUNDINGS, TFLITE_ROUNDINGS
from ...passes.planner.kernel import Call, Const, Field, Kernel, Pointer, Struct, Tensors
from .elementwise import has_types
from .float_work import matmul_work


def _matrix_steps(t: Tensor, transposed: bool) -> tuple[int, int]:
    """Elements from one row to the next and from one column to the next, as the product sees them."""
    return (1, t.shape[-1]) if transposed else (t.shape[-1], 1)


def _stack(a: Tensor, b: Tensor, leading: tuple[int, ...]) -> Field:
    """(count, elements of a, elements of b) per leading dimension of y, innermost first."""

    def steps(t: Tensor) -> list[int]:
        shape = (1,) * (len(leading) + 2 - len(t.shape)) + t.shape
        return [0 if shape[d] == 1 else prod(shape[d + 1 :]) for d in range(len(leading))]

    dims = [d for d in zip(leading, steps(a), steps(b), strict=True) if d[0] > 1]
    return Const("stack", np.array(dims[::-1], np.int32).reshape(-1)) if dims else "NULL"


def _fields(op: MatMul, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    a, b, y = (tensors[n] for n in (op.a, op.b, op.y))
    (rows, depth), leading = op.matrix(a, op.transpose_a), y.shape[:-2]
    a_row, a_step = _matrix_steps(a, op.transpose_a)
    b_step, b_column = _matrix_steps(b, op.transpose_b)
    walk: dict[str, Field] = {
        "batches": prod(leading),
        "rows": rows,
        "depth": depth,
        "columns": y.shape[-1],
        "a_row": a_row,
        "a_step": a_step,
        "b_column": b_column,
        "b_step": b_step,
        "outer_dims": sum(n > 1 for n in leading),
        "outer": _stack(a, b, leading),
    }
    fields = tuple((f"walk.{name}", value) for name, value in walk.items())
    if a.dtype is DType.FLOAT32:
        return fields
    if op.rounding.onnx:
        factor = op.float_requant(tensors).scale.astype(np.float32)
        multiplier, shift = int(factor.view(np.int32)[0]), 0
    else:
        multiplier, shift = op.requant(tensors)
    zeros = (("zero_a", a.zero_point), ("zero_b", b.zero_point))
    return *fields, *zeros, ("multiplier", multiplier), ("shift", shift), ("zero_y", y.zero_point)


def _kernel(dtype: DType, onnx: bool = False) -> Kernel:
    header = f"matmul_{dtype.suffix}{'_onnx' if onnx else ''}"
    name, struct = f"pl_{header}", f"pl_matmul_{dtype.suffix}_params"
    roundings = ONNX_ROUNDINGS if onnx else TFLITE_ROUNDINGS

    def emit(op: MatMul, tensors: Tensors) -> tuple[Call, ...]:
        pointers = (
            Pointer("a", op.a, dtype.ctype),
            Pointer("b", op.b, dtype.ctype),
            Pointer("y", op.y, dtype.ctype, writable=True),
        )
        return (Call(name, pointers, ("a", "b", "y", "&p"), Struct(struct, _fields(op, tensors))),)

    accepts = has_types(("a", "b", "y"), (dtype,) * 3)
    return Kernel(name, f"portable/{header}.h", MatMul, accepts, emit, roundings=roundings, work=matmul_work)


KERNELS = (_kernel(DType.INT8), _kernel(DType.INT8, onnx=True), _kernel(DType.FLOAT32))
