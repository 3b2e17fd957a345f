"""Kernels that reduce a map to one pixel row by row, for stages: the map is never whole."""

from __future__ import annotations

from typing import Any

from ...ir import DType, Op
from ...ir.fixed_point import activation_range
from ...passes.planner.kernel import SCRATCH, Call, Field, Kernel, Pointer, Struct, Tensors
from ...passes.planner.stages.reach import sums_over_the_map

Fields = tuple[tuple[str, Field], ...]


def _accepts(op: Any, tensors: Tensors) -> bool:
    return tensors[op.x].dtype is DType.INT8 and sums_over_the_map(op, tensors)


def _scratch(op: Any, tensors: Tensors) -> int:
    return 4 * tensors[op.x].shape[3]


def _work(op: Op, tensors: Tensors) -> dict[str, int]:
    x = tensors[op.inputs[0]]
    return {"rows": x.shape[1], "reads": x.elements, "outputs": x.shape[3]}


def _average_fields(op: Any, tensors: Tensors) -> Fields:
    low, high = activation_range(op.activation, tensors[op.y])
    return ("low", low), ("high", high)


def _mean_fields(op: Any, tensors: Tensors) -> Fields:
    multiplier, shift = op.requant(tensors)
    offset = -tensors[op.x].zero_point * op.count(tensors)
    zero = tensors[op.y].zero_point
    return ("offset", offset), ("multiplier", multiplier), ("shift", shift), ("zero_y", zero)


def map_kernel(op: type[Op], stem: str) -> Kernel:
    """The kernel pl_<stem>_map_s8 for an operator."""
    function = f"pl_{stem}_map_s8"

    def emit(instance: Any, tensors: Tensors) -> tuple[Call, ...]:
        _, height, width, channels = tensors[instance.x].shape
        pointers = (
            Pointer("x", instance.x, "int8_t"),
            Pointer("sums", SCRATCH, "int32_t", writable=True),
            Pointer("y", instance.y, "int8_t", writable=True),
        )
        shape: Fields = (("width", width), ("channels", channels), ("rows", height))
        special = _mean_fields if stem == "mean" else _average_fields
        block = Struct(f"{function}_params", (*shape, *special(instance, tensors)))
        return (Call(function, pointers, ("x", "sums", "y", "oy", "&p"), block),)

    return Kernel(function, f"portable/{stem}_map_s8.h", op, _accepts, emit, _scratch, work=_work, sums=True)
