"""Kernels of transpose_conv."""

from __future__ import annotations

from functools import partial

from ...ir.ops.transpose_conv import TransposeConv
from ...ir.types import DType
from ...passes.planner.kernel import Call, Field, Kernel, Struct, Tensors
from .packing import channel_fields, has_type, pointers, weights_const
from .work import transpose_conv_work


def _emit(op: TransposeConv, tensors: Tensors) -> tuple[Call, ...]:
    x, y, window = tensors[op.x], tensors[op.y], op.window
    zero: tuple[tuple[str, Field], ...] = (("x_zero", x.zero_point),) if x.dtype is DType.INT8 else ()
    sizes = (*x.shape[1:], *y.shape[1:])
    fields = (
        *zip(("in_h", "in_w", "in_c", "out_h", "out_w", "out_c"), sizes, strict=True),
        ("kernel_h", window.kernel[0]),
        ("kernel_w", window.kernel[1]),
        ("stride_h", window.stride[0]),
        ("stride_w", window.stride[1]),
        ("pad_top", window.padding[0][0]),
        ("pad_left", window.padding[1][0]),
        *zero,
        ("weights", weights_const(op, tensors)),
        *channel_fields(op, tensors, merge_zero_point=False),
    )
    name = f"pl_transpose_conv_{x.dtype.suffix}"
    return (Call(name, pointers(op, tensors), ("x", "y", "&p"), Struct(f"{name}_params", fields)),)


def _kernel(dtype: DType) -> Kernel:
    name = f"transpose_conv_{dtype.suffix}"
    return Kernel(
        f"pl_{name}",
        f"portable/{name}.h",
        TransposeConv,
        partial(has_type, dtype=dtype),
        _emit,
        work=transpose_conv_work,
    )


KERNELS = tuple(_kernel(dtype) for dtype in (DType.INT8, DType.INT16, DType.FLOAT32))
