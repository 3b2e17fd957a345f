"""Depthwise convolution of int8 on ARMv6-M: two output rows at once as halves of words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.types import DType, Tensor
from ...ir.window import Window
from ...passes.planner.kernel import SCRATCH, Call, Const, Kernel, Pointer, Struct, Tensors
from ..ops.packing import Fields, has_type, pointers, row_loop, window_fields
from .m0_dense import FEATURES, requant_fields

_ROWS = 16
"""PL_M0_ROWS: the tallest window the kernel takes."""

_MOST_SCRATCH = 4096
"""Bytes of scratch beyond which the kernel does not accept an op."""


def _triples(op: DepthwiseConv2D, tensors: Tensors) -> np.ndarray:
    """int8[OC, triples, 3]: weights in the order of columns, filled up with zeros."""
    data = tensors[op.weights].data
    assert data is not None
    rows = data[0].transpose(2, 1, 0).reshape(data.shape[3], -1)
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 3))).reshape(data.shape[3], -1, 3)


def _words(triples: np.ndarray) -> np.ndarray:
    """int32 words of pl_depthwise_channel_right_m0."""
    padded = np.insert(triples, 2, 0, axis=2)
    return np.ascontiguousarray(padded).reshape(-1).view("<i4").astype(np.int32)


@dataclass(frozen=True)
class _Map:
    """The layer as the kernel sees it: a column, which lies in memory as a row does, is a row.

    split   output columns between the parts of a single row that are computed together; 0: all at once
    """

    x: Tensor
    y: Tensor
    window: Window
    split: int

    @property
    def out_w(self) -> int:
        """Columns that are computed, each of them for two parts or two rows."""
        return self.y.shape[2] - self.split

    @property
    def columns(self) -> int:
        """Input columns under the windows of those, with padding."""
        return (self.out_w - 1) * self.window.stride[1] + self.window.kernel[1]

    @property
    def block_rows(self) -> int:
        """Output rows per call; consecutive row pointers serve two of them only without dilation."""
        return 2 if self.window.dilation[0] == 1 and self.y.shape[1] > 1 else 1

    @property
    def scratch_bytes(self) -> int:
        return 4 * (self.columns * self.window.kernel[0] + 2)


def _map(op: DepthwiseConv2D, tensors: Tensors) -> _Map:
    x, y, window = tensors[op.x], tensors[op.y], op.window
    if x.shape[2] == y.shape[2] == window.kernel[1] == 1 and not window.padded:
        x, y = (Tensor(t.name, (1, 1, t.shape[1], t.shape[3]), t.dtype, t.quant) for t in (x, y))
        (height, _), (stride, _), (dilation, _) = window.kernel, window.stride, window.dilation
        window = Window((1, height), (1, stride), (1, dilation))
    single = y.shape[1] == 1 and window.padding[1] == (0, 0)
    return _Map(x, y, window, y.shape[2] // 2 if single else 0)


def _scratch(op: DepthwiseConv2D, tensors: Tensors) -> int:
    return _map(op, tensors).scratch_bytes


def _accepts(op: DepthwiseConv2D, tensors: Tensors) -> bool:
    if not has_type(op, tensors, DType.INT8) or tensors[op.y].dtype is not DType.INT8:
        return False
    layer = _map(op, tensors)
    if layer.window.dilation[1] != 1 or layer.window.kernel[0] > _ROWS:
        return False
    if layer.window.padding[1][0] >= layer.columns:  # nothing but padding
        return False
    first = np.abs(_triples(op, tensors)[..., :2].astype(np.int32))
    fits = (first.sum(axis=2) <= 255).all()
    return bool(fits) and layer.scratch_bytes <= _MOST_SCRATCH


def _emit(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
    layer, triples = _map(op, tensors), _triples(op, tensors)
    x, y, window = layer.x, layer.y, layer.window
    rows, block = row_loop(x, y, window), layer.block_rows
    rows = replace(rows, block=block, taps=(block - 1) * rows.stride + rows.taps)
    fields: Fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("depth", y.shape[3] // x.shape[3]),
        ("out_w", layer.out_w),
        *(f for f in window_fields(window) if f[0] != "dilation_w"),
        ("stride_h", window.stride[0]),
        ("split", layer.split),
        ("triples", triples.shape[1]),
        ("pad", rows.pad or "NULL"),
        *requant_fields(op, tensors),
        ("weights", Const("weights", _words(triples))),
    )
    name = "pl_depthwise_conv2d_s8__m0"
    scratch = Pointer("scratch", SCRATCH, "void", writable=True)
    args = ("rows", "y", "n" if block > 1 else 1, "scratch", "&p")
    struct = Struct(f"{name}_params", fields)
    return (Call(name, (*pointers(op, tensors), scratch), args, struct, rows),)


def _work(op: DepthwiseConv2D, tensors: Tensors) -> Mapping[str, int]:
    layer = _map(op, tensors)
    (kernel_h, kernel_w), outputs = layer.window.kernel, layer.y.shape[3]
    calls = ceil(layer.y.shape[1] / layer.block_rows)
    inputs = calls * layer.x.shape[3]
    columns = inputs * min(layer.x.shape[2], layer.columns)
    pairs = calls * outputs * layer.out_w
    return {
        "calls": calls,
        "inputs": inputs,
        "columns": columns,
        "words": columns * kernel_h,
        "channels": calls * outputs,
        "outputs": pairs,
        "steps": pairs * ceil(kernel_h * kernel_w / 3),
    }


KERNELS: tuple[Kernel, ...] = (
    Kernel(
        "pl_depthwise_conv2d_s8__m0",
        "m0/depthwise_conv2d_s8__m0.h",
        DepthwiseConv2D,
        _accepts,
        _emit,
        _scratch,
        features=FEATURES,
        work=_work,
    ),
)
