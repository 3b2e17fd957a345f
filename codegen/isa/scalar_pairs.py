"""How weights are packed for the scalar kernels: blocks of four channels, and chunks of two-in-one products."""

from __future__ import annotations

import numpy as np

from ...ir.types import Tensor

LONGEST_CHUNK = 16
"""PL_CHUNK of runtime_c/scalar/pairs.h."""

_HALF = 1 << 15


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
    wide = weights.astype(np.int64)
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
    return lists


def chunk_bytes(lists: list[list[int]]) -> np.ndarray:
    """The lists as kernels read them: each is its number of chunks, then their lengths."""
    return np.array([n for lengths in lists for n in (len(lengths), *lengths)], np.uint8)


def paired_words(weights: np.ndarray) -> np.ndarray:
    """[channels, k] int8 -> [groups of four, k, 2] int32 words, each low + 65536 * high of two channels."""
    wide = blocks_of_four(weights).astype(np.int64)
    words = wide[..., 0::2] + (wide[..., 1::2] << 16)
    return words.astype(np.uint32).view(np.int32)


def rows_of(weights: Tensor, axis: int) -> np.ndarray:
    """The weights as [output channels, elements of a window]."""
    assert weights.data is not None
    moved = np.moveaxis(weights.data, axis, 0)
    return np.ascontiguousarray(moved.reshape(len(moved), -1))
