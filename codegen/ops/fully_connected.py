"""Kernels of fully_connected: the pointwise kernels on rows as pixels."""

from __future__ import annotations

from functools import partial

from ...ir.ops.fully_connected import FullyConnected
from ...ir.types import DType
from ...ir.window import Window
from ...passes.planner.kernel import Call, Kernel, Tensors
from .packing import emit_pointwise, emit_widened, has_type, is_widened
from .work import conv_work, pointwise_work


def _emit_widened(op: FullyConnected, tensors: Tensors) -> tuple[Call, ...]:
    return emit_widened(op, tensors, Window((1, 1)), groups=1)


def _kernel(dtype: DType) -> Kernel:
    name = f"pointwise_{dtype.suffix}"
    return Kernel(
        f"pl_{name}",
        f"portable/{name}.h",
        FullyConnected,
        partial(has_type, dtype=dtype),
        emit_pointwise,
        work=pointwise_work,
    )


KERNELS = (
    _kernel(DType.INT8),
    Kernel(
        "pl_conv2d_s8w16",
        "portable/conv2d_s8w16.h",
        FullyConnected,
        is_widened,
        _emit_widened,
        work=conv_work,
    ),
    _kernel(DType.INT16),
    _kernel(DType.FLOAT32),
)
