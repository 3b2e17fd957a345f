"""Kernel descriptors: all the planner and the code generator know about a C kernel.

The table of descriptors lives in `codegen/ops/`; the planner is given it and never imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ...ir import Op, Tensor
from ...ir.rounding import TFLITE_ROUNDINGS, Rounding

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
    """Call a spatial kernel once per output row or block of rows, with row pointers into `x` set up before
    each call.

    taps       row pointers per call; the r-th is row oy * stride - pad_top + r * dilation, or `pad`
               where that row is outside [0, height)
    pitch      elements of one input row; out_pitch of one output row
    block      output rows per call. With more than one, the pointers are to consecutive rows (dilation is
               1 here, `taps` is (block - 1) * stride + the window's extent) and the argument "n" of the
               call is how many rows are left to compute, at most `block`; pointers only rows beyond
               those would need are `pad` or rows of the input
    first      C expression of the first row of output row `oy`, where that is no multiple of the stride;
               fields of the parameter block are `p.field`
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
    block: int = 1
    first: str = ""


@dataclass(frozen=True)
class Call:
    """One call of a kernel from a layer function.

    args    C expressions in order: names of pointers, numbers, "&p" for the struct, and, with a row
            loop, "rows", "y" (the output pointer, which the loop advances), "oy" and "n" (rows of this call)
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


def plain_work(op: Op, tensors: Tensors) -> dict[str, int]:
    """Loop counts of most kernels: one call, rows of the output, elements read and written, MACs."""
    y = tensors[op.outputs[0]] if op.outputs else tensors[op.inputs[0]]
    return {
        "calls": 1,
        "rows": y.shape[1] if len(y.shape) == 4 else 1,
        "reads": sum(tensors[x].elements for x in op.inputs if not tensors[x].constant),
        "outputs": y.elements,
        "macs": op.macs(tensors),
    }


def _no_aliases(op: Any, tensors: Tensors) -> tuple[Alias, ...]:
    return ()


def _rounds_alike(
    roundings: frozenset[Rounding], accepts: Callable[[Any, Tensors], bool], op: Any, tensors: Tensors
) -> bool:
    return getattr(op, "rounding", Rounding.TFLITE_DOUBLE) in roundings and accepts(op, tensors)


@dataclass(frozen=True)
class Kernel:
    """One kernel variant.

    name      the C function; header: its file under runtime_c/
    op        the operator it implements; accepts: whether it can run this instance
    emit      the calls that run it
    scratch_bytes, aliases   memory it needs and sharing it allows
    features  what it requires of a core (see boards.Board.isa)
    roundings of ops it implements; `accepts` refuses others
    work      how often each of its loop bodies runs for an op, by name; a cost table gives the cycles of
              one round of each on a core
    sums      it adds up a map row by row and is only for ops that reduce maps to one pixel, in stages: its
              call is for row "oy" of the input, and its scratch holds the sums between calls
    """

    name: str
    header: str
    op: type[Op]
    accepts: Callable[[Any, Tensors], bool]
    emit: Callable[[Any, Tensors], tuple[Call, ...]]
    scratch_bytes: Callable[[Any, Tensors], int] = _no_scratch
    aliases: Callable[[Any, Tensors], tuple[Alias, ...]] = _no_aliases
    features: frozenset[str] = field(default_factory=frozenset)
    roundings: frozenset[Rounding] = TFLITE_ROUNDINGS
    work: Callable[[Any, Tensors], Mapping[str, int]] = plain_work
    sums: bool = False

    def __post_init__(self) -> None:
        # Here and not in every descriptor: whoever asks `accepts`, no kernel rounds another way than its op.
        object.__setattr__(self, "accepts", partial(_rounds_alike, self.roundings, self.accepts))


def accepting(
    op: Op, tensors: Tensors, kernels: Sequence[Kernel], features: frozenset[str]
) -> list[tuple[int, Kernel]]:
    """(place in the table, kernel) of all kernels that can run the whole op on a core with `features`."""
    return [
        (rank, k)
        for rank, k in enumerate(kernels)
        if type(op) is k.op and not k.sums and k.features <= features and k.accepts(op, tensors)
    ]
