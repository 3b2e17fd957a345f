"""Kernels of binary."""

from __future__ import annotations

from ...ir import DType
from ...ir.ops.binary import COMPARE, Binary
from ...passes.planner.kernel import Tensors
from .float_work import binary_work, compare_work
from .typed import type_of, typed_binary


def _compares(op: Binary, tensors: Tensors) -> bool:
    return op.function in COMPARE


def _comparison(op: Binary, tensors: Tensors) -> tuple[str, ...]:
    return type_of(tensors[op.a]), f"PL_{op.function.upper()}"


def _floats(op: Binary, tensors: Tensors) -> bool:
    return op.function not in COMPARE and tensors[op.a].dtype is DType.FLOAT32


def _float_function(op: Binary, tensors: Tensors) -> tuple[str, ...]:
    return (f"PL_BINARY_{op.function.upper()}",)


def _integers(op: Binary, tensors: Tensors) -> bool:
    return op.function not in COMPARE and tensors[op.a].dtype is not DType.FLOAT32


def _integer_function(op: Binary, tensors: Tensors) -> tuple[str, ...]:
    return type_of(tensors[op.a]), f"PL_INT_{op.function.upper()}"


KERNELS = (
    typed_binary(Binary, "pl_binary_f32", _floats, _float_function, "float", binary_work),
    typed_binary(Binary, "pl_binary_int", _integers, _integer_function, work=binary_work),
    typed_binary(Binary, "pl_compare", _compares, _comparison, work=compare_work),
)
