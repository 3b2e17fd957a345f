"""Descriptors of pooling: one output row from row pointers, rows outside the input being NULL."""

from __future__ import annotations

from ...ir import DType
from ...ir.elementwise import ACTIVATIONS
from ...ir.fixed_point import activation_range
from ...ir.float_requant import activation_range_f32
from ...ir.ops.average_pool2d import AveragePool2D
from ...ir.ops.max_pool2d import MaxPool2D
from ...ir.rounding import ONNX_ROUNDINGS
from ...passes.planner.kernel import Call, Field, Kernel, Pointer, RowLoop, Struct, Tensors
from .elementwise import has_types
from .work import pool_work

Pool = AveragePool2D | MaxPool2D


def _row_loop(op: Pool, tensors: Tensors) -> RowLoop:
    _, height, width, channels = tensors[op.x].shape
    _, out_height, out_width, _ = tensors[op.y].shape
    return RowLoop(
        height=height,
        pitch=width * channels,
        taps=op.window.kernel[0],
        stride=op.window.stride[0],
        dilation=op.window.dilation[0],
        pad_top=op.window.padding[0][0],
        out_rows=out_height,
        out_pitch=out_width * channels,
        pad=None,
    )


def bounds(op: Pool, tensors: Tensors) -> tuple[float, float]:
    """Least and largest output; ints for integers."""
    y = tensors[op.y]
    return op.activation.bounds if y.dtype is DType.FLOAT32 else activation_range(op.activation, y)


def _fields(op: Pool, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    x, y = tensors[op.x], tensors[op.y]
    low, high = bounds(op, tensors)
    floating = x.dtype is DType.FLOAT32
    dilation: tuple[tuple[str, Field], ...] = (("dilation_w", op.window.dilation[1]),) if floating else ()
    return (
        ("in_w", x.shape[2]),
        ("channels", x.shape[3]),
        ("out_w", y.shape[2]),
        ("kernel_h", op.window.kernel[0]),
        ("kernel_w", op.window.kernel[1]),
        ("stride_w", op.window.stride[1]),
        *dilation,
        ("pad_left", op.window.padding[1][0]),
        ("low", low),
        ("high", high),
    )


def pool_kernels(op: type[AveragePool2D] | type[MaxPool2D]) -> tuple[Kernel, ...]:
    """Kernels of a pooling operator."""
    return tuple(_kernel(op, dtype) for dtype in ACTIVATIONS)


def _kernel(op: type[AveragePool2D] | type[MaxPool2D], dtype: DType) -> Kernel:
    name = f"pl_{op.kind()}_{dtype.suffix}"

    def emit(instance: Pool, tensors: Tensors) -> tuple[Call, ...]:
        pointers = (
            Pointer("x", instance.x, dtype.ctype),
            Pointer("y", instance.y, dtype.ctype, writable=True),
        )
        struct = Struct(f"{name}_params", _fields(instance, tensors))
        return (Call(name, pointers, ("rows", "y", "&p"), struct, _row_loop(instance, tensors)),)

    return Kernel(
        name,
        f"portable/{name.removeprefix('pl_')}.h",
        op,
        has_types(("x", "y"), (dtype, dtype)),
        emit,
        work=pool_work,
    )


def onnx_fields(op: AveragePool2D, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    """Quantizations and bounds, which hold the offset of uint8 already."""
    x, y, offset = tensors[op.x], tensors[op.y], op.rounding.offset
    assert x.quant and y.quant
    low, high = activation_range_f32(op.activation, y)
    return (
        ("zero_x", x.quant.z),
        ("offset", offset),
        ("scale_x", x.quant.s),
        ("scale_y", y.quant.s),
        ("zero_y", float(y.quant.z + offset)),
        ("low", float(low + offset)),
        ("high", float(high + offset)),
    )


def _emit_onnx(op: AveragePool2D, tensors: Tensors) -> tuple[Call, ...]:
    pointers = (Pointer("x", op.x, "int8_t"), Pointer("y", op.y, "int8_t", writable=True))
    shape = (f for f in _fields(op, tensors) if f[0] not in ("low", "high"))
    struct = Struct("pl_average_pool2d_s8_onnx_params", (*shape, *onnx_fields(op, tensors)))
    rows = _row_loop(op, tensors)
    return (Call("pl_average_pool2d_s8_onnx", pointers, ("rows", "y", "&p"), struct, rows),)


ONNX_AVERAGE_POOL = Kernel(
    "pl_average_pool2d_s8_onnx",
    "portable/average_pool2d_s8_onnx.h",
    AveragePool2D,
    has_types(("x", "y"), (DType.INT8, DType.INT8)),
    _emit_onnx,
    roundings=ONNX_ROUNDINGS,
    work=pool_work,
)
