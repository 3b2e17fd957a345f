"""Kernels of fully_connected: the pointwise kernels on rows as pixels."""

from __future__ import annotations

from functools import partial

from ...ir.ops.fully_connected import FullyConnected
from ...ir.rounding import Rounding
from ...ir.types import DType
from ...ir.window import Window
from ...passes.planner.kernel import Call, Kernel, Tensors
from .packing import emit_pointwise, emit_widened, has_type, is_widened, variants
from .work import conv_work, pointwise_work


def _emit_widened(op: FullyConnected, tensors: Tensors) -> tuple[Call, ...]:
    return emit_widened(op, tensors, Window((1, 1)), groups=1)


def _kernel(dtype: DType, suffix: str, roundings: frozenset[Rounding]) -> Kernel:
    name = f"pointwise_{dtype.suffix}{suffix}"
    return Kernel(
        f"pl_{name}",
        f"portable/{name}.h",
        FullyConnected,
        partial(has_type, dtype=dtype),
        emit_pointwise,
        roundings=roundings,
        work=pointwise_work,
    )


def _widened(suffix: str, roundings: frozenset[Rounding]) -> Kernel:
    name = f"conv2d_s8w16{suffix}"
    return Kernel(
        f"pl_{name}",
        f"portable/{name}.h",
        FullyConnected,
        is_widened,
        _emit_widened,
        roundings=roundings,
        work=conv_work,
    )


KERNELS = (
    *(_kernel(DType.INT8, *way) for way in variants(DType.INT8)),
    *(_widened(*way) for way in variants(DType.INT8)),
    *(_kernel(dtype, *way) for dtype in (DType.INT16, DType.FLOAT32) for way in variants(dtype)),
)
