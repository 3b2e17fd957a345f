"""Kernels of finish_sums."""

from __future__ import annotations

import numpy as np

from ...ir.ops.finish_sums import FinishSums
from ...ir.rounding import ONNX_ROUNDINGS, TFLITE_ROUNDINGS
from ...passes.planner.kernel import Call, Const, Field, Kernel, Pointer, Struct, Tensors
from .elementwise import in_place

Fields = tuple[tuple[str, Field], ...]


def finish_pointers(op: FinishSums) -> tuple[Pointer, ...]:
    """Pointers to the sums and to y."""
    return Pointer("sums", op.sums, "int32_t"), Pointer("y", op.y, "int8_t", writable=True)


def accepts_any(op: FinishSums, tensors: Tensors) -> bool:
    """There is one type."""
    return True


def _factors(op: FinishSums, tensors: Tensors) -> Fields:
    """Clamp and factor of each channel; float32 factors by their bits."""
    if op.rounding.onnx:
        how = op.float_requant(tensors)
        return (
            ("channels.zero_point", how.zero_point),
            ("channels.low", how.low),
            ("channels.high", how.high),
            ("channels.multiplier", Const("multiplier", how.scale.view(np.int32))),
        )
    requant = op.requant(tensors)
    return (
        ("channels.zero_point", requant.zero_point),
        ("channels.low", requant.low),
        ("channels.high", requant.high),
        ("channels.multiplier", Const("multiplier", requant.multiplier)),
        ("channels.shift", Const("shift", (-requant.shift).astype(np.int8))),
    )


def _emit(op: FinishSums, tensors: Tensors) -> tuple[Call, ...]:
    bias, y = tensors[op.bias], tensors[op.y]
    assert bias.data is not None
    fields = (
        ("out_c", bias.elements),
        *_factors(op, tensors),
        ("channels.bias", Const("bias", bias.data.reshape(-1))),
    )
    args = ("sums", "y", y.elements // bias.elements, "&p")
    struct = Struct("pl_finish_sums_s8_params", fields)
    return (Call("pl_finish_sums_s8" + "_onnx" * op.rounding.onnx, finish_pointers(op), args, struct),)


def _work(op: FinishSums, tensors: Tensors) -> dict[str, int]:
    y = tensors[op.y]
    return {"calls": 1, "pixels": y.elements // tensors[op.bias].elements, "outputs": y.elements}


KERNELS = tuple(
    Kernel(
        f"pl_finish_sums_s8{suffix}",
        f"portable/finish_sums_s8{suffix}.h",
        FinishSums,
        accepts_any,
        _emit,
        aliases=in_place("sums"),
        roundings=roundings,
        work=_work,
    )
    for suffix, roundings in (("", TFLITE_ROUNDINGS), ("_onnx", ONNX_ROUNDINGS))
)
