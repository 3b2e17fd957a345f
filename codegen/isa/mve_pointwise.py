"""Helium kernels of 1x1 convolution and fully-connected."""

from __future__ import annotations

import numpy as np

from ...ir.ops.conv2d import Conv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.types import DType
from ...passes.planner.kernel import SCRATCH, Call, Const, Kernel, Pointer, Struct, Tensors
from ..ops.packing import Fields, pointers
from .mve_packing import FEATURES, LANES, blocks, ceil_div, channels, grouped, is_int8, scalars

Pointwise = Conv2D | FullyConnected

_ROW = 8
"""Output channels at a time for one pixel."""


def _sizes(op: Pointwise, tensors: Tensors) -> tuple[int, int, int]:
    """(pixels, input channels, output channels)."""
    weights = tensors[op.weights]
    return tensors[op.y].elements // weights.shape[0], weights.shape[-1], weights.shape[0]


def _accepts(op: Pointwise, tensors: Tensors) -> bool:
    if not is_int8(op, tensors):
        return False
    if isinstance(op, Conv2D):
        return op.window.pointwise and tensors[op.weights].shape[3] == tensors[op.x].shape[3]
    return True


def _weights(op: Pointwise, tensors: Tensors) -> np.ndarray:
    """[OC,IC] weights."""
    data = tensors[op.weights].data
    assert data is not None
    return data.reshape(data.shape[0], -1)


def _block_scratch(op: Pointwise, tensors: Tensors) -> int:
    _, in_c, _ = _sizes(op, tensors)
    return 0 if in_c % LANES == 0 else 2 * ceil_div(in_c, LANES) * LANES


def _emit_block(op: Pointwise, tensors: Tensors) -> tuple[Call, ...]:
    pixels, in_c, out_c = _sizes(op, tensors)
    fields = (
        ("in_c", in_c),
        ("chunks", ceil_div(in_c, LANES)),
        *channels(op, tensors),
        ("weights", Const("weights", blocks(_weights(op, tensors)[grouped(out_c)]))),
    )
    return _scratch_call("pl_pointwise_s8__mve", op, tensors, fields, ("x", "y", pixels))


def _block_work(op: Pointwise, tensors: Tensors) -> dict[str, int]:
    pixels, in_c, out_c = _sizes(op, tensors)
    groups, pairs = ceil_div(out_c, 4), ceil_div(pixels, 2)
    return {
        "calls": 1,
        "tiles": ceil_div(pixels, 4),
        "blocks": ceil_div(pixels, 4) * groups,
        "steps": pairs * groups * ceil_div(in_c, LANES),
    }


def _accepts_short(op: Pointwise, tensors: Tensors) -> bool:
    """Few inputs, no clamp, no shifts to the left."""
    if not _accepts(op, tensors):
        return False
    _, in_c, out_c = _sizes(op, tensors)
    return in_c <= LANES and out_c >= 4 and not scalars(op, tensors).slow


def _emit_short(op: Pointwise, tensors: Tensors) -> tuple[Call, ...]:
    pixels, in_c, out_c = _sizes(op, tensors)
    head, order = scalars(op, tensors), grouped(out_c)
    words = blocks(_weights(op, tensors)[order]).view(np.int32).reshape(-1, LANES)
    parts = [a[order].reshape(-1, 4) for a in (head.bias, head.multiplier, head.shift)]
    fields = (
        ("in_c", in_c),
        ("out_c", out_c),
        ("up", int(head.up)),
        ("zero_point", head.zero_point),
        ("channels", Const("channels", np.concatenate([words, *parts], axis=1).reshape(-1))),
    )
    name = "pl_pointwise_s8__mve_short"
    args = ("x", "y", pixels, "&p")
    return (Call(name, pointers(op, tensors), args, Struct(f"{name}_params", fields)),)


def _short_work(op: Pointwise, tensors: Tensors) -> dict[str, int]:
    pixels, _, out_c = _sizes(op, tensors)
    groups = ceil_div(out_c, 4)
    return {"calls": 1, "groups": groups, "rounds": groups * pixels}


def _accepts_row(op: Pointwise, tensors: Tensors) -> bool:
    """One pixel, no shifts to the left."""
    return _accepts(op, tensors) and _sizes(op, tensors)[0] == 1 and not scalars(op, tensors).any


def _row_scratch(op: Pointwise, tensors: Tensors) -> int:
    return _block_scratch(op, tensors) // 2


def _emit_row(op: Pointwise, tensors: Tensors) -> tuple[Call, ...]:
    _, in_c, out_c = _sizes(op, tensors)
    head, groups = scalars(op, tensors), ceil_div(out_c, _ROW)
    weights = np.zeros((groups * _ROW, in_c), np.int8)
    weights[:out_c] = _weights(op, tensors)
    table = np.zeros((3, groups * _ROW), np.int32)
    table[:, :out_c] = head.bias, head.multiplier, head.shift
    fields = (
        ("in_c", in_c),
        ("chunks", ceil_div(in_c, LANES)),
        ("out_c", out_c),
        ("zero_point", head.zero_point),
        ("low", head.low),
        ("high", head.high),
        ("channels", Const("channels", table.reshape(3, groups, _ROW).transpose(1, 0, 2).reshape(-1))),
        ("weights", Const("weights", blocks(weights, _ROW))),
    )
    return _scratch_call("pl_pointwise_s8__mve_row", op, tensors, fields, ("x", "y"))


def _row_work(op: Pointwise, tensors: Tensors) -> dict[str, int]:
    _, in_c, out_c = _sizes(op, tensors)
    groups = ceil_div(out_c, _ROW)
    copied = in_c if in_c % LANES else 0
    return {"calls": 1, "groups": groups, "steps": groups * ceil_div(in_c, LANES), "copied": copied}


def _scratch_call(
    name: str, op: Pointwise, tensors: Tensors, fields: Fields, args: tuple[str | int, ...]
) -> tuple[Call, ...]:
    """A call with scratch memory where inputs do not fill whole vectors."""
    scratch: tuple[Pointer, ...] = ()
    if _block_scratch(op, tensors):
        scratch = (Pointer("scratch", SCRATCH, DType.INT8.ctype, writable=True),)
    full = (*args, "scratch" if scratch else "NULL", "&p")
    return (Call(name, (*pointers(op, tensors), *scratch), full, Struct(f"{name}_params", fields)),)


def _kernels(op: type[Conv2D] | type[FullyConnected]) -> tuple[Kernel, ...]:
    return (
        Kernel(
            "pl_pointwise_s8__mve_row",
            "mve/pointwise_s8__mve_row.h",
            op,
            _accepts_row,
            _emit_row,
            scratch_bytes=_row_scratch,
            features=FEATURES,
            work=_row_work,
        ),
        Kernel(
            "pl_pointwise_s8__mve_short",
            "mve/pointwise_s8__mve_short.h",
            op,
            _accepts_short,
            _emit_short,
            features=FEATURES,
            work=_short_work,
        ),
        Kernel(
            "pl_pointwise_s8__mve",
            "mve/pointwise_s8__mve.h",
            op,
            _accepts,
            _emit_block,
            scratch_bytes=_block_scratch,
            features=FEATURES,
            work=_block_work,
        ),
    )


KERNELS = (*_kernels(Conv2D), *_kernels(FullyConnected))
