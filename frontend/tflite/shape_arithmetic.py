"""Integer arithmetic on shapes, done at import.

Converters compute the target of a reshape from the batch size (SHAPE, STRIDED_SLICE, PACK, ...).
Shapes are static here, so all of it is constant. Only small integer vectors are folded; constants
of the network itself are left to the passes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import tflite

from ...ir import DType
from .slicing import SliceSpec, masks_of, plain_slice, strided_slice
from .tensors import DTYPES, Unsupported, dtype_of

if TYPE_CHECKING:
    from .builder import OpImport

MAX_FOLDED = 64
_INTEGERS = {DType.INT32, DType.INT64}
_CODE = tflite.BuiltinOperator


def fold_shape_arithmetic(op: OpImport) -> bool:
    """Replace `op` by a constant when it computes a small integer vector from shapes and constants."""
    if op.raw.code == _CODE.SHAPE:
        op.count((1, 1))
        dtype = dtype_of(op.builder.graph.tensors[op.raw.outputs[0]])
        if dtype not in _INTEGERS:
            raise Unsupported("shapes are int32 or int64", dtype.value)
        op.constant(np.array(op.shape(), dtype.numpy))
        return True
    fold = _FOLDERS.get(op.raw.code)
    if (
        fold is None
        or len(op.raw.outputs) != 1
        or not 1 <= len(op.raw.inputs) <= MAX_FOLDED
        or -1 in op.raw.inputs
    ):
        return False
    raw = [op.builder.graph.tensors[i] for i in (*op.raw.inputs, *op.raw.outputs)]
    if any(DTYPES.get(t.type_code) not in _INTEGERS for t in raw):
        return False
    operands = [op.tensor(op.x(i)) for i in range(len(op.raw.inputs))]
    if any(t.data is None or t.elements > MAX_FOLDED for t in operands):
        return False
    try:
        result = fold(op, [t.data for t in operands if t.data is not None])
    except (ValueError, IndexError, OverflowError) as error:
        raise Unsupported("shape arithmetic must be valid", str(error)) from None
    if not 0 < result.size <= MAX_FOLDED * MAX_FOLDED:
        raise Unsupported("shape arithmetic yields small vectors", f"{list(result.shape)}")
    op.constant(result.astype(dtype_of(raw[-1]).numpy))
    return True


def _taken(x: np.ndarray, spec: SliceSpec) -> np.ndarray:
    for axis, (begin, size, stride) in enumerate(zip(spec.begin, spec.size, spec.stride, strict=True)):
        x = x.take(begin + stride * np.arange(size), axis)
    return x.reshape(spec.shape)


def _strided(op: OpImport, xs: list[np.ndarray]) -> np.ndarray:
    begin, end, strides = (tuple(int(v) for v in x.ravel()) for x in xs[1:4])
    return _taken(xs[0], strided_slice(xs[0].shape, begin, end, strides, masks_of(op)))


def _plain(op: OpImport, xs: list[np.ndarray]) -> np.ndarray:
    begin, size = (tuple(int(v) for v in x.ravel()) for x in xs[1:3])
    return _taken(xs[0], plain_slice(xs[0].shape, begin, size))


def _pack(op: OpImport, xs: list[np.ndarray]) -> np.ndarray:
    return np.stack(xs, op.options("PackOptions").Axis())


def _concat(op: OpImport, xs: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(xs, op.options("ConcatenationOptions").Axis())


_FOLDERS: dict[int, Callable[[OpImport, list[np.ndarray]], np.ndarray]] = {
    _CODE.STRIDED_SLICE: _strided,
    _CODE.SLICE: _plain,
    _CODE.PACK: _pack,
    _CODE.CONCATENATION: _concat,
    _CODE.ADD: lambda op, xs: np.add(*xs),
    _CODE.SUB: lambda op, xs: np.subtract(*xs),
    _CODE.MUL: lambda op, xs: np.multiply(*xs),
    _CODE.MINIMUM: lambda op, xs: np.minimum(*xs),
    _CODE.MAXIMUM: lambda op, xs: np.maximum(*xs),
    _CODE.GATHER: lambda op, xs: np.take(xs[0], xs[1]),
    _CODE.REDUCE_PROD: lambda op, xs: np.prod(xs[0], axis=tuple(int(a) for a in xs[1].ravel())),
    _CODE.CAST: lambda op, xs: xs[0],
    _CODE.RESHAPE: lambda op, xs: xs[0].reshape(tuple(int(n) for n in xs[1].ravel())),
    _CODE.SQUEEZE: lambda op, xs: xs[0].squeeze(),
    _CODE.EXPAND_DIMS: lambda op, xs: np.expand_dims(xs[0], int(xs[1].ravel()[0])),
}
