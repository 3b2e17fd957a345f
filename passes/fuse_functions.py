"""Rewrites that find functions and normalisations which exporters spell out in plain arithmetic."""

from __future__ import annotations

import math
from dataclasses import replace

from ..ir import Activation, DType, Op
from ..ir.ops.add import Add
from ..ir.ops.binary import Binary
from ..ir.ops.hard_swish import HardSwish
from ..ir.ops.layer_normalization import LayerNormalization
from ..ir.ops.mean import Mean
from ..ir.ops.mul import Mul
from ..ir.ops.relu import Relu
from ..ir.ops.sub import Sub
from ..ir.ops.unary import Unary
from .rewrite import Change, Rewrite, Site

_NEAR = 1e-5
"""Relative error of constants that exporters round to float32 or to some decimals."""


def _scalar(site: Site, name: str) -> float | None:
    """A constant of one element."""
    data = site[name].data
    return None if data is None or data.size != 1 else float(data.ravel()[0])


def _near(value: float | None, wanted: float) -> bool:
    return value is not None and math.isclose(value, wanted, rel_tol=_NEAR)


def _factors(site: Site, op: Op, depth: int = 3) -> tuple[float, list[str]]:
    """A product as (constant, computed factors): nested products and quotients by a constant are resolved."""
    factor = 1.0
    values: list[str] = []
    if isinstance(op, Binary):
        factor = 1 / (_scalar(site, op.b) or math.inf)
        operands = [op.a]
    else:
        operands = list(op.inputs)
    for x in operands:
        value, inner = _scalar(site, x), site.producers.get(x)
        if value is not None:
            factor *= value
        elif depth and inner is not None and site.private(x) and _is_product(site, inner):
            more, found = _factors(site, inner, depth - 1)
            factor, values = factor * more, values + found
        else:
            values.append(x)
    return factor, values


def _is_product(site: Site, op: Op) -> bool:
    if isinstance(op, Binary):
        return op.function == "div" and bool(_scalar(site, op.b))
    return isinstance(op, Mul) and op.activation is Activation.NONE


def _pair(site: Site, op: Op) -> tuple[float, list[tuple[str, str]]] | None:
    """A product of a constant and two values of its own shape: the constant and both orders of the values."""
    if not _is_product(site, op) or site[op.outputs[0]].dtype is not DType.FLOAT32:
        return None
    factor, values = _factors(site, op)
    if len(values) != 2 or any(site[v].shape != site[op.outputs[0]].shape for v in values):
        return None
    a, b = values
    return factor, [(a, b), (b, a)]


def _plus(site: Site, name: str, wanted: float) -> tuple[str, Activation] | None:
    """(x, activation) where the value is act(x + wanted)."""
    op = site.producers.get(name)
    if not isinstance(op, Add):
        return None
    for x, c in ((op.a, op.b), (op.b, op.a)):
        if _near(_scalar(site, c), wanted):
            return x, op.activation
    return None


def find_hard_swish(site: Site, op: Op) -> Change | None:
    """x * relu6(x + 3) / 6, its factors in any order, or x * hard_sigmoid(x)."""
    found = _pair(site, op)
    for x, gate in found[1] if found else ():
        assert found
        if found[0] == 1.0 and _is_gate(site, gate, x):
            return Change({op.name: (HardSwish(op.name, x, op.outputs[0]),)})
        clamp = site.producers.get(gate)
        inner = clamp.x if isinstance(clamp, Relu) and clamp.activation is Activation.RELU6 else gate
        sum_ = _plus(site, inner, 3.0)
        wanted = Activation.RELU6 if inner == gate else Activation.NONE
        if sum_ == (x, wanted) and _near(found[0], 1 / 6):
            return Change({op.name: (HardSwish(op.name, x, op.outputs[0]),)})
    return None


def _is_gate(site: Site, name: str, x: str) -> bool:
    """Whether the value is hard_sigmoid(x) as hard swish has it."""
    op = site.producers.get(name)
    if not isinstance(op, Unary) or op.function != "hard_sigmoid" or op.x != x:
        return False
    return _near(op.alpha, 1 / 6) and _near(op.beta, 0.5)


def find_gelu(site: Site, op: Op) -> Change | None:
    """0.5 * x * (1 + erf(x / sqrt(2))), its factors in any order."""
    found = _pair(site, op)
    for x, gate in found[1] if found else ():
        assert found
        sum_ = _plus(site, gate, 1.0)
        erf = site.producers.get(sum_[0]) if sum_ and sum_[1] is Activation.NONE else None
        if not isinstance(erf, Unary) or erf.function != "erf" or not _near(found[0], 0.5):
            continue
        scaled = site.producers.get(erf.x)
        if scaled is None or not _is_product(site, scaled):
            continue
        factor, values = _factors(site, scaled)
        if values == [x] and _near(factor, math.sqrt(0.5)):
            return Change({op.name: (Unary(op.name, x, op.outputs[0], "gelu"),)})
    return None


def find_layer_normalization(site: Site, op: Op) -> Change | None:
    """(x - mean) / sqrt(mean((x - mean)^2) + epsilon), the means over the last dimensions."""
    if not isinstance(op, Binary) or op.function != "div" or site[op.y].dtype is not DType.FLOAT32:
        return None
    centred, root = site.producers.get(op.a), site.producers.get(op.b)
    if not isinstance(centred, Sub) or not isinstance(root, Unary) or root.function != "sqrt":
        return None
    shifted = site.producers.get(root.x)
    if not isinstance(shifted, Add) or shifted.activation is not Activation.NONE:
        return None
    epsilon, variance = _scalar(site, shifted.b), site.producers.get(shifted.a)
    if epsilon is None:
        epsilon, variance = _scalar(site, shifted.a), site.producers.get(shifted.b)
    mean = site.producers.get(centred.b)
    if epsilon is None or epsilon < 0 or not isinstance(variance, Mean) or not isinstance(mean, Mean):
        return None
    square = site.producers.get(variance.x)
    if not isinstance(square, Mul) or {square.a, square.b} != {op.a} or mean.x != centred.a:
        return None
    plain = all(o.activation is Activation.NONE for o in (centred, square))
    rank = len(site[centred.a].shape)
    axes = tuple(range(rank - len(mean.axes), rank))
    if not plain or not mean.axes == variance.axes == axes or not (mean.keep_dims and variance.keep_dims):
        return None
    return Change({op.name: (LayerNormalization(op.name, centred.a, None, None, op.y, axes[0], epsilon),)})


def fill_layer_normalization(site: Site, op: Op) -> Change | None:
    """A constant factor or offset per element behind a layer normalization becomes its scale or bias."""
    if not isinstance(op, Mul | Add) or op.activation is not Activation.NONE:
        return None
    x, c = (op.b, op.a) if site[op.a].constant else (op.a, op.b)
    norm = site.producers.get(x)
    if not isinstance(norm, LayerNormalization) or not site.private(x) or norm.bias is not None:
        return None
    wanted, given = site[norm.x].shape[norm.axis :], site[c]
    if given.data is None or given.shape[-len(wanted) :] != wanted or given.elements != math.prod(wanted):
        return None
    if given.dtype is not DType.FLOAT32 or (isinstance(op, Mul) and norm.scale is not None):
        return None
    constant = replace(given, name=site.fresh(f"{c}_shaped"), shape=wanted, data=given.data.reshape(wanted))
    filled = (
        replace(norm, scale=constant.name, y=op.y)
        if isinstance(op, Mul)
        else replace(norm, bias=constant.name, y=op.y)
    )
    return Change({norm.name: (filled,), op.name: ()}, (constant,))


FUSE_FUNCTIONS: tuple[Rewrite, ...] = (
    find_hard_swish,
    find_gelu,
    find_layer_normalization,
    fill_layer_normalization,
)
