"""Converters of operators that move elements: pad, reshape, concat, split, slice, transpose, resize."""

from __future__ import annotations

from math import prod

import tflite

from ...ir import Activation
from ...ir.ops.concat import Concat
from ...ir.ops.gather import Gather
from ...ir.ops.pad import Pad
from ...ir.ops.reshape import Reshape
from ...ir.ops.resize_bilinear import ResizeBilinear
from ...ir.ops.resize_nearest import ResizeNearest
from ...ir.ops.slice import Slice
from ...ir.ops.split import Split
from ...ir.ops.transpose import Transpose
from .builder import Converter, OpImport, axis_of
from .slicing import SliceSpec, masks_of, plain_slice, strided_slice
from .tensors import Unsupported


def _paddings(op: OpImport) -> tuple[tuple[int, int], ...]:
    flat = op.ints(1, "paddings")
    if len(flat) != 2 * len(op.shape()):
        raise Unsupported("one pair of paddings per dimension", f"{len(flat)} numbers for {list(op.shape())}")
    return tuple(zip(flat[::2], flat[1::2], strict=True))


def _pad(op: OpImport) -> None:
    """The padding of PAD is real 0, the stored zero point."""
    op.count((2, 2))
    x = op.tensor(op.x())
    if x.quant is not None and x.quant.per_axis:
        raise Unsupported("padded values have one scale", f"{len(x.quant.scale)}")
    op.emit(Pad(op.name(), op.x(), op.y(), _paddings(op), x.zero_point))


def _padv2(op: OpImport) -> None:
    op.count((3, 3))
    value = op.tensor(op.x(2))
    if value.data is None or value.elements != 1 or value.dtype is not op.tensor(op.x()).dtype:
        found = f"{value.dtype.value}{list(value.shape)}"
        raise Unsupported("the padding value must be one constant of the input's type", found)
    op.emit(Pad(op.name(), op.x(), op.y(), _paddings(op), value.data.ravel()[0].item()))


def _reshape(op: OpImport) -> None:
    """The target comes from a constant operand, else from the options; one -1 in it is worked out."""
    op.count((1, 2))
    if len(op.raw.inputs) == 2 and op.raw.inputs[1] >= 0:
        target = op.ints(1, "the target shape")
    else:
        options = op.options("ReshapeOptions")
        target = tuple(options.NewShape(i) for i in range(min(options.NewShapeLength(), 64)))
    op.emit(Reshape(op.name(), op.x(), op.y(), _resolved(target, op.shape())))


def _resolved(target: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    known = prod(n for n in target if n != -1)
    if (
        target.count(-1) > 1
        or any(n < -1 for n in target)
        or (-1 in target and (known == 0 or prod(shape) % known))
    ):
        raise Unsupported("a reshape must keep the number of elements", f"{list(shape)} to {list(target)}")
    return tuple(prod(shape) // known if n == -1 else n for n in target)


def _squeeze(op: OpImport) -> None:
    """The dimensions to drop, all of size 1 when none are named."""
    op.count((1, 1))
    shape = op.shape()
    options = op.options("SqueezeOptions") if op.raw.options is not None else None
    named = (
        []
        if options is None
        else [options.SqueezeDims(i) for i in range(min(options.SqueezeDimsLength(), 8))]
    )
    drop = {axis_of(a, len(shape)) for a in named} or {i for i, n in enumerate(shape) if n == 1}
    if any(shape[i] != 1 for i in drop):
        raise Unsupported("squeezed dimensions have size 1", f"{sorted(drop)} of {list(shape)}")
    target = tuple(n for i, n in enumerate(shape) if i not in drop)
    op.emit(Reshape(op.name(), op.x(), op.y(), target))


def _expand_dims(op: OpImport) -> None:
    op.count((2, 2))
    shape = op.shape()
    axis = op.axis(1, len(shape) + 1)
    op.emit(Reshape(op.name(), op.x(), op.y(), (*shape[:axis], 1, *shape[axis:])))


def _concat(op: OpImport) -> None:
    op.count((1, 1024))
    o = op.options("ConcatenationOptions")
    if op.activation(o) is not Activation.NONE:
        raise Unsupported("a concatenation has no fused activation", op.activation(o).value)
    xs = tuple(op.x(i) for i in range(len(op.raw.inputs)))
    op.emit(Concat(op.name(), xs, op.y(), axis_of(o.Axis(), len(op.shape()))))


def _pack(op: OpImport) -> None:
    """A stack is a concatenation of operands with a new dimension of size 1."""
    op.count((1, 1024))
    shape = op.shape()
    axis = axis_of(op.options("PackOptions").Axis(), len(shape) + 1)
    parts = []
    for i in range(len(op.raw.inputs)):
        part = op.temporary("part", op.x(i))
        op.emit(Reshape(op.name(), op.x(i), part, (*shape[:axis], 1, *shape[axis:])))
        parts.append(part)
    op.emit(Concat(op.name(), tuple(parts), op.y(), axis))


def _unpack(op: OpImport) -> None:
    """A split into parts of size 1, whose dimension then goes."""
    parts = len(op.raw.outputs)
    op.count((1, 1), max(parts, 1))
    shape, options = op.shape(), op.options("UnpackOptions")
    axis = axis_of(options.Axis(), len(shape))
    if shape[axis] != parts:
        raise Unsupported("an unpack has one output per index", f"{shape[axis]} indices, {parts} outputs")
    size = (*shape[:axis], 1, *shape[axis + 1 :])
    names = tuple(op.temporary("part", op.x(), size) for _ in range(parts))
    op.emit(Split(op.name(), op.x(), names, axis, (1,) * parts))
    for i, part in enumerate(names):
        op.emit(Reshape(op.name(), part, op.y(i), (*shape[:axis], *shape[axis + 1 :])))


def _ys(op: OpImport) -> tuple[str, ...]:
    return tuple(op.y(i) for i in range(len(op.raw.outputs)))


def _split(op: OpImport) -> None:
    op.count((2, 2), max(len(op.raw.outputs), 1))
    shape, parts = op.shape(1), len(op.raw.outputs)
    axis = op.axis(0, len(shape))
    if shape[axis] % parts:
        raise Unsupported("a split has equal parts", f"{shape[axis]} in {parts}")
    op.emit(Split(op.name(), op.x(1), _ys(op), axis, (shape[axis] // parts,) * parts))


def _split_v(op: OpImport) -> None:
    op.count((3, 3), max(len(op.raw.outputs), 1))
    shape = op.shape()
    axis = op.axis(2, len(shape))
    sizes = op.ints(1, "sizes", 1024)
    rest = shape[axis] - sum(s for s in sizes if s != -1)
    if sizes.count(-1) > 1:
        raise Unsupported("at most one size is left open", str(list(sizes)))
    op.emit(Split(op.name(), op.x(), _ys(op), axis, tuple(rest if s == -1 else s for s in sizes)))


def _emit_slice(op: OpImport, spec: SliceSpec) -> None:
    """A slice, and a reshape behind it where dimensions appear or go."""
    if spec.shape == spec.size:
        op.emit(Slice(op.name(), op.x(), op.y(), spec.begin, spec.size, spec.stride))
        return
    part = op.temporary("slice", op.x())
    op.emit(Slice(op.name(), op.x(), part, spec.begin, spec.size, spec.stride))
    op.emit(Reshape(op.name(), part, op.y(), spec.shape))


def _slice(op: OpImport) -> None:
    op.count((3, 3))
    _emit_slice(op, plain_slice(op.shape(), op.ints(1, "begin"), op.ints(2, "size")))


def _strided_slice(op: OpImport) -> None:
    op.count((4, 4))
    begin, end, strides = op.ints(1, "begin"), op.ints(2, "end"), op.ints(3, "strides")
    _emit_slice(op, strided_slice(op.shape(), begin, end, strides, masks_of(op)))


def _transpose(op: OpImport) -> None:
    op.count((2, 2))
    op.emit(Transpose(op.name(), op.x(), op.y(), op.axes(1, "perm", len(op.shape()))))


def _resize(kind: type[ResizeNearest] | type[ResizeBilinear], options: str) -> Converter:
    def convert(op: OpImport) -> None:
        op.count((2, 2))
        o = op.options(options)
        size = op.ints(1, "the size", 2)
        op.shape4(0)
        if len(size) != 2:
            raise Unsupported("the size is height and width", str(list(size)))
        align, half = bool(o.AlignCorners()), bool(o.HalfPixelCenters())
        op.emit(kind(op.name(), op.x(), op.y(), (size[0], size[1]), align, half))

    return convert


def _gather(op: OpImport) -> None:
    op.count((2, 2))
    options = op.options("GatherOptions")
    if options.BatchDims():
        raise Unsupported("gather has no batch dimensions", str(options.BatchDims()))
    axis = axis_of(options.Axis(), len(op.shape()))
    op.emit(Gather(op.name(), op.x(0), op.x(1), op.y(), axis))


_CODE = tflite.BuiltinOperator
CONVERTERS: dict[int, Converter] = {
    _CODE.CONCATENATION: _concat,
    _CODE.EXPAND_DIMS: _expand_dims,
    _CODE.GATHER: _gather,
    _CODE.PACK: _pack,
    _CODE.PAD: _pad,
    _CODE.PADV2: _padv2,
    _CODE.RESHAPE: _reshape,
    _CODE.RESIZE_BILINEAR: _resize(ResizeBilinear, "ResizeBilinearOptions"),
    _CODE.RESIZE_NEAREST_NEIGHBOR: _resize(ResizeNearest, "ResizeNearestNeighborOptions"),
    _CODE.SLICE: _slice,
    _CODE.SPLIT: _split,
    _CODE.SPLIT_V: _split_v,
    _CODE.SQUEEZE: _squeeze,
    _CODE.STRIDED_SLICE: _strided_slice,
    _CODE.TRANSPOSE: _transpose,
    _CODE.UNPACK: _unpack,
}
