"""What element-wise operators share: rules on types and shapes, requantization of values, cases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .cases import Draw, draw_quant, one_op_graph
from .fixed_point import quantize_multiplier, requantize_double
from .graph import Graph
from .op import Op, Problem, Tensors
from .types import DType, Quant, Tensor

ACTIVATIONS = (DType.INT8, DType.INT16, DType.FLOAT32)
"""Types of activations most operators take."""

BROADCAST_DIMS = 6
"""Most dimensions of a broadcast operand."""


def type_names(dtypes: Sequence[DType]) -> str:
    """`int8, int16 or float32`"""
    names = [d.value for d in dtypes]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def quant_problems(tensors: Tensors, names: Iterable[str], symmetric_int16: bool = True) -> Iterable[Problem]:
    """Integer activations need one scale and zero point; int16 has zero point 0."""
    for name in names:
        t = tensors[name]
        if t.dtype is DType.FLOAT32:
            continue
        if t.quant is None:
            yield Problem("a quantized op needs quantization of every tensor", f"{name!r} has none")
        elif t.quant.per_axis:
            yield Problem("activations have one scale", f"{name!r} has {len(t.quant.scale)}")
        elif symmetric_int16 and t.dtype is DType.INT16 and t.quant.z:
            yield Problem("int16 activations have zero point 0", f"{name!r} has {t.quant.z}")


def unary_problems(
    tensors: Tensors, x: str, y: str, dtypes: Sequence[DType] = ACTIVATIONS, symmetric_int16: bool = True
) -> Iterable[Problem]:
    """x and y have the same type, one of `dtypes`, and (integers) one scale each."""
    tx, ty = tensors[x], tensors[y]
    if tx.dtype not in dtypes:
        yield Problem(f"input must be {type_names(dtypes)}", tx.dtype.value)
        return
    if ty.dtype is not tx.dtype:
        yield Problem("output must have the input's type", f"{tx.dtype.value} to {ty.dtype.value}")
        return
    yield from quant_problems(tensors, (x, y), symmetric_int16)


def broadcast_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    """Shape of an element-wise op on `a` and `b` (NumPy's rule), None when they do not match."""
    try:
        return tuple(np.broadcast_shapes(a, b))
    except ValueError:
        return None


def binary_problems(
    tensors: Tensors, a: str, b: str, y: str, dtypes: Sequence[DType] = ACTIVATIONS
) -> Iterable[Problem]:
    """Operands and output have the same type, one of `dtypes`; shapes broadcast."""
    ta, tb, ty = tensors[a], tensors[b], tensors[y]
    shape = broadcast_shape(ta.shape, tb.shape)
    if shape is None:
        yield Problem("operand shapes must broadcast", f"{list(ta.shape)} and {list(tb.shape)}")
    elif len(shape) > BROADCAST_DIMS:
        yield Problem(f"operands have at most {BROADCAST_DIMS} dimensions", f"{len(shape)}")
    if ta.dtype not in dtypes:
        yield Problem(f"operands must be {type_names(dtypes)}", ta.dtype.value)
        return
    if not ta.dtype is tb.dtype is ty.dtype:
        found = f"{ta.dtype.value}, {tb.dtype.value} to {ty.dtype.value}"
        yield Problem("operands and output must have the same type", found)
        return
    yield from quant_problems(tensors, (a, b, y))


def infer_broadcast(tensors: Tensors, a: str, b: str) -> tuple[tuple[int, ...], ...]:
    """Output shape of a binary op as `infer` returns it."""
    return (tuple(np.broadcast_shapes(tensors[a].shape, tensors[b].shape)),)


def same_quant(tensors: Tensors, names: Sequence[str]) -> bool:
    """Whether all these tensors have equal quantization (floats do)."""
    first = tensors[names[0]].quant
    return all(tensors[n].quant == first for n in names)


def reach(t: Tensor) -> int:
    """Largest |q - zero point| of any stored value."""
    low, high = t.dtype.integer_range
    return max(t.zero_point - low, high - t.zero_point)


def scale_ratio_problems(real: float, bound: int) -> Iterable[Problem]:
    """`bound * 2**left shift` of the multiplier for `real` must stay below 2**30."""
    _, shift = quantize_multiplier(real)
    if shift > 0 and bound << shift >= 1 << 30:
        yield Problem(
            "the output scale is too small for the input",
            f"values up to {bound} times {real:.6g} leave 32 bits",
            "quantize the output with a larger scale",
        )


def rescale(q: np.ndarray, real: float) -> np.ndarray:
    """q * real by TFLite's double rounding, int64 array; no zero point, no clamp."""
    multiplier, shift = quantize_multiplier(real)
    return requantize_double(q, multiplier, shift)


def saturate(q: np.ndarray, y: Tensor) -> np.ndarray:
    """Clamp to the range of y's type and convert."""
    low, high = y.dtype.integer_range
    return np.clip(q, low, high).astype(y.dtype.numpy)


def draw_shape(draw: Draw, low_dims: int = 1, high_dims: int = 4, high: int = 5) -> tuple[int, ...]:
    """A small random shape; batch is 1 where there are 4 dimensions."""
    dims = draw.integer(low_dims, high_dims)
    shape = tuple(draw.integer(1, high) for _ in range(dims))
    return (1, *shape[1:]) if dims == 4 else shape


def draw_broadcast(draw: Draw) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes that broadcast: equal, one element, last axis, or ones anywhere."""
    shape = draw_shape(draw)
    other = draw.choice(
        [
            shape,
            (1,),
            shape[-1:],
            tuple(draw.choice([1, n]) for n in shape),
            tuple(draw.choice([1, n]) for n in shape)[draw.integer(0, len(shape) - 1) :],
        ]
    )
    return (shape, other) if draw.choice([True, False]) else (other, shape)


def fixed_quant(scale: float, zero_point: int) -> Quant:
    """The one quantization an operator's output may have."""
    return Quant((scale,), (zero_point,))


SELECTABLE = (*ACTIVATIONS, DType.INT32)
"""Types of minimum and maximum."""


def selection_problems(tensors: Tensors, a: str, b: str, y: str) -> Iterable[Problem]:
    """Rules of an op that copies one of its operands: all have the same type and quantization."""
    ta, tb, ty = tensors[a], tensors[b], tensors[y]
    shape = broadcast_shape(ta.shape, tb.shape)
    if shape is None or len(shape) > BROADCAST_DIMS:
        rule = f"operand shapes must broadcast to at most {BROADCAST_DIMS} dimensions"
        yield Problem(rule, f"{list(ta.shape)} and {list(tb.shape)}")
    if ta.dtype not in SELECTABLE:
        yield Problem(f"operands must be {type_names(SELECTABLE)}", ta.dtype.value)
    elif not ta.dtype is tb.dtype is ty.dtype:
        found = f"{ta.dtype.value}, {tb.dtype.value} to {ty.dtype.value}"
        yield Problem("operands and output must have the same type", found)
    if not same_quant(tensors, (a, b, y)):
        rule = "operands and output must have the same quantization"
        yield Problem(
            rule, ", ".join(str(tensors[n].quant) for n in (a, b, y)), "requantize the operands first"
        )


def draw_choice(draw: Draw, op: Op) -> Graph:
    """A random one-op graph of minimum or maximum."""
    dtype = draw.choice(list(SELECTABLE))
    quant = None if dtype is DType.INT32 else draw_quant(draw, dtype)
    shape_a, shape_b = draw_broadcast(draw)
    shapes = {"a": shape_a, "b": shape_b, "y": ()}
    return one_op_graph(op, [Tensor(n, s, dtype, quant) for n, s in shapes.items()])
