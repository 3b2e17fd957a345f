"""Pooling and means with vectors of channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...ir.ops.average_pool2d import AveragePool2D
from ...ir.ops.max_pool2d import MaxPool2D
from ...ir.ops.mean import Mean
from ...ir.types import DType
from ...passes.planner.kernel import Call, Const, Field, Kernel, Struct, Tensors
from ..ops import average_pool2d, max_pool2d, mean
from ..ops.elementwise import has_types
from .rvv_packing import BYTES, FEATURES, LANES, ceil_div

_SUM = 255
"""PL_SUM_RVV: elements whose sum fits 16 bits."""

Pool = AveragePool2D | MaxPool2D

_is_int8 = has_types(("x", "y"), (DType.INT8, DType.INT8))


def _inside(op: Pool, tensors: Tensors, axis: int) -> list[int]:
    """Rows or columns inside the input under each window along an axis."""
    size, outputs = tensors[op.x].shape[1 + axis], tensors[op.y].shape[1 + axis]
    w = op.window
    starts = (i * w.stride[axis] - w.padding[axis][0] for i in range(outputs))
    return [min(s + w.kernel[axis], size) - max(s, 0) for s in starts]


def _work_pool(op: Pool, tensors: Tensors) -> Mapping[str, int]:
    """strips: windows of a vector of channels each; their rows, and elements."""
    _, out_h, out_w, channels = tensors[op.y].shape
    strips = ceil_div(channels, BYTES if isinstance(op, MaxPool2D) else LANES)
    rows, columns = sum(_inside(op, tensors, 0)), sum(_inside(op, tensors, 1))
    return {
        "calls": out_h,
        "windows": out_h * out_w,
        "strips": out_h * out_w * strips,
        "rows": rows * out_w * strips,
        "rounds": rows * columns * strips,
    }


def _pool(op: type[AveragePool2D] | type[MaxPool2D], portable: tuple[Kernel, ...]) -> Kernel:
    """The variant of a pooling kernel: called like the portable one."""
    name = f"{op.kind()}_s8"
    original = next(k for k in portable if k.name == f"pl_{name}")

    def accepts(instance: Pool, tensors: Tensors) -> bool:
        height, width = instance.window.kernel
        return _is_int8(instance, tensors) and (op is MaxPool2D or height * width <= _SUM)

    def emit(instance: Pool, tensors: Tensors) -> tuple[Call, ...]:
        (call,) = original.emit(instance, tensors)
        assert call.struct is not None
        struct = Struct(f"pl_{name}__rvv_params", call.struct.fields)
        return (replace(call, function=f"pl_{name}__rvv", struct=struct),)

    return Kernel(
        f"pl_{name}__rvv", f"rvv/{name}__rvv.h", op, accepts, emit, features=FEATURES, work=_work_pool
    )


def _mean_call(op: Mean, tensors: Tensors) -> tuple[Call, dict[str, Field]]:
    """The portable kernel's call and its parameters by name."""
    (original,) = (k for k in mean.KERNELS if k.name == "pl_mean_s8")
    (call,) = original.emit(op, tensors)
    assert call.struct is not None
    return call, dict(call.struct.fields)


def _accepts_mean(op: Mean, tensors: Tensors) -> bool:
    """Only the last dimension is kept, so that each pixel has all outputs side by side."""
    if not _is_int8(op, tensors) or op.requant(tensors)[1] >= 0:
        return False
    fields, channels = _mean_call(op, tensors)[1], tensors[op.y].elements
    kept = fields["kept"]
    whole = isinstance(kept, Const) and np.array_equal(kept.data, [channels, 1])
    return whole and fields["runs"] == 1 and fields["stride"] == channels


def _emit_mean(op: Mean, tensors: Tensors) -> tuple[Call, ...]:
    call, fields = _mean_call(op, tensors)
    multiplier, shift = op.requant(tensors)
    block: tuple[tuple[str, Field], ...] = (
        ("pixels", fields["n"]),
        ("channels", fields["outputs"]),
        ("offset", fields["offset"]),
        ("multiplier", multiplier),
        ("right", -shift),
        ("zero_y", fields["zero_y"]),
    )
    return (replace(call, function="pl_mean_s8__rvv", struct=Struct("pl_mean_s8__rvv_params", block)),)


def _work_mean(op: Mean, tensors: Tensors) -> Mapping[str, int]:
    strips, pixels = ceil_div(tensors[op.y].elements, LANES), op.count(tensors)
    return {
        "calls": 1,
        "strips": strips,
        "sums": strips * ceil_div(pixels, _SUM),
        "rounds": strips * pixels,
    }


KERNELS: tuple[Kernel, ...] = (
    _pool(AveragePool2D, average_pool2d.KERNELS),
    _pool(MaxPool2D, max_pool2d.KERNELS),
    Kernel(
        "pl_mean_s8__rvv",
        "rvv/mean_s8__rvv.h",
        Mean,
        _accepts_mean,
        _emit_mean,
        features=FEATURES,
        work=_work_mean,
    ),
)
