"""Scalar kernel for depthwise convolution: four output rows at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.types import DType, Tensor
from ...ir.window import Window
from ...passes.planner.kernel import Call, Const, Kernel, Struct, Tensors
from ..ops.packing import Fields, has_type, pointers
from .scalar_packing import block_row_loop, output_fields, scratch_pointer, slow_channels, turned

_LANES = 8
"""PL_LANES of runtime_c/scalar/depthwise_windows.h."""

_TILE_BYTES = 1200
"""Scratch that is taken at most where one output column fits."""


def _is_depthwise(op: DepthwiseConv2D, tensors: Tensors) -> bool:
    """As many outputs as inputs, and rows of a window side by side, as they are for blocks of rows."""
    if not has_type(op, tensors, DType.INT8) or tensors[op.x].shape[3] != tensors[op.y].shape[3]:
        return False
    return _upright(op, tensors)[2].dilation[0] == 1


def _upright(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Tensor, Tensor, Window]:
    """x, y and the window, rows and columns exchanged where there is one row: four rows is the fast way."""
    x, y, w = tensors[op.x], tensors[op.y], op.window
    return turned(x, y, w) if x.shape[1] == 1 and w.kernel[0] == 1 and not any(w.padding[0]) else (x, y, w)


def _tile_height(window: Window) -> int:
    """Rows that four output rows read."""
    return 3 * window.stride[0] + window.kernel[0]


def _tile_bytes(columns: int, window: Window) -> int:
    return ((columns - 1) * window.stride[1] + window.extent[1]) * _tile_height(window) * _LANES


def _tile_columns(y: Tensor, window: Window) -> int:
    """Output columns of a tile: tiles of equal width that fit _TILE_BYTES where one column does."""
    fitting = [n for n in range(1, y.shape[2] + 1) if _tile_bytes(n, window) <= _TILE_BYTES]
    tiles = -(-y.shape[2] // max(fitting, default=1))
    return -(-y.shape[2] // tiles)


def _emit_depthwise(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, y, window = _upright(op, tensors)
    rows = block_row_loop(x, y, window, x.shape[3], block=4)
    weights = tensors[op.weights].data
    assert weights is not None
    by_columns = weights[0] if window is op.window else weights[0].swapaxes(0, 1)
    fields: Fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        ("kernel_h", window.kernel[0]),
        ("kernel_w", window.kernel[1]),
        ("stride_h", window.stride[0]),
        ("stride_w", window.stride[1]),
        ("dilation_w", window.dilation[1]),
        ("pad_left", window.padding[1][0]),
        ("tile", _tile_columns(y, window)),
        ("tile_h", rows.taps),
        *output_fields(op, tensors),
        ("pad", rows.pad or "NULL"),
        ("weights", Const("weights", np.ascontiguousarray(by_columns.transpose(2, 1, 0)).reshape(-1))),
    )
    name = "pl_depthwise_conv2d_s8__scalar"
    used = (*pointers(op, tensors), scratch_pointer("int8_t"))
    struct = Struct(f"{name}_params", fields)
    return (Call(name, used, ("rows", "y", "n", "scratch", "&p"), struct, rows),)


def _depthwise_scratch(op: DepthwiseConv2D, tensors: Tensors) -> int:
    _, y, window = _upright(op, tensors)
    return _tile_bytes(_tile_columns(y, window), window)


def _work(op: DepthwiseConv2D, tensors: Tensors) -> Mapping[str, int]:
    """Windows are counted by the loop that computes them; `any` has its taps counted apart."""
    _, y, window = _upright(op, tensors)
    _, height, width, channels = y.shape
    calls, groups = -(-height // 4), -(-channels // _LANES)
    tile = _tile_columns(y, window)
    tiles = calls * -(-width // tile)
    tile_rows = height * window.stride[0] + calls * (window.kernel[0] - window.stride[0])
    columns = width * window.stride[1] + -(-width // tile) * (window.extent[1] - window.stride[1])
    small = window.kernel == (3, 3) and window.dilation[1] == 1 and window.stride[0] <= 2
    mode = f"3x3_s{window.stride[0]}" if small else "any"
    blocks = calls * width * channels
    work = {"calls": calls, "tiles": tiles * groups, "channels": tiles * channels}
    work |= {"copied": tile_rows * columns * (channels // _LANES)}
    work |= {"copied_alone": tile_rows * columns * (channels % _LANES)}
    work |= {f"windows_{m}": blocks * (m == mode) for m in ("3x3_s1", "3x3_s2", "any")}
    work |= {"slow": calls * width * slow_channels(op, tensors)}
    return work | {"taps": blocks * window.kernel[0] * window.kernel[1] * (mode == "any")}


KERNELS: tuple[Kernel, ...] = (
    Kernel(
        "pl_depthwise_conv2d_s8__scalar",
        "scalar/depthwise_conv2d_s8__scalar.h",
        DepthwiseConv2D,
        _is_depthwise,
        _emit_depthwise,
        _depthwise_scratch,
        work=_work,
    ),
)
