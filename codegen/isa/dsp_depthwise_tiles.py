"""Depthwise convolution of any output for Arm cores with the DSP extension.

By tiles of four outputs of a run, or (single outputs, dilation, large strides) by four channels of an output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.types import DType
from ...passes.planner.kernel import Call, Const, Field, Kernel, Struct, Tensors
from ..ops.packing import channel_fields, has_type, pointers, row_loop, window_fields
from .dsp_depthwise import (
    FEATURES,
    FEW_ROWS,
    LINES,
    PAIR_BYTES,
    channel_array,
    clamp_fields,
    clamped,
    cut,
    lanes,
    plane_pairs,
    planes_call,
    runs,
    zero_word,
)

_TAPS = 49
"""PL_DWP_TAPS of the kernel for four channels of an output."""
_TILE_CYCLES = {5: 28, 7: 36}
"""Cycles of a line of so many taps for a tile on Cortex-M4, to choose how to cut long windows."""


@dataclass(frozen=True)
class _Planes:
    """Lines of the scratch planes, and pairs of input columns that the tiles of a run read at most."""

    lines: int
    pairs: int


_ANY, _FEW = _Planes(LINES, 11), _Planes(LINES, 7)
_SQUARE = {5: _Planes(LINES, 11), 7: _Planes(12, 9)}
"""Planes of the kernels for 5x5 and 7x7 windows; 12: PL_DW_TALL_LINES."""


@dataclass(frozen=True)
class _Shape:
    """How the kernels see an op.

    series  a map one column wide: runs go down the column, of pieces of the window
    rows    rows of weights, or pieces; width: taps of each, 5 or 7
    stride, outputs   along a run
    """

    series: bool
    rows: int
    width: int
    stride: int
    outputs: int
    planes: _Planes

    def pairs(self, tiles: int) -> int:
        """Pairs of input columns that a run of `tiles` tiles of four outputs reads."""
        return ((4 * tiles - 1) * self.stride + self.width + 1) // 2

    @property
    def tiles(self) -> int:
        """Tiles of a run: runs are as equal as can be within the scratch memory."""
        return cut(-(-self.outputs // 4), max(t for t in range(1, 9) if self.pairs(t) <= self.planes.pairs))


def _shape(op: DepthwiseConv2D, tensors: Tensors, planes: _Planes = _ANY) -> _Shape:
    (kernel_h, kernel_w), (stride_h, stride_w) = op.window.kernel, op.window.stride
    _, height, width, _ = tensors[op.y].shape
    if height <= FEW_ROWS and planes is _ANY:
        planes = _FEW
    if tensors[op.x].shape[2] == kernel_w == 1 and op.window.padding[1] == (0, 0):
        taps = min(_TILE_CYCLES, key=lambda n: -(-kernel_h // n) * _TILE_CYCLES[n])
        return _Shape(True, -(-kernel_h // taps), taps, stride_h, height, planes)
    return _Shape(False, kernel_h, 5 if kernel_w <= 5 else 7, stride_w, width, planes)


def _simple(op: DepthwiseConv2D, tensors: Tensors) -> bool:
    """Whether the kernels can requantize the op, and take four channels at a time."""
    x, y = tensors[op.x], tensors[op.y]
    if not has_type(op, tensors, DType.INT8) or x.shape[3] != y.shape[3] or x.shape[3] < 4:
        return False
    shift = channel_array(dict(channel_fields(op, tensors)), "shift")
    return bool(shift.min() >= 1 and shift.max() <= 22)


def _in_tiles(op: DepthwiseConv2D, tensors: Tensors) -> bool:
    shape, window = _shape(op, tensors), op.window
    fits = shape.rows <= LINES and (shape.series or window.kernel[1] <= 7) and shape.stride <= 2
    return fits and window.dilation == (1, 1) and _simple(op, tensors)


def _accepts_tiles(op: DepthwiseConv2D, tensors: Tensors) -> bool:
    return not _shape(op, tensors).series and _in_tiles(op, tensors)


def _accepts_series(op: DepthwiseConv2D, tensors: Tensors) -> bool:
    """A tile of which one output is used costs more than that output on its own."""
    shape = _shape(op, tensors)
    return shape.series and shape.outputs > 1 and _in_tiles(op, tensors)


def _accepts_square(op: DepthwiseConv2D, tensors: Tensors, size: int) -> bool:
    square = op.window.kernel == (size, size) and op.window.stride == (1, 1)
    return square and op.window.dilation == (1, 1) and _simple(op, tensors)


def _accepts_apart(op: DepthwiseConv2D, tensors: Tensors) -> bool:
    return op.window.kernel[0] * op.window.kernel[1] <= _TAPS and _simple(op, tensors)


def _constants(op: DepthwiseConv2D, tensors: Tensors) -> tuple[np.ndarray, ...]:
    """int64[channels] 2 * bias, multiplier, zero point and half a step before the shift, shift."""
    fields = dict(channel_fields(op, tensors))
    bias, multiplier, shift = (channel_array(fields, n) for n in ("bias", "multiplier", "shift"))
    offset = (op.requant(tensors).zero_point << shift) + (1 << shift >> 1)
    return 2 * bias, multiplier, offset, shift


def _rows(op: DepthwiseConv2D, tensors: Tensors, shape: _Shape) -> np.ndarray:
    """int64[rows, width + 1, channels]: doubled weights as rows or pieces, filled with zeros."""
    data = tensors[op.weights].data
    assert data is not None
    w = 2 * data[0].astype(np.int64)
    if shape.series:
        w = np.pad(w[:, 0], ((0, shape.rows * shape.width - len(w)), (0, 0)))
        w = w.reshape(shape.rows, shape.width, -1)
    return np.pad(w, ((0, 0), (0, shape.width + 1 - w.shape[1]), (0, 0)))


def _records(op: DepthwiseConv2D, tensors: Tensors, shape: _Shape) -> np.ndarray:
    """int32[channels, words]: see depthwise_tiles.h."""
    bias, *rest = _constants(op, tensors)
    starts = [*range(0, shape.width, 2)]
    if shape.stride == 1:
        starts = [*range(0, shape.width - 1, 2), *range(1, shape.width, 2)]
    words = [lanes(row[kx], row[kx + 1]) for row in _rows(op, tensors, shape) for kx in starts]
    return np.stack([bias, *words, *rest], axis=1).astype(np.int32)


def _block(op: DepthwiseConv2D, tensors: Tensors, shape: _Shape) -> int:
    """Output rows per call."""
    height = tensors[op.y].shape[1]
    if shape.series:
        return min(4 * shape.tiles, height)
    return cut(height, (shape.planes.lines - op.window.kernel[0]) // op.window.stride[0] + 1)


def _emit_tiles(
    op: DepthwiseConv2D, tensors: Tensors, planes: _Planes = _ANY, variant: str = "tiles"
) -> tuple[Call, ...]:
    x, y, shape = tensors[op.x], tensors[op.y], _shape(op, tensors, planes)
    records = _records(op, tensors, shape)
    fields: tuple[tuple[str, Field], ...] = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        ("pad_left", op.window.padding[1][0]),
        ("kernel_h", shape.rows),
        ("kernel_w", shape.width),
        ("stride_h", op.window.stride[0]),
        ("stride_w", shape.stride),
        ("chunk", 4 * shape.tiles),
        ("zero", zero_word(tensors, op)),
        *clamp_fields(op, tensors),
        ("record", records.shape[1]),
        ("records", Const("channels", records.reshape(-1))),
    )
    name, struct = f"pl_depthwise_conv2d_s8__dsp_{variant}", Struct("pl_dwt_params", fields)
    if shape.series:
        nested = tuple((f"tiles.{field}", value) for field, value in fields)
        struct = Struct("pl_dws_params", (*nested, ("taps", op.window.kernel[0])))
    return (planes_call(op, tensors, name, struct, _block(op, tensors, shape)),)


def _scratch_tiles(op: DepthwiseConv2D, tensors: Tensors, planes: _Planes = _ANY) -> int:
    shape = _shape(op, tensors, planes)
    return shape.pairs(shape.tiles) * PAIR_BYTES // LINES * planes.lines


def _work_tiles(op: DepthwiseConv2D, tensors: Tensors, planes: _Planes = _ANY) -> Mapping[str, int]:
    """Rounds of the loops that fill the planes, and of those over runs, tiles, and lines of a tile."""
    (_, _, in_w, in_c), (_, height, width, _) = tensors[op.x].shape, tensors[op.y].shape
    shape, groups, (stride_h, _) = _shape(op, tensors, planes), -(-in_c // 4), op.window.stride
    line = f"lines{shape.width}s{shape.stride}"
    names = ("calls", "groups", "lines", "inside", "borders", "runs", "tiles", line)
    counts = {**dict.fromkeys(names, 0), "clamped": clamped(op, tensors)}
    for _, n in runs(height, _block(op, tensors, shape)):
        counts["calls"] += 1
        for x, run in [(0, n)] if shape.series else runs(width, 4 * shape.tiles):
            pairs = ((run - 1) * shape.stride + shape.width + 1) // 2
            rows, lines = (1, shape.rows) if shape.series else (n, (n - 1) * stride_h + shape.rows)
            inside, borders = pairs, 0
            if not shape.series:
                inside, borders = plane_pairs(x * shape.stride - op.window.padding[1][0], pairs, in_w)
            tiles = 4 * rows * -(-run // 4)
            per_run = (1, lines, inside * lines, borders * lines, 4 * rows, tiles, tiles * shape.rows)
            for name, count in zip(names[1:], per_run, strict=True):
                counts[name] += groups * count
    return counts


def _groups(op: DepthwiseConv2D, tensors: Tensors) -> np.ndarray:
    """int32[groups, words]: see depthwise_conv2d_s8__dsp.h."""
    data = tensors[op.weights].data
    assert data is not None
    channels = data.shape[3]
    taps = 2 * data.reshape(-1, channels).astype(np.int64)
    taps = np.pad(taps, ((0, len(taps) % 2), (0, 0)))
    bias, *rest = _constants(op, tensors)
    words = np.stack([bias, *lanes(taps[::2], taps[1::2]), *rest])
    starts = [*range(0, channels - 3, 4), *([channels - 4] if channels % 4 else [])]
    return np.stack([words[:, c : c + 4].reshape(-1) for c in starts]).astype(np.int32)


def _emit_apart(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    rows, records = row_loop(x, y, op.window), _groups(op, tensors)
    name = "pl_depthwise_conv2d_s8__dsp"
    fields: tuple[tuple[str, Field], ...] = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        *window_fields(op.window),
        *clamp_fields(op, tensors),
        ("record", records.shape[1]),
        ("pad", rows.pad or "NULL"),
        ("records", Const("channels", records.reshape(-1))),
    )
    return (Call(name, pointers(op, tensors), ("rows", "y", "&p"), Struct(f"{name}_params", fields), rows),)


def _work_apart(op: DepthwiseConv2D, tensors: Tensors) -> Mapping[str, int]:
    _, height, width, channels = tensors[op.y].shape
    taps, groups = op.window.kernel[0] * op.window.kernel[1], height * width * -(-channels // 4)
    return {
        "calls": height,
        "pixels": height * width,
        "rows": height * width * op.window.kernel[0],
        "taps": height * width * taps,
        "groups": groups,
        "pairs": groups * ((taps + 1) // 2),
        "clamped": clamped(op, tensors),
    }


def _tiles_kernel(
    variant: str, accepts: Callable[[DepthwiseConv2D, Tensors], bool], planes: _Planes = _ANY
) -> Kernel:
    name = f"depthwise_conv2d_s8__dsp_{variant}"
    return Kernel(
        f"pl_{name}",
        f"dsp/{name}.h",
        DepthwiseConv2D,
        accepts,
        partial(_emit_tiles, planes=planes, variant=variant),
        scratch_bytes=partial(_scratch_tiles, planes=planes),
        features=FEATURES,
        work=partial(_work_tiles, planes=planes),
    )


KERNELS: tuple[Kernel, ...] = (
    _tiles_kernel("5x5", partial(_accepts_square, size=5), _SQUARE[5]),
    _tiles_kernel("7x7", partial(_accepts_square, size=7), _SQUARE[7]),
    _tiles_kernel("tiles", _accepts_tiles),
    _tiles_kernel("series", _accepts_series),
    Kernel(
        "pl_depthwise_conv2d_s8__dsp",
        "dsp/depthwise_conv2d_s8__dsp.h",
        DepthwiseConv2D,
        _accepts_apart,
        _emit_apart,
        features=FEATURES,
        work=_work_apart,
    ),
)
