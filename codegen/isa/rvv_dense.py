"""Kernels with vectors of output channels: convolution and fully-connected."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.weighted import WeightedOp
from ...passes.planner.kernel import Call, Const, Kernel, Struct, Tensors
from ..ops.packing import Fields, channel_fields, pointers, window_fields
from .rvv_packing import (
    BYTES,
    FEATURES,
    LANES,
    Dense,
    Spatial,
    ceil_div,
    geometry,
    is_conv,
    is_dense,
    pixels_of,
    right_only,
    scratch_pointer,
    short_pad,
    weight_rows,
)

_PIXELS = 3
"""PL_PIXELS_RVV."""


def _fields(op: WeightedOp, tensors: Tensors) -> Fields:
    """pl_channels_rvv."""
    rows = weight_rows(op, tensors)
    return (
        ("k", rows.shape[1]),
        ("out_c", rows.shape[0]),
        *channel_fields(op, tensors),
        ("weights", Const("weights", np.ascontiguousarray(rows.T).reshape(-1))),
    )


def _emit_dense(op: Dense, tensors: Tensors) -> tuple[Call, ...]:
    args = ("x", "y", pixels_of(op, tensors), "&p")
    struct = Struct("pl_channels_rvv", _fields(op, tensors))
    return (Call("pl_pointwise_s8__rvv", pointers(op, tensors), args, struct),)


def _emit_conv(op: Spatial, tensors: Tensors) -> tuple[Call, ...]:
    x, y, window = geometry(op, tensors)
    rows = short_pad(x, y, window, window.kernel[1] * x.shape[3])
    fields: Fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        *window_fields(window),
        ("pad", rows.pad or "NULL"),
        *((f"channels.{name}", value) for name, value in _fields(op, tensors)),
    )
    used = (*pointers(op, tensors), scratch_pointer())
    struct = Struct("pl_conv2d_s8__rvv_params", fields)
    return (Call("pl_conv2d_s8__rvv", used, ("rows", "y", "scratch", "&p"), struct, rows),)


def _conv_scratch(op: Spatial, tensors: Tensors) -> int:
    return _PIXELS * weight_rows(op, tensors).shape[1]


def _work(op: WeightedOp, tensors: Tensors, pixels: int, rows: int) -> dict[str, int]:
    """Loop rounds of pl_channels_s8__rvv on `rows` runs of pixels, by threes and alone."""
    outputs, k = weight_rows(op, tensors).shape
    strips = rows * ceil_div(outputs, LANES)
    threes, ones = divmod(pixels, _PIXELS) if right_only(op, tensors) else (0, pixels)
    return {
        "strips_3": strips * threes,
        "rounds_3": strips * threes * k,
        "strips_1": strips * ones,
        "rounds_1": strips * ones * k,
    }


def _dense_work(op: Dense, tensors: Tensors) -> Mapping[str, int]:
    """tail: rounds beyond fours, which cost more."""
    work = _work(op, tensors, pixels_of(op, tensors), 1)
    tail = weight_rows(op, tensors).shape[1] % 4
    return {"calls": 1, "tail": tail * (work["strips_3"] + work["strips_1"])} | work


def _conv_work(op: Spatial, tensors: Tensors) -> Mapping[str, int]:
    """copies: of a run of taps; moves: of at most a vector."""
    x, y, w = geometry(op, tensors)
    _, _, width, in_c = x.shape
    _, out_h, out_w, _ = y.shape
    kernel_h, kernel_w = w.kernel
    copies = moves = 0
    for x0 in (i * w.stride[1] - w.padding[1][0] for i in range(out_w)):
        begin = min(max(-x0, 0), kernel_w)
        end = min(max(width - x0, begin), kernel_w)
        runs = [n for n in (begin, end - begin, kernel_w - end) if n]
        if w.dilation[1] != 1:
            runs = [1] * kernel_w
        copies += len(runs)
        moves += sum(ceil_div(n * in_c, BYTES) for n in runs)
    work = {
        "calls": out_h,
        "windows": out_h * out_w,
        "copies": out_h * kernel_h * copies,
        "moves": out_h * kernel_h * moves,
    }
    return work | _work(op, tensors, out_w, out_h)


KERNELS: tuple[Kernel, ...] = (
    *(
        Kernel(
            "pl_pointwise_s8__rvv",
            "rvv/pointwise_s8__rvv.h",
            op,
            is_dense,
            _emit_dense,
            features=FEATURES,
            work=_dense_work,
        )
        for op in (Conv2D, FullyConnected)
    ),
    *(
        Kernel(
            "pl_conv2d_s8__rvv",
            "rvv/conv2d_s8__rvv.h",
            op,
            is_conv,
            _emit_conv,
            _conv_scratch,
            features=FEATURES,
            work=_conv_work,
        )
        for op in (Conv2D, DepthwiseConv2D)
    ),
)
