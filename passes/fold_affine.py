"""Rewrites that fold a factor or an offset per channel into the weights of the op before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir import Activation, DType, Op, Tensor
from ..ir.ops.add import Add
from ..ir.ops.conv2d import Conv2D
from ..ir.ops.depthwise_conv2d import DepthwiseConv2D
from ..ir.ops.fully_connected import FullyConnected
from ..ir.ops.mul import Mul
from ..ir.ops.sub import Sub
from ..ir.ops.transpose_conv import TransposeConv
from .rewrite import Change, Rewrite, Site

Weighted = Conv2D | DepthwiseConv2D | FullyConnected | TransposeConv


def fold_affine(site: Site, op: Op) -> Change | None:
    """mul, add or sub of a constant per channel behind a float op with weights changes the weights instead.

    This is what is left of a batch normalization, and how some exporters write a bias. The products are
    rounded to float32 once more or less, within the tolerance of the op.
    """
    if not isinstance(op, Add | Mul | Sub) or site[op.y].dtype is not DType.FLOAT32:
        return None
    operands = (op.a, op.b) if isinstance(op, Sub) or not site[op.a].constant else (op.b, op.a)
    x, c = operands
    producer = site.producers.get(x)
    if not isinstance(producer, Weighted) or producer.activation is not Activation.NONE:
        return None
    values = _per_channel(site, x, c, op.y)
    weights = site[producer.weights]
    if values is None or weights.data is None or not site.private(x):
        return None
    old = _bias(site, producer, values.size)
    if old is None:
        return None
    new, tensors = producer.weights, []
    if isinstance(op, Mul):
        new = site.fresh(f"{op.name}_weights")
        shape = [1] * len(weights.shape)
        shape[producer.CHANNEL_AXIS] = values.size
        tensors.append(replace(weights, name=new, data=weights.data * values.reshape(shape)))
        bias = old * values
    else:
        bias = old - values if isinstance(op, Sub) else old + values
    if (
        not all(np.isfinite(t.data).all() for t in tensors if t.data is not None)
        or not np.isfinite(bias).all()
    ):
        return None
    added = Tensor(site.fresh(f"{op.name}_bias"), bias.shape, DType.FLOAT32, None, bias)
    folded = replace(producer, weights=new, bias=added.name, y=op.y, activation=op.activation)
    return Change({producer.name: (folded,), op.name: ()}, (*tensors, added))


def _per_channel(site: Site, x: str, c: str, y: str) -> np.ndarray | None:
    """The constant as [C] float32 where it has one value per channel (last dimension) of x, or one in all."""
    data, shape = site[c].data, site[x].shape
    if data is None or site[y].shape != shape or not shape:
        return None
    if data.size != 1 and (data.size != shape[-1] or data.shape[-1:] != shape[-1:]):
        return None
    return np.ascontiguousarray(np.broadcast_to(data.ravel(), shape[-1:]))


def _bias(site: Site, op: Weighted, channels: int) -> np.ndarray | None:
    """The op's constant bias, zeros where it has none."""
    return np.zeros(channels, np.float32) if op.bias is None else site[op.bias].data


FOLD_AFFINE: tuple[Rewrite, ...] = (fold_affine,)
