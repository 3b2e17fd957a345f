"""Depthwise 3x3 convolution, mostly with ReLU, row by row without scratch memory, for Arm cores with the DSP
extension: what stages use where memory is short."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.types import DType
from ...passes.planner.kernel import Call, Const, Field, Kernel, Struct, Tensors
from ..ops.packing import has_type, pointers, row_loop
from .dsp_depthwise import FEATURES, clamp_fields, clamped, lanes, merged, zero_word

_NAME = "depthwise_conv2d_s8__dsp_3x3row"


def _right(op: DepthwiseConv2D, tensors: Tensors) -> int:
    """Columns that the last window has beyond the input; negative where it ends before."""
    window, in_w, out_w = op.window, tensors[op.x].shape[2], tensors[op.y].shape[2]
    return (out_w - 1) * window.stride[1] + 3 - window.padding[1][0] - in_w


def _accepts(op: DepthwiseConv2D, tensors: Tensors) -> bool:
    window, channels = op.window, tensors[op.x].shape[3]
    return (
        has_type(op, tensors, DType.INT8)
        and window.kernel == (3, 3)
        and window.stride[1] in (1, 2)
        and window.dilation[1] == 1
        and window.padding[1][0] <= 1
        and _right(op, tensors) <= 1
        and channels == tensors[op.y].shape[3] >= 4
        and merged(op, tensors) is not None
    )


def _records(op: DepthwiseConv2D, tensors: Tensors) -> np.ndarray:
    """int32[channels, 8]: see depthwise_3x3row.h."""
    found = merged(op, tensors)
    assert found is not None
    w, form, bias = found
    upper, middle, lower = w << form.scale
    words = [*lanes(upper, middle)[:2], lanes(upper[2], middle[2]), bias]
    words += [lanes(lower[0], lower[1]), lanes(lower[1], lower[2]), form.multiplier, form.offset]
    return np.stack(words, axis=1).astype(np.int32)


def _emit(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    fields: tuple[tuple[str, Field], ...] = (
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        ("stride_w", op.window.stride[1]),
        ("pad_left", op.window.padding[1][0]),
        ("right", max(0, _right(op, tensors))),
        ("zero", zero_word(tensors, op)),
        *clamp_fields(op, tensors),
        ("records", Const("channels", _records(op, tensors).reshape(-1))),
    )
    struct, rows = Struct("pl_dwr_params", fields), row_loop(x, y, op.window)
    return (Call(f"pl_{_NAME}", pointers(op, tensors), ("rows", "y", "&p"), struct, rows),)


def _work(op: DepthwiseConv2D, tensors: Tensors) -> Mapping[str, int]:
    """Rounds of the loops over groups of channels and over their outputs, two or one; outputs to clamp."""
    _, height, width, channels = tensors[op.y].shape
    groups = height * -(-channels // 4)
    pairs = width // 2 if op.window.stride[1] == 1 else 0
    return {
        "calls": height,
        "groups": groups,
        "pairs": groups * pairs,
        "ones": groups * (width - 2 * pairs),
        "clamped": clamped(op, tensors),
    }


KERNELS: tuple[Kernel, ...] = (
    Kernel(
        f"pl_{_NAME}",
        f"dsp/{_NAME}.h",
        DepthwiseConv2D,
        _accepts,
        _emit,
        features=FEATURES,
        work=_work,
    ),
)
