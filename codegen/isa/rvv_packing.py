"""What the descriptors of the kernels with RISC-V vectors share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.types import DType, Tensor
from ...ir.weighted import WeightedOp
from ...ir.window import Window
from ...passes.planner.kernel import SCRATCH, Const, Field, Pointer, RowLoop, Tensors
from ..ops.packing import Fields, channel_fields, has_type, row_loop

FEATURES = frozenset({"riscv", "rvv"})

LANES = 32
"""Lanes of a vector of accumulators in registers of 128 bits, for which `work` counts rounds."""

BYTES = 128
"""Bytes of the longest vector in registers of 128 bits."""

Dense = Conv2D | FullyConnected
Spatial = Conv2D | DepthwiseConv2D


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def weight_rows(op: WeightedOp, tensors: Tensors) -> np.ndarray:
    """The weights as [output channels, elements of a window]."""
    data = tensors[op.weights].data
    assert data is not None
    moved = np.moveaxis(data, op.CHANNEL_AXIS, 0)
    return np.ascontiguousarray(moved.reshape(len(moved), -1))


def is_dense(op: Dense, tensors: Tensors) -> bool:
    """A matrix times every pixel."""
    if not has_type(op, tensors, DType.INT8):
        return False
    return isinstance(op, FullyConnected) or (op.window.pointwise and is_whole(op, tensors))


def is_whole(op: Conv2D, tensors: Tensors) -> bool:
    """No groups."""
    return tensors[op.weights].shape[3] == tensors[op.x].shape[3]


def is_conv(op: Spatial, tensors: Tensors) -> bool:
    """No groups; depthwise of one input channel is an ordinary convolution."""
    if not has_type(op, tensors, DType.INT8):
        return False
    return is_whole(op, tensors) if isinstance(op, Conv2D) else tensors[op.x].shape[3] == 1


def pixels_of(op: Dense, tensors: Tensors) -> int:
    return tensors[op.y].elements // tensors[op.weights].shape[0]


def geometry(op: Spatial, tensors: Tensors) -> tuple[Tensor, Tensor, Window]:
    """Input, output, window; rows and columns exchanged where all of them have one column (time series), so
    that one call computes all outputs: the data stay as they are."""
    x, y, w = tensors[op.x], tensors[op.y], op.window
    if x.shape[2] > 1 or y.shape[2] > 1 or w.kernel[1] > 1 or y.shape[1] == 1:
        return x, y, w

    def turn(t: Tensor) -> Tensor:
        return replace(t, shape=(t.shape[0], t.shape[2], t.shape[1], t.shape[3]))

    turned = Window(w.kernel[::-1], w.stride[::-1], w.dilation[::-1], w.padding[::-1])
    return turn(x), turn(y), turned


def short_pad(x: Tensor, y: Tensor, window: Window, count: int) -> RowLoop:
    """One output row per call of a kernel that reads `count` elements of a padded row at most."""
    rows = row_loop(x, y, window)
    return replace(rows, pad=rows.pad and replace(rows.pad, count=count))


def scratch_pointer() -> Pointer:
    return Pointer("scratch", SCRATCH, "int8_t", writable=True)


def const_of(field: Field) -> np.ndarray:
    assert isinstance(field, Const)
    return field.data


def channel_values(op: WeightedOp, tensors: Tensors) -> dict[str, Field]:
    """packing.channel_fields by name."""
    fields: Fields = channel_fields(op, tensors)
    return {name.removeprefix("channels."): value for name, value in fields}


def right_only(op: WeightedOp, tensors: Tensors) -> bool:
    """Every output channel shifts to the right."""
    return channel_values(op, tensors)["right_only"] == 1
