"""Kernels of unary. Functions of quantized bytes become a lookup."""

from __future__ import annotations

from ...ir import DType
from ...ir.ops.unary import Unary
from ...ir.plain import INTEGERS
from ...ir.unary_functions import INTEGER, TESTS
from ...passes.planner.kernel import Call, Kernel, Pointer, Tensors
from .elementwise import in_place, unary_kernel
from .float_work import unary_work
from .typed import bytes_of, type_of


def _real_arguments(op: Unary, tensors: Tensors) -> tuple[str | float, ...]:
    return f"PL_UNARY_{op.function.upper()}", float(op.alpha), float(op.beta)


def _integers(op: Unary, tensors: Tensors) -> bool:
    x = tensors[op.x]
    if op.function == "not":
        return x.dtype is DType.BOOL
    return op.function in INTEGER and x.dtype in INTEGERS and x.quant is None


def _emit_integers(op: Unary, tensors: Tensors) -> tuple[Call, ...]:
    pointers = (bytes_of("x", op.x), bytes_of("y", op.y, writable=True))
    arguments = ("x", "y", tensors[op.y].elements, type_of(tensors[op.x]), f"PL_INT_{op.function.upper()}")
    return (Call("pl_unary_int", pointers, arguments),)


def _tests(op: Unary, tensors: Tensors) -> bool:
    return op.function in TESTS


def _emit_tests(op: Unary, tensors: Tensors) -> tuple[Call, ...]:
    pointers = (Pointer("x", op.x, "float"), bytes_of("y", op.y, writable=True))
    infinities = op.function == "isinf"
    wanted = (int(not infinities), int(infinities and op.alpha != 0), int(infinities and op.beta != 0))
    return (Call("pl_classify_f32", pointers, ("x", "y", tensors[op.y].elements, *wanted)),)


_IN_PLACE = in_place("x")

KERNELS = (
    unary_kernel(Unary, "pl_unary_f32", (DType.FLOAT32,) * 2, args=_real_arguments, work=unary_work),
    Kernel(
        "pl_unary_int",
        "portable/unary_int.h",
        Unary,
        _integers,
        _emit_integers,
        aliases=_IN_PLACE,
        work=unary_work,
    ),
    Kernel("pl_classify_f32", "portable/classify_f32.h", Unary, _tests, _emit_tests, aliases=_IN_PLACE),
)
