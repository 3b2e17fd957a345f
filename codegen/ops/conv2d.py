"""Kernels of conv2d."""

from __future__ import annotations

from ...ir.ops.conv2d import Conv2D
from ...ir.types import DType
from ...passes.planner.kernel import Call, Const, Field, Fill, Kernel, Pointer, RowLoop, Struct, Tensors
from .packing import merged_bias, requant_fields


def row_loop(op: Conv2D, tensors: Tensors) -> RowLoop:
    """One call per output row of a spatial op, padded rows holding the zero point."""
    x, y = tensors[op.x], tensors[op.y]
    _, height, width, channels = x.shape
    _, out_height, out_width, out_channels = y.shape
    pad = Fill(x.zero_point, width * channels, x.dtype.value) if op.window.padded else None
    return RowLoop(
        height=height,
        pitch=width * channels,
        taps=op.window.kernel[0],
        stride=op.window.stride[0],
        dilation=op.window.dilation[0],
        pad_top=op.window.padding[0][0],
        out_rows=out_height,
        out_pitch=out_width * out_channels,
        pad=pad,
    )


def _emit_s8(op: Conv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, w, y = tensors[op.x], tensors[op.weights], tensors[op.y]
    assert w.data is not None
    rows = row_loop(op, tensors)
    window = op.window
    fields: tuple[tuple[str, Field], ...] = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("group_c", w.shape[3]),
        ("out_w", y.shape[2]),
        ("out_c", y.shape[3]),
        ("kernel_h", window.kernel[0]),
        ("kernel_w", window.kernel[1]),
        ("stride_w", window.stride[1]),
        ("dilation_w", window.dilation[1]),
        ("pad_left", window.padding[1][0]),
        ("pad", rows.pad if rows.pad else "NULL"),
        ("weights", Const("weights", w.data.reshape(-1))),
        ("bias", merged_bias(w.data, tensors[op.bias] if op.bias else None, x.zero_point)),
        *requant_fields(op.requant(tensors), y.shape[3]),
    )
    pointers = (Pointer("x", op.x, "int8_t"), Pointer("y", op.y, "int8_t", writable=True))
    struct = Struct("pl_conv2d_s8_params", fields)
    return (Call("pl_conv2d_s8", pointers, ("rows", "y", "&p"), struct, rows),)


def _emit_pointwise_s8(op: Conv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, w, y = tensors[op.x], tensors[op.weights], tensors[op.y]
    assert w.data is not None
    fields = (
        ("in_c", x.shape[3]),
        ("out_c", y.shape[3]),
        ("weights", Const("weights", w.data.reshape(-1))),
        ("bias", merged_bias(w.data, tensors[op.bias] if op.bias else None, x.zero_point)),
        *requant_fields(op.requant(tensors), y.shape[3]),
    )
    pointers = (Pointer("x", op.x, "int8_t"), Pointer("y", op.y, "int8_t", writable=True))
    struct = Struct("pl_pointwise_s8_params", fields)
    return (Call("pl_pointwise_s8", pointers, ("x", "y", y.elements // y.shape[3], "&p"), struct),)


def _is_s8(op: Conv2D, tensors: Tensors) -> bool:
    return tensors[op.x].dtype is DType.INT8 and tensors[op.weights].dtype is DType.INT8


def _is_pointwise_s8(op: Conv2D, tensors: Tensors) -> bool:
    same_group = tensors[op.weights].shape[3] == tensors[op.x].shape[3]
    return _is_s8(op, tensors) and op.window.pointwise and same_group


KERNELS = (
    Kernel("pl_pointwise_s8", "portable/pointwise_s8.h", Conv2D, _is_pointwise_s8, _emit_pointwise_s8),
    Kernel("pl_conv2d_s8", "portable/conv2d_s8.h", Conv2D, _is_s8, _emit_s8),
)
