"""Kernels of conv2d."""

from __future__ import annotations

from functools import partial

from ...ir.ops.conv2d import Conv2D
from ...ir.rounding import Rounding
from ...ir.types import DType
from ...passes.planner.kernel import Call, Kernel, Tensors
from .packing import emit_conv2d, emit_pointwise, emit_widened, has_type, is_widened, variants
from .work import conv_work, pointwise_work, skipping_conv_work


def _emit(op: Conv2D, tensors: Tensors) -> tuple[Call, ...]:
    return emit_conv2d(op, tensors, op.window, group_c=tensors[op.weights].shape[3])


def _emit_widened(op: Conv2D, tensors: Tensors) -> tuple[Call, ...]:
    groups = tensors[op.x].shape[3] // tensors[op.weights].shape[3]
    return emit_widened(op, tensors, op.window, groups)


def _is_pointwise(op: Conv2D, tensors: Tensors, dtype: DType) -> bool:
    same_group = tensors[op.weights].shape[3] == tensors[op.x].shape[3]
    return has_type(op, tensors, dtype) and op.window.pointwise and same_group


def _kernels(dtype: DType, suffix: str, roundings: frozenset[Rounding]) -> tuple[Kernel, ...]:
    pointwise, spatial = f"pointwise_{dtype.suffix}{suffix}", f"conv2d_{dtype.suffix}{suffix}"
    return (
        Kernel(
            f"pl_{pointwise}",
            f"portable/{pointwise}.h",
            Conv2D,
            partial(_is_pointwise, dtype=dtype),
            emit_pointwise,
            roundings=roundings,
            work=pointwise_work,
        ),
        Kernel(
            f"pl_{spatial}",
            f"portable/{spatial}.h",
            Conv2D,
            partial(has_type, dtype=dtype),
            _emit,
            roundings=roundings,
            work=conv_work if dtype is DType.INT8 else skipping_conv_work,
        ),
    )


def _widened(suffix: str, roundings: frozenset[Rounding]) -> Kernel:
    name = f"conv2d_s8w16{suffix}"
    return Kernel(
        f"pl_{name}",
        f"portable/{name}.h",
        Conv2D,
        is_widened,
        _emit_widened,
        roundings=roundings,
        work=conv_work,
    )


KERNELS = (
    *(k for way in variants(DType.INT8) for k in _kernels(DType.INT8, *way)),
    *(_widened(*way) for way in variants(DType.INT8)),
    *(k for d in (DType.INT16, DType.FLOAT32) for way in variants(d) for k in _kernels(d, *way)),
)
