"""The Helium kernel of depthwise convolution along one axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.types import DType
from ...passes.planner.kernel import SCRATCH, Call, Const, Fill, Kernel, Pointer, Struct, Tensors
from ..ops.packing import pointers
from .mve_packing import FEATURES, LANES, ceil_div, is_int8, records, scalars

_OUTPUTS = 4
"""Outputs of a window of 16 elements, as many as there are elements in a word."""


@dataclass(frozen=True)
class _Line:
    """The axis a layer convolves along: elements, kernel, padding, stride and dilation there."""

    in_t: int
    out_t: int
    kernel: int
    before: int
    step: int

    @property
    def vectors(self) -> int:
        return ceil_div(self.kernel + _OUTPUTS - 1, LANES)

    @property
    def tile(self) -> int:
        """Outputs per strip."""
        return min(64, ceil_div(self.out_t, 8) * 8)


def _line(op: DepthwiseConv2D, tensors: Tensors) -> _Line | None:
    """The one axis that is longer than one element, in and out; None where both are."""
    x, y, window = tensors[op.x].shape, tensors[op.y].shape, op.window
    for axis, other in ((0, 1), (1, 0)):
        if x[1 + other] == y[1 + other] == window.kernel[other] == 1 and not any(window.padding[other]):
            step = max(window.stride[axis], window.dilation[axis])
            return _Line(x[1 + axis], y[1 + axis], window.kernel[axis], window.padding[axis][0], step)
    return None


def _accepts(op: DepthwiseConv2D, tensors: Tensors) -> bool:
    x, y = tensors[op.x], tensors[op.y]
    line = _line(op, tensors)
    if line is None or line.step != 1 or not is_int8(op, tensors):
        return False
    return x.shape[3] == y.shape[3] and x.shape[3] < 1 << 12


def _the_line(op: DepthwiseConv2D, tensors: Tensors) -> _Line:
    line = _line(op, tensors)
    assert line is not None
    return line


def _scratch(op: DepthwiseConv2D, tensors: Tensors) -> int:
    line = _the_line(op, tensors)
    return 64 * (line.tile // 4 + 4 * line.vectors)


def _emit(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, line = tensors[op.x], _the_line(op, tensors)
    data, channels = tensors[op.weights].data, x.shape[3]
    assert data is not None
    taps = np.zeros((channels, _OUTPUTS, line.vectors * LANES), np.int8)
    for i in range(_OUTPUTS):
        taps[:, i, i : i + line.kernel] = data.reshape(line.kernel, channels).T
    vectors = taps.reshape(channels, _OUTPUTS, line.vectors, LANES).transpose(0, 2, 1, 3)
    table, head = records(op, tensors, vectors), scalars(op, tensors)
    name = "pl_depthwise_conv2d_s8__mve_line"
    fields = (
        ("in_t", line.in_t),
        ("in_c", channels),
        ("out_t", line.out_t),
        ("before", line.before),
        ("kernel", line.kernel),
        ("steps", line.vectors - 1),
        ("tile", line.tile),
        ("record", table.shape[1]),
        ("low", head.low),
        ("high", head.high),
        ("pad", Fill(x.zero_point, channels, x.dtype.value)),
        ("channels", Const("channels", table.reshape(-1))),
    )
    scratch = Pointer("scratch", SCRATCH, DType.INT8.ctype, writable=True)
    args = ("x", "y", "scratch", "&p")
    return (Call(name, (*pointers(op, tensors), scratch), args, Struct(f"{name}_params", fields)),)


def _work(op: DepthwiseConv2D, tensors: Tensors) -> dict[str, int]:
    line, channels = _the_line(op, tensors), tensors[op.x].shape[3]
    tiles = [min(line.tile, line.out_t - t) for t in range(0, line.out_t, line.tile)]
    groups, rounds = ceil_div(channels, LANES), sum(ceil_div(n, 8) for n in tiles)
    return {
        "calls": 1,
        "strips": groups * len(tiles),
        "columns": groups * sum(ceil_div(n + line.kernel - 1, 4) for n in tiles),
        "rounds": groups * rounds,
        "outputs": channels * rounds,
        "steps": channels * rounds * (line.vectors - 1),
    }


KERNELS = (
    Kernel(
        "pl_depthwise_conv2d_s8__mve_line",
        "mve/depthwise_conv2d_s8__mve_line.h",
        DepthwiseConv2D,
        _accepts,
        _emit,
        scratch_bytes=_scratch,
        features=FEATURES,
        work=_work,
    ),
)
