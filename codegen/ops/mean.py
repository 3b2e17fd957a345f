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
    if x.dtype is DType.FLOAT32:
        return (*walk, ("count", float(count)))
    if op.rounding.onnx:
        factor = op.float_requant(tensors).scale
        multiplier, shift = int(factor.view(np.int32)[0]), 0
    else:
        multiplier, shift = op.requant(tensors)
    offset = -x.zero_point * count
    scale = (("offset", offset), ("multiplier", multiplier), ("shift", shift), ("zero_y", y.zero_point))
    return *walk, *scale


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
    map_kernel(Mean, "mean"),
)
