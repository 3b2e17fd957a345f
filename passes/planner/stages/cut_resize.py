"""Resizing ops cut by columns: the columns they sample are those of the whole map."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ....ir.ops.resize_bilinear import ResizeBilinear
from ....ir.ops.resize_nearest import ResizeNearest
from ....ir.resize import Samples
from ..kernel import Tensors


@dataclass(frozen=True)
class NearestColumns(ResizeNearest):
    """Columns from `first` on of a map resized from `width` to `grown` columns; x begins with its column
    `start`."""

    width: int
    grown: int
    first: int
    start: int

    @classmethod
    def kind(cls) -> str:
        return ResizeNearest.kind()

    def indices(self, tensors: Tensors) -> tuple[np.ndarray, np.ndarray]:
        rows, _ = super().indices(tensors)
        columns = self.positions(self.width, self.grown)
        return rows, columns[self.first : self.first + self.size[1]] - self.start


@dataclass(frozen=True)
class BilinearColumns(ResizeBilinear):
    """As NearestColumns."""

    width: int
    grown: int
    first: int
    start: int

    @classmethod
    def kind(cls) -> str:
        return ResizeBilinear.kind()

    def samples(self, tensors: Tensors) -> tuple[Samples, Samples]:
        rows, _ = super().samples(tensors)
        whole = self.positions(tensors, self.width, self.grown)
        part = slice(self.first, self.first + self.size[1])
        lower, upper = whole.lower[part] - self.start, whole.upper[part] - self.start
        return rows, Samples(lower, upper, whole.fraction[part])


def cut_resize(
    op: ResizeNearest | ResizeBilinear, tensors: Tensors, columns: tuple[int, int], start: int
) -> NearestColumns | BilinearColumns:
    """The op for output columns [first, end) alone, on an input that begins with its column `start`."""
    first, end = columns
    same: dict[str, Any] = {f.name: getattr(op, f.name) for f in fields(op)}
    same |= {"size": (op.size[0], end - first), "first": first, "start": start}
    same |= {"width": tensors[op.x].shape[2], "grown": op.size[1]}
    kind = NearestColumns if isinstance(op, ResizeNearest) else BilinearColumns
    return kind(**same)
