"""Helium kernels of convolution with a window; depthwise convolution of one input channel is one of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.types import DType
from ...passes.planner.kernel import SCRATCH, Call, Const, Kernel, Op, Pointer, RowLoop, Struct, Tensors
from ..ops.packing import pointers, row_loop
from .mve_packing import FEATURES, LANES, blocks, ceil_div, channels, grouped, is_int8

Conv = Conv2D | DepthwiseConv2D


def _accepts(op: Conv, tensors: Tensors) -> bool:
    """One group, no dilation along x."""
    if not is_int8(op, tensors) or op.window.dilation[1] != 1:
        return False
    groups_c = 1 if isinstance(op, DepthwiseConv2D) else tensors[op.weights].shape[3]
    return groups_c == tensors[op.x].shape[3]


def _weights(op: Conv, tensors: Tensors) -> np.ndarray:
    """[OC,KH,KW,IC] weights."""
    data = tensors[op.weights].data
    assert data is not None
    return np.moveaxis(data, op.CHANNEL_AXIS, 0).reshape(data.shape[op.CHANNEL_AXIS], *op.window.kernel, -1)


def _chunks(op: Conv, tensors: Tensors) -> int:
    return ceil_div(_weights(op, tensors)[0].size, LANES)


_SCRATCH_BYTES = 1280
"""Columns stay below this where those of 4 pixels do."""


def _columns_bytes(op: Conv, tensors: Tensors, tile: int) -> int:
    column = op.window.kernel[0] * tensors[op.x].shape[3]
    return (tile - 1) * op.window.stride[1] * column + _chunks(op, tensors) * LANES


def _tile(op: Conv, tensors: Tensors) -> int:
    """Output columns whose columns are gathered at a time."""
    tile = 4
    while tile < tensors[op.y].shape[2] and _columns_bytes(op, tensors, tile + 4) <= _SCRATCH_BYTES:
        tile += 4
    return tile


def _columns_scratch(op: Conv, tensors: Tensors) -> int:
    return _columns_bytes(op, tensors, _tile(op, tensors))


def _call(
    name: str, op: Conv, tensors: Tensors, struct: Struct, rows: RowLoop, args: tuple[str | int, ...]
) -> tuple[Call, ...]:
    scratch = Pointer("scratch", SCRATCH, DType.INT8.ctype, writable=True)
    return (Call(name, (*pointers(op, tensors), scratch), args, struct, rows),)


def _emit_columns(op: Conv, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    weights = _weights(op, tensors)
    packed = blocks(weights.transpose(0, 2, 1, 3).reshape(len(weights), -1)[grouped(len(weights))])
    rows = row_loop(x, y, op.window)
    name = "pl_conv2d_s8__mve"
    fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        ("kernel_h", op.window.kernel[0]),
        ("kernel_w", op.window.kernel[1]),
        ("stride_w", op.window.stride[1]),
        ("pad_left", op.window.padding[1][0]),
        ("chunks", _chunks(op, tensors)),
        ("tile", _tile(op, tensors)),
        ("pad", rows.pad or "NULL"),
        *channels(op, tensors),
        ("weights", Const("weights", packed)),
    )
    struct = Struct(f"{name}_params", fields)
    return _call(name, op, tensors, struct, rows, ("rows", "y", "scratch", "&p"))


def _slot(op: Conv, tensors: Tensors) -> int:
    run = op.window.kernel[1] * tensors[op.x].shape[3]
    filled = (op.window.kernel[0] - 1) * run + ceil_div(run, LANES) * LANES
    return max(filled, _chunks(op, tensors) * LANES)


def _narrow_scratch(op: Conv, tensors: Tensors) -> int:
    return _narrow_tile(op, tensors) * _slot(op, tensors)


def _narrow_tile(op: Conv, tensors: Tensors) -> int:
    """Pixels whose windows are gathered at a time."""
    most = max(_SCRATCH_BYTES // _slot(op, tensors) // 4, 1) * 4
    return min(most, ceil_div(tensors[op.y].shape[2] * _narrow_rows(op, tensors), 4) * 4)


def _narrow_rows(op: Conv, tensors: Tensors) -> int:
    """Output rows per call: some where one row would leave much of its last block of 4 pixels unused."""
    _, height, width, _ = tensors[op.y].shape
    short = width % 4 and width < 16 and op.window.dilation[0] == 1
    return min(4, height) if short else 1


def _emit_narrow(op: Conv, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    weights = _weights(op, tensors)
    name = "pl_conv2d_s8__mve_narrow"
    fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        ("kernel_h", op.window.kernel[0]),
        ("run", op.window.kernel[1] * x.shape[3]),
        ("stride_h", op.window.stride[0]),
        ("stride_w", op.window.stride[1]),
        ("pad_left", op.window.padding[1][0]),
        ("chunks", _chunks(op, tensors)),
        ("slot", _slot(op, tensors)),
        ("tile", _narrow_tile(op, tensors)),
        ("zero", x.zero_point),
        *channels(op, tensors),
        ("weights", Const("weights", blocks(weights.reshape(len(weights), -1)[grouped(len(weights))]))),
    )
    struct = Struct(f"{name}_params", fields)
    rows, block = row_loop(x, y, op.window), _narrow_rows(op, tensors)
    if block > 1:
        rows = replace(rows, block=block, taps=rows.taps + (block - 1) * rows.stride)
    args = ("rows", "y", "n" if block > 1 else 1, "scratch", "&p")
    return _call(name, op, tensors, struct, rows, args)


def _blocks(op: Conv, tensors: Tensors, per_call: int, tile: int) -> dict[str, int]:
    """What both kernels do for `tile` pixels at a time of `per_call` output rows."""
    _, height, width, out_c = tensors[op.y].shape
    groups, tiles, quads, pairs = ceil_div(out_c, 4), 0, 0, 0
    for first in range(0, height, per_call):
        pixels = min(per_call, height - first) * width
        for n in (min(tile, pixels - i) for i in range(0, pixels, tile)):
            tiles, quads, pairs = tiles + 1, quads + ceil_div(n, 4), pairs + ceil_div(n, 2)
    return {
        "calls": 1,
        "rows": ceil_div(height, per_call),
        "tiles": tiles,
        "quads": quads,
        "blocks": quads * groups,
        "steps": pairs * groups * _chunks(op, tensors),
    }


def _columns_work(op: Conv, tensors: Tensors) -> dict[str, int]:
    _, rows, width, _ = tensors[op.y].shape
    kernel, stride, in_c = op.window.kernel, op.window.stride[1], tensors[op.x].shape[3]
    tiles = ceil_div(width, _tile(op, tensors))
    runs = rows * kernel[0] * tiles
    pieces = rows * kernel[0] * ((width - tiles) * stride + tiles * kernel[1])
    return _blocks(op, tensors, 1, _tile(op, tensors)) | {
        "runs": runs,
        "pieces": pieces,
        "vectors": pieces * ceil_div(in_c, LANES),
    }


def _narrow_work(op: Conv, tensors: Tensors) -> dict[str, int]:
    _, rows, width, _ = tensors[op.y].shape
    run = op.window.kernel[1] * tensors[op.x].shape[3]
    parts = ceil_div(run, LANES) * op.window.kernel[0]
    inside = _inside_tiles(op, tensors)
    return _blocks(op, tensors, _narrow_rows(op, tensors), _narrow_tile(op, tensors)) | {
        "inside": rows * inside * parts,
        "edge": rows * (width - 4 * inside) * parts,
    }


def _inside_tiles(op: Conv, tensors: Tensors) -> int:
    """How often an output row has 4 pixels side by side whose windows all lie inside the input."""
    in_w, out_w = tensors[op.x].shape[2], tensors[op.y].shape[2]
    (left, _), stride, kernel = op.window.padding[1], op.window.stride[1], op.window.kernel[1]
    ox = count = 0
    while ox < out_w:
        start = ox * stride - left
        inside = start >= 0 and start + 3 * stride + kernel <= in_w and ox + 4 <= out_w
        count += inside
        ox += 4 if inside else 1
    return count


def _kernels(op: type[Op]) -> tuple[Kernel, Kernel]:
    narrow = Kernel(
        "pl_conv2d_s8__mve_narrow",
        "mve/conv2d_s8__mve_narrow.h",
        op,
        lambda o, t: _accepts(o, t) and t[o.x].shape[3] < LANES,
        _emit_narrow,
        scratch_bytes=_narrow_scratch,
        features=FEATURES,
        work=_narrow_work,
    )
    columns = Kernel(
        "pl_conv2d_s8__mve",
        "mve/conv2d_s8__mve.h",
        op,
        _accepts,
        _emit_columns,
        scratch_bytes=_columns_scratch,
        features=FEATURES,
        work=_columns_work,
    )
    return narrow, columns


KERNELS = (*_kernels(Conv2D), *_kernels(DepthwiseConv2D))
