"""Kernels that reduce a map to one pixel row by row, for stages: the map is never whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...ir import DType, Op
from ...ir.rounding import ONNX_ROUNDINGS, TFLITE_ROUNDINGS
from ...passes.planner.kernel import SCRATCH, Call, Field, Kernel, Pointer, RowLoop, Struct, Tensors
from ...passes.planner.stages.reach import sums_over_the_map

Fields = tuple[tuple[str, Field], ...]


def _scratch(op: Any, tensors: Tensors) -> int:
    return 4 * tensors[op.x].shape[3]


def _work(op: Op, tensors: Tensors) -> dict[str, int]:
    x = tensors[op.inputs[0]]
    return {"rows": x.shape[1], "reads": x.elements, "outputs": x.shape[3]}


def _row_loop(x: Any) -> RowLoop:
    """One call per row of the map; all write the same pixel."""
    _, height, width, channels = x.shape
    return RowLoop(height, width * channels, 1, 1, 1, 0, height, 0, None)


def map_kernel(
    op: type[Op], stem: str, dtype: DType, special: Callable[[Any, Tensors], Fields], onnx: bool = False
) -> Kernel:
    """The kernel pl_<stem>_map_<dtype> for an operator; `special`: its fields beside the shape of the map."""
    name = f"{stem}_map_{dtype.suffix}{'_onnx' if onnx else ''}"
    in_float = dtype is DType.FLOAT32 or (onnx and stem == "average")

    def accepts(instance: Any, tensors: Tensors) -> bool:
        return tensors[instance.x].dtype is dtype and sums_over_the_map(instance, tensors)

    def emit(instance: Any, tensors: Tensors) -> tuple[Call, ...]:
        x = tensors[instance.x]
        _, height, width, channels = x.shape
        pointers = (
            Pointer("x", instance.x, dtype.ctype),
            Pointer("sums", SCRATCH, "float" if in_float else "int32_t", writable=True),
            Pointer("y", instance.y, dtype.ctype, writable=True),
        )
        shape: Fields = (("width", width), ("channels", channels), ("rows", height))
        block = Struct(f"pl_{name}_params", (*shape, *special(instance, tensors)))
        return (Call(f"pl_{name}", pointers, ("rows", "sums", "y", "oy", "&p"), block, _row_loop(x)),)

    roundings = ONNX_ROUNDINGS if onnx else TFLITE_ROUNDINGS
    header = f"portable/{name}.h"
    return Kernel(
        f"pl_{name}", header, op, accepts, emit, _scratch, roundings=roundings, work=_work, sums=True
    )
