"""Sliding windows: geometry and patch extraction shared by convolutions and pooling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Window:
    """Geometry of a 2-D sliding window; every pair is (height, width), in elements.

    padding   ((top, bottom), (left, right)) rows and columns of zero points around the input
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns one window spans, dilation included."""
        kh, kw = self.kernel
        dh, dw = self.dilation
        return (kh - 1) * dh + 1, (kw - 1) * dw + 1

    @property
    def pointwise(self) -> bool:
        """One tap, stride 1, no padding: the input is a run of pixels."""
        return self.kernel == (1, 1) and self.stride == (1, 1) and not self.padded

    @property
    def padded(self) -> bool:
        return any(p for pair in self.padding for p in pair)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Output rows and columns for an input of that size; 0 or less when the window does not fit."""
        size = []
        for axis, n in enumerate((height, width)):
            before, after = self.padding[axis]
            size.append((n + before + after - self.extent[axis]) // self.stride[axis] + 1)
        return size[0], size[1]


def same_padding(size: int, extent: int, stride: int) -> tuple[int, int]:
    """(before, after) of TensorFlow's SAME: output = ceil(size / stride), the odd element goes after."""
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2


def patches(x: np.ndarray, window: Window, fill: int | float) -> np.ndarray:
    """View of [1,H,W,C] `x` as [H_out, W_out, kh, kw, C], padded with `fill`."""
    (top, bottom), (left, right) = window.padding
    padded = np.pad(x[0], ((top, bottom), (left, right), (0, 0)), constant_values=fill)
    views = np.lib.stride_tricks.sliding_window_view(padded, window.extent, axis=(0, 1))
    sh, sw = window.stride
    dh, dw = window.dilation
    return views[::sh, ::sw, :, ::dh, ::dw].transpose(0, 1, 3, 4, 2)
