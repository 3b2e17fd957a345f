"""Kernel descriptors: all the planner and the code generator know about a C kernel.

The table of descriptors lives in `codegen/ops/`; the planner is given it and never imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...ir import Op, Tensor

Tensors = Mapping[str, Tensor]

SCRATCH = "<scratch>"
"""Name of the scratch memory in a Pointer."""

STATE_PREFIX = "<state>"
"""A Pointer to STATE_PREFIX + name points to the storage of that state tensor."""


@dataclass(frozen=True)
class Alias:
    """`b` may be placed `delta` bytes after `a` while both exist at the op.

    view  True: both names mean the same bytes (reshape, concat, split), so `a` may live on;
          False: the op overwrites `a` as it goes (in-place elementwise), so `a` must die at the op
    """

    a: str
    b: str
    delta: int = 0
    view: bool = False


@dataclass(frozen=True, eq=False)
class Const:
    """A constant array a kernel wants in flash, packed as it wants it (1-D)."""

    name: str
    data: np.ndarray


@dataclass(frozen=True)
class Fill:
    """A constant array of `count` equal elements (a padded row); equal fills share one array."""

    value: int | float
    count: int
    dtype: str


@dataclass(frozen=True)
class Pointer:
    """A pointer variable of the layer function: to `value` (a graph value or SCRATCH) plus `offset` bytes."""

    name: str
    value: str
    ctype: str
    writable: bool = False
    offset: int = 0


Field = int | float | Const | Fill | str


@dataclass(frozen=True)
class Struct:
    """A parameter block `static const ctype p = {...}`, passed as `&p`. A str field is a C expression."""

    ctype: str
    fields: tuple[tuple[str, Field], ...]


@dataclass(frozen=True)
class RowLoop:
    """Call a spatial kernel once per output row, with row pointers into `x` set up before each call.

    taps       row pointers per call; the r-th is row oy * stride - pad_top + r * dilation, or `pad`
               where that row is outside [0, height)
    pitch      elements of one input row; out_pitch of one output row
    """

    height: int
    pitch: int
    taps: int
    stride: int
    dilation: int
    pad_top: int
    out_rows: int
    out_pitch: int
    pad: Fill | None


@dataclass(frozen=True)
class Call:
    """One call of a kernel from a layer function.

    args    C expressions in order: names of pointers, numbers, "&p" for the struct, and, with a row
            loop, "rows" and "y" (the output pointer, which the loop advances)
    copy    the call only moves bytes from pointer "x" to pointer "y"; it is dropped when the plan put
            both at the same place
    """

    function: str
    pointers: tuple[Pointer, ...]
    args: tuple[str | int | float, ...]
    struct: Struct | None = None
    rows: RowLoop | None = None
    copy: bool = False


def _no_scratch(op: Any, tensors: Tensors) -> int:
    return 0


def _no_aliases(op: Any, tensors: Tensors) -> tuple[Alias, ...]:
    return ()


@dataclass(frozen=True)
class Kernel:
    """One kernel variant.

    name      the C function; header: its file under runtime_c/
    op        the operator it implements; accepts: whether it can run this instance
    emit      the calls that run it
    scratch_bytes, aliases   memory it needs and sharing it allows
    features  board features it requires (see boards.Board.features)
    """

    name: str
    header: str
    op: type[Op]
    accepts: Callable[[Any, Tensors], bool]
    emit: Callable[[Any, Tensors], tuple[Call, ...]]
    scratch_bytes: Callable[[Any, Tensors], int] = _no_scratch
    aliases: Callable[[Any, Tensors], tuple[Alias, ...]] = _no_aliases
    features: frozenset[str] = field(default_factory=frozenset)


def kernel_for(
    op: Op, tensors: Tensors, kernels: tuple[Kernel, ...], features: frozenset[str]
) -> Kernel | None:
    """The first kernel of the table that accepts the op on a core with `features`."""
    for kernel in kernels:
        if type(op) is kernel.op and kernel.features <= features and kernel.accepts(op, tensors):
            return kernel
    return None
