"""Depthwise convolution with vectors of channels, of several pixels where a pixel has few."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.types import DType
from ...passes.planner.kernel import Call, Const, Kernel, Struct, Tensors
from ..ops.packing import Fields, channel_fields, has_type, pointers, window_fields
from .rvv_packing import FEATURES, LANES, ceil_div, geometry, right_only, short_pad

_TAPS, _UNITS = 49, 3
"""PL_TAPS_RVV, PL_UNITS_RVV."""


def _accepts(op: DepthwiseConv2D, tensors: Tensors) -> bool:
    same = tensors[op.x].shape[3] == tensors[op.y].shape[3]
    small = op.window.kernel[0] * op.window.kernel[1] <= _TAPS
    return has_type(op, tensors, DType.INT8) and same and small


def _copies(op: DepthwiseConv2D, tensors: Tensors, lanes: int = 2 * LANES) -> int:
    """Pixels whose channels fill a vector of at most PL_LANES_RVV accumulators."""
    _, y, window = geometry(op, tensors)
    _, _, width, channels = y.shape
    return max(min(lanes // channels, width), 1) if window.stride[1] == 1 else 1


def _emit(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
    (x, y, window), data = geometry(op, tensors), tensors[op.weights].data
    assert data is not None
    copies = _copies(op, tensors)
    channels = (
        (name, Const(value.name, np.tile(value.data, copies)) if isinstance(value, Const) else value)
        for name, value in channel_fields(op, tensors)
    )
    weights = np.tile(data[0], (1, 1, copies))
    rows = short_pad(x, y, window, x.shape[2] * x.shape[3])
    fields: Fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        *window_fields(window),
        ("copies", copies),
        *channels,
        ("pad", rows.pad or "NULL"),
        ("weights", Const("weights", np.ascontiguousarray(weights).reshape(-1))),
    )
    name = "pl_depthwise_conv2d_s8__rvv"
    return (Call(name, pointers(op, tensors), ("rows", "y", "&p"), Struct(f"{name}_params", fields), rows),)


def _blocks(inside: int, merged: int, units: int) -> tuple[int, int, int]:
    """Blocks of three units, single units, single pixels that pl_depthwise_inside_rvv computes."""
    if inside < merged:
        return _blocks(inside, 1, units)
    if units == 1 or inside < units * merged:
        blocks = ceil_div(inside, merged)
        return (0, blocks, 0) if merged > 1 else (0, 0, blocks)
    threes, left = divmod(inside, units * merged)
    threes += left > merged
    ones = int(0 < left <= merged)
    return (threes, ones, 0) if merged > 1 else (threes, 0, ones)


def _work(op: DepthwiseConv2D, tensors: Tensors) -> Mapping[str, int]:
    """places, lines: windows, and rows of them, whose taps are looked up; strips and rounds of three units
    and of one."""
    x, y, w = geometry(op, tensors)
    width = x.shape[2]
    _, out_h, out_w, channels = y.shape
    merged = _copies(op, tensors, LANES)
    extent = (w.kernel[1] - 1) * w.dilation[1] + 1
    starts = [i * w.stride[1] - w.padding[1][0] for i in range(out_w)]
    inside = sum(0 <= x0 <= width - extent for x0 in starts)
    units = _UNITS if right_only(op, tensors) else 1
    threes, ones, pixels = _blocks(inside, merged, units) if inside else (0, 0, 0)
    used = merged if inside >= merged else 1
    long, short = ceil_div(channels * used, LANES), ceil_div(channels, LANES)
    borders, taps = out_w - inside, w.kernel[0] * w.kernel[1]
    singles = ones * long + (pixels + borders) * short
    places = borders + (inside > 0)
    counts = {
        "calls": 1,
        "places": places,
        "lines": places * w.kernel[0],
        "taps": places * taps,
        "strips_3": threes * long,
        "rounds_3": threes * long * taps,
        "strips_1": singles,
        "rounds_1": singles * taps,
    }
    return {name: out_h * count for name, count in counts.items()}


KERNELS: tuple[Kernel, ...] = (
    Kernel(
        "pl_depthwise_conv2d_s8__rvv",
        "rvv/depthwise_conv2d_s8__rvv.h",
        DepthwiseConv2D,
        _accepts,
        _emit,
        features=FEATURES,
        work=_work,
    ),
)
