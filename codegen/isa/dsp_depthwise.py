"""Depthwise 3x3 convolution with ReLU for Arm cores with the DSP extension."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ...ir.fixed_point import Requant
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.types import DType
from ...passes.planner.kernel import SCRATCH, Call, Const, Field, Kernel, Pointer, Struct, Tensors
from ..ops.packing import channel_fields, has_type, pointers, row_loop

FEATURES = frozenset({"arm", "dsp", "unaligned"})
LINES = 8
"""PL_DW_LINES: input rows (or columns) of the scratch planes."""
PAIR_BYTES = 16 * LINES
"""A pair of columns of four channels in the planes."""
_PAIRS = 9
"""Pairs of input columns per run at most: 1152 bytes of scratch."""
FEW_ROWS = 1
_FEW_PAIRS = 5
"""The same for maps of at most FEW_ROWS rows, and for so many rows of others at a time: 640 bytes."""
_FRACTION = 10
"""PL_DW_FRACTION: fractional bits of an output before the last shift, the same for all channels."""
RELU = (-128, -128, 127)
"""Zero point, lowest and highest output where the lowest is zero and all bits are used."""
_RECORD = np.dtype(
    [("weights", "i1", 9), ("scale", "u1"), ("rounding", "<u2"), ("bias", "<i4"), ("multiplier", "<i4")]
)
"""pl_dw3_record."""


@dataclass(frozen=True, eq=False)
class Channels:
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

    def fits(self, low: np.ndarray, high: np.ndarray, zero: int) -> np.ndarray:
        """Whether the constants fit a record, and no intermediate value leaves int32 for accumulators in
        [low, high]."""
        rounding = self.offset - _base(zero)
        ok = (self.multiplier < 1 << 31) & (rounding >= 0) & (rounding < 1 << 16)
        for acc in (low, high):
            scaled = (acc << self.scale) + self.tweak
            ok &= (abs(scaled) < 1 << 31) & (abs(self.offset + (scaled * self.multiplier >> 32)) < 1 << 31)
        return ok

    def where(self, take: np.ndarray, other: Channels) -> Channels:
        """`other` where `take`, else self."""
        pairs = ((getattr(other, f), getattr(self, f)) for f in self.__dataclass_fields__)
        return Channels(*(np.where(take, a, b) for a, b in pairs))


def _base(zero: int) -> int:
    """Offset of an output before the last shift, with half a step; -PL_DW_LOW for zero point -128."""
    return (zero << _FRACTION) + (1 << _FRACTION - 1)


def _candidates(multiplier: np.ndarray, shift: np.ndarray, zero: int) -> list[Channels]:
    """Forms that may equal requantizing with `multiplier` and right `shift`, most exact first.

    With a shift from 3 to 9 the first is exact where outputs do not saturate: the product then has all
    fractional bits of the accumulator times `multiplier`, and both roundings are sums before one shift.
    Beyond 9 the multiplier loses bits, which can but need not be seen in an output.
    """
    zeros, base = np.zeros_like(shift), _base(zero)
    scale = np.minimum(_FRACTION + 1 - shift, 15)
    exact = 1 << np.maximum(_FRACTION - 1 - shift, 0)
    forms = [Channels(np.maximum(scale, 0), zeros, multiplier >> np.maximum(-scale, 0), exact + base)]
    for up in (0, 1, 2):
        lost = np.maximum(up - scale, 0)
        short = multiplier >> lost
        for extra in (0, 1):
            for tweak in range(-1, (1 << up) + 1):
                form = Channels(zeros + up, zeros + tweak, short + extra, zeros + base)
                forms.append(form.where(scale > up, forms[0]))
    return forms


def _first_reaching(requant: Requant, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """int64[channels, n]: the smallest accumulator in [low, high + 1] whose output is at least each of all
    outputs but the lowest (high + 1: none). Outputs never fall as accumulators grow."""
    values = np.arange(requant.low + 1, requant.high + 1)
    a = np.repeat(low[:, None], len(values), axis=1)
    b = np.repeat(high[:, None] + 1, len(values), axis=1)
    while (a < b).any():
        middle = a + b >> 1
        reached = values <= requant.apply(middle.T).T
        a, b = np.where(reached | (a >= b), a, middle + 1), np.where(reached & (a < b), middle, b)
    return a


def merged_channels(
    weights: np.ndarray,
    bias: np.ndarray,
    multiplier: np.ndarray,
    shift: np.ndarray,
    outputs: tuple[int, int, int] = RELU,
) -> Channels | None:
    """The form in which the 3x3 kernels requantize, None where an output could differ.

    weights  int64[taps, channels]; bias, multiplier, (right) shift [channels]. Proven by comparing outputs
             on both sides of every step of the requantization that any input can reach
    outputs  zero point, lowest and highest; beyond these the form's may differ
    """
    products = np.stack([weights * -128, weights * 127])
    low, high = bias + products.min(axis=0).sum(axis=0), bias + products.max(axis=0).sum(axis=0)
    steps = _first_reaching(Requant(multiplier, -shift, *outputs), low, high)
    values = np.arange(outputs[1] + 1, outputs[2] + 1)
    largest = abs(weights).max(axis=0)
    best, found = None, np.zeros(len(bias), bool)
    for form in _candidates(multiplier, shift, outputs[0]):
        at_least = (form.apply(steps) >= values) | (steps > high[:, None])
        below = (form.apply(steps - 1) < values) | (steps <= low[:, None])
        ok = (
            (at_least & below).all(axis=1)
            & form.fits(low, high, outputs[0])
            & (largest << form.scale < 1 << 15)
        )
        best = form if best is None else best.where(ok & ~found, form)
        found |= ok
        if found.all():
            return best
    return None


@lru_cache(maxsize=512)
def _form_of(channels: int, outputs: tuple[int, int, int], *arrays: bytes) -> Channels | None:
    """merged_channels of int64 arrays as bytes: the proof is long, and asked for again and again."""
    weights, bias, multiplier, shift = (np.frombuffer(a, np.int64) for a in arrays)
    return merged_channels(weights.reshape(-1, channels), bias, multiplier, shift, outputs)


def channel_array(fields: Mapping[str, Field], name: str) -> np.ndarray:
    """int64 values of one of the arrays of channel_fields."""
    const = fields[f"channels.{name}"]
    assert isinstance(const, Const)
    return const.data.astype(np.int64)


def lanes(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """int32 words of two int16 each."""
    return ((low & 0xFFFF) | (high << 16)).astype(np.uint32).view(np.int32)


def cut(length: int, most: int) -> int:
    """The longest of the fewest parts of at most `most` that make up `length`, as equal as can be."""
    return -(-length // -(-length // most))


def runs(width: int, chunk: int) -> Iterator[tuple[int, int]]:
    """(first, length) of the runs of at most `chunk` that a kernel cuts `width` outputs into."""
    return ((x, min(chunk, width - x)) for x in range(0, width, chunk))


def plane_pairs(x: int, pairs: int, in_w: int) -> tuple[int, int]:
    """How many of `pairs` pairs of columns from column x on are (inside the input, not or not whole)."""
    inside = sum(x + 2 * i >= 0 and x + 2 * i + 1 < in_w for i in range(pairs))
    return inside, pairs - inside


def zero_word(tensors: Tensors, op: DepthwiseConv2D) -> int:
    """The input's zero point in each byte of a word."""
    return int(np.full(4, tensors[op.x].zero_point, np.int8).view(np.int32)[0])


def output_range(op: DepthwiseConv2D, tensors: Tensors) -> tuple[int, int, int]:
    """Zero point, lowest and highest output."""
    requant = op.requant(tensors)
    return requant.zero_point, requant.low, requant.high


def clamp_fields(op: DepthwiseConv2D, tensors: Tensors) -> tuple[tuple[str, Field], ...]:
    """Lowest and highest output, for pl_dw_clamp."""
    _, low, high = output_range(op, tensors)
    return ("low", low), ("high", high)


def clamped(op: DepthwiseConv2D, tensors: Tensors) -> int:
    """Outputs that pl_dw_clamp looks at."""
    return 0 if output_range(op, tensors)[1:] == RELU[1:] else tensors[op.y].elements


def merged(op: DepthwiseConv2D, tensors: Tensors) -> tuple[np.ndarray, Channels, np.ndarray] | None:
    """(int64[kh, kw, channels] weights, form, scaled bias), None where not exact: mostly without ReLU."""
    data = tensors[op.weights].data
    assert data is not None
    fields = dict(channel_fields(op, tensors))
    bias, multiplier, shift = (channel_array(fields, n) for n in ("bias", "multiplier", "shift"))
    w = data[0].astype(np.int64)
    form = _form_of(
        len(bias), output_range(op, tensors), *(a.tobytes() for a in (w.reshape(-1), bias, multiplier, shift))
    )
    if form is None:
        return None
    return w, form, (bias << form.scale) + form.tweak


def _most_pairs(rows: int) -> int:
    """Pairs of columns at once: scratch memory is dear where a call makes one or two rows."""
    return _PAIRS if rows > FEW_ROWS else _FEW_PAIRS


def _stride1_lengths(outputs: int, pairs: int = _PAIRS) -> list[int]:
    """Even lengths of runs, longest first, of which the last run of `outputs` is not a single output."""
    return [n for n in range((pairs - 1) * 2, 0, -2) if outputs % n != 1 and outputs >= 2]


@dataclass(frozen=True)
class _Variant:
    """One of the 3x3 kernels: stride 1 with runs along rows, or down the columns; stride 2."""

    suffix: str
    stride: int = 1
    down: bool = False

    @property
    def name(self) -> str:
        return f"depthwise_conv2d_s8__dsp_3x3{self.suffix}"

    def accepts(self, op: DepthwiseConv2D, tensors: Tensors) -> bool:
        x, y, window = tensors[op.x], tensors[op.y], op.window
        _, height, width, _ = y.shape
        length = height if self.down else width
        return (
            has_type(op, tensors, DType.INT8)
            and window.kernel == (3, 3)
            and window.stride == (self.stride, self.stride)
            and window.dilation == (1, 1)
            and x.shape[3] == y.shape[3] >= 4
            and (self.stride == 2 or bool(_stride1_lengths(length)))
            and (not self.down or 2 * height >= 3 * width)
            and output_range(op, tensors) == RELU
            and merged(op, tensors) is not None
        )

    def _length(self, outputs: int, rows: int) -> int:
        """Outputs per run, as equal as can be. With stride 1 even, and at least two for the last run."""
        pairs = _PAIRS if self.down else _most_pairs(rows)
        if self.stride == 2:
            return cut(outputs, (pairs - 1) * 2 // self.stride)
        sizes = _stride1_lengths(outputs, pairs) or _stride1_lengths(outputs)
        fewest = min(-(-outputs // n) for n in sizes)
        return min(n for n in sizes if -(-outputs // n) == fewest)

    def blocks(self, op: DepthwiseConv2D, tensors: Tensors) -> tuple[int, int]:
        """(output rows per call, output columns at once)."""
        _, height, width, _ = tensors[op.y].shape
        lines = (LINES - 3) // self.stride + 1
        if self.down:
            return min(self._length(height, height), height), cut(width, lines)
        return cut(height, lines), self._length(width, height)

    def records(self, op: DepthwiseConv2D, tensors: Tensors) -> np.ndarray:
        """int32: a pl_dw3_record per channel."""
        found = merged(op, tensors)
        assert found is not None
        w, form, bias = found
        w = w.swapaxes(0, 1) if self.down else w
        records = np.zeros(len(bias), _RECORD)
        records["weights"] = w.reshape(9, -1).T
        records["scale"], records["rounding"] = form.scale, form.offset - _base(-128)
        records["bias"], records["multiplier"] = bias, form.multiplier
        return records.view("<i4")

    def emit(self, op: DepthwiseConv2D, tensors: Tensors) -> tuple[Call, ...]:
        x, y = tensors[op.x], tensors[op.y]
        block, chunk = self.blocks(op, tensors)
        fields: tuple[tuple[str, Field], ...] = (
            ("in_w", x.shape[2]),
            ("in_c", x.shape[3]),
            ("out_w", y.shape[2]),
            ("pad_left", op.window.padding[1][0]),
            ("chunk", chunk),
            ("zero", zero_word(tensors, op)),
            ("records", Const("channels", self.records(op, tensors))),
        )
        return (planes_call(op, tensors, f"pl_{self.name}", Struct("pl_dw3_params", fields), block),)

    def scratch_bytes(self, op: DepthwiseConv2D, tensors: Tensors) -> int:
        block, chunk = self.blocks(op, tensors)
        run = block if self.down else min(chunk, tensors[op.y].shape[2])
        return ((run - 1) * self.stride + 4) // 2 * PAIR_BYTES

    def work(self, op: DepthwiseConv2D, tensors: Tensors) -> Mapping[str, int]:
        """Rounds of the loops that fill the planes and of those over runs and pairs of outputs."""
        (_, _, in_w, in_c), (_, height, width, _) = tensors[op.x].shape, tensors[op.y].shape
        groups, (block, chunk) = -(-in_c // 4), self.blocks(op, tensors)
        pad_left = op.window.padding[1][0]
        names = ("calls", "groups", "lines", "inside", "borders", "runs", "pairs", "singles")
        counts = dict.fromkeys(names, 0)
        for _, n in runs(height, block):
            counts["calls"] += 1
            for x, cols in runs(width, chunk):
                first, (rows, length) = x * self.stride - pad_left, (cols, n) if self.down else (n, cols)
                pairs, lines = ((length - 1) * self.stride + 4) // 2, (rows - 1) * self.stride + 3
                inside, borders = plane_pairs(first, pairs, in_w)
                inside, borders = inside * lines, borders * lines
                if self.down:
                    columns = sum(0 <= first + i < in_w for i in range(lines))
                    inside, borders = columns * pairs, (lines - columns) * pairs
                outputs = divmod(length, 2) if self.stride == 1 else (length, 0)
                per_run = (lines, inside, borders, 4 * rows, 4 * rows * outputs[0], 4 * rows * outputs[1])
                counts["groups"] += groups
                for name, count in zip(names[2:], per_run, strict=True):
                    counts[name] += groups * count
        return counts


def planes_call(op: DepthwiseConv2D, tensors: Tensors, name: str, struct: Struct, block: int) -> Call:
    """A call of a kernel that works in planes, for `block` output rows at a time; it knows rows of padding by
    their NULL pointers."""
    rows = row_loop(tensors[op.x], tensors[op.y], op.window)
    rows = replace(rows, block=block, taps=(block - 1) * rows.stride + rows.taps, pad=None)
    scratch = Pointer("scratch", SCRATCH, "int32_t", writable=True)
    args = ("rows", "y", "n" if block > 1 else 1, "scratch", "&p")
    return Call(name, (*pointers(op, tensors), scratch), args, struct, rows)


_VARIANTS = (_Variant("down", down=True), _Variant(""), _Variant("s2", stride=2))

KERNELS: tuple[Kernel, ...] = tuple(
    Kernel(
        f"pl_{v.name}",
        f"dsp/{v.name}.h",
        DepthwiseConv2D,
        v.accepts,
        v.emit,
        scratch_bytes=v.scratch_bytes,
        features=FEATURES,
        work=v.work,
    )
    for v in _VARIANTS
)
