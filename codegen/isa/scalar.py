"""Kernel variants for 32-bit cores without SIMD, in plain C.

`scalar` kernels compute blocks of pixels and channels, which pays with many registers. `scalar_pairs`
kernels get two products out of one multiplication (see runtime_c/scalar/pairs.h).
"""

from __future__ import annotations

from dataclasses import replace

from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.types import DType, Tensor
from ...ir.window import Window
from ...passes.planner.kernel import SCRATCH, Call, Const, Kernel, Pointer, Struct, Tensors
from ..ops.packing import Fields, channel_fields, has_type, pointers, row_loop, window_fields
from .scalar_pairs import blocks_of_four, chunk_bytes, chunk_lengths, paired_words, rows_of

_Spatial = Conv2D | DepthwiseConv2D
_Dense = Conv2D | FullyConnected

_LANES = 8
"""PL_LANES of the depthwise kernel."""


def _flat_window(op: _Spatial, tensors: Tensors) -> tuple[Tensor, Tensor, Window]:
    """x, y and the window, rows and columns exchanged where there is one column: rows are the fast way."""
    x, y, w = tensors[op.x], tensors[op.y], op.window
    if x.shape[2] != 1 or w.kernel[1] != 1 or any(w.padding[1]):
        return x, y, w
    turned = Window(w.kernel[::-1], w.stride[::-1], w.dilation[::-1], w.padding[::-1])

    def turn(t: Tensor) -> Tensor:
        return replace(t, shape=(t.shape[0], t.shape[2], t.shape[1], t.shape[3]))

    return turn(x), turn(y), turned


def _scratch(ctype: str) -> Pointer:
    return Pointer("scratch", SCRATCH, ctype, writable=True)


def _inner(prefix: str, fields: Fields) -> Fields:
    """The fields of a struct that is the member `prefix` of another."""
    return tuple((f"{prefix}.{name}", value) for name, value in fields)


def _weights(op: _Dense | DepthwiseConv2D, tensors: Tensors) -> Const:
    return Const("weights", rows_of(tensors[op.weights], op.CHANNEL_AXIS).reshape(-1))


def _block_fields(op: _Dense | DepthwiseConv2D, tensors: Tensors) -> Fields:
    """pl_blocks_channels."""
    rows = rows_of(tensors[op.weights], op.CHANNEL_AXIS)
    return (
        ("k", rows.shape[1]),
        ("out_c", rows.shape[0]),
        *channel_fields(op, tensors),
        ("weights", Const("weights", blocks_of_four(rows).reshape(-1))),
    )


def _pair_fields(op: _Dense | DepthwiseConv2D, tensors: Tensors) -> Fields:
    """pl_pairs_channels."""
    rows = rows_of(tensors[op.weights], op.CHANNEL_AXIS)
    return (
        ("k", rows.shape[1]),
        ("out_c", rows.shape[0]),
        *channel_fields(op, tensors),
        ("weights", Const("weights", rows.reshape(-1))),
        ("chunks", Const("chunks", chunk_bytes(chunk_lengths(rows[:, :, None])))),
    )


def _pixels(op: _Dense, tensors: Tensors) -> int:
    return tensors[op.y].elements // tensors[op.weights].shape[0]


# --- pointwise and fully-connected --------------------------------------------------------------


def _is_dense(op: _Dense, tensors: Tensors) -> bool:
    if not has_type(op, tensors, DType.INT8):
        return False
    return isinstance(op, FullyConnected) or (op.window.pointwise and _is_whole(op, tensors))


def _is_whole(op: Conv2D, tensors: Tensors) -> bool:
    return tensors[op.weights].shape[3] == tensors[op.x].shape[3]


def _few_chunks(op: _Dense | DepthwiseConv2D, tensors: Tensors) -> bool:
    """The number of chunks of each channel fits the byte it is stored in."""
    rows = rows_of(tensors[op.weights], op.CHANNEL_AXIS)
    return max(map(len, chunk_lengths(rows[:, :, None]))) < 256


def _emit_dense(op: _Dense, tensors: Tensors) -> tuple[Call, ...]:
    args = ("x", "y", _pixels(op, tensors), "&p")
    struct = Struct("pl_blocks_channels", _block_fields(op, tensors))
    return (Call("pl_pointwise_s8__scalar", pointers(op, tensors), args, struct),)


def _accepts_dense_pairs(op: _Dense, tensors: Tensors) -> bool:
    return _is_dense(op, tensors) and _few_chunks(op, tensors)


def _emit_dense_pairs(op: _Dense, tensors: Tensors) -> tuple[Call, ...]:
    args = ("x", "y", _pixels(op, tensors), "scratch", "&p")
    struct = Struct("pl_pairs_channels", _pair_fields(op, tensors))
    used = (*pointers(op, tensors), _scratch("uint32_t"))
    return (Call("pl_pointwise_s8__scalar_pairs", used, args, struct),)


def _dense_scratch(op: _Dense, tensors: Tensors) -> int:
    return 8 * tensors[op.weights].shape[-1]


def _accepts_channel_pairs(op: _Dense, tensors: Tensors) -> bool:
    if not _is_dense(op, tensors):
        return False
    blocks = blocks_of_four(rows_of(tensors[op.weights], op.CHANNEL_AXIS))
    return max(map(len, chunk_lengths(blocks))) < 256


def _emit_channel_pairs(op: _Dense, tensors: Tensors) -> tuple[Call, ...]:
    rows = rows_of(tensors[op.weights], op.CHANNEL_AXIS)
    fields: Fields = (
        ("in_c", rows.shape[1]),
        ("out_c", rows.shape[0]),
        *channel_fields(op, tensors),
        ("weights", Const("weights", paired_words(rows).reshape(-1))),
        ("chunks", Const("chunks", chunk_bytes(chunk_lengths(blocks_of_four(rows))))),
    )
    name = "pl_fully_connected_s8__scalar_pairs"
    args = ("x", "y", _pixels(op, tensors), "&p")
    return (Call(name, pointers(op, tensors), args, Struct(f"{name}_params", fields)),)


# --- convolution --------------------------------------------------------------------------------


def _is_conv(op: _Spatial, tensors: Tensors) -> bool:
    """No groups; depthwise of one input channel is an ordinary convolution."""
    if not has_type(op, tensors, DType.INT8):
        return False
    return _is_whole(op, tensors) if isinstance(op, Conv2D) else tensors[op.x].shape[3] == 1


def _window_elements(op: _Spatial, tensors: Tensors) -> int:
    return op.window.kernel[0] * op.window.kernel[1] * tensors[op.x].shape[3]


def _emit_conv(op: _Spatial, tensors: Tensors, pairs: bool) -> tuple[Call, ...]:
    x, y, window = _flat_window(op, tensors)
    rows = row_loop(x, y, window)
    windows: Fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        *window_fields(window),
        ("pad", rows.pad or "NULL"),
    )
    name = "pl_conv2d_s8__scalar_pairs" if pairs else "pl_conv2d_s8__scalar"
    channels = _inner("pairs", _pair_fields(op, tensors)) if pairs else None
    fields = (*_inner("windows", windows), *(channels or _inner("blocks", _block_fields(op, tensors))))
    used = (*pointers(op, tensors), _scratch("uint32_t" if pairs else "int8_t"))
    struct = Struct(f"{name}_params", fields)
    return (Call(name, used, ("rows", "y", "scratch", "&p"), struct, rows),)


def _emit_conv_blocks(op: _Spatial, tensors: Tensors) -> tuple[Call, ...]:
    return _emit_conv(op, tensors, pairs=False)


def _emit_conv_pairs(op: _Spatial, tensors: Tensors) -> tuple[Call, ...]:
    return _emit_conv(op, tensors, pairs=True)


def _accepts_conv_pairs(op: _Spatial, tensors: Tensors) -> bool:
    return _is_conv(op, tensors) and _few_chunks(op, tensors)


def _conv_scratch(op: _Spatial, tensors: Tensors) -> int:
    return 4 * _window_elements(op, tensors)


def _conv_pairs_scratch(op: _Spatial, tensors: Tensors) -> int:
    return 8 * _window_elements(op, tensors)


# --- depthwise ----------------------------------------------------------------------------------


def _is_depthwise(op: DepthwiseConv2D, tensors: Tensors) -> bool:
    return has_type(op, tensors, DType.INT8) and tensors[op.x].shape[3] == tensors[op.y].shape[3]


def _depthwise_width(y: Tensor, window: Window) -> int:
    """Columns of the windows of an output row of whole blocks of four, a last single pixel apart."""
    pixels = y.shape[2] if y.shape[2] % 4 == 1 else y.shape[2] + -y.shape[2] % 4
    return (pixels - 1) * window.stride[1] + window.extent[1]


def _emit_depthwise(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, y, window = _flat_window(op, tensors)
    rows = row_loop(x, y, window)
    fields: Fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        *window_fields(window),
        ("width", _depthwise_width(y, window)),
        *channel_fields(op, tensors),
        ("pad", rows.pad or "NULL"),
        ("weights", _weights(op, tensors)),
    )
    name = "pl_depthwise_conv2d_s8__scalar"
    used = (*pointers(op, tensors), _scratch("int8_t"))
    struct = Struct(f"{name}_params", fields)
    return (Call(name, used, ("rows", "y", "scratch", "&p"), struct, rows),)


def _depthwise_scratch(op: DepthwiseConv2D, tensors: Tensors) -> int:
    _, y, window = _flat_window(op, tensors)
    return window.kernel[0] * _depthwise_width(y, window) * _LANES


DENSE_PAIRS = tuple(
    Kernel(
        "pl_pointwise_s8__scalar_pairs",
        "scalar/pointwise_s8__scalar_pairs.h",
        op,
        _accepts_dense_pairs,
        _emit_dense_pairs,
        _dense_scratch,
    )
    for op in (Conv2D, FullyConnected)
)
DENSE_CHANNEL_PAIRS = tuple(
    Kernel(
        "pl_fully_connected_s8__scalar_pairs",
        "scalar/fully_connected_s8__scalar_pairs.h",
        op,
        _accepts_channel_pairs,
        _emit_channel_pairs,
    )
    for op in (FullyConnected, Conv2D)
)
DENSE_BLOCKS = tuple(
    Kernel("pl_pointwise_s8__scalar", "scalar/pointwise_s8__scalar.h", op, _is_dense, _emit_dense)
    for op in (Conv2D, FullyConnected)
)
CONV_PAIRS = tuple(
    Kernel(
        "pl_conv2d_s8__scalar_pairs",
        "scalar/conv2d_s8__scalar_pairs.h",
        op,
        _accepts_conv_pairs,
        _emit_conv_pairs,
        _conv_pairs_scratch,
    )
    for op in (Conv2D, DepthwiseConv2D)
)
CONV_BLOCKS = tuple(
    Kernel(
        "pl_conv2d_s8__scalar", "scalar/conv2d_s8__scalar.h", op, _is_conv, _emit_conv_blocks, _conv_scratch
    )
    for op in (Conv2D, DepthwiseConv2D)
)
DEPTHWISE = (
    Kernel(
        "pl_depthwise_conv2d_s8__scalar",
        "scalar/depthwise_conv2d_s8__scalar.h",
        DepthwiseConv2D,
        _is_depthwise,
        _emit_depthwise,
        _depthwise_scratch,
    ),
)

KERNELS: tuple[Kernel, ...] = (
    *DENSE_PAIRS,
    *DENSE_CHANNEL_PAIRS,
    *DENSE_BLOCKS,
    *CONV_PAIRS,
    *CONV_BLOCKS,
    *DEPTHWISE,
)
