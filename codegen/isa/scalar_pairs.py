"""Scalar kernels that get two products out of one multiplication: 1x1 and spatial convolution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.types import DType, Tensor
from ...ir.window import Window
from ...passes.planner.kernel import Call, Const, Kernel, Struct, Tensors
from ..ops.packing import Fields, has_type, pointers, window_fields
from .scalar_dense import dense_pixels, is_dense, is_whole
from .scalar_packing import (
    block_row_loop,
    chunk_bytes,
    chunk_lengths,
    output_fields,
    scratch_pointer,
    slow_channels,
    turned,
    weight_rows,
)

_Dense = Conv2D | FullyConnected
_Spatial = Conv2D | DepthwiseConv2D


def _flat_window(op: _Spatial, tensors: Tensors) -> tuple[Tensor, Tensor, Window]:
    """x, y and the window, rows and columns exchanged where there is one column: rows are the fast way."""
    x, y, w = tensors[op.x], tensors[op.y], op.window
    if x.shape[2] != 1 or w.kernel[1] != 1 or any(w.padding[1]):
        return x, y, w
    return turned(x, y, w)


def _inner(prefix: str, fields: Fields) -> Fields:
    """The fields of a struct that is the member `prefix` of another."""
    return tuple((f"{prefix}.{name}", value) for name, value in fields)


def _pair_fields(op: _Dense | DepthwiseConv2D, tensors: Tensors) -> Fields:
    """pl_pairs_channels."""
    rows = weight_rows(op, tensors)
    return (
        ("k", rows.shape[1]),
        ("out_c", rows.shape[0]),
        *output_fields(op, tensors),
        ("weights", Const("weights", rows.reshape(-1))),
        ("chunks", Const("chunks", chunk_bytes(chunk_lengths(rows[:, :, None])))),
    )


def _emit_dense_pairs(op: _Dense, tensors: Tensors, variant: str) -> tuple[Call, ...]:
    args = ("x", "y", dense_pixels(op, tensors), "scratch", "&p")
    struct = Struct("pl_pairs_channels", _pair_fields(op, tensors))
    used = (*pointers(op, tensors), scratch_pointer("uint32_t"))
    return (Call(f"pl_pointwise_s8__{variant}", used, args, struct),)


def _dense_scratch(op: _Dense, tensors: Tensors, pixels: int) -> int:
    return 2 * pixels * tensors[op.weights].shape[-1]


def _is_conv(op: _Spatial, tensors: Tensors) -> bool:
    """No groups; depthwise of one input channel is an ordinary convolution."""
    if not has_type(op, tensors, DType.INT8):
        return False
    return is_whole(op, tensors) if isinstance(op, Conv2D) else tensors[op.x].shape[3] == 1


def _emit_conv(op: _Spatial, tensors: Tensors, variant: str, pixels: int) -> tuple[Call, ...]:
    x, y, window = _flat_window(op, tensors)
    block = _rows_at_once(y, window, pixels)
    rows = block_row_loop(x, y, window, window.kernel[1] * x.shape[3], block)
    windows: Fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        ("stride_h", window.stride[0]),
        *window_fields(window),
        ("pad", rows.pad or "NULL"),
    )
    fields = (*_inner("windows", windows), *_inner("pairs", _pair_fields(op, tensors)))
    used = (*pointers(op, tensors), scratch_pointer("uint32_t"))
    struct = Struct("pl_conv2d_s8__scalar_pairs_params", fields)
    args = ("rows", "y", "n" if block > 1 else 1, "scratch", "&p")
    return (Call(f"pl_conv2d_s8__{variant}", used, args, struct, rows),)


def _rows_at_once(y: Tensor, window: Window, pixels: int) -> int:
    """Output rows per call: more than one where a row is not made of whole blocks of pixels."""
    _, height, width, _ = y.shape
    one = width % pixels == 0 or width >= 8 * pixels or height == 1 or window.dilation[0] != 1
    return 1 if one else 4


def _conv_scratch(op: _Spatial, tensors: Tensors, pixels: int) -> int:
    return 2 * pixels * op.window.kernel[0] * op.window.kernel[1] * tensors[op.x].shape[3]


# --- work ---------------------------------------------------------------------------------------


def _blocks(left: int, size: int) -> Iterator[tuple[int, int]]:
    """(pixels, words per element) of the blocks in which kernels of `size` pixels at a time compute."""
    while left > 0:
        pixels = min(left, 8 if size == 8 and left >= 7 else 4)
        yield pixels, 4 if pixels > 4 else 2 if pixels > 2 else 1
        left -= pixels


def _products(op: _Dense | DepthwiseConv2D, tensors: Tensors, words: list[int]) -> Mapping[str, int]:
    """Work on blocks of pixels with so many words per element each.

    rounds and chunks: passes through these loops; products and sums: what they do per word
    """
    rows = weight_rows(op, tensors)
    chunks = sum(map(len, chunk_lengths(rows[:, :, None])))
    fours = sum(1 if n < 4 else 2 for n in words)
    return {
        "gathered": sum(words) * rows.shape[1],
        "rounds": len(words) * rows.size,
        "products": sum(words) * rows.size,
        "chunks": len(words) * chunks,
        "sums": sum(words) * chunks,
        "channels": fours * rows.shape[0],
        "slow": fours * slow_channels(op, tensors),
    }


def _dense_work(op: _Dense, tensors: Tensors, pixels: int) -> Mapping[str, int]:
    words = [n for _, n in _blocks(dense_pixels(op, tensors), pixels)]
    return {"calls": 1, **_products(op, tensors, words)}


def _conv_work(op: _Spatial, tensors: Tensors, pixels: int) -> Mapping[str, int]:
    """runs: stretches of adjacent elements that are gathered, fewer where windows lie inside the input."""
    x, y, window = _flat_window(op, tensors)
    _, height, width, _ = y.shape
    starts = [i * window.stride[1] - window.padding[1][0] for i in range(width)]
    last = x.shape[2] - window.kernel[1]
    inside = [0 <= start <= last and window.dilation[1] == 1 for start in starts]
    at_once = _rows_at_once(y, window, pixels)
    words, runs = [], 0
    for row in range(0, height, at_once):
        first, end = 0, min(at_once, height - row) * width
        for n, pairs in _blocks(end, pixels):
            words.append(pairs)
            for i in range(first, first + 2 * pairs, 2):
                a, b = (min(j, first + n - 1) % width for j in (i, i + 1))
                runs += 1 if inside[a] and inside[b] else window.kernel[1]
            first += n
    calls = -(-height // at_once)
    return {"calls": calls, "runs": runs * window.kernel[0], **_products(op, tensors, words)}


def _pairs(pixels: int) -> tuple[Kernel, ...]:
    """The kernels that compute so many pixels at a time."""
    variant = "scalar_pairs" if pixels == 4 else f"scalar_pairs{pixels}"
    pointwise, conv = f"pointwise_s8__{variant}", f"conv2d_s8__{variant}"
    dense = tuple(
        Kernel(
            f"pl_{pointwise}",
            f"scalar/{pointwise}.h",
            op,
            is_dense,
            partial(_emit_dense_pairs, variant=variant),
            partial(_dense_scratch, pixels=pixels),
            work=partial(_dense_work, pixels=pixels),
        )
        for op in (Conv2D, FullyConnected)
    )
    spatial = tuple(
        Kernel(
            f"pl_{conv}",
            f"scalar/{conv}.h",
            op,
            _is_conv,
            partial(_emit_conv, variant=variant, pixels=pixels),
            partial(_conv_scratch, pixels=pixels),
            work=partial(_conv_work, pixels=pixels),
        )
        for op in (Conv2D, DepthwiseConv2D)
    )
    return (*dense, *spatial)


KERNELS: tuple[Kernel, ...] = (*_pairs(8), *_pairs(4))
