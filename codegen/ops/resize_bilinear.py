"""Kernels of resize_bilinear."""

from __future__ import annotations

import numpy as np

from ...ir.ops.resize_bilinear import ResizeBilinear
from ...ir.resize import Samples
from ...ir.types import DType, Tensor
from ...passes.planner.kernel import Call, Const, Kernel, Pointer, RowLoop, Struct, Tensors


def _tables(axis: str, samples: Samples, floating: bool) -> tuple[Const, Const]:
    """Neighbours and weights of one axis; integer kernels find the second neighbour next to the first."""
    if floating:
        both = np.concatenate([samples.lower, samples.upper]).astype(np.int16)
        return Const(axis, both), Const(f"{axis}_fraction", samples.fraction)
    fraction = samples.fraction.astype(np.int16)
    return Const(axis, samples.lower.astype(np.int16)), Const(f"{axis}_fraction", fraction)


def _emit(op: ResizeBilinear, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    floating = x.dtype is DType.FLOAT32
    row_samples, column_samples = op.samples(tensors)
    rows, row_fraction = _tables("rows", row_samples, floating)
    columns, column_fraction = _tables("columns", column_samples, floating)
    fields = (
        *((("out_h", y.shape[1]),) if floating else ()),
        ("out_w", y.shape[2]),
        ("channels", x.shape[3]),
        ("rows", rows),
        ("row_fraction", row_fraction),
        ("columns", columns),
        ("column_fraction", column_fraction),
    )
    function = f"pl_resize_bilinear_{x.dtype.suffix}"
    pointers = (Pointer("x", op.x, x.dtype.ctype), Pointer("y", op.y, x.dtype.ctype, writable=True))
    struct = Struct(f"{function}_params", fields)
    return (Call(function, pointers, ("rows", "y", "oy", "&p"), struct, sampled_rows(x, y, 2)),)


def sampled_rows(x: Tensor, y: Tensor, taps: int) -> RowLoop:
    """Row pointers from the row of x that the parameter block names for each row of y."""
    pitch, out_pitch = (t.shape[2] * t.shape[3] for t in (x, y))
    return RowLoop(x.shape[1], pitch, taps, 1, 1, 0, y.shape[1], out_pitch, None, first="p.rows[oy]")


def _work(op: ResizeBilinear, tensors: Tensors) -> dict[str, int]:
    _, rows, width, channels = tensors[op.y].shape
    return {"rows": rows, "pixels": rows * width, "outputs": rows * width * channels}


def _kernel(dtype: DType) -> Kernel:
    name = f"pl_resize_bilinear_{dtype.suffix}"

    def accepts(op: ResizeBilinear, tensors: Tensors) -> bool:
        return tensors[op.x].dtype is dtype

    return Kernel(name, f"portable/{name.removeprefix('pl_')}.h", ResizeBilinear, accepts, _emit, work=_work)


KERNELS = tuple(_kernel(dtype) for dtype in (DType.INT8, DType.INT16, DType.FLOAT32))
