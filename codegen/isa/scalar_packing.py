"""What the descriptors of the scalar kernels share: how they want weights and parameters in flash."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from ...ir.types import Tensor
from ...ir.weighted import WeightedOp
from ...ir.window import Window
from ...passes.planner.kernel import SCRATCH, Const, Field, Pointer, RowLoop, Tensors
from ..ops.packing import Fields, channel_fields, row_loop

LONGEST_CHUNK = 16
"""Rounds that runtime_c/scalar/pairs.h has in a row."""

_HALF = 1 << 15

LONGEST_SHORT_SHIFT = 22
"""Right shifts that pl_output_short_s8 takes at most."""


def blocks_of_four(weights: np.ndarray) -> np.ndarray:
    """[channels, k] -> [groups, k, 4], missing channels of the last group zero."""
    channels, k = weights.shape
    padded = np.pad(weights, ((0, -channels % 4), (0, 0)))
    return np.ascontiguousarray(padded.reshape(-1, 4, k).transpose(0, 2, 1))


def chunk_lengths(weights: np.ndarray) -> list[list[int]]:
    """Lengths of the longest chunks whose sums fit 16 bits for any int8 input; weights [lists, k, channels].

    A product's range is [-128 w, 127 w], turned round for negative w. The channels of a list share its
    chunks, so each chunk has to suit all of them.
    """
    return [list(n) for n in _chunk_lengths(weights.shape, weights.dtype.name, weights.tobytes())]


@lru_cache(maxsize=512)
def _chunk_lengths(shape: tuple[int, ...], dtype: str, data: bytes) -> tuple[tuple[int, ...], ...]:
    wide = np.frombuffer(data, dtype).reshape(shape).astype(np.int64)
    lowest, highest = np.minimum(-128 * wide, 127 * wide), np.maximum(-128 * wide, 127 * wide)
    lists: list[list[int]] = [[] for _ in wide]
    low, high = np.zeros_like(wide[:, 0]), np.zeros_like(wide[:, 0])
    length = np.zeros(len(wide), np.int64)
    for i in range(wide.shape[1]):
        low, high = low + lowest[:, i], high + highest[:, i]
        full = (low < -_HALF).any(axis=1) | (high >= _HALF).any(axis=1) | (length == LONGEST_CHUNK)
        for j in np.flatnonzero(full):
            lists[j].append(int(length[j]))
        low[full], high[full], length[full] = lowest[full, i], highest[full, i], 0
        length += 1
    for found, last in zip(lists, length.tolist(), strict=True):
        found.append(last)
    return tuple(map(tuple, lists))


def chunk_bytes(lists: list[list[int]]) -> np.ndarray:
    """The lists as kernels read them: each ends in 0."""
    return np.array([n for lengths in lists for n in (*lengths, 0)], np.uint8)


def paired_words(weights: np.ndarray) -> np.ndarray:
    """[channels, k] int8 -> [groups of four, k, 2] int32 words, each low + 65536 * high of two channels."""
    wide = blocks_of_four(weights).astype(np.int64)
    words = wide[..., 0::2] + (wide[..., 1::2] << 16)
    return words.astype(np.uint32).view(np.int32)


def weight_rows(op: WeightedOp, tensors: Tensors) -> np.ndarray:
    """The weights as [output channels, elements of a window]."""
    data = tensors[op.weights].data
    assert data is not None
    moved = np.moveaxis(data, op.CHANNEL_AXIS, 0)
    return np.ascontiguousarray(moved.reshape(len(moved), -1))


def turned(x: Tensor, y: Tensor, w: Window) -> tuple[Tensor, Tensor, Window]:
    """Rows and columns exchanged, one of which there is one of: the data stay as they are."""
    turned = Window(w.kernel[::-1], w.stride[::-1], w.dilation[::-1], w.padding[::-1])

    def turn(t: Tensor) -> Tensor:
        return replace(t, shape=(t.shape[0], t.shape[2], t.shape[1], t.shape[3]))

    return turn(x), turn(y), turned


def block_row_loop(x: Tensor, y: Tensor, window: Window, pad: int, block: int) -> RowLoop:
    """`block` output rows per call of a kernel that reads `pad` elements of a padded row at most."""
    rows = row_loop(x, y, window)
    fill = rows.pad and replace(rows.pad, count=pad)
    return replace(rows, pad=fill, block=block, taps=(block - 1) * rows.stride + rows.taps)


def scratch_pointer(ctype: str) -> Pointer:
    return Pointer("scratch", SCRATCH, ctype, writable=True)


def _data(field: Field) -> np.ndarray:
    assert isinstance(field, Const)
    return field.data


def output_fields(op: WeightedOp, tensors: Tensors) -> Fields:
    """pl_outputs_s8 called `outputs`: the constants of packing.channel_fields side by side per channel."""
    f = {name.removeprefix("channels."): value for name, value in channel_fields(op, tensors)}
    bias, multiplier, right = (_data(f[name]).astype(np.int64) for name in ("bias", "multiplier", "shift"))
    zero_point, low, high = f["zero_point"], f["low"], f["high"]
    assert isinstance(zero_point, int) and isinstance(low, int) and isinstance(high, int)
    short = np.clip(right, 1, LONGEST_SHORT_SHIFT)
    merged = (2 * zero_point + 1) << (short - 1)
    clamped = 64 * ((low, high) != (-128, 127))
    records = np.stack([2 * bias, multiplier, merged, right + clamped], axis=1).astype(np.int32)
    return (
        ("outputs.zero_point", zero_point),
        ("outputs.low", low),
        ("outputs.high", high),
        ("outputs.channels", Const("channels", records.reshape(-1))),
    )


def slow_channels(op: WeightedOp, tensors: Tensors) -> int:
    """How many output channels need more than the short form of requantization."""
    f = {name.removeprefix("channels."): value for name, value in channel_fields(op, tensors)}
    right = _data(f["shift"])
    if (f["low"], f["high"]) != (-128, 127):
        return len(right)
    return int(((right < 1) | (right > LONGEST_SHORT_SHIFT)).sum())
