"""Stable text form of a graph, for `patchloom dump` and golden tests."""

from __future__ import annotations

import hashlib
from dataclasses import fields

from .graph import Graph
from .op import Activation, Op
from .rounding import Rounding
from .types import Quant, State, Tensor
from .window import Window


def _quant(quant: Quant | None) -> str:
    if quant is None:
        return ""
    if quant.per_axis:
        return f" s=[{len(quant.scale)} along {quant.axis}]"
    return f" s={quant.s:.9g} z={quant.z}"


def type_text(t: Tensor | State) -> str:
    """`[1,49,10,1] int8 s=0.58 z=83`"""
    return f"[{','.join(map(str, t.shape))}] {t.dtype.value}{_quant(t.quant)}"


def _attribute(value: object) -> str:
    if isinstance(value, Activation | Rounding):
        return value.value
    if isinstance(value, Window):
        (top, bottom), (left, right) = value.padding
        sizes = (f"{name}={a}x{b}" for name, (a, b) in vars(value).items() if name != "padding")
        return f"{' '.join(sizes)} pad={top},{bottom},{left},{right}"
    return str(value)


def op_text(op: Op) -> str:
    """One op: `%y = conv2d(%x, @w, @b) window=...`"""
    operands = {"name", *op.INPUTS, *op.OUTPUTS}
    values = {f.name: getattr(op, f.name) for f in fields(op) if f.name not in operands}
    attributes = " ".join(
        f"{name}={_attribute(v)}" for name, v in values.items() if v is not Rounding.TFLITE_DOUBLE
    )
    outputs = ", ".join(f"%{y}" for y in op.outputs)
    call = f"{op.kind()}({', '.join(f'%{x}' for x in op.inputs)})"
    return f"{outputs} = {call} {attributes}".strip() if outputs else f"{call} {attributes}".strip()


def to_text(graph: Graph) -> str:
    """The whole graph; constants show the first 12 hex digits of their bytes' SHA-256."""
    lines = [f"graph {graph.name}"]
    lines += [f"  input  %{n}: {type_text(graph[n])}" for n in graph.inputs]
    lines += [f"  state  ${s.name}: {type_text(s)}" for s in graph.states]
    for t in graph.tensors.values():
        if t.data is not None:
            digest = hashlib.sha256(t.data.tobytes()).hexdigest()[:12]
            lines.append(f"  const  %{t.name}: {type_text(t)} sha256={digest}")
    for op in graph.ops:
        lines.append(f"  {op_text(op)}")
        lines += [f"      %{y}: {type_text(graph[y])}" for y in op.outputs]
    lines += [f"  output %{n}" for n in graph.outputs]
    return "\n".join(lines) + "\n"
