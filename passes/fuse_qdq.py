"""fuse_qdq: a dequantize - operator - quantize group becomes the integer operator it means.

What onnxruntime's optimizer makes of such groups; the integer operators have the quantize's rounding. Groups
it has no rule for stay in float, which is what they mean too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir import DType, Graph, Op, Tensor
from ..ir.float_requant import nearest_even
from ..ir.ops.average_pool2d import AveragePool2D
from ..ir.ops.concat import Concat
from ..ir.ops.dequantize import Dequantize
from ..ir.ops.matmul import MatMul
from ..ir.ops.max_pool2d import MaxPool2D
from ..ir.ops.mean import Mean
from ..ir.ops.pad import Pad
from ..ir.ops.quantize import Quantize
from ..ir.ops.relu import Relu
from ..ir.ops.reshape import Reshape
from ..ir.ops.resize_nearest import ResizeNearest
from ..ir.ops.slice import Slice
from ..ir.ops.softmax import Softmax
from ..ir.ops.transpose import Transpose
from ..ir.ops.unary import Unary
from .fuse import fuse_relu
from .layout import layout
from .qdq_constants import integer_operand, integer_weights, source
from .qdq_tables import fuse_table
from .rewrite import Change, Rewrite, Site, apply_rewrites, fresh_name, remove_copy, retyped
from .simplify_movement import drop_movement, merge_reshapes
from .uint8_to_int8 import shift_uint8

Movement = MaxPool2D | Pad | Reshape | ResizeNearest | Slice | Transpose
_MOVES = (MaxPool2D, Reshape, ResizeNearest, Slice, Transpose)
"""Ops whose elements are elements of x: they and a quantize of their result may change places."""

_BYTES = (DType.INT8, DType.UINT8)


def fuse_qdq(graph: Graph) -> Graph:
    """Integer operators for quantized groups of an imported ONNX graph; others are returned as they are.

    Requires: a verified graph.
    Ensures:  what the file means (docs/onnx_rounding.md). Inputs and outputs keep names, shapes and types;
              inside, uint8 values are int8 ones. Float constants no longer tell their scales.
    """
    if not any(isinstance(op, Quantize) and op.rounding.onnx for op in graph.ops):
        return _without_scales(graph)
    graph = _int8_inside(layout(shift_uint8(graph)))
    return _without_scales(apply_rewrites(graph, _REWRITES))


def _without_scales(graph: Graph) -> Graph:
    plain = [
        replace(t, quant=None)
        for t in graph.tensors.values()
        if t.constant and t.dtype is DType.FLOAT32 and t.quant is not None
    ]
    return graph.rewritten(graph.ops, plain) if plain else graph


def _int8_inside(graph: Graph) -> Graph:
    """Conversions between floats and uint8 at the boundary go through int8."""
    tensors: dict[str, Tensor] = {}
    ops: list[Op] = []
    for op in graph.ops:
        twin = None
        if isinstance(op, Dequantize) and graph[op.x].dtype is DType.UINT8:
            twin = _twin(graph, op.x, tensors)
            ops += [Quantize(fresh_name(graph, twin.name), op.x, twin.name), replace(op, x=twin.name)]
        elif isinstance(op, Quantize) and op.rounding.onnx and graph[op.y].dtype is DType.UINT8:
            twin = _twin(graph, op.y, tensors)
            ops += [replace(op, y=twin.name), Quantize(fresh_name(graph, twin.name), twin.name, op.y)]
        else:
            ops.append(op)
    names: dict[str, int] = {}
    return graph.rewritten([_renamed_twice(op, names) for op in ops], tensors.values())


def _renamed_twice(op: Op, names: dict[str, int]) -> Op:
    """The op with a name of its own: a value that is read twice gets two twins."""
    count = names[op.name] = names.get(op.name, 0) + 1
    return op if count == 1 else replace(op, name=f"{op.name}_{count}")


def _twin(graph: Graph, name: str, tensors: dict[str, Tensor]) -> Tensor:
    t = graph[name]
    assert t.quant is not None
    quant = replace(t.quant, zero_point=(t.quant.z - 128,))
    twin = Tensor(fresh_name(graph, f"{name}_int8", tensors), t.shape, DType.INT8, quant)
    tensors[twin.name] = twin
    return twin


# --- conversions move towards each other ----------------------------------------------------------


def _moved(op: Movement, zero: int) -> Movement | None:
    """The op for stored values with that zero point, None where there is none."""
    if isinstance(op, Pad):
        return replace(op, value=zero) if op.value == 0 else None
    return op


def sink_dequantize(site: Site, op: Op) -> Change | None:
    """An op that moves real values moves stored ones instead, and its result is made real."""
    if not isinstance(op, (*_MOVES, Pad)):
        return None
    x = source(site, op.x)
    moved = _moved(op, site[x].zero_point) if x is not None else None
    if x is None or moved is None:
        return None
    stored = replace(retyped(site[op.y], site[x]), name=site.fresh(f"{op.y}_stored"))
    first = replace(moved, x=x, y=stored.name)
    if isinstance(first, MaxPool2D) and list(first.rules({x: site[x], stored.name: stored})):
        return None
    real = Dequantize(site.fresh(f"{op.name}_real"), stored.name, op.y)
    return Change({op.name: (first, real)}, (stored,))


def raise_quantize(site: Site, op: Op) -> Change | None:
    """A quantize of moved values becomes the movement of quantized ones."""
    if not isinstance(op, Quantize) or not _is_onnx(op, site) or not site.private(op.x):
        return None
    first = site.producers.get(op.x)
    if isinstance(first, Concat):
        return _raise_above_concat(site, op, first)
    if not isinstance(first, (*_MOVES, Pad)) or site[first.x].constant:
        return None
    moved = _moved(first, site[op.y].zero_point)
    if moved is None:
        return None
    stored = replace(retyped(site[first.x], site[op.y]), name=site.fresh(f"{op.y}_stored"))
    second = replace(moved, x=stored.name, y=op.y)
    if isinstance(second, MaxPool2D) and list(second.rules({stored.name: stored, op.y: site[op.y]})):
        return None
    return Change({first.name: (), op.name: (replace(op, x=first.x, y=stored.name), second)}, (stored,))


def _raise_above_concat(site: Site, op: Quantize, concat: Concat) -> Change:
    parts: list[Op] = []
    stored: list[Tensor] = []
    for i, x in enumerate(concat.xs):
        t = replace(retyped(site[x], site[op.y]), name=site.fresh(f"{op.y}_part{i}"), data=None)
        stored.append(t)
        parts.append(replace(op, name=site.fresh(f"{op.name}_part{i}"), x=x, y=t.name))
    whole = replace(concat, xs=tuple(t.name for t in stored), y=op.y)
    return Change({concat.name: (), op.name: (*parts, whole)}, tuple(stored))


def drop_clamp(site: Site, op: Op) -> Change | None:
    """A clamp goes where quantized values end before its bounds do."""
    if not isinstance(op, Quantize) or not _is_onnx(op, site) or not site.private(op.x):
        return None
    clamp, y = site.producers.get(op.x), site[op.y]
    if isinstance(clamp, Relu):
        bounds = clamp.activation.bounds
    elif isinstance(clamp, Unary) and clamp.function == "clip":
        bounds = (clamp.alpha, clamp.beta)
    else:
        return None
    assert y.quant is not None
    ends = nearest_even(np.array(bounds, np.float32) / np.float32(y.quant.s)) + y.quant.z
    if ends[0] > -128 or ends[1] < 127:
        return None
    return Change({clamp.name: (), op.name: (replace(op, x=clamp.x),)})


# --- groups ---------------------------------------------------------------------------------------


def _is_onnx(op: Op, site: Site) -> bool:
    """Whether it is a quantize of floats to int8 by ONNX's rule."""
    return (
        isinstance(op, Quantize)
        and op.rounding.onnx
        and site[op.x].dtype is DType.FLOAT32
        and site[op.y].dtype is DType.INT8
    )


def requantize(site: Site, op: Op) -> Change | None:
    """quantize(dequantize(x)) of another scale is one quantize."""
    if not isinstance(op, Quantize) or not _is_onnx(op, site):
        return None
    x = source(site, op.x)
    return None if x is None else Change({op.name: (replace(op, x=x),)})


def drop_same(site: Site, op: Op) -> Change | None:
    """A quantize to the quantization that the value has: float32 arithmetic gives back what was stored."""
    if not isinstance(op, Quantize) or not op.rounding.onnx or site[op.x].dtype is not DType.INT8:
        return None
    return remove_copy(site, op, op.x, op.y)


def fuse_group(site: Site, op: Op) -> Change | None:
    """An operator between dequantize and quantize becomes an integer one, where the IR has it."""
    if not isinstance(op, Quantize) or not _is_onnx(op, site) or not site.private(op.x):
        return None
    middle = site.producers.get(op.x)
    tensors: tuple[Tensor, ...] = ()
    fused: Op | None = None
    if isinstance(middle, AveragePool2D | Mean | Softmax):
        x = source(site, middle.x)
        fused = replace(middle, x=x, y=op.y, rounding=op.rounding) if x else None
    elif isinstance(middle, MatMul):
        a, b = source(site, middle.a), source(site, middle.b)
        fused = replace(middle, a=a, b=b, y=op.y, rounding=op.rounding) if a and b else None
    elif middle is not None:
        fused, tensors = integer_weights(site, middle, op) or integer_operand(site, middle, op) or (None, ())
    if fused is None or middle is None:
        return None
    known = {**site.graph.tensors, **{t.name: t for t in tensors}}
    if list(fused.rules(known)):
        return None
    return Change({middle.name: (), op.name: (replace(fused, name=middle.name),)}, tensors)


_REWRITES: tuple[Rewrite, ...] = (
    sink_dequantize,
    raise_quantize,
    drop_clamp,
    fuse_relu,
    requantize,
    drop_same,
    drop_movement,
    merge_reshapes,
    fuse_group,
    fuse_table,
)
