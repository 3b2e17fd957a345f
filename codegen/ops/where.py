"""Kernels of where."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ...ir.ops.where import Where
from ...passes.planner.kernel import Call, Kernel, Struct, Tensors
from .elementwise import in_place
from .typed import anything, bytes_of, table


def _dims(shapes: Sequence[Sequence[int]], y: Sequence[int]) -> list[tuple[int, ...]]:
    """(count, stride of each operand) per dimension, innermost first, merged where all continue."""
    padded = [(*(1,) * (len(y) - len(s)), *s) for s in shapes]
    dims: list[tuple[int, ...]] = []
    for d in reversed(range(len(y))):
        if y[d] == 1:
            continue
        strides = tuple(0 if s[d] == 1 else prod(s[d + 1 :]) for s in padded)
        if dims and strides == tuple(dims[-1][0] * s for s in dims[-1][1:]):
            dims[-1] = (dims[-1][0] * y[d], *dims[-1][1:])
        else:
            dims.append((y[d], *strides))
    return dims


def _emit(op: Where, tensors: Tensors) -> tuple[Call, ...]:
    y = tensors[op.y]
    dims = _dims([tensors[n].shape for n in op.inputs], y.shape)
    n, *steps = dims[0] if dims else (1, 0, 0, 0)
    outer = dims[1:]
    block = Struct(
        "pl_where_params",
        (
            ("runs", prod(d[0] for d in outer)),
            ("n", n),
            ("outer_dims", len(outer)),
            ("outer", table("outer", outer)),
            ("steps", f"{{{', '.join(map(str, steps))}}}"),
        ),
    )
    pointers = (
        *(bytes_of(f, getattr(op, f)) for f in op.INPUTS),
        bytes_of("y", op.y, writable=True),
    )
    return (Call("pl_where", pointers, ("condition", "a", "b", "y", y.dtype.itemsize, "&p"), block),)


KERNELS = (
    Kernel("pl_where", "portable/where.h", Where, anything, _emit, aliases=in_place("a", "b", "condition")),
)
