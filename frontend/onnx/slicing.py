"""Slice of every operator set as begin, size and stride per dimension."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..tflite.builder import axis_of
from ..tflite.tensors import Unsupported
from .node import NodeImport


@dataclass(frozen=True)
class SliceSpec:
    """One entry per dimension of the input."""

    begin: tuple[int, ...]
    size: tuple[int, ...]
    stride: tuple[int, ...]


def slice_spec(op: NodeImport, shape: tuple[int, ...], empty: bool = False) -> SliceSpec:
    """What the node takes of an input of that shape; operands since operator set 10, attributes before.

    empty   whether nothing may be left
    Raises Unsupported.
    """
    rank = len(shape)
    starts, ends = _numbers(op, "starts", 1), _numbers(op, "ends", 2)
    if starts is None or ends is None:
        raise Unsupported("a slice has starts and ends", "none")
    axes = _numbers(op, "axes", 3) or tuple(range(len(starts)))
    steps = (op.ints(4, "steps") if op.has(4) else None) or (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise Unsupported(
            "starts, ends, axes and steps have one length", f"{starts}, {ends}, {axes}, {steps}"
        )
    begin, size, stride = [0] * rank, list(shape), [1] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step == 0:
            raise Unsupported("steps are not 0", "0")
        d = axis_of(axis, rank, "axes")
        part = range(shape[d])[slice(_bound(start, shape[d]), _end(end, shape[d], step), step)]
        if not part and not empty:
            raise Unsupported("a slice must not be empty", f"{start} to {end} by {step} of {shape[d]}")
        begin[d], size[d], stride[d] = part.start if part else 0, len(part), step
    return SliceSpec(tuple(begin), tuple(size), tuple(stride))


def _numbers(op: NodeImport, name: str, position: int) -> tuple[int, ...] | None:
    given = op.ints_attribute(name)
    if given is not None:
        return given
    return op.ints(position, name) if op.has(position) else None


def _bound(value: int, size: int) -> int:
    """`value` brought near the dimension: exporters write 2**63 - 1 for its end."""
    return max(min(value, size), -size - 1)


def _end(value: int, size: int, step: int) -> int | None:
    """An end; one before the first element walks backwards through it."""
    return None if step < 0 and value < -size else _bound(value, size)


def taken(x: np.ndarray, spec: SliceSpec) -> np.ndarray:
    """The part of an array."""
    for axis, (begin, size, stride) in enumerate(zip(spec.begin, spec.size, spec.stride, strict=True)):
        x = x.take(begin + stride * np.arange(size), axis)
    return x
