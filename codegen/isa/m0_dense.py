"""Matrix products on ARMv6-M: convolution, 1x1 convolution and fully-connected of int8.

Two pixels are multiplied at once as halves of a word (runtime_c/m0/pair_s8_m0.h); a single pixel has a
kernel of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil

import numpy as np

from ...ir.ops.conv2d import Conv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.types import DType
from ...ir.weighted import WeightedOp
from ...passes.planner.kernel import SCRATCH, Call, Const, Kernel, Pointer, RowLoop, Struct, Tensors
from ..ops.packing import Fields, channel_fields, has_type, pointers, row_loop, window_fields

FEATURES = frozenset({"arm"})

_BLOCK = 16
"""PL_M0_BLOCK: output channels whose accumulators are gathered before they are stored."""

_WORDS = 576
"""Words of scratch that hold the activations of two pixels: more inputs are multiplied in segments."""

_MOST_WORDS = 1024
"""The same where one row of a window is longer: longer ones are not accepted."""


def requant_fields(op: WeightedOp, tensors: Tensors) -> Fields:
    """The fields of pl_channels_m0."""
    fields = dict(channel_fields(op, tensors))
    columns = [fields[f"channels.{name}"] for name in ("bias", "multiplier", "shift")]
    bias, multiplier, shift = (c.data.astype(np.int32) for c in columns if isinstance(c, Const))
    shift = np.where(multiplier == 0, 1, shift)  # nothing is left to shift
    return (
        *((f"channels.{n}", fields[f"channels.{n}"]) for n in ("zero_point", "low", "high")),
        ("channels.right_only", int((shift > 0).all())),
        ("channels.table", Const("requantization", np.stack([bias, multiplier, shift], axis=1).reshape(-1))),
    )


def rows_of(op: WeightedOp, tensors: Tensors) -> np.ndarray:
    """int8[OC, K]: the weights of each output channel in the order of a window."""
    data = tensors[op.weights].data
    assert data is not None
    return data.reshape(data.shape[0], -1)


def _padded(data: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """With zeros up to multiples of `rows` and `columns`."""
    return np.pad(data, ((0, -data.shape[0] % rows), (0, -data.shape[1] % columns)))


def _pair_words(weights: np.ndarray, segment: int) -> np.ndarray:
    """int32 words of pl_pair_dot_m0, of int8[OC, K] weights in segments of that many inputs."""
    words = []
    for block in range(0, weights.shape[0], _BLOCK):
        for start in range(0, weights.shape[1], segment):
            part = weights[block : block + _BLOCK, start : start + segment]
            part = _padded(part, 2, 4)
            pairs = part.reshape(part.shape[0] // 2, 2, -1, 2).transpose(0, 2, 1, 3)
            words.append(np.ascontiguousarray(pairs).reshape(-1).view("<i4"))
    return np.concatenate(words).astype(np.int32)


def _row_words(weights: np.ndarray) -> np.ndarray:
    """int32 words of pl_row_dot_m0, of int8[OC, K] weights, K a multiple of 4."""
    quads = _padded(weights, 4, 4).reshape(-1, 4, weights.shape[1] // 4, 4).transpose(0, 2, 1, 3)
    biased = quads.astype(np.int16) + np.array([128, 128, 128, 0], np.int16)
    return np.ascontiguousarray(biased.astype(np.uint8)).reshape(-1).view("<i4").astype(np.int32)


def _fit_pairs(op: WeightedOp, tensors: Tensors, inputs: int) -> bool:
    """Whether the sum of two products always has 16 bits; pairs of weights are counted from multiples of
    `inputs` (the length of a segment) on."""
    weights = np.abs(rows_of(op, tensors).astype(np.int32))
    return all(
        (_padded(weights[:, i : i + inputs], 1, 2).reshape(len(weights), -1, 2).sum(axis=2) <= 255).all()
        for i in range(0, weights.shape[1], inputs)
    )


def _pixels(op: WeightedOp, tensors: Tensors) -> int:
    return tensors[op.y].elements // tensors[op.weights].shape[0]


def _is_pointwise(op: Conv2D | FullyConnected, tensors: Tensors) -> bool:
    """A matrix product of x as it lies in memory, all int8."""
    if not has_type(op, tensors, DType.INT8) or tensors[op.y].dtype is not DType.INT8:
        return False
    if isinstance(op, FullyConnected):
        return True
    return op.window.pointwise and tensors[op.weights].shape[3] == tensors[op.x].shape[3]


def _scratch_pointer() -> Pointer:
    return Pointer("scratch", SCRATCH, "void", writable=True)


def _round4(n: int) -> int:
    return ceil(n / 4) * 4


# 1x1 convolution and fully-connected over two or more pixels


def _channel_segment(op: WeightedOp, tensors: Tensors) -> int:
    """Input channels multiplied at a time."""
    inputs = tensors[op.weights].shape[-1]
    return inputs if inputs <= _WORDS else _round4(ceil(inputs / ceil(inputs / _WORDS)))


def _accepts_pointwise(op: Conv2D | FullyConnected, tensors: Tensors) -> bool:
    return _is_pointwise(op, tensors) and _fit_pairs(op, tensors, _channel_segment(op, tensors))


def _emit_pointwise(op: WeightedOp, tensors: Tensors) -> tuple[Call, ...]:
    weights = rows_of(op, tensors)
    segment = _channel_segment(op, tensors)
    fields: Fields = (
        ("in_c", weights.shape[1]),
        ("out_c", weights.shape[0]),
        ("segment", segment),
        *requant_fields(op, tensors),
        ("weights", Const("weights", _pair_words(weights, segment))),
    )
    name = "pl_pointwise_s8__m0"
    args = ("x", "y", _pixels(op, tensors), "scratch", "&p")
    struct = Struct(f"{name}_params", fields)
    return (Call(name, (*pointers(op, tensors), _scratch_pointer()), args, struct),)


def _pointwise_scratch(op: WeightedOp, tensors: Tensors) -> int:
    return 4 * _round4(_channel_segment(op, tensors))


def _pair_work(pixels: int, outputs: int, lengths: list[int], calls: int) -> dict[str, int]:
    """Rounds of the loops of a pair kernel: `lengths` are those of the segments, one after another."""
    pairs, blocks = ceil(pixels / 2), ceil(outputs / _BLOCK)
    packings = 1 if len(lengths) == 1 else blocks
    steps = sum(_round4(n) // 4 for n in lengths)
    return {
        "calls": calls,
        "pairs": pairs,
        "packed": pairs * packings * sum(lengths),
        "dots": pairs * blocks * len(lengths),
        "channel_pairs": pairs * ceil(outputs / 2) * len(lengths),
        "steps": pairs * ceil(outputs / 2) * steps,
        "outputs": pairs * outputs,
    }


def _pointwise_work(op: WeightedOp, tensors: Tensors) -> Mapping[str, int]:
    outputs, inputs = rows_of(op, tensors).shape
    segment = _channel_segment(op, tensors)
    lengths = [min(segment, inputs - i) for i in range(0, inputs, segment)]
    return _pair_work(_pixels(op, tensors), outputs, lengths, 1)


# One pixel


def _accepts_row(op: Conv2D | FullyConnected, tensors: Tensors) -> bool:
    one = _is_pointwise(op, tensors) and _pixels(op, tensors) == 1
    return one and tensors[op.weights].shape[-1] % 4 == 0


def _emit_row(op: WeightedOp, tensors: Tensors) -> tuple[Call, ...]:
    weights = rows_of(op, tensors)
    fields: Fields = (
        ("in_c", weights.shape[1]),
        ("out_c", weights.shape[0]),
        *requant_fields(op, tensors),
        ("weights", Const("weights", _row_words(weights))),
    )
    name = "pl_pointwise_s8__m0_row"
    return (Call(name, pointers(op, tensors), ("x", "y", "&p"), Struct(f"{name}_params", fields)),)


def _row_work(op: WeightedOp, tensors: Tensors) -> Mapping[str, int]:
    outputs, inputs = rows_of(op, tensors).shape
    quads = ceil(outputs / 4)
    steps = quads * (inputs // 4)
    dots = ceil(outputs / _BLOCK)
    return {"calls": 1, "inputs": inputs, "dots": dots, "quads": quads, "steps": steps, "outputs": outputs}


# Convolution of windows


def _row_segment(op: Conv2D, tensors: Tensors) -> int:
    """Rows of the window multiplied at a time."""
    height, width = op.window.kernel
    row = width * tensors[op.x].shape[3]
    most = max(1, _WORDS // row)
    return height if height <= most else ceil(height / ceil(height / most))


def _accepts_conv2d(op: Conv2D, tensors: Tensors) -> bool:
    x, weights = tensors[op.x], tensors[op.weights]
    if not has_type(op, tensors, DType.INT8) or tensors[op.y].dtype is not DType.INT8:
        return False
    row = op.window.kernel[1] * x.shape[3]
    if weights.shape[3] != x.shape[3] or row > _MOST_WORDS:
        return False
    return _fit_pairs(op, tensors, _row_segment(op, tensors) * row)


def _block_rows(op: Conv2D, tensors: Tensors) -> int:
    """Output rows per call: two where rows of odd length would leave a single pixel in each."""
    odd = tensors[op.y].shape[2] % 2 == 1 and tensors[op.y].shape[1] > 1
    return 2 if odd and op.window.dilation[0] == 1 else 1


def _conv2d_rows(op: Conv2D, tensors: Tensors) -> RowLoop:
    rows = row_loop(tensors[op.x], tensors[op.y], op.window)
    block = _block_rows(op, tensors)
    return replace(rows, block=block, taps=(block - 1) * rows.stride + rows.taps)


def _emit_conv2d(op: Conv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    rows = _conv2d_rows(op, tensors)
    segment = _row_segment(op, tensors)
    inputs = segment * op.window.kernel[1] * x.shape[3]
    fields: Fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        ("out_c", y.shape[3]),
        *window_fields(op.window),
        ("stride_h", op.window.stride[0]),
        ("segment", segment),
        ("pad", rows.pad or "NULL"),
        *requant_fields(op, tensors),
        ("weights", Const("weights", _pair_words(rows_of(op, tensors), inputs))),
    )
    name = "pl_conv2d_s8__m0"
    args = ("rows", "y", "n" if rows.block > 1 else 1, "scratch", "&p")
    struct = Struct(f"{name}_params", fields)
    return (Call(name, (*pointers(op, tensors), _scratch_pointer()), args, struct, rows),)


def _conv2d_scratch(op: Conv2D, tensors: Tensors) -> int:
    row = op.window.kernel[1] * tensors[op.x].shape[3]
    return 4 * _round4(_row_segment(op, tensors) * row)


def _runs(op: Conv2D, tensors: Tensors, first: int, second: int) -> int:
    """Pieces that a window row of two pixels in these output columns is packed in."""
    starts = (ox * op.window.stride[1] - op.window.padding[1][0] for ox in (first, second))
    width, taps = tensors[op.x].shape[2], op.window.kernel[1]
    inside = all(at >= 0 and at + taps <= width for at in starts)
    return 1 if inside and op.window.dilation[1] == 1 else taps


def _conv2d_work(op: Conv2D, tensors: Tensors) -> Mapping[str, int]:
    _, height, width, outputs = tensors[op.y].shape
    kernel_h = op.window.kernel[0]
    row = op.window.kernel[1] * tensors[op.x].shape[3]
    segment, block = _row_segment(op, tensors), _block_rows(op, tensors)
    lengths = [row * min(segment, kernel_h - i) for i in range(0, kernel_h, segment)]
    packings = 1 if len(lengths) == 1 else ceil(outputs / _BLOCK)
    pairs = runs = 0
    for oy in range(0, height, block):
        pixels = width * min(block, height - oy)
        columns = [p % width for p in range(pixels)]
        columns += columns[-1:] * (pixels % 2)
        pairs += len(columns) // 2
        runs += sum(_runs(op, tensors, a, b) for a, b in zip(columns[::2], columns[1::2], strict=True))
    work = _pair_work(2 * pairs, outputs, lengths, ceil(height / block))
    window_rows = pairs * kernel_h * packings
    return work | {"window_rows": window_rows, "runs": runs * kernel_h * packings}


KERNELS: tuple[Kernel, ...] = (
    *(
        Kernel(
            "pl_pointwise_s8__m0_row",
            "m0/pointwise_s8__m0_row.h",
            op,
            _accepts_row,
            _emit_row,
            features=FEATURES,
            work=_row_work,
        )
        for op in (Conv2D, FullyConnected)
    ),
    *(
        Kernel(
            "pl_pointwise_s8__m0",
            "m0/pointwise_s8__m0.h",
            op,
            _accepts_pointwise,
            _emit_pointwise,
            _pointwise_scratch,
            features=FEATURES,
            work=_pointwise_work,
        )
        for op in (Conv2D, FullyConnected)
    ),
    Kernel(
        "pl_conv2d_s8__m0",
        "m0/conv2d_s8__m0.h",
        Conv2D,
        _accepts_conv2d,
        _emit_conv2d,
        _conv2d_scratch,
        features=FEATURES,
        work=_conv2d_work,
    ),
)
