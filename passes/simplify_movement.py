"""Rewrites that remove data movement: no-ops, chains, transposes nobody needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir import Op
from ..ir.ops.cast import Cast
from ..ir.ops.concat import Concat
from ..ir.ops.mean import Mean
from ..ir.ops.pad import Pad
from ..ir.ops.reshape import Reshape
from ..ir.ops.resize_bilinear import ResizeBilinear
from ..ir.ops.resize_nearest import ResizeNearest
from ..ir.ops.slice import Slice
from ..ir.ops.split import Split
from ..ir.ops.transpose import Transpose
from .rewrite import Change, Rewrite, Site, remove_copy


def _moves_nothing(site: Site, op: Op) -> bool:
    """Whether the op's only output holds its only input's elements in their order."""
    match op:
        case Reshape():
            return True
        case Transpose():
            moved = [d for d in op.perm if site[op.x].shape[d] != 1]
            return moved == sorted(moved)
        case Slice():
            return site[op.x].elements == site[op.y].elements and all(
                n == 1 or s == 1 for n, s in zip(op.size, op.stride, strict=True)
            )
        case Pad():
            return not any(n for pair in op.padding for n in pair)
        case Concat():
            return len(op.xs) == 1
        case Split():
            return len(op.ys) == 1
        case ResizeNearest():
            rows, columns = op.indices(site.graph.tensors)
            height, width = site[op.x].shape[1:3]
            return np.array_equal(rows, np.arange(height)) and np.array_equal(columns, np.arange(width))
        case ResizeBilinear():
            return op.size == site[op.x].shape[1:3]
        case Cast():
            return site[op.x].dtype is site[op.y].dtype
    return False


def drop_movement(site: Site, op: Op) -> Change | None:
    """An op that moves nothing goes away, or becomes a reshape where shape or quantization change."""
    if not _moves_nothing(site, op):
        return None
    x, y = op.inputs[0], op.outputs[0]
    change = remove_copy(site, op, x, y)
    if change or isinstance(op, Reshape):
        return change
    return Change({op.name: (Reshape(op.name, x, y, site[y].shape),)})


def merge_reshapes(site: Site, op: Op) -> Change | None:
    """reshape(reshape(x)) reads x directly: neither changes a byte."""
    if not isinstance(op, Reshape):
        return None
    first = site.producers.get(op.x)
    return Change({op.name: (replace(op, x=first.x),)}) if isinstance(first, Reshape) else None


def merge_transposes(site: Site, op: Op) -> Change | None:
    """transpose(transpose(x)) is one transpose."""
    if not isinstance(op, Transpose):
        return None
    first = site.producers.get(op.x)
    if not isinstance(first, Transpose):
        return None
    perm = tuple(first.perm[d] for d in op.perm)
    return Change({op.name: (replace(op, x=first.x, perm=perm),)})


def mean_of_transpose(site: Site, op: Op) -> Change | None:
    """mean(transpose(x)) averages x where its elements are; what remains is transposed, and is smaller.

    A sum of floats is added up in another order, within the tolerance of the operator.
    """
    if not isinstance(op, Mean):
        return None
    first = site.producers.get(op.x)
    if not isinstance(first, Transpose) or not site.stored_alike(first.x, first.y):
        return None
    shape, y = site[first.x].shape, site[op.y]
    left = [first.perm[d] for d in range(len(shape)) if d not in op.axes]
    kept = sorted(left)
    mean = replace(y, name=site.fresh(f"{op.y}_mean"), shape=tuple(shape[d] for d in kept))
    moved = replace(y, name=site.fresh(f"{op.y}_moved"), shape=tuple(shape[d] for d in left))
    axes = tuple(sorted(first.perm[d] for d in op.axes))
    transpose = site.fresh(f"{op.name}_transpose")
    reshape = site.fresh(f"{op.name}_reshape")
    steps = (
        replace(op, x=first.x, y=mean.name, axes=axes, keep_dims=False),
        Transpose(transpose, mean.name, moved.name, tuple(kept.index(d) for d in left)),
        Reshape(reshape, moved.name, op.y, y.shape),
    )
    return Change({op.name: steps}, (mean, moved))


SIMPLIFY_MOVEMENT: tuple[Rewrite, ...] = (drop_movement, merge_reshapes, merge_transposes, mean_of_transpose)
