"""Kernels of transpose_conv."""

from __future__ import annotations

from functools import partial
from math import gcd

from ...ir.ops.transpose_conv import TransposeConv
from ...ir.rounding import Rounding
from ...ir.types import DType
from ...passes.planner.kernel import Call, Field, Kernel, RowLoop, Struct, Tensors
from .packing import channel_fields, has_type, pointers, variant, variants, weights_const
from .work import transpose_conv_work


def _float_fields(op: TransposeConv, tensors: Tensors) -> dict[str, Field]:
    """Groups and dilation; input rows meet every stride / gcd(stride, dilation)-th tap."""
    groups, window = op.groups(tensors), op.window
    steps = [s // gcd(s, d) for s, d in zip(window.stride, window.dilation, strict=True)]
    return {
        "group_c": tensors[op.x].shape[3] // groups,
        "group_out": tensors[op.y].shape[3] // groups,
        "dilation_h": window.dilation[0],
        "dilation_w": window.dilation[1],
        "ky_step": steps[0],
        "kx_step": steps[1],
    }


def _emit(op: TransposeConv, tensors: Tensors) -> tuple[Call, ...]:
    x, y, window = tensors[op.x], tensors[op.y], op.window
    special: dict[str, Field] = {"x_zero": x.zero_point} if x.dtype is DType.INT8 else {}
    if x.dtype is DType.FLOAT32:
        special = _float_fields(op, tensors)
    rows = _row_loop(op, tensors)
    fields = (
        *zip(("in_w", "in_c", "out_w", "out_c"), (*x.shape[2:], *y.shape[2:]), strict=True),
        ("kernel_h", window.kernel[0]),
        ("kernel_w", window.kernel[1]),
        ("stride_h", window.stride[0]),
        ("stride_w", window.stride[1]),
        ("pad_top", window.padding[0][0]),
        ("pad_left", window.padding[1][0]),
        ("taps", rows.taps),
        *special.items(),
        ("weights", weights_const(op, tensors)),
        *channel_fields(op, tensors, merge_zero_point=False),
    )
    name = f"pl_transpose_conv_{x.dtype.suffix}"
    struct = Struct(f"{name}_params", fields)
    return (Call(name + variant(op), pointers(op, tensors), ("rows", "y", "oy", "&p"), struct, rows),)


def _row_loop(op: TransposeConv, tensors: Tensors) -> RowLoop:
    """Pointers to the input rows that may meet taps of an output row: the last one is where its first tap
    would lie."""
    x, y, window = tensors[op.x], tensors[op.y], op.window
    stride, pad_top = window.stride[0], window.padding[0][0]
    taps = (window.extent[0] - 1) // stride + 1
    place = f"(oy + {pad_top})" if pad_top else "oy"
    first = f"{place} / {stride}" if stride > 1 else place
    return RowLoop(
        height=x.shape[1],
        pitch=x.shape[2] * x.shape[3],
        taps=taps,
        stride=1,
        dilation=1,
        pad_top=0,
        out_rows=y.shape[1],
        out_pitch=y.shape[2] * y.shape[3],
        pad=None,
        first=f"{first} - {taps - 1}" if taps > 1 else first,
    )


def _kernel(dtype: DType, suffix: str, roundings: frozenset[Rounding]) -> Kernel:
    name = f"transpose_conv_{dtype.suffix}{suffix}"
    return Kernel(
        f"pl_{name}",
        f"portable/{name}.h",
        TransposeConv,
        partial(has_type, dtype=dtype),
        _emit,
        roundings=roundings,
        work=transpose_conv_work,
    )


KERNELS = tuple(
    _kernel(dtype, *way) for dtype in (DType.INT8, DType.INT16, DType.FLOAT32) for way in variants(dtype)
)
