"""Descriptors that element-wise kernels share: the call of a loop over n elements, and of a broadcast."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from ...ir import DType, Op
from ...ir.fixed_point import quantize_multiplier
from ...ir.rounding import TFLITE_ROUNDINGS, Rounding
from ...passes.planner.kernel import (
    Alias,
    Call,
    Const,
    Field,
    Kernel,
    Pointer,
    Struct,
    Tensors,
    plain_work,
)

Fields = Callable[[Any, Tensors], tuple[tuple[str, Field], ...]]
Args = Callable[[Any, Tensors], tuple[str | int | float, ...]]
Work = Callable[[Any, Tensors], Mapping[str, int]]


def scale_fields(real: float, suffix: str = "") -> tuple[tuple[str, Field], ...]:
    """multiplier and shift of a real factor, names ending in `suffix`."""
    multiplier, shift = quantize_multiplier(real)
    return (f"multiplier{suffix}", multiplier), (f"shift{suffix}", shift)


def has_types(operands: Sequence[str], dtypes: Sequence[DType]) -> Callable[[Any, Tensors], bool]:
    """Accepts ops whose operand fields have these types, in order."""

    def accepts(op: Any, tensors: Tensors) -> bool:
        return all(tensors[getattr(op, f)].dtype is d for f, d in zip(operands, dtypes, strict=True))

    return accepts


def in_place(*operands: str) -> Callable[[Any, Tensors], tuple[Alias, ...]]:
    """y may take the place of any of these operands that is not broadcast and not constant.

    Elements are written in order, each after it was read, so single bytes may replace wider elements.
    """

    def aliases(op: Any, tensors: Tensors) -> tuple[Alias, ...]:
        y = tensors[op.y]
        candidates = (tensors[name] for name in dict.fromkeys(getattr(op, f) for f in operands))
        return tuple(
            Alias(t.name, y.name)
            for t in candidates
            if not t.constant and t.elements == y.elements and (t.dtype is y.dtype or y.dtype.itemsize == 1)
        )

    return aliases


def unary_kernel(
    op: type[Op],
    function: str,
    dtypes: tuple[DType, DType],
    fields: Fields | None = None,
    args: Args | None = None,
    struct: str | None = None,
    roundings: frozenset[Rounding] = TFLITE_ROUNDINGS,
    work: Work = plain_work,
) -> Kernel:
    """Kernel `function(x, y, n, args..., &p)`; its header has its name.

    fields  of the parameter struct, whose type is `struct` (default: function name + _params)
    args    arguments behind n
    """

    def emit(instance: Any, tensors: Tensors) -> tuple[Call, ...]:
        x, y = tensors[instance.x], tensors[instance.y]
        pointers = (Pointer("x", x.name, x.dtype.ctype), Pointer("y", y.name, y.dtype.ctype, writable=True))
        extra = args(instance, tensors) if args else ()
        if fields is None:
            return (Call(function, pointers, ("x", "y", y.elements, *extra)),)
        block = Struct(struct or f"{function}_params", fields(instance, tensors))
        return (Call(function, pointers, ("x", "y", y.elements, *extra, "&p"), block),)

    header = f"portable/{function.removeprefix('pl_')}.h"
    accepts = has_types(("x", "y"), dtypes)
    return Kernel(function, header, op, accepts, emit, aliases=in_place("x"), roundings=roundings, work=work)


def binary_kernel(
    op: type[Op],
    function: str,
    dtypes: tuple[DType, DType, DType],
    fields: Fields,
    operands: tuple[str, str] = ("a", "b"),
    roundings: frozenset[Rounding] = TFLITE_ROUNDINGS,
) -> Kernel:
    """Kernel `function(a, b, y, &p)` with broadcasting; `operands` are the op's fields for a and b."""

    def emit(instance: Any, tensors: Tensors) -> tuple[Call, ...]:
        a, b, y = (tensors[getattr(instance, f)] for f in (*operands, "y"))
        pointers = (
            Pointer("a", a.name, a.dtype.ctype),
            Pointer("b", b.name, b.dtype.ctype),
            Pointer("y", y.name, y.dtype.ctype, writable=True),
        )
        block = (*broadcast_fields(a.shape, b.shape, y.shape), *fields(instance, tensors))
        return (Call(function, pointers, ("a", "b", "y", "&p"), Struct(f"{function}_params", block)),)

    header = f"portable/{function.removeprefix('pl_')}.h"
    accepts = has_types((*operands, "y"), dtypes)

    def work(instance: Any, tensors: Tensors) -> dict[str, int]:
        return broadcast_work(*(tensors[getattr(instance, f)].shape for f in (*operands, "y")))

    aliases = in_place(*operands)
    return Kernel(function, header, op, accepts, emit, aliases=aliases, roundings=roundings, work=work)


def broadcast_fields(
    a: tuple[int, ...], b: tuple[int, ...], y: tuple[int, ...]
) -> tuple[tuple[str, Field], ...]:
    """How a kernel walks operands of shapes `a` and `b` for output `y`: see pl_broadcast in elementwise.h."""
    dims = _merged(list(zip(reversed(y), _strides(a, len(y)), _strides(b, len(y)), strict=True)))
    n, step_a, step_b = dims[0] if dims else (1, 0, 0)
    outer = dims[1:]
    table: Field = Const("outer", np.array(outer, np.int32).reshape(-1)) if outer else "NULL"
    return (
        ("runs", prod(d[0] for d in outer)),
        ("n", n),
        ("step_a", step_a),
        ("step_b", step_b),
        ("outer_dims", len(outer)),
        ("outer", table),
    )


def broadcast_work(a: tuple[int, ...], b: tuple[int, ...], y: tuple[int, ...]) -> dict[str, int]:
    """Runs, dimensions walked to find each, and elements."""
    walk = dict(broadcast_fields(a, b, y))
    runs, dims = walk["runs"], walk["outer_dims"]
    assert isinstance(runs, int) and isinstance(dims, int)
    return {"calls": 1, "runs": runs, "dims": runs * dims, "outputs": prod(y)}


def _strides(shape: tuple[int, ...], dims: int) -> list[int]:
    """Elements per step along each of `dims` dimensions, innermost first; 0 along broadcast ones."""
    padded = (1,) * (dims - len(shape)) + shape
    return [0 if padded[d] == 1 else prod(padded[d + 1 :]) for d in reversed(range(dims))]


def _merged(dims: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """(count, stride, stride) dimensions, innermost first, with those that continue each other merged."""
    result: list[tuple[int, int, int]] = []
    for count, a, b in (d for d in dims if d[0] > 1):
        if result:
            n, inner_a, inner_b = result[-1]
            if a == n * inner_a and b == n * inner_b:
                result[-1] = (n * count, inner_a, inner_b)
                continue
        result.append((count, a, b))
    return result


def unsplit(dims: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """(count, stride) dimensions, innermost first, with those that continue each other merged."""
    result: list[tuple[int, int]] = []
    for count, stride in (d for d in dims if d[0] > 1):
        if result and stride == result[-1][0] * result[-1][1]:
            result[-1] = (result[-1][0] * count, result[-1][1])
        else:
            result.append((count, stride))
    return result
