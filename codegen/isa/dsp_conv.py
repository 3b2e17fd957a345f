"""DSP kernels of convolutions and fully-connected layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from ...ir.ops.conv2d import Conv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.types import Tensor
from ...ir.window import Window
from ...passes.planner.kernel import SCRATCH, Call, Const, Kernel, Pointer, RowLoop, Struct, Tensors
from ..ops.packing import Fields, pointers, row_loop, window_fields
from .dsp_gemm import (
    FC_CHANNELS,
    FEATURES,
    channels,
    fc_accepts,
    fc_stream,
    gemm_accepts,
    gemm_fields,
    gemm_scratch,
    weight_rows,
    word_order,
)

_UNROLL = 8
_UNROLL4 = 16
_MAX_ROWS = 4
_SCRATCH_LIMIT = 16384


def gemm_work(fours: int, threes: int, lanes: int, out_c: int) -> dict[str, int]:
    """Rounds of the loops in gemm_dsp.h for so many blocks of 4 and of 3 pixels."""
    pairs, channel_pairs = (lanes + 1) // 2, (out_c + 1) // 2
    rounds4, rounds3 = (max(1, -(-(pairs - 1) // unroll)) for unroll in (_UNROLL4, _UNROLL))
    return {
        "blocks": fours + threes,
        "pairs4": fours * channel_pairs * pairs,
        "pairs3": threes * channel_pairs * pairs,
        "outputs4": fours * channel_pairs,
        "outputs3": threes * channel_pairs,
        "rounds": (fours * rounds4 + threes * rounds3) * channel_pairs,
        "odd_blocks": (fours + threes) * (out_c % 2),
    }


def pixel_blocks(pixels: int) -> tuple[int, int]:
    """(blocks of four pixels, blocks of three) of a run."""
    if pixels < 3:
        return 0, pixels
    threes = (0, 3, 2, 1)[pixels % 4]
    if 3 * threes > pixels:
        threes = -(-pixels // 3)
        return 0, threes
    return (pixels - 3 * threes) // 4, threes


def _no_groups(op: Conv2D, tensors: Tensors) -> bool:
    return tensors[op.weights].shape[3] == tensors[op.x].shape[3]


def _is_pointwise(op: Conv2D, tensors: Tensors, variant: str) -> bool:
    return op.window.pointwise and _no_groups(op, tensors) and gemm_accepts(op, tensors, variant)


def _pointwise_scratch(op: Conv2D, tensors: Tensors) -> int:
    return gemm_scratch(tensors[op.x].shape[3])


def _name(kernel: str, variant: str) -> str:
    return f"{kernel}_s8__dsp{variant and '_'}{variant}"


def _emit_pointwise(op: Conv2D, tensors: Tensors, variant: str) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    in_c, out_c = x.shape[3], y.shape[3]
    fields = (("in_c", in_c), *gemm_fields(op, tensors, word_order(in_c), variant))
    function = "pl_" + _name("pointwise", variant)
    scratch = Pointer("scratch", SCRATCH, "int32_t", writable=True)
    args = ("x", "y", y.elements // out_c, "scratch", "&p")
    struct = Struct("pl_pointwise_dsp_params", fields)
    return (Call(function, (*pointers(op, tensors), scratch), args, struct),)


def _pointwise_work(op: Conv2D, tensors: Tensors) -> Mapping[str, int]:
    x, y = tensors[op.x], tensors[op.y]
    in_c, out_c = x.shape[3], y.shape[3]
    fours, threes = pixel_blocks(y.elements // out_c)
    pixels = 4 * fours + 3 * threes
    return {
        "calls": 1,
        **gemm_work(fours, threes, in_c, out_c),
        "pixels": pixels,
        "words": pixels * (in_c // 4),
    }


def _emit_fc(op: FullyConnected | Conv2D, tensors: Tensors, variant: str) -> tuple[Call, ...]:
    y, constants, requant = tensors[op.y], channels(op, tensors), op.requant(tensors)
    assert constants is not None
    rows = weight_rows(op, tensors)
    fields: Fields = (
        ("in_c", rows.shape[1]),
        ("out_c", len(rows)),
        ("low", requant.low),
        ("high", requant.high),
        ("stream", Const("stream", fc_stream(rows, constants, variant))),
    )
    function = "pl_" + _name("fully_connected", variant)
    args = ("x", "y", y.elements // len(rows), "&p")
    struct = Struct("pl_fully_connected_dsp_params", fields)
    return (Call(function, pointers(op, tensors), args, struct),)


def _fc_work(op: FullyConnected | Conv2D, tensors: Tensors) -> Mapping[str, int]:
    out_c, *taps = tensors[op.weights].shape
    pixels = tensors[op.y].elements // out_c
    words = (int(np.prod(taps)) + 3) // 4
    groups = pixels * -(-out_c // FC_CHANNELS)
    rounds = groups * max(1, -(-(words - 1) // _UNROLL))
    return {"calls": 1, "pixels": pixels, "groups": groups, "words": groups * words, "rounds": rounds}


def _is_pointwise_fc(op: Conv2D, tensors: Tensors, variant: str) -> bool:
    """A 1x1 convolution, pixel by pixel; pays for one or two of them."""
    return op.window.pointwise and _no_groups(op, tensors) and fc_accepts(op, tensors, variant)


def _is_spatial(op: Conv2D, tensors: Tensors, variant: str) -> bool:
    small = _spatial_scratch(op, tensors) <= _SCRATCH_LIMIT
    return small and _no_groups(op, tensors) and gemm_accepts(op, tensors, variant)


def _runs(op: Conv2D, tensors: Tensors) -> tuple[int, int]:
    """(elements that lie side by side in a window row, such runs per row)."""
    in_c, width = tensors[op.x].shape[3], op.window.kernel[1]
    return (width * in_c, 1) if op.window.dilation[1] == 1 else (in_c, width)


def _window_order(op: Conv2D, tensors: Tensors) -> np.ndarray:
    """Order of a window's weights in lanes: words of all runs first, then what is left of the runs, of each
    such value the rows in pairs. -1 is a lane without weight."""
    run, runs = _runs(op, tensors)
    kernel_h, whole = op.window.kernel[0], run // 4 * 4
    first = np.arange(kernel_h * runs)[:, None] * run
    rest = (np.arange(whole, run)[None, :] + first).reshape(kernel_h, -1)
    if kernel_h % 2:
        rest = np.concatenate([rest, np.full((1, rest.shape[1]), -1)])
    return np.concatenate([(word_order(whole)[None, :] + first).reshape(-1), rest.T.reshape(-1)])


def _spatial_scratch(op: Conv2D, tensors: Tensors) -> int:
    return gemm_scratch(len(_window_order(op, tensors)))


def _row_blocks(width: int, rows: int) -> list[tuple[int, int]]:
    """(fours, threes) of each number of rows per call, 1 to _MAX_ROWS, for the whole output."""
    result = []
    for block in range(1, _MAX_ROWS + 1):
        whole, rest = pixel_blocks(block * width), pixel_blocks(rows % block * width)
        count = rows // block
        result.append((whole[0] * count + rest[0], whole[1] * count + rest[1]))
    return result


def _rows_per_call(op: Conv2D, tensors: Tensors) -> int:
    """Output rows per call, such that fewest pixels are computed twice."""
    _, height, width, _ = tensors[op.y].shape
    if op.window.dilation[0] != 1:
        return 1
    computed = [4 * fours + 3 * threes for fours, threes in _row_blocks(width, height)]
    return 1 + computed.index(min(computed))


def _block_rows(x: Tensor, y: Tensor, op: Conv2D, block: int) -> RowLoop:
    loop = row_loop(x, y, op.window)
    return loop if block == 1 else replace(loop, block=block, taps=(block - 1) * loop.stride + loop.taps)


def _inner_columns(window: Window, in_w: int, out_w: int) -> tuple[int, int]:
    """First and last + 1 output column whose window is inside the input without dilation; (0, 0) for none."""
    if window.dilation[1] != 1 and window.kernel[1] > 1:
        return 0, 0
    width, stride, left = window.kernel[1], window.stride[1], window.padding[1][0]
    inside = [ox for ox in range(out_w) if 0 <= ox * stride - left <= in_w - width]
    return (inside[0], inside[-1] + 1) if inside else (0, 0)


def _emit_spatial(op: Conv2D, tensors: Tensors, variant: str) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    block = _rows_per_call(op, tensors)
    loop = _block_rows(x, y, op, block)
    run, runs = _runs(op, tensors)
    begin, end = _inner_columns(op.window, x.shape[2], y.shape[2])
    fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        *window_fields(op.window),
        ("stride_h", op.window.stride[0]),
        ("run", run),
        ("runs", runs),
        ("inner_begin", begin),
        ("inner_end", end),
        ("pad", loop.pad or "NULL"),
        *gemm_fields(op, tensors, _window_order(op, tensors), variant),
    )
    function = "pl_" + _name("conv2d", variant)
    scratch = Pointer("scratch", SCRATCH, "int32_t", writable=True)
    args = ("rows", "y", "n" if block > 1 else 1, "scratch", "&p")
    struct = Struct("pl_conv2d_dsp_params", fields)
    return (Call(function, (*pointers(op, tensors), scratch), args, struct, loop),)


def _spatial_work(op: Conv2D, tensors: Tensors) -> Mapping[str, int]:
    _, height, width, out_c = tensors[op.y].shape
    block = _rows_per_call(op, tensors)
    calls = -(-height // block)
    fours, threes = _row_blocks(width, height)[block - 1]
    begin, end = _inner_columns(op.window, tensors[op.x].shape[2], width)
    run, runs = _runs(op, tensors)
    windows, rows = height * (end - begin), height * op.window.kernel[0] * runs
    unrolled = run == 9 and op.window.kernel[0] == 3  # pl_conv2d_dsp_window27
    inner = 0 if unrolled else rows * (end - begin)
    copied = runs == 1 and run // op.window.kernel[1] % 4 != 0
    return {
        "calls": calls,
        **gemm_work(fours, threes, len(_window_order(op, tensors)), out_c),
        "inner_windows": 0 if unrolled else windows,
        "inner_rows": inner,
        "inner_words": inner * (run // 4),
        "inner_rest": inner * (run % 4),
        "windows27": windows if unrolled else 0,
        "border_rows": rows * (width - end + begin),
        "border_values": 0 if copied else rows * (width - end + begin) * run,
        "copied_values": rows * (width - end + begin) * run if copied else 0,
    }


def _kernels(variant: str) -> tuple[Kernel, ...]:
    pointwise, spatial = _name("pointwise", variant), _name("conv2d", variant)
    return (
        Kernel(
            f"pl_{pointwise}",
            f"dsp/{pointwise}.h",
            Conv2D,
            partial(_is_pointwise, variant=variant),
            partial(_emit_pointwise, variant=variant),
            _pointwise_scratch,
            features=FEATURES,
            work=_pointwise_work,
        ),
        Kernel(
            f"pl_{spatial}",
            f"dsp/{spatial}.h",
            Conv2D,
            partial(_is_spatial, variant=variant),
            partial(_emit_spatial, variant=variant),
            _spatial_scratch,
            features=FEATURES,
            work=_spatial_work,
        ),
    )


KERNELS: tuple[Kernel, ...] = (
    *_kernels("relu"),
    *_kernels(""),
    *_kernels("any"),
    *(
        Kernel(
            "pl_" + _name("fully_connected", variant),
            f"dsp/{_name('fully_connected', variant)}.h",
            op,
            partial(accepts, variant=variant),
            partial(_emit_fc, variant=variant),
            features=FEATURES,
            work=_fc_work,
        )
        for variant in ("", "any")
        for op, accepts in ((FullyConnected, fc_accepts), (Conv2D, _is_pointwise_fc))
    ),
)
