"""Kernels with vectors of pixels: convolution and fully-connected with few output channels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.types import Tensor
from ...ir.weighted import WeightedOp
from ...ir.window import Window
from ...passes.planner.kernel import Call, Const, Kernel, Struct, Tensors
from ..ops.packing import Fields, pointers, window_fields
from .rvv_packing import (
    FEATURES,
    LANES,
    Dense,
    Spatial,
    ceil_div,
    channel_values,
    const_of,
    geometry,
    is_conv,
    is_dense,
    pixels_of,
    short_pad,
    weight_rows,
)

_GROUP, _SEGMENTS = 3, 16
"""PL_GROUP_RVV, PL_SEGMENTS_RVV."""


def _groups(values: np.ndarray) -> np.ndarray:
    """[channels, ...] -> [groups, 3, ...], missing channels zero."""
    padded = np.pad(values, ((0, -len(values) % _GROUP), *((0, 0),) * (values.ndim - 1)))
    return padded.reshape(-1, _GROUP, *values.shape[1:])


def _fields(op: WeightedOp, tensors: Tensors, step: int) -> Fields:
    """pl_lanes_rvv_params."""
    rows, values = weight_rows(op, tensors), channel_values(op, tensors)
    shift = const_of(values["shift"]).astype(np.int32)
    bias, multiplier = (const_of(values[name]).astype(np.int32) for name in ("bias", "multiplier"))
    parts = (bias, multiplier, np.maximum(-shift, 0), np.maximum(shift, 0))
    records = np.stack([_groups(part) for part in parts], axis=1)
    weights = _groups(rows).transpose(0, 2, 1)
    return (
        ("zero_point", values["zero_point"]),
        ("low", values["low"]),
        ("high", values["high"]),
        ("k", rows.shape[1]),
        ("out_c", rows.shape[0]),
        ("step", step),
        ("padding", tensors[op.x].zero_point),
        ("groups", Const("groups", records.reshape(-1))),
        ("weights", Const("weights", np.ascontiguousarray(weights).reshape(-1))),
    )


def _emit_dense(op: Dense, tensors: Tensors) -> tuple[Call, ...]:
    fields = _fields(op, tensors, tensors[op.weights].shape[-1])
    args = ("x", "y", pixels_of(op, tensors), "&p")
    struct = Struct("pl_lanes_rvv_params", fields)
    return (Call("pl_pointwise_s8__rvv_lanes", pointers(op, tensors), args, struct),)


def _accepts_conv(op: Spatial, tensors: Tensors) -> bool:
    return is_conv(op, tensors) and geometry(op, tensors)[2].kernel[1] <= _SEGMENTS


def _emit_conv(op: Spatial, tensors: Tensors) -> tuple[Call, ...]:
    x, y, window = geometry(op, tensors)
    rows = short_pad(x, y, window, x.shape[2] * x.shape[3])
    lanes = _fields(op, tensors, window.stride[1] * x.shape[3])
    fields: Fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        *window_fields(window),
        *((f"lanes.{name}", value) for name, value in lanes),
    )
    name = "pl_conv2d_s8__rvv_lanes"
    return (Call(name, pointers(op, tensors), ("rows", "y", "&p"), Struct(f"{name}_params", fields), rows),)


def _dense_work(op: Dense, tensors: Tensors) -> Mapping[str, int]:
    outputs, k = weight_rows(op, tensors).shape
    tiles = ceil_div(pixels_of(op, tensors), LANES)
    groups = tiles * ceil_div(outputs, _GROUP)
    return {
        "calls": 1,
        "tiles": tiles,
        "groups": groups,
        "fours": groups * (k // 4),
        "ones": groups * (k % 4),
    }


def _segments(x: Tensor, w: Window, ox: int, lanes: int) -> tuple[list[int], int]:
    """Elements of every segment with all windows inside, and the number of the other segments."""
    _, _, width, in_c = x.shape
    whole: list[int] = []
    borders, joins = 0, False
    for kx in range(w.kernel[1]):
        x0 = ox * w.stride[1] - w.padding[1][0] + kx * w.dilation[1]
        inside = x0 >= 0 and x0 + (lanes - 1) * w.stride[1] < width
        if inside and joins:
            whole[-1] += in_c
        elif inside:
            whole.append(in_c)
        else:
            borders += 1
        joins = inside and w.dilation[1] == 1
    return whole, borders


def _conv_work(op: Spatial, tensors: Tensors) -> Mapping[str, int]:
    """fours, ones: elements of segments with all windows inside; border: elements of the others."""
    x, y, window = geometry(op, tensors)
    _, out_h, out_w, outputs = y.shape
    in_c, kernel_h = x.shape[3], window.kernel[0]
    starts = range(0, out_w, LANES)
    groups = out_h * ceil_div(outputs, _GROUP)
    counts = {"segments": 0, "fours": 0, "ones": 0, "border": 0}
    for ox in starts:
        whole, borders = _segments(x, window, ox, min(LANES, out_w - ox))
        counts["segments"] += len(whole) + borders
        counts["fours"] += sum(n // 4 for n in whole)
        counts["ones"] += sum(n % 4 for n in whole)
        counts["border"] += borders * in_c
    work = {"calls": out_h, "tiles": out_h * len(starts), "groups": groups * len(starts)}
    return work | {name: groups * kernel_h * count for name, count in counts.items()}


KERNELS: tuple[Kernel, ...] = (
    *(
        Kernel(
            "pl_pointwise_s8__rvv_lanes",
            "rvv/pointwise_s8__rvv_lanes.h",
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
            "pl_conv2d_s8__rvv_lanes",
            "rvv/conv2d_s8__rvv_lanes.h",
            op,
            _accepts_conv,
            _emit_conv,
            features=FEATURES,
            work=_conv_work,
        )
        for op in (Conv2D, DepthwiseConv2D)
    ),
)
