"""Kernels of float32 for cores with a single-precision FPU: blocks of sums in registers, in plain C.

Sums are added up in the order of the portable kernels, so results are the same bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.types import DType
from ...passes.planner.kernel import SCRATCH, Call, Const, Kernel, Pointer, Struct, Tensors
from ..ops.packing import Fields, channel_fields, pointers, row_loop, weights_const, window_fields

FEATURES = frozenset({"fpu-sp"})
_BLOCK = 4
"""Pixels and output channels of a block of sums."""

_MAX_ROWS = 4
_SCRATCH_LIMIT = 16384
_SCRATCH = Pointer("scratch", SCRATCH, "float", writable=True)


def _is_float(op: Conv2D | DepthwiseConv2D | FullyConnected, tensors: Tensors) -> bool:
    return tensors[op.x].dtype is DType.FLOAT32


def _dense(op: Conv2D | FullyConnected, tensors: Tensors) -> bool:
    """A 1x1 convolution without groups, or fully connected."""
    if isinstance(op, FullyConnected):
        return _is_float(op, tensors)
    return op.window.pointwise and _ungrouped(op, tensors)


def _ungrouped(op: Conv2D, tensors: Tensors) -> bool:
    return _is_float(op, tensors) and tensors[op.weights].shape[3] == tensors[op.x].shape[3]


def _blocks(op: Conv2D | FullyConnected, tensors: Tensors) -> Const:
    """[OC, ...] weights as [OC / 4, ..., 4], with zeros behind the last channel."""
    data = tensors[op.weights].data
    assert data is not None
    rows = data.reshape(data.shape[0], -1)
    missing = -len(rows) % _BLOCK
    padded = np.concatenate([rows, np.zeros((missing, rows.shape[1]), rows.dtype)])
    blocks = padded.reshape(-1, _BLOCK, rows.shape[1]).transpose(0, 2, 1)
    return Const("weights", np.ascontiguousarray(blocks).reshape(-1))


def _ends(op: Conv2D | FullyConnected, tensors: Tensors) -> Fields:
    """pl_ends_f32."""
    fields = dict(channel_fields(op, tensors))
    bias = fields["bias"]
    assert isinstance(bias, Const)
    padded = np.concatenate([bias.data, np.zeros(-len(bias.data) % _BLOCK, np.float32)])
    return (
        ("ends.out_c", len(bias.data)),
        ("ends.low", fields["low"]),
        ("ends.high", fields["high"]),
        ("ends.bias", Const("bias", padded)),
    )


def _dense_scratch(op: Conv2D | FullyConnected, tensors: Tensors) -> int:
    out_c, depth = tensors[op.weights].shape[0], tensors[op.weights].shape[-1]
    return 4 * _BLOCK * depth if tensors[op.y].elements // out_c >= _BLOCK else 0


def _emit_dense(op: Conv2D | FullyConnected, tensors: Tensors, single: bool) -> tuple[Call, ...]:
    out_c, depth = tensors[op.weights].shape[0], tensors[op.weights].shape[-1]
    pixels = tensors[op.y].elements // out_c
    fields: Fields = (("in_c", depth), ("weights", _blocks(op, tensors)), *_ends(op, tensors))
    name = "pl_pointwise_f32__fpu" + ("_single" if single else "")
    struct = Struct(f"{name}_params", fields)
    if single:
        return (Call(name, pointers(op, tensors), ("x", "y", pixels, "&p"), struct),)
    if pixels < _BLOCK:
        return (Call(name, pointers(op, tensors), ("x", "y", pixels, "NULL", "&p"), struct),)
    return (Call(name, (*pointers(op, tensors), _SCRATCH), ("x", "y", pixels, "scratch", "&p"), struct),)


def _sums_work(fours: int, ones: int, depth: int, out_c: int) -> dict[str, int]:
    """Rounds of the loops of pixel_f32.h and pixels4_f32.h for blocks of four pixels and for single ones."""
    blocks = -(-out_c // _BLOCK)
    return {
        "fours": fours * blocks,
        "fours_inner": fours * blocks * depth,
        "ones": ones * blocks,
        "ones_inner": ones * blocks * (depth // 4),
        "ones_rest": ones * blocks * (depth % 4),
        "outputs": (4 * fours + ones) * out_c,
    }


def _dense_work(op: Conv2D | FullyConnected, tensors: Tensors, single: bool) -> Mapping[str, int]:
    out_c, depth = tensors[op.weights].shape[0], tensors[op.weights].shape[-1]
    pixels = tensors[op.y].elements // out_c
    fours, ones = (0, pixels) if single else divmod(pixels, _BLOCK)
    return {
        "calls": 1,
        "pixels": fours + ones,
        "gathered": fours * depth,
        **_sums_work(fours, ones, depth, out_c),
    }


def _window_depth(op: Conv2D, tensors: Tensors) -> int:
    return tensors[op.weights].elements // tensors[op.weights].shape[0]


def _conv2d_scratch(op: Conv2D, tensors: Tensors) -> int:
    return 4 * _BLOCK * _window_depth(op, tensors)


def _gathers(op: Conv2D, tensors: Tensors) -> bool:
    return _ungrouped(op, tensors) and _conv2d_scratch(op, tensors) <= _SCRATCH_LIMIT


def _rows_per_call(op: Conv2D, tensors: Tensors) -> int:
    """Output rows per call, such that fewest pixels are computed singly."""
    _, height, width, _ = tensors[op.y].shape
    if op.window.dilation[0] != 1:
        return 1
    singles = [
        height // n * (n * width % _BLOCK) + height % n * width % _BLOCK for n in range(1, _MAX_ROWS + 1)
    ]
    return 1 + singles.index(min(singles))


def _emit_conv2d(op: Conv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    block, rows = _rows_per_call(op, tensors), row_loop(x, y, op.window)
    if block > 1:
        rows = replace(rows, block=block, taps=(block - 1) * rows.stride + rows.taps)
    fields: Fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        *window_fields(op.window),
        ("stride_h", op.window.stride[0]),
        ("weights", _blocks(op, tensors)),
        *_ends(op, tensors),
    )
    name = "pl_conv2d_f32__fpu"
    struct = Struct(f"{name}_params", fields)
    args = ("rows", "y", "n" if block > 1 else 1, "scratch", "&p")
    return (Call(name, (*pointers(op, tensors), _SCRATCH), args, struct, rows),)


def _conv2d_work(op: Conv2D, tensors: Tensors) -> Mapping[str, int]:
    """runs: of adjacent elements; where a window has columns outside the input these are single taps."""
    window, (_, height, width, out_c) = op.window, tensors[op.y].shape
    (kernel_h, kernel_w), in_w = window.kernel, tensors[op.x].shape[2]
    starts = [ox * window.stride[1] - window.padding[1][0] for ox in range(width)]
    inside = sum(0 <= x0 <= in_w - kernel_w and window.dilation[1] == 1 for x0 in starts)
    block, depth = _rows_per_call(op, tensors), _window_depth(op, tensors)
    calls = [block * width] * (height // block) + [height % block * width] * (height % block > 0)
    fours, ones = (sum(column) for column in zip(*(divmod(n, _BLOCK) for n in calls), strict=True))
    return {
        "calls": len(calls),
        "pixels": height * width,
        "runs": height * kernel_h * (inside + (width - inside) * kernel_w),
        "gathered": height * width * depth,
        **_sums_work(fours, ones, depth, out_c),
    }


def _emit_single(op: Conv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    fields: Fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        *window_fields(op.window),
        ("weights", _blocks(op, tensors)),
        *_ends(op, tensors),
    )
    name, rows = "pl_conv2d_f32__fpu_single", row_loop(x, y, op.window)
    struct = Struct(f"{name}_params", fields)
    return (Call(name, pointers(op, tensors), ("rows", "y", "&p"), struct, rows),)


def _single_work(op: Conv2D, tensors: Tensors) -> Mapping[str, int]:
    """Runs are a row of taps where the window lies inside the input, else the taps that do."""
    window, (_, height, width, out_c) = op.window, tensors[op.y].shape
    (kernel_h, kernel_w), (in_w, in_c) = window.kernel, tensors[op.x].shape[2:]
    whole = single = 0
    for ox in range(width):
        columns = [
            ox * window.stride[1] - window.padding[1][0] + k * window.dilation[1] for k in range(kernel_w)
        ]
        inside = sum(0 <= ix < in_w for ix in columns)
        whole += inside == kernel_w and window.dilation[1] == 1
        single += 0 if inside == kernel_w and window.dilation[1] == 1 else inside
    rows = height * kernel_h * -(-out_c // _BLOCK)
    run = kernel_w * in_c
    return {
        "calls": height,
        "outputs": height * width * out_c,
        "blocks": height * width * -(-out_c // _BLOCK),
        "rows": rows * width,
        "runs": rows * (whole + single),
        "inner": rows * (whole * (run // 4) + single * (in_c // 4)),
        "rest": rows * (whole * (run % 4) + single * (in_c % 4)),
        "skipped": rows * (width - whole) * kernel_w - rows * single,
    }


def _plain_depthwise(op: DepthwiseConv2D, tensors: Tensors) -> bool:
    """One output channel per input channel."""
    return _is_float(op, tensors) and tensors[op.x].shape[3] == tensors[op.y].shape[3]


def _is_depthwise(op: DepthwiseConv2D, tensors: Tensors) -> bool:
    return _plain_depthwise(op, tensors) and tensors[op.x].shape[3] % _BLOCK == 0


def _is_3x3(op: DepthwiseConv2D, tensors: Tensors) -> bool:
    window = op.window
    near = window.stride[1] <= 2 and window.padding[1][0] <= 2
    square = window.kernel == (3, 3) and window.dilation[1] == 1
    return _plain_depthwise(op, tensors) and square and near


def _depthwise_call(
    op: DepthwiseConv2D, tensors: Tensors, name: str, geometry: Fields, weights: Const
) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    fields: Fields = (
        ("in_w", x.shape[2]),
        ("channels", x.shape[3]),
        ("out_w", y.shape[2]),
        *geometry,
        ("weights", weights),
        *channel_fields(op, tensors),
    )
    struct = Struct(f"{name}_params", fields)
    rows = row_loop(x, y, op.window)
    return (Call(name, pointers(op, tensors), ("rows", "y", "&p"), struct, rows),)


def _emit_depthwise(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
    geometry, weights = window_fields(op.window), weights_const(op, tensors)
    return _depthwise_call(op, tensors, "pl_depthwise_conv2d_f32__fpu", geometry, weights)


def _emit_3x3(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
    data = tensors[op.weights].data
    assert data is not None
    taps = np.ascontiguousarray(data.reshape(9, -1).T)
    geometry: Fields = (("stride_w", op.window.stride[1]), ("pad_left", op.window.padding[1][0]))
    name = "pl_depthwise_conv2d_f32__fpu_3x3"
    return _depthwise_call(op, tensors, name, geometry, Const("weights", taps.reshape(-1)))


def _depthwise_work(op: DepthwiseConv2D, tensors: Tensors) -> Mapping[str, int]:
    window, (_, height, width, channels) = op.window, tensors[op.y].shape
    starts = (ox * window.stride[1] - window.padding[1][0] for ox in range(width))
    places = [s + kx * window.dilation[1] for s in starts for kx in range(window.kernel[1])]
    inside = sum(0 <= place < tensors[op.x].shape[2] for place in places)
    blocks = height * channels // _BLOCK
    return {
        "calls": height,
        "columns": height * len(places),
        "outputs": blocks * width,
        "rows": blocks * width * window.kernel[0],
        "taps": blocks * inside * window.kernel[0],
    }


def _work_3x3(op: DepthwiseConv2D, tensors: Tensors) -> Mapping[str, int]:
    (_, height, width, channels), stride = tensors[op.y].shape, op.window.stride[1]
    rows = height * channels
    return {
        "calls": height,
        "channels": rows,
        "near" if stride == 1 else "far": rows * width,
        "columns": rows * ((width - 1) * stride + 3),
    }


KERNELS: tuple[Kernel, ...] = (
    *(
        Kernel(
            "pl_pointwise_f32__fpu",
            "fpu/pointwise_f32__fpu.h",
            op,
            _dense,
            partial(_emit_dense, single=False),
            _dense_scratch,
            features=FEATURES,
            work=partial(_dense_work, single=False),
        )
        for op in (Conv2D, FullyConnected)
    ),
    *(
        Kernel(
            "pl_pointwise_f32__fpu_single",
            "fpu/pointwise_f32__fpu_single.h",
            op,
            _dense,
            partial(_emit_dense, single=True),
            features=FEATURES,
            work=partial(_dense_work, single=True),
        )
        for op in (Conv2D, FullyConnected)
    ),
    Kernel(
        "pl_conv2d_f32__fpu",
        "fpu/conv2d_f32__fpu.h",
        Conv2D,
        _gathers,
        _emit_conv2d,
        _conv2d_scratch,
        features=FEATURES,
        work=_conv2d_work,
    ),
    Kernel(
        "pl_conv2d_f32__fpu_single",
        "fpu/conv2d_f32__fpu_single.h",
        Conv2D,
        _ungrouped,
        _emit_single,
        features=FEATURES,
        work=_single_work,
    ),
    Kernel(
        "pl_depthwise_conv2d_f32__fpu_3x3",
        "fpu/depthwise_conv2d_f32__fpu_3x3.h",
        DepthwiseConv2D,
        _is_3x3,
        _emit_3x3,
        features=FEATURES,
        work=_work_3x3,
    ),
    Kernel(
        "pl_depthwise_conv2d_f32__fpu",
        "fpu/depthwise_conv2d_f32__fpu.h",
        DepthwiseConv2D,
        _is_depthwise,
        _emit_depthwise,
        features=FEATURES,
        work=_depthwise_work,
    ),
)
