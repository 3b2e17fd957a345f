"""DSP kernels of convolutions and fully-connected layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...ir.ops.conv2d import Conv2D
from ...ir.types import Tensor
from ...passes.planner.kernel import SCRATCH, Call, Kernel, Pointer, RowLoop, Struct, Tensors
from ..ops.packing import pointers, row_loop, window_fields
from .dsp_gemm import FEATURES, gemm_accepts, gemm_fields, word_order

_BLOCK = 4
_UNROLL = 8
_MAX_ROWS = 4
_SCRATCH_LIMIT = 16384


def gemm_work(pixels: int, lanes: int, out_c: int) -> dict[str, int]:
    """Rounds of the loops in gemm_s8__dsp.h for a run of pixels."""
    pairs, channel_pairs = (lanes + 1) // 2, (out_c + 1) // 2
    fours, threes = pixel_blocks(pixels)
    rounds = max(1, -(-(pairs - 1) // _UNROLL))
    return {
        "blocks": fours + threes,
        "pairs4": fours * channel_pairs * pairs,
        "pairs3": threes * channel_pairs * pairs,
        "outputs4": fours * channel_pairs,
        "outputs3": threes * channel_pairs,
        "rounds": (fours + threes) * channel_pairs * rounds,
        "widened": (4 * fours + 3 * threes) * lanes,
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


def _is_pointwise(op: Conv2D, tensors: Tensors) -> bool:
    same_group = tensors[op.weights].shape[3] == tensors[op.x].shape[3]
    return op.window.pointwise and same_group and gemm_accepts(op, tensors)


def _pointwise_scratch(op: Conv2D, tensors: Tensors) -> int:
    return (tensors[op.x].shape[3] + 1) // 2 * 4 * _BLOCK


def _emit_pointwise(op: Conv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    in_c, out_c = x.shape[3], y.shape[3]
    fields = (("in_c", in_c), *gemm_fields(op, tensors, word_order(in_c)))
    name = "pl_pointwise_s8__dsp"
    scratch = Pointer("scratch", SCRATCH, "int32_t", writable=True)
    args = ("x", "y", y.elements // out_c, "scratch", "&p")
    return (Call(name, (*pointers(op, tensors), scratch), args, Struct(f"{name}_params", fields)),)


def _pointwise_work(op: Conv2D, tensors: Tensors) -> Mapping[str, int]:
    x, y = tensors[op.x], tensors[op.y]
    return {"calls": 1, **gemm_work(y.elements // y.shape[3], x.shape[3], y.shape[3])}


def _is_spatial(op: Conv2D, tensors: Tensors) -> bool:
    no_groups = tensors[op.weights].shape[3] == tensors[op.x].shape[3]
    return no_groups and _spatial_scratch(op, tensors) <= _SCRATCH_LIMIT and gemm_accepts(op, tensors)


def _runs(op: Conv2D, tensors: Tensors) -> tuple[int, int]:
    """(elements that lie side by side in a window row, such runs per row)."""
    in_c, width = tensors[op.x].shape[3], op.window.kernel[1]
    return (width * in_c, 1) if op.window.dilation[1] == 1 else (in_c, width)


def _window_order(op: Conv2D, tensors: Tensors) -> np.ndarray:
    """Order of a window's weights in lanes: words of all runs first, then what is left of each run."""
    run, runs = _runs(op, tensors)
    first = np.arange(op.window.kernel[0] * runs)[:, None] * run
    order = word_order(run)[None, :] + first
    whole = run // 4 * 4
    return np.concatenate([order[:, :whole].reshape(-1), order[:, whole:].reshape(-1)])


def _spatial_scratch(op: Conv2D, tensors: Tensors) -> int:
    kernel_h, kernel_w = op.window.kernel
    taps = kernel_w * tensors[op.x].shape[3]
    return (kernel_h * taps + 1) // 2 * 4 * _BLOCK + (taps + 3) // 4 * 4


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


def _emit_spatial(op: Conv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    block = _rows_per_call(op, tensors)
    loop = _block_rows(x, y, op, block)
    run, runs = _runs(op, tensors)
    fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        *window_fields(op.window),
        ("stride_h", op.window.stride[0]),
        ("run", run),
        ("runs", runs),
        ("pad", loop.pad or "NULL"),
        *gemm_fields(op, tensors, _window_order(op, tensors)),
    )
    name = "pl_conv2d_s8__dsp"
    scratch = Pointer("scratch", SCRATCH, "int32_t", writable=True)
    args = ("rows", "y", "n" if block > 1 else 1, "scratch", "&p")
    return (Call(name, (*pointers(op, tensors), scratch), args, Struct(f"{name}_params", fields), loop),)


KERNELS: tuple[Kernel, ...] = (
    Kernel(
        "pl_pointwise_s8__dsp",
        "dsp/pointwise_s8__dsp.h",
        Conv2D,
        _is_pointwise,
        _emit_pointwise,
        _pointwise_scratch,
        features=FEATURES,
        work=_pointwise_work,
    ),
    Kernel(
        "pl_conv2d_s8__dsp",
        "dsp/conv2d_s8__dsp.h",
        Conv2D,
        _is_spatial,
        _emit_spatial,
        _spatial_scratch,
        features=FEATURES,
    ),
)
