"""Weights of any weighted op as taps, and what a window sees of them at the borders of its input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import Window
from ...ir.op import Tensors
from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.ops.transpose_conv import TransposeConv
from ...ir.weighted import WeightedOp, centred_weights


def input_columns(op: WeightedOp, tensors: Tensors, per_channel: np.ndarray) -> np.ndarray:
    """Values per channel of x as values per input column of the weights, [..., C] to [n, columns].

    They differ for fully-connected ops whose input is not yet in rows: row-major reshaping puts every
    channel into columns of its own residue. n is 1 wherever each column holds one channel.
    """
    x = tensors[op.x]
    if not isinstance(op, FullyConnected):
        return per_channel[None]
    return np.broadcast_to(per_channel, x.shape or (1,)).reshape(-1, tensors[op.weights].shape[1])


@dataclass(frozen=True, eq=False)
class Taps:
    """Weights minus their zero point, float64: exact for all sums here, which stay far below 2^53.

    weights     [G, OC/G, KH, KW, IC/G] with G groups. Depthwise: a group per input channel
    rows, columns  bool[R,KH], bool[S,KW]: the different sets of kernel rows (columns) that lie inside the
                input, over all positions. Without padding that is one full set
    partial     whether any subset of the taps may be present (transposed convolutions)
    """

    op: WeightedOp
    tensors: Tensors
    weights: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    partial: bool

    @classmethod
    def of(cls, op: WeightedOp, tensors: Tensors) -> Taps:
        w = centred_weights(tensors[op.weights]).astype(np.float64)
        x = tensors[op.x]
        if isinstance(op, Conv2D):
            groups = x.shape[3] // w.shape[3]
            taps = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
            return cls(op, tensors, taps, *_borders(op.window, x.shape[1:3]), partial=False)
        if isinstance(op, DepthwiseConv2D):
            taps = w.reshape(*w.shape[1:3], x.shape[3], -1).transpose(2, 3, 0, 1)[..., None]
            return cls(op, tensors, taps, *_borders(op.window, x.shape[1:3]), partial=False)
        taps = w[None] if w.ndim == 4 else w[None, :, None, None, :]
        rows, columns = (np.ones((1, n), bool) for n in taps.shape[2:4])
        return cls(op, tensors, taps, rows, columns, isinstance(op, TransposeConv))

    @property
    def outputs(self) -> int:
        return self.weights.shape[0] * self.weights.shape[1]

    def sums(self, taps: np.ndarray) -> np.ndarray:
        """Sums over the taps inside the input, [R*S, ...] of taps [KH,KW,...]."""
        by_row = np.tensordot(self.rows.astype(np.float64), taps, (1, 0))
        both = np.tensordot(self.columns.astype(np.float64), by_row, (1, 1))
        return both.reshape(-1, *taps.shape[2:])

    def accumulators(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest accumulator of each output channel, bias excluded, int64[OC] each.

        low, high  ends of the stored values of each channel of x. Elements outside the input count nothing.
        """
        zero = self.tensors[self.op.x].zero_point
        below = input_columns(self.op, self.tensors, low - zero).min(axis=0)
        above = input_columns(self.op, self.tensors, high - zero).max(axis=0)
        ends = []
        for first, second in ((below, above), (above, below)):
            taps = self._times(np.maximum(self.weights, 0), first) + self._times(
                np.minimum(self.weights, 0), second
            )
            if self.partial:
                taps = np.minimum(taps, 0) if first is below else np.maximum(taps, 0)
            ends.append(self.sums(taps))
        return ends[0].min(axis=0).astype(np.int64), ends[1].max(axis=0).astype(np.int64)

    def _times(self, weights: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Sum over the input channels of weights * x, [KH,KW,OC]."""
        groups, each, kernel_h, kernel_w, depth = weights.shape
        columns = x.astype(np.float64).reshape(groups, depth, 1)
        products = weights.reshape(groups, -1, depth) @ columns
        return products.reshape(groups * each, kernel_h, kernel_w).transpose(1, 2, 0)


def _borders(window: Window, size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Different sets of taps inside the input, for kernel rows and for kernel columns."""
    found = []
    for axis, positions in enumerate(window.output_size(size[0], size[1])):
        start = np.arange(positions) * window.stride[axis] - window.padding[axis][0]
        tap = start[:, None] + np.arange(window.kernel[axis]) * window.dilation[axis]
        found.append(np.unique((tap >= 0) & (tap < size[axis]), axis=0))
    return found[0], found[1]
