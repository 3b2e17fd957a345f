"""What descriptors of kernels on plain numbers share: the type as an argument, broadcasts, lanes, walks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ...ir import DType, Op, Tensor
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
from .elementwise import Work, broadcast_fields, in_place, unsplit


def type_of(t: Tensor) -> str:
    """The enumerator of pl_type (typed.h) that a tensor's elements are."""
    return f"PL_{t.dtype.suffix.upper()}"


def bytes_of(name: str, value: str, writable: bool = False) -> Pointer:
    """A pointer to the bytes of a value."""
    return Pointer(name, value, "uint8_t", writable)


def lanes(shape: Sequence[int], axis: int) -> tuple[int, int, int]:
    """(outer, size, inner): elements before, along and behind dimension `axis`."""
    return prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])


def table(name: str, rows: Sequence[Sequence[int]]) -> Field:
    """A constant array of int32 rows, or NULL without any."""
    return Const(name, np.array(rows, np.int32).reshape(-1)) if rows else "NULL"


def reduction_walk(shape: Sequence[int], axes: Sequence[int]) -> tuple[tuple[str, Field], ...]:
    """How a kernel walks the elements of `shape` that one output of a reduction over `axes` takes: mean.h."""

    def dims(reduced: bool) -> list[tuple[int, int]]:
        found = [d for d in reversed(range(len(shape))) if (d in axes) is reduced]
        return unsplit([(shape[d], prod(shape[d + 1 :])) for d in found])

    kept, reduced = dims(False), dims(True)
    n, stride = reduced[0] if reduced else (1, 1)
    return (
        ("outputs", prod(n for n, _ in kept)),
        ("kept_dims", len(kept)),
        ("kept", table("kept", kept)),
        ("runs", prod(n for n, _ in reduced[1:])),
        ("n", n),
        ("stride", stride),
        ("outer_dims", len(reduced[1:])),
        ("outer", table("outer", reduced[1:])),
    )


def element_walk(shape: Sequence[int], taken: Sequence[int], axis: int) -> tuple[tuple[str, Field], ...]:
    """How a kernel walks elements of data of `shape` for indices of shape `taken` along `axis`."""
    strides = [prod(shape[d + 1 :]) for d in range(len(shape))]
    rows = [(taken[d], 0 if d == axis else strides[d]) for d in reversed(range(len(shape)))]
    return (
        ("n", prod(taken)),
        ("size", shape[axis]),
        ("stride", strides[axis]),
        ("rank", len(shape)),
        ("dims", table("dims", rows)),
    )


def typed_binary(
    op: type[Op],
    function: str,
    accepts: Callable[[Any, Tensors], bool],
    arguments: Callable[[Any, Tensors], tuple[str, ...]],
    ctype: str = "uint8_t",
    work: Work = plain_work,
) -> Kernel:
    """Kernel `function(a, b, y, arguments..., &p)` with broadcasting, p as typed.h has it."""

    def emit(instance: Any, tensors: Tensors) -> tuple[Call, ...]:
        a, b, y = (tensors[n] for n in (instance.a, instance.b, instance.y))
        pointers = (
            Pointer("a", a.name, ctype),
            Pointer("b", b.name, ctype),
            Pointer("y", y.name, ctype, writable=True),
        )
        block = Struct("pl_broadcast_params", broadcast_fields(a.shape, b.shape, y.shape))
        return (Call(function, pointers, ("a", "b", "y", *arguments(instance, tensors), "&p"), block),)

    header = f"portable/{function.removeprefix('pl_')}.h"
    return Kernel(function, header, op, accepts, emit, aliases=in_place("a", "b"), work=work)


def first_is(dtypes: Sequence[DType], field: str = "x") -> Callable[[Any, Tensors], bool]:
    """Accepts ops whose operand `field` has one of these types."""

    def accepts(op: Any, tensors: Tensors) -> bool:
        return tensors[getattr(op, field)].dtype in dtypes

    return accepts


def anything(op: Any, tensors: Tensors) -> bool:
    """Accepts every instance that the rules accept."""
    return True


def updated_in_place(op: Any, tensors: Tensors) -> tuple[Alias, ...]:
    """y may take the place of x, which is copied to it first, unless x is read again."""
    x = tensors[op.x]
    return () if x.constant or op.x in (op.indices, op.updates) else (Alias(op.x, op.y),)
