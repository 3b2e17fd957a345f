"""Helium kernels of 1x1 convolution and fully-connected."""

from __future__ import annotations

from ...ir.ops.conv2d import Conv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.types import DType
from ...passes.planner.kernel import SCRATCH, Call, Const, Kernel, Pointer, Struct, Tensors
from ..ops.packing import pointers
from .mve_packing import FEATURES, LANES, blocks, ceil_div, channels, is_int8

Pointwise = Conv2D | FullyConnected


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


def _weights(op: Pointwise, tensors: Tensors, rows: int) -> Const:
    data = tensors[op.weights].data
    assert data is not None
    return Const("weights", blocks(data.reshape(data.shape[0], -1), rows))


def _block_scratch(op: Pointwise, tensors: Tensors) -> int:
    _, in_c, _ = _sizes(op, tensors)
    return 0 if in_c % LANES == 0 else max(ceil_div(in_c, LANES) * LANES, 64)


def _emit_block(op: Pointwise, tensors: Tensors) -> tuple[Call, ...]:
    pixels, in_c, _ = _sizes(op, tensors)
    fields = (
        ("in_c", in_c),
        ("chunks", ceil_div(in_c, LANES)),
        *channels(op, tensors),
        ("weights", _weights(op, tensors, 4)),
    )
    scratch: tuple[Pointer, ...] = ()
    if _block_scratch(op, tensors):
        scratch = (Pointer("scratch", SCRATCH, DType.INT8.ctype, writable=True),)
    name = "pl_pointwise_s8__mve"
    args = ("x", "y", pixels, "scratch" if scratch else "NULL", "&p")
    return (Call(name, (*pointers(op, tensors), *scratch), args, Struct(f"{name}_params", fields)),)


def _block_work(op: Pointwise, tensors: Tensors) -> dict[str, int]:
    pixels, in_c, out_c = _sizes(op, tensors)
    groups, pairs = ceil_div(out_c, 4), ceil_div(pixels, 2)
    return {
        "calls": 1,
        "tiles": ceil_div(pixels, 4),
        "blocks": ceil_div(pixels, 4) * groups,
        "steps": pairs * groups * ceil_div(in_c, LANES),
    }


def _kernels(op: type[Conv2D] | type[FullyConnected]) -> tuple[Kernel, ...]:
    return (
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
