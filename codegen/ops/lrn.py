"""Kernel of lrn."""

from __future__ import annotations

from ...ir import DType
from ...ir.ops.lrn import Lrn
from ...passes.planner.kernel import Call, Kernel, Pointer, Struct, Tensors
from .elementwise import has_types


def _emit(op: Lrn, tensors: Tensors) -> tuple[Call, ...]:
    x = tensors[op.x]
    before, after = op.reach()
    fields = (
        ("positions", x.elements // x.shape[-1]),
        ("channels", x.shape[-1]),
        ("before", before),
        ("after", after),
        ("alpha", float(op.alpha / op.size)),
        ("beta", float(op.beta)),
        ("bias", float(op.bias)),
    )
    pointers = (Pointer("x", op.x, "float"), Pointer("y", op.y, "float", writable=True))
    return (Call("pl_lrn_f32", pointers, ("x", "y", "&p"), Struct("pl_lrn_f32_params", fields)),)


KERNELS = (
    Kernel("pl_lrn_f32", "portable/lrn_f32.h", Lrn, has_types(("x", "y"), (DType.FLOAT32,) * 2), _emit),
)
