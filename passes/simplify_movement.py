"""Rewrites that remove data movement: no-ops, chains, transposes nobody needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir import Op
from ..ir.ops.add import Add
from ..ir.ops.cast import Cast
from ..ir.ops.concat import Concat
from ..ir.ops.hard_swish import HardSwish
from ..ir.ops.leaky_relu import LeakyRelu
from ..ir.ops.logistic import Logistic
from ..ir.ops.mean import Mean
from ..ir.ops.mul import Mul
from ..ir.ops.pad import Pad
from ..ir.ops.relu import Relu
from ..ir.ops.reshape import Reshape
from ..ir.ops.resize_bilinear import ResizeBilinear
from ..ir.ops.resize_nearest import ResizeNearest
from ..ir.ops.slice import Slice
from ..ir.ops.split import Split
from ..ir.ops.sub import Sub
from ..ir.ops.tanh import Tanh
from ..ir.ops.transpose import Transpose
from ..ir.ops.unary import Unary
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


def sink_reshape(site: Site, op: Op) -> Change | None:
    """An element-wise op on reshape(x) works on x, so that it meets what computes x and may be fused.

    Of two operands one is a constant of one element or one per index of the last dimension, which the
    reshape must keep. Reshapes cost nothing wherever they are.
    """
    if not isinstance(op, (*_OF_ONE, *_WITH_CONSTANT)):
        return None
    variable = [x for x in op.inputs if not site[x].constant]
    reshape = site.producers.get(variable[0]) if len(variable) == 1 else None
    if not isinstance(reshape, Reshape) or not site.private(reshape.y):
        return None
    x, y = site[reshape.x], site[op.outputs[0]]
    if x.constant or reshape.x in site.graph.inputs or site[reshape.y].shape != y.shape:
        return None
    constants = [site[c] for c in op.inputs if c != variable[0]] if isinstance(op, _WITH_CONSTANT) else []
    if any(c.elements != 1 and c.shape[-1:] != x.shape[-1:] for c in constants):
        return None
    if any(c.elements not in (1, *x.shape[-1:]) for c in constants) or x.shape[-1:] != y.shape[-1:]:
        return None
    rows = [replace(c, name=site.fresh(f"{c.name}_row"), shape=(c.elements,)) for c in constants]
    rows = [replace(c, data=None if c.data is None else c.data.reshape(c.shape)) for c in rows]
    inner = replace(y, name=site.fresh(f"{op.outputs[0]}_inner"), shape=x.shape)
    names = {variable[0]: reshape.x, op.outputs[0]: inner.name}
    names |= {c.name: r.name for c, r in zip(constants, rows, strict=True)}
    steps = (op.renamed(names), Reshape(reshape.name, inner.name, op.outputs[0], y.shape))
    return Change({op.name: steps, reshape.name: ()}, (*rows, inner))


_OF_ONE = (HardSwish, LeakyRelu, Logistic, Relu, Tanh, Unary)
_WITH_CONSTANT = (Add, Mul, Sub)

SIMPLIFY_MOVEMENT: tuple[Rewrite, ...] = (
    drop_movement,
    merge_reshapes,
    merge_transposes,
    mean_of_transpose,
    sink_reshape,
)
