"""Ops on a part of their rows and columns: the same operator on smaller tensors."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

from ....ir import Op, Tensor
from ....ir.ops.reshape import Reshape
from ....ir.ops.resize_bilinear import ResizeBilinear
from ....ir.ops.resize_nearest import ResizeNearest
from ....ir.ops.transpose_conv import TransposeConv
from ..kernel import Call, Kernel, Tensors
from ..types import Stage
from .cut_resize import cut_resize
from .reach import COLUMNS, ROWS, Windowed, is_windowed, reaches, rows_alone, steps, sums_over_the_map

Columns = Mapping[str, tuple[int, int]]
"""Columns [start, end) of values."""


@dataclass(frozen=True, eq=False)
class Piece:
    """An op as a kernel sees it when it computes some columns, or single rows.

    op, tensors  the operator with the geometry of the part, and the tensors with its shapes
    starts       first column the part needs of each input that is cut by columns
    cut          it has not all columns
    """

    op: Op
    tensors: Tensors
    starts: Mapping[str, int]
    cut: bool = False


def strip(op: Op, tensors: Tensors, columns: tuple[int, int]) -> Piece:
    """The op for output columns [start, end) alone; inputs are cut to the columns these need.

    Requires: the op has reaches along columns.
    """
    start, end = columns
    shape = tensors[op.outputs[0]].shape
    if len(shape) < 4 or (start, end) == (0, shape[COLUMNS]):
        return Piece(op, tensors, {})
    found = reaches(op, tensors, COLUMNS)
    assert found is not None
    cut = {x: (r.first(start), r.end(end - 1)) for x, r in found.items()}
    shapes = {x: _with(tensors[x], COLUMNS, b - a) for x, (a, b) in cut.items()}
    shapes[op.outputs[0]] = _with(tensors[op.outputs[0]], COLUMNS, end - start)
    if is_windowed(op):
        assert isinstance(op, Windowed)
        r = found[op.x]
        left = max(0, r.before - start * r.stride)
        right = max(0, (end - 1) * r.stride - r.before + r.extent - r.size)
        window = replace(op.window, padding=(op.window.padding[0], (left, right)))
        op = replace(op, window=window)
    elif isinstance(op, TransposeConv):
        left = op.window.padding[1][0] + start - cut[op.x][0] * op.window.stride[1]
        window = replace(op.window, padding=(op.window.padding[0], (left, 0)))
        op = replace(op, window=window, output_size=(op.output_size[0], end - start))
    elif isinstance(op, ResizeNearest | ResizeBilinear):
        op = cut_resize(op, tensors, columns, cut[op.x][0])
    elif isinstance(op, Reshape):
        op = replace(op, shape=shapes[op.y].shape)
    return Piece(op, _overlaid(tensors, shapes), {x: a for x, (a, _) in cut.items()}, True)


def single_rows(op: Op, tensors: Tensors, rows: int = 1) -> Piece:
    """An op that makes each output row from one row of its inputs, on so many rows.

    Requires: each row is made from that of the same number.
    """
    found = reaches(op, tensors, ROWS)
    assert found is not None
    shapes = {v: _with(tensors[v], ROWS, rows) for v in (*found, *op.outputs)}
    if isinstance(op, Reshape):
        op = replace(op, shape=shapes[op.y].shape)
    return Piece(op, _overlaid(tensors, shapes), {})


def few_rows(op: Op, tensors: Tensors, rows: int) -> Piece:
    """A windowed op on a map of just so many output rows, with the padding it has.

    Requires: `rows_alone`.
    """
    assert isinstance(op, Windowed)
    window = op.window
    height = (rows - 1) * window.stride[0] + window.extent[0] - sum(window.padding[0])
    shapes = {op.x: _with(tensors[op.x], ROWS, height), op.y: _with(tensors[op.y], ROWS, rows)}
    return Piece(op, _overlaid(tensors, shapes), {})


def _overlaid(tensors: Tensors, changed: dict[str, Tensor]) -> Tensors:
    """The tensors, some of them of other shapes; nothing writes to them."""
    return ChainMap(changed, cast(MutableMapping[str, Tensor], tensors))


def _with(t: Tensor, axis: int, size: int) -> Tensor:
    return replace(t, shape=(*t.shape[:axis], size, *t.shape[axis + 1 :]))


@dataclass(frozen=True, eq=False)
class RowKernel:
    """How a kernel runs an op (or a strip of it) a few rows at a time.

    piece   what the kernel is given: all rows, or as many as one call makes
    unit    rows per call
    """

    kernel: Kernel
    piece: Piece
    unit: int

    def calls(self) -> tuple[Call, ...]:
        """The calls for one unit of rows."""
        return self._calls

    @cached_property
    def _calls(self) -> tuple[Call, ...]:
        return self.kernel.emit(self.piece.op, self.piece.tensors)

    @property
    def accepted(self) -> bool:
        """Whether the kernel takes the piece, by rows: narrow strips are too small for some."""
        op, tensors = self.piece.op, self.piece.tensors
        return self.kernel.accepts(op, tensors) and (self.kernel.sums or _by_rows(self._calls, op, tensors))

    @property
    def rows(self) -> int:
        """Steps of the piece."""
        return steps(self.piece.op, self.piece.tensors)

    @property
    def scratch_bytes(self) -> int:
        """Scratch memory of a call."""
        return self.kernel.scratch_bytes(self.piece.op, self.piece.tensors)

    @cached_property
    def form(self) -> tuple[object, ...]:
        """What is alike in all strips of a layer, as one function computes them: some copies are runs of
        bytes in one strip and rows in another."""
        loops = [call.rows for call in self._calls]
        taps = [loop and (loop.taps, loop.stride, loop.dilation, loop.pad_top, loop.block) for loop in loops]
        return (*((c.function, len(c.args), len(c.pointers)) for c in self._calls), *taps)


_MOST_ROWS = 8
"""Rows per call that are tried for kernels which see a map as a run of pixels; they divide its height."""


@dataclass(frozen=True, eq=False)
class RowOption:
    """A kernel for an op in stages: rows per call, `block` at most; `pointers`: it wants row pointers."""

    kernel: Kernel
    unit: int
    block: int
    pointers: bool

    def run(self, part: Piece) -> RowKernel:
        """How it computes a part of the op."""
        if self.kernel.sums:
            return RowKernel(self.kernel, part, 1)
        if not self.pointers:
            some = single_rows(part.op, part.tensors, self.unit)
            return RowKernel(self.kernel, Piece(some.op, some.tensors, part.starts), self.unit)
        if self.unit == self.block and (not part.cut or not is_windowed(part.op)):
            return RowKernel(self.kernel, part, self.unit)
        few = few_rows(part.op, part.tensors, self.unit)
        return RowKernel(self.kernel, Piece(few.op, few.tensors, part.starts, part.cut), self.unit)


def row_options(kernel: Kernel, op: Op, tensors: Tensors) -> tuple[RowOption, ...]:
    """The ways in which a kernel can run an op row by row; none where it cannot."""
    found = reaches(op, tensors, ROWS)
    if found is None or not kernel.accepts(op, tensors):
        return ()
    if kernel.sums or sums_over_the_map(op, tensors):
        fits = kernel.sums and sums_over_the_map(op, tensors)
        return (RowOption(kernel, 1, 1, False),) if fits else ()
    calls = kernel.emit(op, tensors)
    if not _by_rows(calls, op, tensors):
        return ()
    loops = [call.rows for call in calls]
    if loops and all(loops):
        blocks = {loop.block for loop in loops if loop}
        if len(blocks) != 1:
            return ()
        block = blocks.pop()
        fewer = (u for u in (1, 2, 3, 4) if u < block and _takes(kernel, op, tensors, u))
        return tuple(RowOption(kernel, u, block, True) for u in (*fewer, block))
    if any(loops) or not all(r.same for r in found.values()):
        return ()
    if is_windowed(op):
        assert isinstance(op, Windowed)
        if not op.window.pointwise:
            return ()  # one row, but several columns: such kernels walk whole maps
    row = single_rows(op, tensors)
    if not kernel.accepts(row.op, row.tensors):
        return ()
    height = tensors[op.outputs[0]].shape[ROWS]
    units = [1, *(u for u in range(2, _MOST_ROWS + 1) if height % u == 0)]
    return tuple(RowOption(kernel, u, u, False) for u in units)


def _by_rows(calls: Sequence[Call], op: Op, tensors: Tensors) -> bool:
    """Whether loops over rows are over those of the op. Kernels that see a map of one column as one row walk
    it whole."""
    x, y = tensors[op.inputs[0]].shape, tensors[op.outputs[0]].shape
    return all((c.rows.height, c.rows.out_rows) == (x[ROWS], y[ROWS]) for c in calls if c.rows)


def _takes(kernel: Kernel, op: Op, tensors: Tensors, unit: int) -> bool:
    """Whether a kernel that computes several rows per call can be used for fewer."""
    if not rows_alone(op):
        return False
    part = few_rows(op, tensors, unit)
    if not kernel.accepts(part.op, part.tensors):
        return False
    return all(call.rows and call.rows.block == unit for call in kernel.emit(part.op, part.tensors))


def staged_kernels(kernel: Kernel, op: Op, tensors: Tensors, stage: Stage) -> tuple[RowKernel, ...]:
    """How `kernel` runs an op of `stage`, once per strip; () where it cannot."""
    option = next((o for o in row_options(kernel, op, tensors) if o.unit == stage.units[op.name]), None)
    if option is None:
        return ()
    shape = tensors[op.outputs[0]].shape
    width = shape[COLUMNS] if len(shape) == 4 else 1
    columns = (stage.columns(op.outputs[0], s, width) for s in range(stage.passes))
    return tuple(option.run(strip(op, tensors, c)) for c in columns)
