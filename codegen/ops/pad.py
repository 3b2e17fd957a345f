"""Kernels of pad."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...ir.movement import MAX_DIMENSIONS
from ...ir.ops.pad import Pad
from ...passes.planner.kernel import Alias, Call, Kernel, Pointer, Tensors
from .movement import Part, copy_work, part_aliases, part_call, pitches, strided_part


def _interior(op: Pad, tensors: Tensors) -> Part:
    x, y = tensors[op.x], tensors[op.y]
    itemsize = x.dtype.itemsize
    to = pitches(y.shape, itemsize)
    first = sum(before * pitch for (before, _), pitch in zip(op.padding, to, strict=True))
    return strided_part(op.x, op.y, (0, first), x.shape, to, pitches(x.shape, itemsize), itemsize)


def _fill(op: Pad, tensors: Tensors, offset: int, size: int) -> tuple[Call, ...]:
    """`size` bytes of padding from `offset` on."""
    if size == 0:
        return ()
    stored = np.array([op.value], tensors[op.y].dtype.numpy).tobytes()
    pointer = Pointer("y", op.y, "uint8_t", writable=True, offset=offset)
    width = 1 if len(set(stored)) == 1 else len(stored)
    value = int.from_bytes(stored[:width], "little")
    return (Call(f"pl_fill{8 * width}", (pointer,), ("y", f"UINT32_C({value})", size // width)),)


def _emit(op: Pad, tensors: Tensors) -> tuple[Call, ...]:
    interior, total = _interior(op, tensors), tensors[op.y].size_bytes
    if interior.loops:
        return (*_fill(op, tensors, 0, total), part_call(interior))
    end = interior.y_offset + interior.row_bytes
    before, behind = _fill(op, tensors, 0, interior.y_offset), _fill(op, tensors, end, total - end)
    return (*before, part_call(interior), *behind)


def _work(op: Pad, tensors: Tensors) -> dict[str, int]:
    """The copy of the interior; fills by memset, and of elements that are no repeated byte."""
    fills = [c for c in _emit(op, tensors) if c.function.startswith("pl_fill")]
    counts = [(c.function == "pl_fill8", int(c.args[2])) for c in fills]
    return {
        **copy_work((_interior(op, tensors),)),
        "fills": len(fills),
        "filled_bytes": sum(n for is_bytes, n in counts if is_bytes),
        "filled_elements": sum(n for is_bytes, n in counts if not is_bytes),
    }


def _accepts(fewest: int, most: int) -> Callable[[Pad, Tensors], bool]:
    def accepts(op: Pad, tensors: Tensors) -> bool:
        stored = np.array([op.value], tensors[op.y].dtype.numpy).tobytes()
        right_depth = fewest <= len(_interior(op, tensors).loops) <= most
        return right_depth and (len(stored) <= 4 or len(set(stored)) == 1)

    return accepts


def _aliases(op: Pad, tensors: Tensors) -> tuple[Alias, ...]:
    return part_aliases((_interior(op, tensors),), tensors)


KERNELS = tuple(
    Kernel(
        name,
        f"portable/{name.removeprefix('pl_')}.h",
        Pad,
        _accepts(fewest, most),
        _emit,
        aliases=_aliases,
        work=_work,
    )
    for name, fewest, most in (("pl_pad", 0, 0), ("pl_pad2d", 1, 1), ("pl_pad_nd", 2, MAX_DIMENSIONS))
)
