"""STRIDED_SLICE and SLICE as begin, size and stride per dimension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .tensors import Unsupported

if TYPE_CHECKING:
    from .builder import OpImport


@dataclass(frozen=True)
class SliceSpec:
    """A slice with one entry per input dimension, and the shape the result is seen in.

    shape   of the result: shrunk dimensions left out, new ones put in
    """

    begin: tuple[int, ...]
    size: tuple[int, ...]
    stride: tuple[int, ...]
    shape: tuple[int, ...]


def plain_slice(shape: tuple[int, ...], begin: tuple[int, ...], size: tuple[int, ...]) -> SliceSpec:
    """SLICE: a size of -1 reaches to the end."""
    if not len(shape) == len(begin) == len(size):
        raise Unsupported(
            "begin and size have one entry per dimension", f"{begin} and {size} for {list(shape)}"
        )
    sizes = tuple(n - b if s == -1 else s for n, b, s in zip(shape, begin, size, strict=True))
    return SliceSpec(begin, sizes, (1,) * len(shape), sizes)


@dataclass(frozen=True)
class Masks:
    """The bit masks of STRIDED_SLICE; bit i concerns entry i of begin, end and strides.

    offset   end counts from begin
    """

    begin: int
    end: int
    ellipsis: int
    new_axis: int
    shrink_axis: int
    offset: bool = False


def masks_of(op: OpImport) -> Masks:
    """The masks in the options of a STRIDED_SLICE."""
    o = op.options("StridedSliceOptions")
    return Masks(
        o.BeginMask(), o.EndMask(), o.EllipsisMask(), o.NewAxisMask(), o.ShrinkAxisMask(), bool(o.Offset())
    )


def strided_slice(
    shape: tuple[int, ...],
    begin: tuple[int, ...],
    end: tuple[int, ...],
    strides: tuple[int, ...],
    masks: Masks,
) -> SliceSpec:
    """STRIDED_SLICE with all masks, by the rules of TensorFlow's `tf.strided_slice` (as NumPy's indexing).

    Raises Unsupported when the entries do not fit the input or the result is empty.
    """
    if not len(begin) == len(end) == len(strides):
        raise Unsupported(
            "begin, end and strides have the same length", f"{len(begin)}, {len(end)}, {len(strides)}"
        )
    ellipses = [i for i in range(len(begin)) if masks.ellipsis >> i & 1]
    new_axes = sum(masks.new_axis >> i & ~masks.ellipsis >> i & 1 for i in range(len(begin)))
    skipped = len(shape) - (len(begin) - new_axes - len(ellipses))
    if len(ellipses) > 1 or skipped < 0:
        raise Unsupported(
            "at most one ellipsis, and no more entries than dimensions", f"{len(begin)} entries"
        )
    parts: list[tuple[int, int, int]] = []
    result: list[int] = []
    for i in range(len(begin)):
        if i in ellipses:
            whole = shape[len(parts) : len(parts) + skipped]
            parts += [(0, n, 1) for n in whole]
            result += whole
        elif masks.new_axis >> i & 1:
            result.append(1)
        else:
            part = _one_axis(shape[len(parts)], begin[i], end[i], strides[i], masks, i)
            parts.append(part)
            result += [] if masks.shrink_axis >> i & 1 else [part[1]]
    rest = shape[len(parts) :]
    parts += [(0, n, 1) for n in rest]
    begins, sizes, steps = (tuple(p[k] for p in parts) for k in range(3))
    return SliceSpec(begins, sizes, steps, (*result, *rest))


def _one_axis(n: int, begin: int, end: int, stride: int, masks: Masks, i: int) -> tuple[int, int, int]:
    """(begin, size, stride) of one dimension of n elements."""
    if stride == 0:
        raise Unsupported("strides are not 0", "stride 0")
    if masks.shrink_axis >> i & 1:
        at = begin + n if begin < 0 else begin
        if not 0 <= at < n:
            raise Unsupported("an index must lie inside the input", f"{begin} of {n}")
        return at, 1, 1
    if masks.offset and not masks.end >> i & 1:
        end += begin
    taken = range(n)[
        slice(None if masks.begin >> i & 1 else begin, None if masks.end >> i & 1 else end, stride)
    ]
    if not taken:
        raise Unsupported("a slice must not be empty", f"{begin} to {end} by {stride} of {n}")
    return taken.start, len(taken), stride
