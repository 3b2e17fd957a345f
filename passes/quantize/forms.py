"""Float operators that have no integer form, written with others that have one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

import numpy as np

from ...ir import DType, Graph, Op, Tensor
from ...ir.ops.add import Add
from ...ir.ops.binary import Binary
from ...ir.ops.expand import Expand
from ...ir.ops.maximum import Maximum
from ...ir.ops.mean import Mean
from ...ir.ops.minimum import Minimum
from ...ir.ops.mul import Mul
from ...ir.ops.reduce import Reduce
from ...ir.ops.relu import Relu
from ...ir.ops.reshape import Reshape
from ...ir.ops.softmax import Softmax
from ...ir.ops.sub import Sub
from ...ir.ops.transpose import Transpose
from ...ir.ops.unary import Unary
from ...ir.ops.where import Where
from ..rewrite import Change, Rewrite, Site, apply_rewrites
from .statistics import Extremes

_MASKED = -1e4
"""Added to a score it makes the softmax 0 in float32; farther below it only wastes range."""

_WIDEST = 32.0
"""Largest quotient of a divisor's extremes: int8 then has a step or more for the smallest reciprocal."""


def integer_forms(graph: Graph) -> Graph:
    """Spell out operators that integers have not: quotients, powers, sums, softmax along other axes.

    Requires: float graph.
    Ensures:  the same values, up to float rounding; masks in front of a softmax are finite.
    """
    return apply_rewrites(graph, _REWRITES)


def _is_float(site: Site, op: Op) -> bool:
    return all(site[n].dtype is DType.FLOAT32 for n in (*op.inputs, *op.outputs))


def _constant(site: Site, op: Op, what: str, data: np.ndarray) -> Tensor:
    values = np.asarray(data, np.float32)
    return Tensor(site.fresh(f"{op.name}_{what}"), values.shape, DType.FLOAT32, None, values)


def _quotient(site: Site, op: Op) -> Change | None:
    """a / b is a * (1 / b): a constant, or a table."""
    if not isinstance(op, Binary) or op.function != "div" or not _is_float(site, op):
        return None
    b = site[op.b]
    if b.data is not None:
        with np.errstate(all="ignore"):
            inverse = _constant(site, op, "inverse", 1 / b.data)
        finite = inverse.data is not None and np.isfinite(inverse.data).all()
        return Change({op.name: (Mul(op.name, op.a, inverse.name, op.y),)}, (inverse,)) if finite else None
    inverse = replace(b, name=site.fresh(f"{op.name}_reciprocal"))
    table = Unary(site.fresh(f"{op.name}_inverse"), op.b, inverse.name, "reciprocal")
    return Change({op.name: (table, Mul(op.name, op.a, inverse.name, op.y))}, (inverse,))


def _power(site: Site, op: Op) -> Change | None:
    """x to a constant power, and x * x, are functions of x alone."""
    if isinstance(op, Mul) and op.a == op.b and op.activation.value == "none":
        exponent = 2.0
        x = op.a
    elif isinstance(op, Binary) and op.function == "pow":
        data, x = site[op.b].data, op.a
        if data is None or data.size != 1 or site[op.y].shape != site[x].shape:
            return None
        exponent = float(data.reshape(-1)[0])
    else:
        return None
    if not _is_float(site, op) or site[x].constant or not np.isfinite(exponent):
        return None
    return Change({op.name: (Unary(op.name, x, op.outputs[0], "pow", exponent),)})


def _sum(site: Site, op: Op) -> Change | None:
    """A sum is a mean times a count."""
    if not isinstance(op, Reduce) or op.function != "sum" or not _is_float(site, op):
        return None
    count = _constant(site, op, "count", np.array(prod(site[op.x].shape[a] for a in op.axes)))
    mean = replace(site[op.y], name=site.fresh(f"{op.y}_mean"))
    first = Mean(site.fresh(f"{op.name}_mean"), op.x, mean.name, op.axes, op.keep_dims)
    return Change({op.name: (first, Mul(op.name, mean.name, count.name, op.y))}, (count, mean))


def _softmax(site: Site, op: Op) -> Change | None:
    """Softmax along another axis than the last one, between transposes."""
    if not isinstance(op, Softmax) or op.axis == -1 or op.log or not _is_float(site, op):
        return None
    shape = site[op.x].shape
    rank, axis = len(shape), len(shape) + op.axis
    perm = (*(d for d in range(rank) if d != axis), axis)
    back = tuple(perm.index(d) for d in range(rank))
    turned = tuple(shape[d] for d in perm)
    x, y = (
        Tensor(site.fresh(f"{op.name}_{what}"), turned, DType.FLOAT32) for what in ("turned", "normalised")
    )
    ops = (
        Transpose(site.fresh(f"{op.name}_turn"), op.x, x.name, perm),
        replace(op, x=x.name, y=y.name, axis=-1),
        Transpose(site.fresh(f"{op.name}_back"), y.name, op.y, back),
    )
    return Change({op.name: ops}, (x, y))


def _mask(site: Site, op: Op) -> Change | None:
    """Constants that mask elements of a softmax, -infinity or very low, become _MASKED."""
    if not isinstance(op, Add | Where) or not _masks(site, op):
        return None
    for name in (op.a, op.b):
        data = site[name].data
        if data is not None and data.size and data.dtype == np.float32 and data.min() < _MASKED:
            clipped = _constant(site, op, "mask", np.maximum(data, np.float32(_MASKED)))
            return Change({op.name: (op.renamed({name: clipped.name}),)}, (clipped,))
    return None


def _masks(site: Site, op: Add | Where) -> bool:
    readers = site.consumers[op.y]
    return bool(readers) and op.y not in site.graph.outputs and all(isinstance(o, Softmax) for o in readers)


_REWRITES: tuple[Rewrite, ...] = (_quotient, _power, _sum, _softmax, _mask)


def clip_masks(graph: Graph, extremes: Mapping[str, Extremes]) -> Graph:
    """Constants that `where` puts in front of a softmax, raised to where they make no difference any more.

    The constant shares the quantization of the scores, whose range it must not widen.
    """
    site = Site.of(graph)
    ops: list[Op] = []
    new: list[Tensor] = []
    for op in graph.ops:
        if isinstance(op, Where) and op.y in extremes and _masks(site, op):
            low = np.float32(extremes[op.y].low.min())
            for name in {op.a, op.b}:
                data = graph[name].data
                if data is not None and data.min(initial=0) < low:
                    new.append(_constant(site, op, f"mask_{len(new)}", np.maximum(data, low)))
                    op = op.renamed({name: new[-1].name})
        ops.append(op)
    return graph.rewritten(ops, new)


def uneven_quotients(graph: Graph, extremes: Mapping[str, Extremes]) -> dict[str, str]:
    """Why some reciprocals, and the products they go into, should stay in float, by op name.

    The reciprocal of a value that comes near 0 has a range in which int8 steps say nothing about the others.
    What computes the divisor stays in float, too: rounded to int8 it could become 0.
    """
    reasons: dict[str, str] = {}
    consumers, producers = graph.consumers(), graph.producers()
    for op in graph.ops:
        if not isinstance(op, Unary) or op.function != "reciprocal" or op.x not in extremes:
            continue
        low, high = float(extremes[op.x].low.min()), float(extremes[op.x].high.max())
        near, far = sorted((abs(low), abs(high)))
        if low <= 0 <= high or far > _WIDEST * near:
            why = f"the divisor {op.x!r} ranges from {low:.3g} to {high:.3g}"
            reasons[op.name] = why
            reasons.update({o.name: why for o in consumers[op.y] if isinstance(o, Mul)})
            reasons.update(dict.fromkeys(_upstream(producers, op.x), why))
    return reasons


def _upstream(producers: Mapping[str, Op], name: str) -> set[str]:
    """Names of the simple ops that a value comes from, back to layers with weights, products and inputs."""
    found: set[str] = set()
    todo = [name]
    while todo:
        op = producers.get(todo.pop())
        if op is not None and op.name not in found and isinstance(op, _SIMPLE):
            found.add(op.name)
            todo += op.inputs
    return found


_SIMPLE = (Add, Binary, Expand, Maximum, Mean, Minimum, Mul, Reduce, Relu, Reshape, Sub, Transpose, Unary)
