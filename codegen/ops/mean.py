"""Kernels of mean."""

from __future__ import annotations

import numpy as np

from ...ir import DType
from ...ir.elementwise import ACTIVATIONS
from ...ir.ops.mean import Mean
from ...ir.rounding import ONNX_ROUNDINGS, TFLITE_ROUNDINGS
from ...passes.planner.kernel import Call, Field, Kernel, Pointer, Struct, Tensors
from .elementwise import has_types
from .map_sums import map_kernel
from .typed import reduction_walk


def _fields(op: Mean, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    x, y = tensors[op.x], tensors[op.y]
    count = op.count(tensors)
    walk = reduction_walk(x.shape, op.axes)
    if x.dtype is not DType.FLOAT32 and op.rounding.onnx:
        factor = op.float_requant(tensors).scale
        offset = -x.zero_point * count
        multiplier = int(factor.view(np.int32)[0])
        return (
            *walk,
            ("offset", offset),
            ("multiplier", multiplier),
            ("shift", 0),
            ("zero_y", y.zero_point),
        )
    return *walk, *_scale_fields(op, tensors)


def _scale_fields(op: Mean, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    """From sums to means: integers as TFLite does."""
    x, count = tensors[op.x], op.count(tensors)
    if x.dtype is DType.FLOAT32:
        return (("count", float(count)),)
    multiplier, shift = op.requant(tensors)
    offset, zero_y = -x.zero_point * count, tensors[op.y].zero_point
    return ("offset", offset), ("multiplier", multiplier), ("shift", shift), ("zero_y", zero_y)


def _onnx_map_fields(op: Mean, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    factor = float(op.float_requant(tensors).scale[0])
    offset = -tensors[op.x].zero_point * op.count(tensors)
    return ("offset", offset), ("zero_y", tensors[op.y].zero_point), ("factor", factor)


def _kernel(dtype: DType, onnx: bool = False) -> Kernel:
    header = f"mean_{dtype.suffix}{'_onnx' if onnx else ''}"
    struct = f"pl_mean_{dtype.suffix}_params"

    def emit(op: Mean, tensors: Tensors) -> tuple[Call, ...]:
        pointers = (Pointer("x", op.x, dtype.ctype), Pointer("y", op.y, dtype.ctype, writable=True))
        return (Call(f"pl_{header}", pointers, ("x", "y", "&p"), Struct(struct, _fields(op, tensors))),)

    accepts = has_types(("x", "y"), (dtype, dtype))
    roundings = ONNX_ROUNDINGS if onnx else TFLITE_ROUNDINGS
    return Kernel(f"pl_{header}", f"portable/{header}.h", Mean, accepts, emit, roundings=roundings)


KERNELS = (
    *(_kernel(dtype) for dtype in ACTIVATIONS),
    _kernel(DType.INT8, onnx=True),
    *(map_kernel(Mean, "mean", dtype, _scale_fields) for dtype in ACTIVATIONS),
    map_kernel(Mean, "mean", DType.INT8, _onnx_map_fields, onnx=True),
)
