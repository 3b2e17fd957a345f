"""DSP kernels of layers that are computed in blocks of channels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from ...ir.ops.finish_sums import FinishSums
from ...ir.ops.partial_sums import PartialSums
from ...ir.weighted import ACCUMULATOR_LIMIT
from ...passes.planner.kernel import SCRATCH, Call, Const, Kernel, Pointer, Struct, Tensors
from ..ops.elementwise import in_place
from ..ops.finish_sums import finish_pointers
from ..ops.packing import Fields
from ..ops.partial_sums import added, into_sums, is_run_of_pixels, over_the_sums, pointers, weight_rows
from .dsp_gemm import (
    FEATURES,
    Channels,
    blocks_at_once,
    byte_words,
    gemm_scratch,
    lanes_fit,
    merged_channels,
    pair_lanes,
    paired,
    word_order,
    words,
)


def _rows(op: PartialSums, tensors: Tensors) -> np.ndarray:
    """Weights by twos of channels, int64[OC rounded up to even, K] in the order of lanes; with an odd number
    the last two rows are zeros and the last channel."""
    rows = weight_rows(op, tensors).astype(np.int64)[:, word_order(_depth(op, tensors))]
    if len(rows) % 2:
        rows = paired(rows)
        rows[-2] = 0
    return rows


def _depth(op: PartialSums, tensors: Tensors) -> int:
    return tensors[op.weights].shape[-1]


def _accepts(op: PartialSums, tensors: Tensors, variant: str) -> bool:
    if not is_run_of_pixels(op, tensors) or tensors[op.weights].shape[0] < 2:
        return False
    return variant == "any" or lanes_fit(_rows(op, tensors))


def _scratch(op: PartialSums, tensors: Tensors) -> int:
    """Single pixels are multiplied as they are."""
    return gemm_scratch(_depth(op, tensors)) if _pixels(op, tensors) > 2 else 0


def _pixels(op: PartialSums, tensors: Tensors) -> int:
    return tensors[op.y].elements // tensors[op.weights].shape[0]


def _emit(op: PartialSums, tensors: Tensors, variant: str) -> tuple[Call, ...]:
    depth, out_c, rows = _depth(op, tensors), tensors[op.weights].shape[0], _rows(op, tensors)
    stream = byte_words(rows) if variant == "any" else words(pair_lanes(rows))
    fields: Fields = (
        ("in_c", depth),
        ("out_c", out_c),
        ("accumulate", int(op.sums is not None)),
        ("pairs", (depth + 1) // 2),
        ("blocks", blocks_at_once(depth)),
        ("stream", Const("stream", stream.reshape(-1).astype(np.int32))),
    )
    pixels = _pixels(op, tensors)
    used = (Pointer("scratch", SCRATCH, "int32_t", writable=True),) if pixels > 2 else ()
    function = f"pl_partial_sums_s8__dsp{variant and '_'}{variant}"
    args = ("x", "y", pixels, "scratch" if used else "NULL", "&p")
    struct = Struct("pl_partial_sums_dsp_params", fields)
    return into_sums(op, tensors, Call(function, (*pointers(op), *used), args, struct))


def _pixel_blocks(pixels: int) -> tuple[int, int, int]:
    """(blocks of four pixels, blocks of three, single ones) of a run: threes until fours are left."""
    threes = 0
    while pixels > 2 and pixels % 4:
        pixels, threes = pixels - 3, threes + 1
    return (0, threes, pixels) if pixels % 4 else (pixels // 4, threes, 0)


def _work(op: PartialSums, tensors: Tensors) -> Mapping[str, int]:
    depth, out_c, count = _depth(op, tensors), tensors[op.weights].shape[0], _pixels(op, tensors)
    fours, threes, ones = _pixel_blocks(count)
    pairs, twos, blocked = (depth + 1) // 2, (out_c + 1) // 2, 4 * fours + 3 * threes
    return {
        "calls": 1,
        "blocks": fours + threes,
        "pairs4": fours * twos * pairs,
        "pairs3": threes * twos * pairs,
        "outputs4": fours * twos,
        "outputs3": threes * twos,
        "pixels": blocked,
        "words": blocked * (depth // 4),
        "ones": ones,
        "ones_quads": ones * ((twos + 1) // 2),
        "ones_words": ones * ((twos + 1) // 2) * (depth // 4),
        "cleared": 0 if added(op, tensors) else tensors[op.y].elements,
    }


def _finish_channels(op: FinishSums, tensors: Tensors) -> Channels | None:
    """The constants of the channels; None where some shift to the left, say."""
    bias = tensors[op.bias].data
    assert bias is not None
    requant = op.requant(tensors)
    bound = np.full(bias.size, float(ACCUMULATOR_LIMIT))
    shift = -requant.shift.astype(np.int64)
    return merged_channels(bias.astype(np.int64), requant.multiplier, shift, requant.zero_point, bound)


def _finish_accepts(op: FinishSums, tensors: Tensors) -> bool:
    return _finish_channels(op, tensors) is not None


def _emit_finish(op: FinishSums, tensors: Tensors) -> tuple[Call, ...]:
    channels, requant = _finish_channels(op, tensors), op.requant(tensors)
    assert channels is not None
    out_c = tensors[op.bias].elements
    fields: Fields = (
        ("out_c", out_c),
        ("low", requant.low),
        ("high", requant.high),
        ("channels", Const("channels", channels.words.reshape(-1))),
    )
    args = ("sums", "y", tensors[op.y].elements // out_c, "&p")
    struct = Struct("pl_finish_sums_dsp_params", fields)
    return (Call("pl_finish_sums_s8__dsp", finish_pointers(op), args, struct),)


def _finish_work(op: FinishSums, tensors: Tensors) -> Mapping[str, int]:
    y, how = tensors[op.y], op.requant(tensors)
    clamped = how.low > -128 or how.high < 127
    return {
        "calls": 1,
        "pixels": y.elements // tensors[op.bias].elements,
        "outputs": y.elements,
        "clamped": y.elements if clamped else 0,
    }


KERNELS: tuple[Kernel, ...] = (
    *(
        Kernel(
            f"pl_partial_sums_s8__dsp{suffix}",
            f"dsp/partial_sums_s8__dsp{suffix}.h",
            PartialSums,
            partial(_accepts, variant=suffix.removeprefix("_")),
            partial(_emit, variant=suffix.removeprefix("_")),
            _scratch,
            over_the_sums,
            FEATURES,
            work=_work,
        )
        for suffix in ("", "_any")
    ),
    Kernel(
        "pl_finish_sums_s8__dsp",
        "dsp/finish_sums_s8__dsp.h",
        FinishSums,
        _finish_accepts,
        _emit_finish,
        aliases=in_place("sums"),
        features=FEATURES,
        work=_finish_work,
    ),
)
