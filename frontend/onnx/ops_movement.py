"""Importers of operators that move, copy or select elements."""

from __future__ import annotations

from math import prod

import numpy as np

from ...ir import DType, Op
from ...ir.movement import MAX_DIMENSIONS
from ...ir.ops.cast import Cast
from ...ir.ops.concat import Concat
from ...ir.ops.expand import Expand
from ...ir.ops.gather import Gather
from ...ir.ops.gather_elements import GatherElements
from ...ir.ops.gather_nd import GatherND
from ...ir.ops.one_hot import OneHot
from ...ir.ops.pad import Pad
from ...ir.ops.reshape import Reshape
from ...ir.ops.scatter_elements import ScatterElements
from ...ir.ops.scatter_nd import ScatterND
from ...ir.ops.slice import Slice
from ...ir.ops.split import Split
from ...ir.ops.tile import Tile
from ...ir.ops.transpose import Transpose
from ...ir.ops.where import Where
from ..tflite.builder import axis_of
from ..tflite.tensors import Unsupported
from .builder import Converter
from .folding import resolved_shape, squeezed, unsqueezed
from .node import NodeImport
from .slicing import slice_spec


def reshape(op: NodeImport, shape: tuple[int, ...]) -> None:
    """The output is the input in another shape."""
    op.emit(Reshape(op.name(), op.x(), op.y(), shape))


def _reshape(op: NodeImport) -> None:
    given = op.ints_attribute("shape")
    target = op.ints(1, "the target shape") if given is None else given
    reshape(op, resolved_shape(target, op.shape(), bool(op.integer("allowzero", 0))))


def _flatten(op: NodeImport) -> None:
    shape = op.shape()
    axis = op.integer("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise Unsupported("axis must be a dimension of the input", f"{axis} of {len(shape)}")
    axis = axis + len(shape) if axis < 0 else axis
    reshape(op, (prod(shape[:axis]), prod(shape[axis:])))


def _squeeze(op: NodeImport) -> None:
    reshape(op, squeezed(op, op.shape()))


def _unsqueeze(op: NodeImport) -> None:
    reshape(op, unsqueezed(op, op.shape()))


def _transpose(op: NodeImport) -> None:
    rank = len(op.shape())
    perm = op.ints_attribute("perm") or tuple(reversed(range(rank)))
    op.emit(Transpose(op.name(), op.x(), op.y(), tuple(axis_of(d, rank, "perm") for d in perm)))


def _concat(op: NodeImport) -> None:
    full = [i for i in range(op.count()) if 0 not in op.shape(i)]
    axis = op.axis(len(op.shape()), 1 if op.opset < 4 else None)
    if len(full) == 1:
        op.alias(op.x(full[0]))
        return
    xs = tuple(op.x(i) for i in full)
    op.emit(Concat(op.name(), xs, op.y(like=xs[0]), axis))


def split_sizes(op: NodeImport, shape: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """(axis, sizes) of a Split: given, or as equal as possible with the last one smaller."""
    axis, parts = op.axis(len(shape), 0), len(op.node.output)
    sizes = op.ints_attribute("split")
    if sizes is None and op.has(1):
        sizes = op.ints(1, "sizes", 1024)
    if sizes is None:
        size = -(-shape[axis] // parts)
        sizes = tuple(min(size, shape[axis] - i * size) for i in range(parts))
    return axis, sizes


def _split(op: NodeImport) -> None:
    axis, sizes = split_sizes(op, op.shape())
    shape, parts = op.shape(), [i for i, n in enumerate(sizes[: len(op.node.output)]) if n]
    for i in set(range(len(op.node.output))) - set(parts):  # an empty part, for a concat that skips it
        op.set_constant(i, np.zeros((*shape[:axis], 0, *shape[axis + 1 :]), op.dtype().numpy))
    ys = tuple(op.y(i) for i in parts)
    op.emit(Split(op.name(), op.x(), ys, axis, tuple(n for n in sizes if n)))


def _slice(op: NodeImport) -> None:
    spec = slice_spec(op, op.shape())
    op.emit(Slice(op.name(), op.x(), op.y(), spec.begin, spec.size, spec.stride))


def _expand(op: NodeImport) -> None:
    target = op.ints(1, "the shape")
    try:
        shape = tuple(np.broadcast_shapes(op.shape(), target))
    except ValueError:
        raise Unsupported("shapes must broadcast", f"{list(op.shape())} and {list(target)}") from None
    op.emit(Expand(op.name(), op.x(), op.y(), shape))


def _tile(op: NodeImport) -> None:
    shape, repeats = op.shape(), op.ints(1, "repeats")
    if sum(n > 1 for n in (*shape, *repeats)) <= MAX_DIMENSIONS or len(repeats) != len(shape):
        op.emit(Tile(op.name(), op.x(), op.y(), repeats))
        return
    x = op.x()
    for axis, times in enumerate(repeats):  # one dimension after the other, between what is before and behind
        if times > 1:
            x = emit_reshape(op, x, "lanes", (prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])))
            y = op.temporary("repeated", like=x)
            op.emit(Tile(op.name(), x, y, (1, times, 1)))
            shape, x = (*shape[:axis], shape[axis] * times, *shape[axis + 1 :]), y
    op.emit(Reshape(op.name(), x, op.y(), shape))


def _pairs(op: NodeImport, rank: int) -> list[tuple[int, int]]:
    """Paddings per dimension: all begins, then all ends, of all dimensions or of some."""
    given = op.ints_attribute("pads")
    if given is None:
        given = op.ints_attribute("paddings") or op.ints(1, "pads")
    axes = [axis_of(a, rank, "axes") for a in op.ints(3, "axes")] if op.has(3) else list(range(rank))
    if len(given) != 2 * len(axes):
        raise Unsupported("one pair of paddings per dimension", f"{len(given)} numbers for {len(axes)}")
    pairs = [(0, 0)] * rank
    for i, d in enumerate(axes):
        pairs[d] = (given[i], given[i + len(axes)])
    return pairs


def _pad(op: NodeImport) -> None:
    """Negative paddings crop; edge, reflect and wrap gather the elements of each dimension."""
    mode, shape = op.text("mode", "constant"), op.shape()
    pairs = _pairs(op, len(shape))
    if mode not in ("constant", "edge", "reflect", "wrap"):
        raise Unsupported("mode is constant, edge, reflect or wrap", mode)
    x = op.x()
    if mode != "constant":
        _pad_by_index(op, mode, pairs)
        return
    cropped = any(n < 0 for pair in pairs for n in pair)
    if cropped:
        begin = tuple(max(0, -b) for b, _ in pairs)
        size = tuple(n - b - max(0, -e) for n, b, (_, e) in zip(shape, begin, pairs, strict=True))
        part = op.temporary("cropped")
        op.emit(Slice(op.name(), x, part, begin, size, (1,) * len(shape)))
        x = part
    value = op.scalar(2, "the padding value") if op.has(2) else op.number("value", op.tensor(x).zero_point)
    if op.dtype() is not DType.FLOAT32:
        value = int(value)
    op.emit(Pad(op.name(), x, op.y(), tuple((max(0, b), max(0, e)) for b, e in pairs), value))


def _pad_by_index(op: NodeImport, mode: str, pairs: list[tuple[int, int]]) -> None:
    x, shape = op.x(), op.shape()
    changed = [d for d, pair in enumerate(pairs) if pair != (0, 0)]
    if not changed:
        op.alias(x)
    for d in changed:
        before, after = pairs[d]
        if mode == "reflect" and max(before, after) >= shape[d]:
            raise Unsupported(
                "reflected paddings are smaller than the dimension", f"{pairs[d]} of {shape[d]}"
            )
        source = np.pad(np.arange(shape[d]), (max(before, 0), max(after, 0)), mode=mode)  # type: ignore[call-overload]
        source = source[max(-before, 0) : len(source) - max(-after, 0)]
        indices = op.make_constant(source.astype(np.int64), f"indices{d}")
        y = op.y() if d == changed[-1] else op.temporary("padded")
        op.emit(Gather(op.name(), x, indices, y, d))
        x = y


def indices_of(op: NodeImport, position: int) -> str:
    """An operand of indices, of a type that indices have."""
    x = op.x(position)
    if op.tensor(x).dtype in (DType.INT32, DType.INT64):
        return x
    wide = op.temporary("indices", DType.INT32)
    op.emit(Cast(op.name(), x, wide))
    return wide


def _gather(op: NodeImport) -> None:
    """One constant index is a slice, which the planner may place without a copy."""
    axis, shape, known = op.axis(len(op.shape()), 0), op.shape(), op.known(1)
    if known is not None and known.size == 1:
        at = axis_of(int(known.ravel()[0]), shape[axis], "an index")
        begin = tuple(at if d == axis else 0 for d in range(len(shape)))
        size = tuple(1 if d == axis else n for d, n in enumerate(shape))
        part = op.temporary("part")
        op.emit(Slice(op.name(), op.x(), part, begin, size, (1,) * len(shape)))
        target = (*shape[:axis], *known.shape, *shape[axis + 1 :])
        op.emit(Reshape(op.name(), part, op.y(), target))
        return
    op.emit(Gather(op.name(), op.x(), indices_of(op, 1), op.y(), axis))


def _gather_elements(op: NodeImport) -> None:
    op.emit(GatherElements(op.name(), op.x(), indices_of(op, 1), op.y(), op.axis(len(op.shape()), 0)))


def _gather_nd(op: NodeImport) -> None:
    op.emit(GatherND(op.name(), op.x(), indices_of(op, 1), op.y(), op.integer("batch_dims", 0)))


def _scatter_elements(op: NodeImport) -> None:
    axis, reduction = op.axis(len(op.shape()), 0), op.text("reduction", "none")
    op.emit(ScatterElements(op.name(), op.x(), indices_of(op, 1), op.x(2), op.y(), axis, reduction))


def _scatter_nd(op: NodeImport) -> None:
    reduction = op.text("reduction", "none")
    op.emit(ScatterND(op.name(), op.x(), indices_of(op, 1), op.x(2), op.y(), reduction))


def _one_hot(op: NodeImport) -> None:
    depth = int(op.scalar(1, "depth"))
    axis = axis_of(op.integer("axis", -1), len(op.shape()) + 1)
    indices, x = op.x(), op.tensor(op.x())
    if x.dtype not in (DType.INT32, DType.INT64):
        indices = op.temporary("indices", DType.INT32)
        op.emit(Cast(op.name(), op.x(), indices))
    op.emit(OneHot(op.name(), indices, op.x(2), op.y(like=op.x(2)), depth, axis))


def _block(op: NodeImport) -> int:
    block = op.integer("blocksize", 0)
    if len(op.shape()) != 4 or block < 1:
        raise Unsupported("the input is [N,C,H,W] and blocksize positive", f"{list(op.shape())}, {block}")
    return int(block)


def _rearranged(
    op: NodeImport, split: tuple[int, ...], perm: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    """reshape, transpose, reshape."""
    parts, moved = op.temporary("parts"), op.temporary("moved")
    op.emit(Reshape(op.name(), op.x(), parts, split))
    op.emit(Transpose(op.name(), parts, moved, perm))
    op.emit(Reshape(op.name(), moved, op.y(), shape))


def _depth_to_space(op: NodeImport) -> None:
    b, mode, (n, c, h, w) = _block(op), op.text("mode", "DCR"), op.shape()
    if c % (b * b) or mode not in ("DCR", "CRD"):
        raise Unsupported("channels divide by blocks, and mode is DCR or CRD", f"{c} by {b * b}, {mode}")
    d = c // (b * b)
    shape = (n, d, h * b, w * b)
    if mode == "DCR":
        _rearranged(op, (n, b, b, d, h, w), (0, 3, 4, 1, 5, 2), shape)
    else:
        _rearranged(op, (n, d, b, b, h, w), (0, 1, 4, 2, 5, 3), shape)


def _space_to_depth(op: NodeImport) -> None:
    b, (n, c, h, w) = _block(op), op.shape()
    if h % b or w % b:
        raise Unsupported("rows and columns divide by blocks", f"{h}x{w} by {b}")
    mode = op.text("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        raise Unsupported("mode is DCR or CRD", mode)
    perm = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    _rearranged(op, (n, c, h // b, b, w // b, b), perm, (n, c * b * b, h // b, w // b))


def _trilu(op: NodeImport) -> None:
    """What is cut off becomes 0, by a constant mask."""
    k = int(op.scalar(1, "k")) if op.has(1) else 0
    shape, dtype = op.shape(), op.dtype()
    if len(shape) < 2:
        raise Unsupported("the input is a matrix or a stack of them", str(list(shape)))
    ones = np.ones(shape[-2:], np.bool_)
    mask = op.make_constant(np.triu(ones, k) if op.integer("upper", 1) else np.tril(ones, k), "mask")
    zero = op.make_constant(np.zeros((1,) * len(shape), dtype.numpy), "zero")
    op.emit(Where(op.name(), mask, op.x(), zero, op.y()))


def _compress(op: NodeImport) -> None:
    """A constant condition selects indices; without axis the input is flat."""
    condition = op.constant(1, "the condition").ravel()
    x, shape = op.x(), op.shape()
    if op.attribute("axis") is None:
        flat = op.temporary("flat")
        op.emit(Reshape(op.name(), x, flat, (prod(shape),)))
        x, axis, size = flat, 0, prod(shape)
    else:
        axis = op.axis(len(shape))
        size = shape[axis]
    chosen = np.flatnonzero(condition[:size]).astype(np.int64)
    if not chosen.size:
        raise Unsupported("tensors have elements", "the condition is false everywhere")
    op.emit(Gather(op.name(), x, op.make_constant(chosen, "chosen"), op.y(), axis))


def _reverse_sequence(op: NodeImport) -> None:
    """Constant lengths: each sequence of the batch is put in order by indices along time."""
    time, batch = op.axis(len(op.shape()), 0, "time_axis"), op.axis(len(op.shape()), 1, "batch_axis")
    lengths, shape = op.ints(1, "the lengths", 4096), op.shape()
    if {time, batch} != {0, 1} or len(lengths) != shape[batch]:
        raise Unsupported(
            "time and batch are the first two dimensions, with one length per batch", f"{time}, {batch}"
        )
    if any(not 1 <= n <= shape[time] for n in lengths):
        raise Unsupported("lengths lie within the time dimension", f"{lengths} of {shape[time]}")
    index = np.tile(np.arange(shape[time], dtype=np.int64)[:, None], (1, shape[batch]))
    for b, n in enumerate(lengths):
        index[:n, b] = np.arange(n)[::-1]
    index = index if time == 0 else index.T
    index = np.broadcast_to(index.reshape(*index.shape, *(1 for _ in shape[2:])), shape)
    op.emit(GatherElements(op.name(), op.x(), op.make_constant(index, "order"), op.y(), time))


def emit_reshape(op: NodeImport, x: str, what: str, shape: tuple[int, ...]) -> str:
    """Name of a new value: x in another shape."""
    if op.tensor(x).shape == shape:
        return x
    y = op.temporary(what, like=x)
    step: Op = Reshape(op.name(), x, y, shape)
    op.emit(step)
    return y


CONVERTERS: dict[str, Converter] = {
    "Compress": _compress,
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "OneHot": _one_hot,
    "Pad": _pad,
    "Reshape": _reshape,
    "ReverseSequence": _reverse_sequence,
    "Scatter": _scatter_elements,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Trilu": _trilu,
    "Unsqueeze": _unsqueeze,
}
