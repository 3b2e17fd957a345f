"""Scalar kernels for one pixel at a time: fully-connected, and 1x1 convolution of few pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...ir.ops.conv2d import Conv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.types import DType
from ...passes.planner.kernel import Call, Const, Kernel, Struct, Tensors
from ..ops.packing import Fields, has_type, pointers
from .scalar_packing import (
    blocks_of_four,
    chunk_bytes,
    chunk_lengths,
    output_fields,
    paired_words,
    slow_channels,
    weight_rows,
)

_Dense = Conv2D | FullyConnected


def dense_pixels(op: _Dense, tensors: Tensors) -> int:
    return tensors[op.y].elements // tensors[op.weights].shape[0]


def is_dense(op: _Dense, tensors: Tensors) -> bool:
    if not has_type(op, tensors, DType.INT8):
        return False
    return isinstance(op, FullyConnected) or (op.window.pointwise and is_whole(op, tensors))


def is_whole(op: Conv2D, tensors: Tensors) -> bool:
    return tensors[op.weights].shape[3] == tensors[op.x].shape[3]


def _emit_dense(op: _Dense, tensors: Tensors) -> tuple[Call, ...]:
    rows = weight_rows(op, tensors)
    fields: Fields = (
        ("in_c", rows.shape[1]),
        ("out_c", rows.shape[0]),
        *output_fields(op, tensors),
        ("weights", Const("weights", blocks_of_four(rows).reshape(-1))),
    )
    name = "pl_fully_connected_s8__scalar"
    args = ("x", "y", dense_pixels(op, tensors), "&p")
    return (Call(name, pointers(op, tensors), args, Struct(f"{name}_params", fields)),)


def _emit_channel_pairs(op: _Dense, tensors: Tensors) -> tuple[Call, ...]:
    rows = weight_rows(op, tensors)
    fields: Fields = (
        ("in_c", rows.shape[1]),
        ("out_c", rows.shape[0]),
        *output_fields(op, tensors),
        ("weights", Const("weights", paired_words(rows).reshape(-1))),
        ("chunks", Const("chunks", chunk_bytes(chunk_lengths(blocks_of_four(rows))))),
    )
    name = "pl_fully_connected_s8__scalar_pairs"
    args = ("x", "y", dense_pixels(op, tensors), "&p")
    return (Call(name, pointers(op, tensors), args, Struct(f"{name}_params", fields)),)


def _work(op: _Dense, tensors: Tensors) -> Mapping[str, int]:
    channels, k = weight_rows(op, tensors).shape
    pixels = dense_pixels(op, tensors)
    groups = pixels * -(-channels // 4)
    return {
        "calls": 1,
        "pixels": pixels,
        "groups": groups,
        "rounds": groups * (k // 4),
        "tail": groups * (k % 4),
        "outputs": pixels * channels,
        "slow": pixels * slow_channels(op, tensors),
    }


def _pairs_work(op: _Dense, tensors: Tensors) -> Mapping[str, int]:
    blocks = blocks_of_four(weight_rows(op, tensors))
    pixels = dense_pixels(op, tensors)
    return {
        "calls": 1,
        "pixels": pixels,
        "groups": pixels * len(blocks),
        "rounds": pixels * len(blocks) * blocks.shape[1],
        "chunks": pixels * sum(map(len, chunk_lengths(blocks))),
        "outputs": tensors[op.y].elements,
        "slow": pixels * slow_channels(op, tensors),
    }


def _kernels(
    name: str,
    emit: Callable[[_Dense, Tensors], tuple[Call, ...]],
    work: Callable[[_Dense, Tensors], Mapping[str, int]],
) -> tuple[Kernel, ...]:
    return tuple(
        Kernel(f"pl_{name}", f"scalar/{name}.h", op, is_dense, emit, work=work)
        for op in (FullyConnected, Conv2D)
    )


KERNELS: tuple[Kernel, ...] = (
    *_kernels("fully_connected_s8__scalar_pairs", _emit_channel_pairs, _pairs_work),
    *_kernels("fully_connected_s8__scalar", _emit_dense, _work),
)
