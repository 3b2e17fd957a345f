"""Pooling and means for Arm cores with the DSP extension."""

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

_FEATURES = frozenset({"arm", "dsp", "unaligned"})
_PIXELS = 255
"""PL_SUM_PIXELS: pixels whose sum fits 16 bits."""

Pool = AveragePool2D | MaxPool2D


def _is_int8(op: Pool | Mean, tensors: Tensors) -> bool:
    return has_types(("x", "y"), (DType.INT8, DType.INT8))(op, tensors)


def _inside(window: int, stride: int, before: int, size: int, outputs: int) -> list[int]:
    """Input positions inside the input for each output along one axis."""
    starts = (o * stride - before for o in range(outputs))
    return [min(s + window, size) - max(s, 0) for s in starts]


def _work_pool(op: Pool, tensors: Tensors) -> Mapping[str, int]:
    """Rounds of the loops; whole maps are one long row to the average."""
    (_, height, width, channels), (_, out_h, out_w, _) = tensors[op.x].shape, tensors[op.y].shape
    axes = zip(
        op.window.kernel, op.window.stride, op.window.padding, (height, width), (out_h, out_w), strict=True
    )
    rows, columns = (_inside(k, s, p[0], n, o) for k, s, p, n, o in axes)
    groups = out_h * out_w * -(-channels // 4)
    long = isinstance(op, AveragePool2D) and all(n == width for n in columns)
    long = long and all(n == op.window.kernel[0] for n in rows)
    runs = (
        [r * c for r in rows for c in columns]
        if long
        else [c for r in rows for c in columns for _ in range(r)]
    )
    per_group = -(-channels // 4)
    return {
        "calls": out_h,
        "rows": out_h * op.window.kernel[0],
        "pixels": out_h * out_w,
        "groups": groups,
        "runs": per_group * len(runs),
        "fours": per_group * sum(n // 4 for n in runs),
        "ones": per_group * sum(n % 4 for n in runs),
    }


def _pool(op: type[AveragePool2D] | type[MaxPool2D], portable: tuple[Kernel, ...]) -> Kernel:
    """The variant of a pooling kernel: called like the portable one."""
    name = f"pl_{op.kind()}_s8"
    original = next(k for k in portable if k.name == name)

    def accepts(instance: Pool, tensors: Tensors) -> bool:
        height, width = instance.window.kernel
        fits = height * width <= _PIXELS or op is MaxPool2D
        return _is_int8(instance, tensors) and tensors[instance.x].shape[3] >= 4 and fits

    def emit(instance: Pool, tensors: Tensors) -> tuple[Call, ...]:
        (call,) = original.emit(instance, tensors)
        assert call.struct is not None
        struct = Struct(f"{name}__dsp_params", call.struct.fields)
        return (replace(call, function=f"{name}__dsp", struct=struct),)

    header = f"dsp/{op.kind()}_s8__dsp.h"
    return Kernel(f"{name}__dsp", header, op, accepts, emit, features=_FEATURES, work=_work_pool)


def _mean_fields(op: Mean, tensors: Tensors) -> tuple[Call, dict[str, Field]]:
    """The portable kernel's call and its parameters by name."""
    (original,) = (k for k in mean.KERNELS if k.name == "pl_mean_s8")
    (call,) = original.emit(op, tensors)
    assert call.struct is not None
    return call, dict(call.struct.fields)


def _accepts_mean(op: Mean, tensors: Tensors) -> bool:
    """Only the last dimension is kept, so that each pixel has all outputs side by side."""
    if not _is_int8(op, tensors):
        return False
    fields = _mean_fields(op, tensors)[1]
    kept, channels = fields["kept"], tensors[op.y].elements
    whole = isinstance(kept, Const) and np.array_equal(kept.data, [channels, 1])
    return whole and channels >= 4 and fields["runs"] == 1 and fields["stride"] == channels


def _emit_mean(op: Mean, tensors: Tensors) -> tuple[Call, ...]:
    call, fields = _mean_fields(op, tensors)
    kept = {n: fields[n] for n in ("offset", "multiplier", "shift", "zero_y")}
    block = {"pixels": fields["n"], "channels": fields["outputs"], **kept}
    struct = Struct("pl_mean_s8__dsp_params", tuple(block.items()))
    return (replace(call, function="pl_mean_s8__dsp", struct=struct),)


def _work_mean(op: Mean, tensors: Tensors) -> Mapping[str, int]:
    pixels = op.count(tensors)
    groups, parts = (
        -(-tensors[op.y].elements // 4),
        [min(_PIXELS, pixels - i) for i in range(0, pixels, _PIXELS)],
    )
    return {
        "calls": 1,
        "groups": groups,
        "runs": groups * len(parts),
        "fours": groups * sum(n // 4 for n in parts),
        "ones": groups * sum(n % 4 for n in parts),
    }


KERNELS: tuple[Kernel, ...] = (
    _pool(AveragePool2D, average_pool2d.KERNELS),
    _pool(MaxPool2D, max_pool2d.KERNELS),
    Kernel(
        "pl_mean_s8__dsp",
        "dsp/mean_s8__dsp.h",
        Mean,
        _accepts_mean,
        _emit_mean,
        features=_FEATURES,
        work=_work_mean,
    ),
)
