"""3x3 convolutions by Winograd's F(2x2, 3x3) for cores with the DSP extension: fewer multiplications, larger
weights. Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016, section 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...ir.ops.conv2d import Conv2D
from ...passes.planner.kernel import SCRATCH, Call, Const, Fill, Kernel, Pointer, Struct, Tensors
from ..ops.packing import Fields, pointers, row_loop
from .dsp_gemm import FEATURES, Channels, channels, is_plain_int8, weight_rows, word_order, words

_CHANNELS = 4
_G2 = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])
"""Twice the paper's G, so that transformed weights are integers."""
_COLUMNS = np.array([1, 2, 3, 0])
_SIGNS = np.array([1, 1, -1, 1])
"""Order of the elements' columns in a stream, and their signs: of M1 - M2 - M3 only M2 is then subtracted."""


def _accepts(op: Conv2D, tensors: Tensors) -> bool:
    x, weights, window = tensors[op.x], tensors[op.weights], op.window
    if not is_plain_int8(op, tensors) or weights.shape[3] != x.shape[3]:
        return False
    if (window.kernel, window.stride, window.dilation) != ((3, 3), (1, 1), (1, 1)):
        return False
    if x.shape[3] % 16 or weights.shape[0] < _CHANNELS:
        return False
    fits = (4 * 128.0 * op.weight_sums(tensors) < 2.0**31).all()
    return bool(fits) and channels(op, tensors) is not None


def winograd_stream(rows: np.ndarray, constants: Channels) -> np.ndarray:
    """The stream of conv2d_s8__dsp_wino2x2.h for weights [OC, 9 * C]."""
    out_c, in_c = len(rows), rows.shape[1] // 9
    kernel = rows.reshape(out_c, 3, 3, in_c)
    elements = np.einsum("ui,vj,oijc->ouvc", _G2, _G2, kernel)[:, :, _COLUMNS] * _SIGNS[:, None]
    packed = words(elements[..., word_order(in_c)])
    starts = [*range(0, out_c - _CHANNELS, _CHANNELS), out_c - _CHANNELS]
    chosen = np.concatenate([np.arange(s, s + _CHANNELS) for s in starts])
    quads = packed[chosen].reshape(len(starts), _CHANNELS, -1).transpose(0, 2, 1).reshape(len(starts), -1)
    quad_constants = constants.words[chosen].reshape(len(starts), -1)
    return np.concatenate([quads, quad_constants], axis=1).reshape(-1).astype(np.int32)


def _emit(op: Conv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    constants, requant = channels(op, tensors), op.requant(tensors)
    assert constants is not None
    loop = row_loop(x, y, op.window)
    pad = loop.pad or Fill(x.zero_point, max(x.shape[2], 3) * x.shape[3], x.dtype.value)
    fields: Fields = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        ("out_c", y.shape[3]),
        ("pad_left", op.window.padding[1][0]),
        ("low", requant.low),
        ("high", requant.high),
        ("pad", pad),
        ("stream", Const("stream", winograd_stream(weight_rows(op, tensors), constants))),
    )
    name = "pl_conv2d_s8__dsp_wino2x2"
    scratch = Pointer("scratch", SCRATCH, "int32_t", writable=True)
    args = ("rows", "y", "n", "scratch", "&p")
    rows = replace(loop, block=2, taps=4, pad=pad)
    return (Call(name, (*pointers(op, tensors), scratch), args, Struct(f"{name}_params", fields), rows),)


def _scratch(op: Conv2D, tensors: Tensors) -> int:
    return 64 * tensors[op.x].shape[3] + 256


def _work(op: Conv2D, tensors: Tensors) -> Mapping[str, int]:
    _, height, width, out_c = tensors[op.y].shape
    in_c = tensors[op.x].shape[3]
    calls, quads = -(-height // 2), -(-out_c // _CHANNELS)
    blocks = calls * -(-width // 4)
    return {
        "calls": calls,
        "blocks": blocks,
        "transforms": blocks * in_c // 4,
        "quads": blocks * quads,
        "pairs": blocks * quads * in_c // 2,
        "outputs": height * width * out_c,
    }


KERNELS: tuple[Kernel, ...] = (
    Kernel(
        "pl_conv2d_s8__dsp_wino2x2",
        "dsp/conv2d_s8__dsp_wino2x2.h",
        Conv2D,
        _accepts,
        _emit,
        _scratch,
        features=FEATURES,
        work=_work,
    ),
)
