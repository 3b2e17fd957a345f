"""What operators on plain numbers share: types without quantization, rules on them, random data.

Plain integers are counted as they are stored and wrap around at the width of their type, as C and NumPy
do; TFLite's quantized integers are never meant here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .cases import Draw
from .elementwise import BROADCAST_DIMS, type_names
from .op import Problem, Tensors
from .types import DType, Tensor

INTEGERS = (DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.INT64)
NUMBERS = (DType.FLOAT32, *INTEGERS)
STORED = (*NUMBERS, DType.BOOL)
"""Types whose elements can be moved."""
INDICES = (DType.INT32, DType.INT64)


def type_problems(tensors: Tensors, name: str, dtypes: Sequence[DType]) -> Iterable[Problem]:
    """The tensor has one of `dtypes` and no quantization."""
    t = tensors[name]
    if t.dtype not in dtypes:
        yield Problem(f"must be {type_names(dtypes)}", f"{name!r} is {t.dtype.value}")
    elif t.quant is not None:
        yield Problem("takes plain numbers, without quantization", f"{name!r} has a scale")


def alike_problems(tensors: Tensors, names: Sequence[str]) -> Iterable[Problem]:
    """All have the type and quantization of the first, one scale at most."""
    first = tensors[names[0]]
    kinds = {(tensors[n].dtype, tensors[n].quant) for n in names}
    if len(kinds) > 1:
        found = ", ".join(f"{n!r} {tensors[n].dtype.value}" for n in names)
        yield Problem("operands and output must have one type and quantization", found)
    elif first.dtype not in STORED:
        yield Problem(f"must be {type_names(STORED)}", f"{names[0]!r} is {first.dtype.value}")
    elif first.quant is not None and first.quant.per_axis:
        yield Problem("activations have one scale", f"{names[0]!r} has {len(first.quant.scale)}")


def broadcast_problems(tensors: Tensors, names: Sequence[str]) -> Iterable[Problem]:
    """Shapes broadcast, to at most BROADCAST_DIMS dimensions."""
    shapes = [tensors[n].shape for n in names]
    try:
        rank = len(np.broadcast_shapes(*shapes))
    except ValueError:
        yield Problem("operand shapes must broadcast", " and ".join(str(list(s)) for s in shapes))
        return
    if rank > BROADCAST_DIMS:
        yield Problem(f"operands have at most {BROADCAST_DIMS} dimensions", str(rank))


def axis_problems(tensors: Tensors, x: str, axis: int) -> Iterable[Problem]:
    """`axis` is one of the dimensions of `x`, counted from the front."""
    rank = len(tensors[x].shape)
    if not 0 <= axis < rank:
        yield Problem(f"axis must be one of the {rank} dimensions, counted from the front", str(axis))


def wrapped(values: np.ndarray, dtype: DType) -> np.ndarray:
    """int64 values in the width of `dtype`, modulo its range."""
    return values.astype(np.int64).astype(dtype.numpy)


def constant_index_problems(tensors: Tensors, indices: str, sizes: Sequence[int]) -> Iterable[Problem]:
    """Constant indices lie in [-size, size) of `sizes`: one size, or one per position of the last axis."""
    data = tensors[indices].data
    if data is None or data.size == 0:
        return
    limit = np.array(sizes, np.int64)
    outside = (data < -limit) | (data >= limit)
    if outside.any():
        found = f"{int(data[outside].flat[0])} in {indices!r}, sizes {list(sizes)}"
        yield Problem("constant indices must lie inside the data", found)


def settled_index(indices: np.ndarray, size: int) -> np.ndarray:
    """int64 indices in [0, size): negative ones count from the end, those outside are clamped.

    ONNX leaves indices outside [-size, size) undefined; a library must not read outside its memory.
    """
    whole = indices.astype(np.int64)
    return np.clip(np.where(whole < 0, whole + size, whole), 0, size - 1)


def draw_plain(draw: Draw, dtype: DType, shape: tuple[int, ...]) -> np.ndarray:
    """Random data of a type: normal floats, small integers, booleans."""
    if dtype is DType.FLOAT32:
        return draw.rng().normal(size=shape).astype(np.float32)
    low, high = (0, 2) if dtype is DType.BOOL else (max(-9, dtype.integer_range[0]), 10)
    return draw.rng().integers(low, high, size=shape).astype(dtype.numpy)


def draw_indices(draw: Draw, name: str, shape: tuple[int, ...], sizes: Sequence[int]) -> Tensor:
    """A constant (valid indices) or computed (anything) index tensor; one size, or one per last axis."""
    dtype = draw.choice(list(INDICES))
    if draw.choice([True, False]):
        return Tensor(name, shape, dtype)
    limit = np.array(sizes, np.int64)
    return Tensor(name, shape, dtype, None, draw.rng().integers(-limit, limit, shape).astype(dtype.numpy))
