"""Depthwise convolution for Arm cores with the DSP extension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...ir.fixed_point import Requant
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.types import DType
from ...passes.planner.kernel import SCRATCH, Call, Const, Field, Kernel, Pointer, Struct, Tensors
from ..ops.packing import channel_fields, has_type, pointers, row_loop

_FEATURES = frozenset({"arm", "dsp"})
_LINES = 8
"""PL_DW_LINES: input rows of the scratch planes."""
_RUN = 16
"""Output columns per run at most: 1152 bytes of scratch."""
_FRACTION = 10
"""PL_DW_FRACTION: fractional bits of an output before the last shift, the same for all channels."""


@dataclass(frozen=True, eq=False)
class _Channels:
    """Per channel: y = saturate((offset + (acc * 2**scale + tweak) * multiplier >> 32) >> _FRACTION)."""

    scale: np.ndarray
    tweak: np.ndarray
    multiplier: np.ndarray
    offset: np.ndarray

    def apply(self, acc: np.ndarray) -> np.ndarray:
        """int64[channels, n] outputs of accumulators (bias included) of the same shape."""
        scaled = (acc << self.scale[:, None]) + self.tweak[:, None]
        product = scaled * self.multiplier[:, None] >> 32
        return np.clip(self.offset[:, None] + product >> _FRACTION, -128, 127)

    def fits(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Whether no intermediate value leaves int32 for accumulators in [low, high]."""
        ok = np.ones(len(low), bool)
        for acc in (low, high):
            scaled = (acc << self.scale) + self.tweak
            ok &= (abs(scaled) < 1 << 31) & (abs(self.offset + (scaled * self.multiplier >> 32)) < 1 << 31)
        return ok

    def where(self, take: np.ndarray, other: _Channels) -> _Channels:
        """`other` where `take`, else self."""
        pairs = ((getattr(other, f), getattr(self, f)) for f in self.__dataclass_fields__)
        return _Channels(*(np.where(take, a, b) for a, b in pairs))


def _candidates(multiplier: np.ndarray, shift: np.ndarray) -> list[_Channels]:
    """Forms that may equal requantizing with `multiplier` and right `shift`, most exact first.

    With a shift from 3 to 9 the first is exact where outputs do not saturate: the product then has all
    fractional bits of the accumulator times `multiplier`, and both roundings are sums before one shift.
    Beyond 9 the multiplier loses bits, which can but need not be seen in an output.
    """
    zeros = np.zeros_like(shift)
    scale = np.minimum(_FRACTION + 1 - shift, 15)
    half = (1 << _FRACTION - 1) - (128 << _FRACTION)
    exact = half + (1 << np.maximum(_FRACTION - 1 - shift, 0))
    forms = [_Channels(np.maximum(scale, 0), zeros, multiplier >> np.maximum(-scale, 0), exact)]
    for up in (0, 1, 2):
        lost = np.maximum(up - scale, 0)
        short = multiplier >> lost
        for extra in (0, 1):
            for tweak in range(-1, (1 << up) + 1):
                form = _Channels(zeros + up, zeros + tweak, short + extra, zeros + half)
                forms.append(form.where(scale > up, forms[0]))
    return forms


def _first_reaching(requant: Requant, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """int64[channels, 255]: the smallest accumulator in [low, high + 1] whose output is at least -127, -126,
    ... 127 (high + 1: none). Outputs never fall as accumulators grow."""
    values = np.arange(-127, 128)
    a = np.repeat(low[:, None], len(values), axis=1)
    b = np.repeat(high[:, None] + 1, len(values), axis=1)
    while (a < b).any():
        middle = a + b >> 1
        reached = requant.apply(middle.T).T >= values
        a, b = np.where(reached | (a >= b), a, middle + 1), np.where(reached & (a < b), middle, b)
    return a


def _merged_channels(
    weights: np.ndarray, bias: np.ndarray, multiplier: np.ndarray, shift: np.ndarray
) -> _Channels | None:
    """The form in which the 3x3 kernel requantizes, None where an output could differ.

    weights  int64[taps, channels]; bias, multiplier, (right) shift [channels]. Proven by comparing outputs
             on both sides of every step of the requantization that any input can reach
    """
    products = np.stack([weights * -128, weights * 127])
    low, high = bias + products.min(axis=0).sum(axis=0), bias + products.max(axis=0).sum(axis=0)
    steps = _first_reaching(Requant(multiplier, -shift, -128, -128, 127), low, high)
    values = np.arange(-127, 128)
    largest = abs(weights).max(axis=0)
    best, found = None, np.zeros(len(bias), bool)
    for form in _candidates(multiplier, shift):
        at_least = (form.apply(steps) >= values) | (steps > high[:, None])
        below = (form.apply(steps - 1) < values) | (steps <= low[:, None])
        ok = (at_least & below).all(axis=1) & form.fits(low, high) & (largest << form.scale < 1 << 15)
        best = form if best is None else best.where(ok & ~found, form)
        found |= ok
        if found.all():
            return best
    return None


def _records(op: DepthwiseConv2D, tensors: Tensors) -> np.ndarray | None:
    """int32[channels, 9]: pl_dw3_record per channel, None where the form of the kernel is not exact."""
    data = tensors[op.weights].data
    assert data is not None
    fields = dict(channel_fields(op, tensors))
    bias, multiplier, shift = (_array(fields, n) for n in ("bias", "multiplier", "shift"))
    requant = op.requant(tensors)
    if (requant.zero_point, requant.low, requant.high) != (-128, -128, 127):
        return None
    w = data[0].astype(np.int64)
    form = _merged_channels(w.reshape(9, -1), bias, multiplier, shift)
    if form is None:
        return None
    w = w << form.scale
    pairs = [_lanes(w[ky, kx], w[ky, kx + 1]) for ky in range(3) for kx in range(2)]
    rest = [(bias << form.scale) + form.tweak, form.multiplier, form.offset]
    return np.stack([*pairs, *rest], axis=1).astype(np.int32)


def _array(fields: Mapping[str, Field], name: str) -> np.ndarray:
    """int64 values of one of the arrays of channel_fields."""
    const = fields[f"channels.{name}"]
    assert isinstance(const, Const)
    return const.data.astype(np.int64)


def _lanes(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """int32 words of two int16 each."""
    return ((low & 0xFFFF) | (high << 16)).astype(np.uint32).view(np.int32)


def _accepts_3x3(op: DepthwiseConv2D, tensors: Tensors) -> bool:
    x, y, window = tensors[op.x], tensors[op.y], op.window
    return (
        has_type(op, tensors, DType.INT8)
        and window.kernel == (3, 3)
        and window.stride == (1, 1)
        and window.dilation == (1, 1)
        and x.shape[3] == y.shape[3] >= 4
        and y.shape[2] >= 2
        and _records(op, tensors) is not None
    )


def _chunk(width: int) -> int:
    """Columns per run: even, at most _RUN, with at least two left for the last run, as equal as can be."""
    sizes = [n for n in range(_RUN, 0, -2) if (width - 1) % n or n == 1]
    fewest = min(-(-width // n) for n in sizes)
    return min(n for n in sizes if -(-width // n) == fewest)


def _emit_3x3(op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
    x, y = tensors[op.x], tensors[op.y]
    records = _records(op, tensors)
    assert records is not None
    rows = row_loop(x, y, op.window)
    blocks = -(-rows.out_rows // (_LINES - 2))
    block = -(-rows.out_rows // blocks)
    name = "pl_depthwise_conv2d_s8__dsp_3x3"
    fields: tuple[tuple[str, Field], ...] = (
        ("in_w", x.shape[2]),
        ("in_c", x.shape[3]),
        ("out_w", y.shape[2]),
        ("pad_left", op.window.padding[1][0]),
        ("chunk", _chunk(y.shape[2])),
        ("zero", int(np.full(4, x.zero_point, np.int8).view(np.int32)[0])),
        ("records", Const("channels", records.reshape(-1))),
    )
    scratch = Pointer("scratch", SCRATCH, "int32_t", writable=True)
    rows = replace(rows, block=block, taps=block + 2)
    args = ("rows", "y", "n" if block > 1 else 1, "scratch", "&p")
    return (Call(name, (*pointers(op, tensors), scratch), args, Struct(f"{name}_params", fields), rows),)


def _scratch_3x3(op: DepthwiseConv2D, tensors: Tensors) -> int:
    chunk = min(_chunk(tensors[op.y].shape[2]), tensors[op.y].shape[2])
    return (chunk + 3) // 2 * _LINES * 16


KERNELS: tuple[Kernel, ...] = (
    Kernel(
        "pl_depthwise_conv2d_s8__dsp_3x3",
        "dsp/depthwise_conv2d_s8__dsp_3x3.h",
        DepthwiseConv2D,
        _accepts_3x3,
        _emit_3x3,
        scratch_bytes=_scratch_3x3,
        features=_FEATURES,
    ),
)
