"""How the layout pass rebuilds each kind of op whose operands are views with dimensions in another order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ir import Op
from ..ir.ops.add import Add
from ..ir.ops.arg_reduce import ArgReduce
from ..ir.ops.binary import Binary
from ..ir.ops.cast import Cast
from ..ir.ops.concat import Concat
from ..ir.ops.cumsum import CumSum
from ..ir.ops.dequantize import Dequantize
from ..ir.ops.expand import Expand
from ..ir.ops.fully_connected import FullyConnected
from ..ir.ops.gather import Gather
from ..ir.ops.hard_swish import HardSwish
from ..ir.ops.leaky_relu import LeakyRelu
from ..ir.ops.logistic import Logistic
from ..ir.ops.lookup import Lookup
from ..ir.ops.matmul import MatMul
from ..ir.ops.maximum import Maximum
from ..ir.ops.mean import Mean
from ..ir.ops.minimum import Minimum
from ..ir.ops.mul import Mul
from ..ir.ops.pad import Pad
from ..ir.ops.prelu import PRelu
from ..ir.ops.quantize import Quantize
from ..ir.ops.reduce import Reduce
from ..ir.ops.relu import Relu
from ..ir.ops.reshape import Reshape
from ..ir.ops.slice import Slice
from ..ir.ops.softmax import Softmax
from ..ir.ops.split import Split
from ..ir.ops.sub import Sub
from ..ir.ops.tanh import Tanh
from ..ir.ops.tile import Tile
from ..ir.ops.transpose import Transpose
from ..ir.ops.unary import Unary
from ..ir.ops.where import Where
from .views import Shape, View, inverse, joinable_order, permuted, reshaped_base

if TYPE_CHECKING:
    from .layout import Mover

FLAT_RANK = 2
"""A value of as few dimensions is a row for a fully_connected, which puts its weights in order instead."""

_OF_ONE = (Cast, Dequantize, HardSwish, LeakyRelu, Logistic, Lookup, Quantize, Relu, Tanh, Unary)
"""Element-wise ops of one value x."""
_OF_SEVERAL = (Add, Binary, Maximum, Minimum, Mul, PRelu, Sub, Where)
"""Element-wise ops whose operands broadcast."""
_ALONG_DIMENSIONS = (
    ArgReduce, Concat, CumSum, Expand, Gather, Mean, Pad, Reduce, Slice, Softmax, Split, Tile,
)  # fmt: skip
TRANSPARENT = (*_OF_ONE, *_OF_SEVERAL, *_ALONG_DIMENSIONS)


def _transpose(mover: Mover, op: Op) -> bool:
    assert isinstance(op, Transpose)
    view, x, y = mover.view(op.x), mover.tensors[op.x], mover.tensors[op.y]
    if (x.dtype, x.quant) != (y.dtype, y.quant) or x.constant:
        return False
    if view.shape is not None:
        view = mover.view(mover.plain(op.x))
    mover.see(op.y, View(view.base, tuple(view.perm[d] for d in op.perm)))
    return True


def _reshape(mover: Mover, op: Op) -> bool:
    """A view stays one where no neighbours are torn apart; else the reshape is left for its reader."""
    assert isinstance(op, Reshape)
    view, x, y = mover.view(op.x), mover.tensors[op.x], mover.tensors[op.y]
    if (x.dtype, x.quant) != (y.dtype, y.quant):
        return False
    base = mover.tensors[view.base].shape
    found = reshaped_base(base, view.perm, op.shape)
    name = view.base
    if found is None:
        order = joinable_order(base, view.perm, op.shape)
        if len(op.shape) <= FLAT_RANK or order is None:
            mover.see(op.y, View(view.base, view.perm, op.shape))
            return True
        name = mover.value(op.x, f"{op.x}_moved", permuted(base, order))
        mover.add(Transpose(mover.name(name), view.base, name, order))
        base = mover.tensors[name].shape
        perm = tuple(order.index(d) for d in view.perm)
        found = reshaped_base(base, perm, op.shape)
        assert found
    shape, perm = found
    if shape != base:
        moved = mover.value(op.y, f"{op.y}_moved", shape)
        mover.add(Reshape(op.name, name, moved, shape))
        name = moved
    mover.see(op.y, View(name, perm))
    return True


def _of_one(mover: Mover, op: Op) -> bool:
    """Any order of elements will do."""
    x, y = op.inputs[0], op.outputs[0]
    view = mover.view(x)
    name = mover.result(y, view.perm, view.shape)
    mover.tensors[name] = replace(mover.tensors[name], shape=mover.tensors[view.base].shape)
    mover.add(replace(op.renamed({x: view.base}), y=name))  # type: ignore[call-arg]
    return True


def _common(mover: Mover, names: Iterable[str], rank: int) -> Shape | None:
    """The permutation of the largest operand that has one."""
    views = [mover.view(n) for n in names]
    moved = [v for v in views if not v.plain and v.shape is None and len(v.perm) == rank]
    largest = max(moved, key=lambda v: prod(mover.tensors[v.base].shape), default=None)
    return largest.perm if largest else None


def _operand(mover: Mover, name: str, perm: Shape) -> str:
    """An operand such that transposing it by `perm` gives `name`, broadcast to as many dimensions."""
    view = mover.view(name)
    if view.perm == perm and view.shape is None:
        return view.base
    tensor, back = mover.tensors[name], inverse(perm)
    if tensor.constant and tensor.elements == 1:
        shape = (1,) * len(tensor.shape)
        return name if tensor.shape == shape else mover.value(name, f"{name}_moved", shape, tensor.data)
    full = (1,) * (len(perm) - len(mover.graph[name].shape)) + mover.graph[name].shape
    shape = permuted(full, back)
    if tensor.data is not None:
        data = np.ascontiguousarray(tensor.data.reshape(full).transpose(back))
        return mover.value(name, f"{name}_moved", shape, data)
    source = mover.plain(name)
    if full != mover.tensors[source].shape:
        wide = mover.value(name, f"{name}_wide", full)
        mover.add(Reshape(mover.name(wide), source, wide, full))
        source = wide
    moved = mover.value(name, f"{name}_moved", shape)
    mover.add(Transpose(mover.name(moved), source, moved, back))
    return moved


def _of_several(mover: Mover, op: Op) -> bool:
    """Operands are brought into the order of the largest one; constants and single rows cost nothing."""
    (y,) = op.outputs
    perm = _common(mover, op.inputs, len(mover.tensors[y].shape))
    if perm is None:
        return False
    names = {x: _operand(mover, x, perm) for x in dict.fromkeys(op.inputs)}
    mover.add(replace(op.renamed(names), y=mover.result(y, perm)))  # type: ignore[call-arg]
    return True


def _concat(mover: Mover, op: Op) -> bool:
    assert isinstance(op, Concat)
    rank = len(mover.tensors[op.y].shape)
    perm = _common(mover, op.xs, rank)
    if perm is None:
        return False
    xs = tuple(_operand(mover, x, perm) for x in op.xs)
    mover.add(replace(op, xs=xs, y=mover.result(op.y, perm), axis=perm[op.axis % rank]))
    return True


def _per_dimension(*fields: str) -> Callable[[Mover, Op], bool]:
    """Ops of one value with an entry per dimension in each of `fields`."""

    def rebuild(mover: Mover, op: Op) -> bool:
        x, y = op.inputs[0], op.outputs[0]
        view = mover.view(x)
        entries = {f: getattr(op, f) for f in fields}
        if view.shape is not None or any(len(e) != len(view.perm) for e in entries.values()):
            return False
        back = inverse(view.perm)
        changes: dict[str, Any] = {f: tuple(e[d] for d in back) for f, e in entries.items()}
        mover.add(replace(op, x=view.base, y=mover.result(y, view.perm), **changes))  # type: ignore[call-arg]
        return True

    return rebuild


def _along_one(mover: Mover, op: Op) -> bool:
    """cumsum, and gather of constant indices in one row: dimensions stay as they are."""
    assert isinstance(op, CumSum | Gather)
    view = mover.view(op.x)
    if view.shape is not None:
        return False
    names = {op.x: view.base}
    if isinstance(op, Gather):
        if len(mover.tensors[op.indices].shape) != 1 or not mover.view(op.indices).plain:
            return False
        names[op.indices] = mover.plain(op.indices)
    axis = view.perm[op.axis % len(view.perm)]
    mover.add(replace(op.renamed(names), y=mover.result(op.y, view.perm), axis=axis))
    return True


def _split(mover: Mover, op: Op) -> bool:
    assert isinstance(op, Split)
    view = mover.view(op.x)
    if view.shape is not None:
        return False
    ys = tuple(mover.result(y, view.perm) for y in op.ys)
    mover.add(replace(op, x=view.base, ys=ys, axis=view.perm[op.axis % len(view.perm)]))
    return True


def _reduction(mover: Mover, op: Op) -> bool:
    """mean, reduce and arg_reduce: the dimensions that are left keep their order."""
    assert isinstance(op, Mean | Reduce | ArgReduce)
    view = mover.view(op.x)
    if view.shape is not None:
        return False
    axes = (op.axis % len(view.perm),) if isinstance(op, ArgReduce) else op.axes
    perm = view.perm
    if not op.keep_dims:
        left = [view.perm[d] for d in range(len(view.perm)) if d not in axes]
        perm = tuple(sorted(left).index(d) for d in left)
    moved = tuple(sorted(view.perm[a] for a in axes))
    y = mover.result(op.y, perm)
    if isinstance(op, ArgReduce):
        mover.add(replace(op, x=view.base, y=y, axis=moved[0]))
    else:
        mover.add(replace(op, x=view.base, y=y, axes=moved))
    return True


def _softmax(mover: Mover, op: Op) -> bool:
    """Only the last dimension counts; it must stay the last."""
    assert isinstance(op, Softmax)
    view = mover.view(op.x)
    if view.shape is not None or view.perm[-1] != len(view.perm) - 1:
        return False
    mover.add(replace(op, x=view.base, y=mover.result(op.y, view.perm)))
    return True


def _fully_connected(mover: Mover, op: Op) -> bool:
    """Behind a flattened map the weights are put in the order of the map's elements."""
    assert isinstance(op, FullyConnected)
    view, weights = mover.view(op.x), mover.tensors[op.weights]
    if weights.data is None or view.shape is None or prod(view.shape) != weights.shape[1]:
        return False
    base = mover.tensors[view.base].shape
    back = inverse(view.perm)
    full = weights.data.reshape(-1, *permuted(base, view.perm)).transpose(0, *(1 + d for d in back))
    data = np.ascontiguousarray(full.reshape(weights.shape))
    moved = mover.value(op.weights, f"{op.weights}_moved", weights.shape, data)
    flat = mover.value(op.x, f"{op.x}_moved", view.shape)
    mover.add(Reshape(mover.name(flat), view.base, flat, view.shape))
    mover.add(replace(op, x=flat, weights=moved))
    return True


def _matmul(mover: Mover, op: Op) -> bool:
    """Matrices that are transposed are read so."""
    assert isinstance(op, MatMul)
    changes: dict[str, object] = {}
    for field in ("a", "b"):
        name = getattr(op, field)
        view, rank = mover.view(name), len(mover.tensors[name].shape)
        swapped = (*range(rank - 2), rank - 1, rank - 2)
        if view.shape is None and view.perm == swapped:
            changes[field] = view.base
            changes[f"transpose_{field}"] = not getattr(op, f"transpose_{field}")
        else:
            changes[field] = mover.plain(name)
    mover.add(replace(op, **changes))  # type: ignore[arg-type]
    return True


REBUILD: tuple[tuple[tuple[type[Op], ...], Callable[[Mover, Op], bool]], ...] = (
    ((Transpose,), _transpose),
    ((Reshape,), _reshape),
    (_OF_ONE, _of_one),
    (_OF_SEVERAL, _of_several),
    ((Concat,), _concat),
    ((Expand,), _per_dimension("shape")),
    ((Tile,), _per_dimension("repeats")),
    ((Pad,), _per_dimension("padding")),
    ((Slice,), _per_dimension("begin", "size", "stride")),
    ((CumSum, Gather), _along_one),
    ((Split,), _split),
    ((ArgReduce, Mean, Reduce), _reduction),
    ((Softmax,), _softmax),
    ((FullyConnected,), _fully_connected),
    ((MatMul,), _matmul),
)
"""By kind of op; False: the op is built on its operands in their own order."""
