"""Helium kernels of depthwise convolution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.types import DType
from ...passes.planner.kernel import SCRATCH, Call, Const, Kernel, Pointer, Struct, Tensors
from ..ops.packing import pointers, row_loop
from .mve_packing import FEATURES, ceil_div, is_int8, records, scalars

_NAME = "pl_depthwise_conv2d_s8__mve"

_RECORD = 64
"""Bytes of 4 rows of 16 channels."""


@dataclass(frozen=True)
class _Plan:
    """How the kernel runs a layer.

    two      two output rows per call; taps: rows of input under them
    quads    groups of 4 rows; vectors: of 16 taps per window
    near     windows of a round are one vector apart: every other one with 2 phases
    tile     output columns per strip of `strip_bytes`
    """

    two: bool
    taps: int
    quads: int
    vectors: int
    near: bool
    phases: int
    tile: int
    strip_bytes: int


_SCRATCH_BYTES = 1280, 4096
"""Strips stay below this where a few columns fit: for small and for large layers."""


def _plan(op: DepthwiseConv2D, tensors: Tensors) -> _Plan:
    kernel, stride, dilation = op.window.kernel, op.window.stride, op.window.dilation
    _, out_h, out_w, _ = tensors[op.y].shape
    quads = ceil_div(kernel[0], 4)
    vectors = ceil_div(kernel[1] * quads, 4)
    two = dilation[0] == 1 and out_h > 1 and kernel[0] + stride[0] <= 4 * quads
    if vectors == 1:  # the weights of the second row are made from those of the first by a shift
        two = two and quads == stride[0] == 1
    near = quads == 2 and stride[1] <= 2 and (vectors == 4 or (vectors == 3 and two))
    phases = 2 if near and stride[1] == 1 else 1
    round_size = (4 if two else 8) * phases
    least, most = _SCRATCH_BYTES
    limit = min(max((tensors[op.x].size_bytes + tensors[op.y].size_bytes) // 16, least), most)

    def strip_bytes(tile: int) -> int:
        return _RECORD * ((tile - 1) * stride[1] * quads + 4 * vectors)

    tile = round_size
    while tile < out_w and strip_bytes(tile + round_size) <= limit:
        tile += round_size
    taps = kernel[0] + (stride[0] if two else 0)
    return _Plan(two, taps, quads, vectors, near, phases, tile, strip_bytes(tile))


def _walk(plan: _Plan, up: bool) -> int:
    """PL_MVE_TWO to PL_MVE_NEAR4_ONE."""
    if plan.near:
        return plan.vectors + 5 if plan.two else 10
    if plan.vectors > 1:
        return 3 if plan.two else 4
    return int(up) if plan.two else 2


def _accepts(op: DepthwiseConv2D, tensors: Tensors, wide: bool) -> bool:
    """As many outputs as inputs, no dilation along x, places within 16 bits; windows of several vectors are
    for the `wide` kernel."""
    x, y = tensors[op.x], tensors[op.y]
    if not is_int8(op, tensors) or x.shape[3] != y.shape[3] or op.window.dilation[1] != 1:
        return False
    return (_plan(op, tensors).vectors > 1) is wide and (y.shape[2] + 7) * y.shape[3] < 1 << 16


def _scratch(op: DepthwiseConv2D, tensors: Tensors) -> int:
    return _plan(op, tensors).strip_bytes


def _records(op: DepthwiseConv2D, tensors: Tensors, plan: _Plan) -> np.ndarray:
    """Per channel: weights [vectors][1 or 2 rows][16 taps]; bias, multiplier, shift, zero point."""
    data = tensors[op.weights].data
    assert data is not None
    height, width, channels = data.shape[1:]
    rows = 2 if plan.two and plan.vectors > 1 else 1
    taps = np.zeros((channels, rows, 4 * plan.vectors, 4), np.int8)
    for row in range(rows):
        for ky in range(height):
            at = ky + row * op.window.stride[0]
            taps[:, row, at // 4 : width * plan.quads : plan.quads, at % 4] = data[0, ky].T
    vectors = taps.reshape(channels, rows, plan.vectors, 16).transpose(0, 2, 1, 3)
    return records(op, tensors, vectors)


def _emit(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, y, plan = tensors[op.x], tensors[op.y], _plan(op, tensors)
    table, head = _records(op, tensors, plan), scalars(op, tensors)
    rows = replace(row_loop(x, y, op.window), taps=plan.taps, block=2 if plan.two else 1)
    name = _NAME + ("_wide" if plan.vectors > 1 else "")
    fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        ("out_pitch", y.shape[2] * y.shape[3]),
        ("kernel_h", op.window.kernel[0]),
        ("kernel_w", op.window.kernel[1]),
        ("stride_w", op.window.stride[1]),
        ("pad_left", op.window.padding[1][0]),
        ("taps", plan.taps),
        ("quads", plan.quads),
        ("steps", plan.vectors - 1),
        ("two", int(plan.two)),
        ("phases", plan.phases),
        ("walk", _walk(plan, head.up and not head.slow)),
        ("tile", plan.tile),
        ("record", table.shape[1]),
        ("low", head.low),
        ("high", head.high),
        ("pad", rows.pad or "NULL"),
        ("channels", Const("channels", table.reshape(-1))),
    )
    scratch = Pointer("scratch", SCRATCH, DType.INT8.ctype, writable=True)
    args = ("rows", "y", "n" if plan.two else 1, "scratch", "&p")
    return (Call(name, (*pointers(op, tensors), scratch), args, Struct("pl_mve_depthwise", fields), rows),)


def _work(op: DepthwiseConv2D, tensors: Tensors, wide: bool) -> dict[str, int]:
    plan = _plan(op, tensors)
    _, out_h, out_w, channels = tensors[op.y].shape
    calls = ceil_div(out_h, 2) if plan.two else out_h
    size = 4 if plan.two else 8
    tiles = [min(plan.tile, out_w - ox) for ox in range(0, out_w, plan.tile)]
    counts = [ceil_div(n - phase, plan.phases) for n in tiles for phase in range(min(plan.phases, n))]
    rounds = sum(ceil_div(n, size) for n in counts)
    columns = sum((n - 1) * op.window.stride[1] + op.window.kernel[1] for n in tiles)
    groups = calls * ceil_div(channels, 16)
    # one row of outputs takes twice the loads; near windows share them
    kind = "near" if plan.near else "two" if plan.two else "one"
    work = {
        "calls": 1,
        "rows": calls,
        "strips": groups * len(tiles) * plan.quads,
        "columns": groups * columns * plan.quads,
        "rounds": groups * rounds,
        "two": 0,
        "one": 0,
    }
    if wide:
        work |= {"near": 0, "steps": calls * channels * rounds * (plan.vectors - 1)}
    return work | {kind: calls * channels * rounds}


def _kernel(name: str, wide: bool) -> Kernel:
    return Kernel(
        name,
        f"mve/{name.removeprefix('pl_')}.h",
        DepthwiseConv2D,
        partial(_accepts, wide=wide),
        _emit,
        scratch_bytes=_scratch,
        features=FEATURES,
        work=partial(_work, wide=wide),
    )


KERNELS = (_kernel(_NAME, wide=False), _kernel(f"{_NAME}_wide", wide=True))
