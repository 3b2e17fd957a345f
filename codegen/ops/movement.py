"""Copies between strided layouts: what the data-movement operators compile to.

An operator describes what it moves as parts; dimensions that can be walked as one are merged here, so
that most parts become plain copies, which cost nothing where the plan puts both ends at one place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ...ir import Op
from ...ir.movement import MAX_DIMENSIONS
from ...passes.planner.kernel import Alias, Call, Const, Kernel, Pointer, Struct, Tensors


@dataclass(frozen=True)
class Loop:
    """`count` repetitions, `y_pitch` and `x_pitch` bytes apart."""

    count: int
    y_pitch: int
    x_pitch: int


@dataclass(frozen=True)
class Part:
    """`row_bytes` consecutive bytes copied at every position of `loops` (outermost first).

    x, y               names of values (or of a state, with its prefix)
    x_offset, y_offset bytes from their starts to the first byte moved
    """

    x: str
    y: str
    x_offset: int
    y_offset: int
    row_bytes: int
    loops: tuple[Loop, ...] = ()


Parts = Callable[[Any, Tensors], tuple[Part, ...]]


def pitches(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Bytes from one index to the next along each dimension of a dense tensor."""
    return tuple(int(np.prod(shape[d + 1 :], dtype=np.int64)) * itemsize for d in range(len(shape)))


def strided_part(
    x: str, y: str, offsets: tuple[int, int], shape: Sequence[int], y_pitch: Sequence[int],
    x_pitch: Sequence[int], itemsize: int,
) -> Part:  # fmt: skip
    """The part that moves `shape` elements of `itemsize` bytes; offsets are (x, y) in bytes.

    Dimensions of size 1 are dropped, neighbours that are evenly spaced on both sides merged, and
    adjacent bytes become the row.
    """
    loops: list[Loop] = []
    for n, to, source in zip(shape, y_pitch, x_pitch, strict=True):
        if n == 1:
            continue
        outer = loops[-1] if loops else None
        if outer and outer.y_pitch == n * to and outer.x_pitch == n * source:
            loops[-1] = Loop(outer.count * n, to, source)
        else:
            loops.append(Loop(n, to, source))
    row_bytes = itemsize
    if loops and loops[-1].y_pitch == loops[-1].x_pitch == itemsize:
        row_bytes = loops.pop().count * itemsize
    return Part(x, y, offsets[0], offsets[1], row_bytes, tuple(loops))


def part_call(part: Part, index: int = 0) -> Call:
    """The call that moves one part, the `index`-th of its op."""
    pointers = (
        Pointer("x", part.x, "uint8_t", offset=part.x_offset),
        Pointer("y", part.y, "uint8_t", writable=True, offset=part.y_offset),
    )
    if not part.loops:
        return Call("pl_copy", pointers, ("y", "x", part.row_bytes), copy=True)
    if len(part.loops) == 1:
        loop = part.loops[0]
        args = ("y", "x", loop.count, part.row_bytes, loop.y_pitch, loop.x_pitch)
        return Call("pl_copy2d", pointers, args)
    table = np.array([(loop.count, loop.y_pitch, loop.x_pitch) for loop in part.loops], np.int32)
    fields = (
        ("depth", len(part.loops)),
        ("row_bytes", part.row_bytes),
        ("loops", Const(f"loops_{index}", table.ravel())),
    )
    return Call("pl_copy_nd", pointers, ("y", "x", "&p"), Struct("pl_copy_nd_params", fields))


def movement_kernels(op: type[Op], parts: Parts) -> tuple[Kernel, ...]:
    """Kernels of an operator that only moves bytes, cheapest first."""

    def emit(instance: Any, tensors: Tensors) -> tuple[Call, ...]:
        return tuple(part_call(part, i) for i, part in enumerate(parts(instance, tensors)))

    def aliases(instance: Any, tensors: Tensors) -> tuple[Alias, ...]:
        return part_aliases(parts(instance, tensors), tensors)

    def work(instance: Any, tensors: Tensors) -> dict[str, int]:
        return copy_work(parts(instance, tensors))

    def kernel(name: str, fewest: int, most: int) -> Kernel:
        def accepts(instance: Any, tensors: Tensors) -> bool:
            deepest = max((len(part.loops) for part in parts(instance, tensors)), default=0)
            return fewest <= deepest <= most

        return Kernel(
            name, f"portable/{name.removeprefix('pl_')}.h", op, accepts, emit, aliases=aliases, work=work
        )

    return kernel("pl_copy", 0, 0), kernel("pl_copy2d", 1, 1), kernel("pl_copy_nd", 2, MAX_DIMENSIONS)


_WORD = 4
_BLOCK = 16
"""Bytes that the C library's memcpy and memmove copy at once; shorter rows it may copy by bytes."""


def copy_work(parts: Sequence[Part]) -> dict[str, int]:
    """Rounds of the copies of `parts`.

    elements1, elements2, elements4   rows of so many bytes; all others are rows, of which
    blocks, words, tails              are those of _BLOCK bytes and more, aligned at both ends
    short, loose                      bytes of the aligned ones below that, and of all that are not aligned
    """
    elements = ("elements1", "elements2", "elements4")
    names = ("calls", "runs", *elements, "rows", "blocks", "words", "tails", "short", "loose")
    work = dict.fromkeys(names, 0)
    for part in parts:
        rows, size = prod(loop.count for loop in part.loops), part.row_bytes
        work["calls"] += 1
        work["runs"] += prod(loop.count for loop in part.loops[:-1])
        if part.loops and size in (1, 2, 4):
            work[f"elements{size}"] += rows
            continue
        aligned = _aligned_rows(part)
        work["rows"] += rows
        work["loose"] += (rows - aligned) * size
        if size < _BLOCK:
            work["short"] += aligned * size
        else:
            work["blocks"] += aligned * (size // _BLOCK)
            work["words"] += aligned * (size % _BLOCK // _WORD)
            work["tails"] += aligned * (size % _WORD)
    return work


def _aligned_rows(part: Part) -> int:
    """Rows that start at a word in x and in y: values do, wherever they are placed."""
    starts = {(part.x_offset % _WORD, part.y_offset % _WORD): 1}
    for loop in part.loops:
        moved: dict[tuple[int, int], int] = {}
        for (x, y), count in starts.items():
            for i in range(_WORD):  # steps of a word's length leave the alignment as it was
                at = (x + i * loop.x_pitch) % _WORD, (y + i * loop.y_pitch) % _WORD
                moved[at] = moved.get(at, 0) + count * len(range(i, loop.count, _WORD))
        starts = moved
    return starts.get((0, 0), 0)


def part_aliases(parts: tuple[Part, ...], tensors: Tensors) -> tuple[Alias, ...]:
    """A contiguous part that is the whole of one value lets that value lie inside the other."""
    return tuple(
        Alias(part.x, part.y, part.x_offset - part.y_offset, view=True)
        for part in parts
        if not part.loops
        and part.x in tensors
        and part.y in tensors
        and part.row_bytes in (tensors[part.x].size_bytes, tensors[part.y].size_bytes)
    )
