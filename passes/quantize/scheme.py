"""The scheme: which ops compute in integers of which type, and how every value is quantized."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from ...ir import DType, Graph, Op, Quant
from ...ir.ops.read_state import ReadState
from ...ir.ops.write_state import WriteState
from .kinds import FIXED, alike, float_operands, has_integer_form, is_float
from .observers import Observer, Range
from .statistics import Distribution

SMALLEST_SCALE = 2.0**-60
"""Scale of values that are always zero, and least scale of others: far from the ends of float32."""


@dataclass(frozen=True, eq=False)
class Scheme:
    """By op name: precision, the type its activations have (float32, int8 or int16).

    native  by value, the type it is computed in (float32 for graph inputs)
    roots   by value, the group whose members share one quantization
    ranges  by group, the range int8 covers, and the full one for int16
    fixed   by group, the op class that prescribes the quantization
    zero_values   values that were always zero: their scale says nothing
    """

    precision: Mapping[str, DType]
    native: Mapping[str, DType]
    roots: Mapping[str, str]
    ranges: Mapping[str, tuple[Range, Range]]
    fixed: Mapping[str, type[Op]]
    zero_values: tuple[str, ...] = ()

    def quant(self, name: str, dtype: DType) -> Quant:
        """Quantization of a value stored as int8 or int16."""
        root = self.roots[name]
        if root in self.fixed:
            return FIXED[self.fixed[root]][dtype]
        clipped, full = self.ranges[root]
        return symmetric(full) if dtype is DType.INT16 else asymmetric(clipped)


def asymmetric(limits: Range) -> Quant:
    """int8 quantization of a range, widened so that 0 is exact (padding and ReLU need that)."""
    low, high = min(limits[0], 0.0), max(limits[1], 0.0)
    scale = float(np.float32(max((high - low) / 255, SMALLEST_SCALE)))
    return Quant((scale,), (int(np.clip(np.round(-128 - low / scale), -128, 127)),))


def symmetric(limits: Range) -> Quant:
    """int16 quantization of a range; zero point 0, as TensorFlow Lite's 16x8 specification has it."""
    reach = max(abs(limits[0]), abs(limits[1]))
    return Quant((float(np.float32(max(reach / 32767, SMALLEST_SCALE))),), (0,))


class _Groups:
    """Union-find over names; the earlier name leads a group."""

    def __init__(self) -> None:
        self.leader: dict[str, str] = {}

    def find(self, name: str) -> str:
        while (up := self.leader.setdefault(name, name)) != name:
            name = up
        return name

    def join(self, a: str, b: str) -> None:
        a, b = self.find(a), self.find(b)
        self.leader[b] = a


def make_scheme(
    graph: Graph,
    distributions: Mapping[str, Distribution],
    observer: Observer,
    int16_ops: Collection[str] = (),
    float_ops: Collection[str] = (),
) -> Scheme:
    """Decide types, groups and ranges.

    Graph inputs always cover all that was seen: what is clipped there is lost to every layer.
    int16_ops   names of ops that compute with int16 activations
    float_ops   names of ops that stay in float, beside those without an integer form
    """
    precision, native = _precisions(graph, set(int16_ops), set(float_ops))
    groups, fixed = _groups(graph, precision)
    roots = {n: groups.find(n) for n, t in graph.tensors.items() if t.dtype is DType.FLOAT32}
    members: dict[str, list[Range]] = {}
    full: dict[str, list[Range]] = {}
    for name, d in distributions.items():
        whole = (d.low, d.high)
        members.setdefault(roots[name], []).append(whole if name in graph.inputs else observer(d))
        full.setdefault(roots[name], []).append(whole)
    for name in roots:  # constants read as activations count as they are
        data = graph[name].data
        if data is not None and data.size:
            whole = (float(data.min()), float(data.max()))
            members.setdefault(roots[name], []).append(whole)
            full.setdefault(roots[name], []).append(whole)
    ranges = {r: (_union(members[r]), _union(full[r])) for r in members}
    zeros = tuple(n for n, d in distributions.items() if d.low == d.high == 0.0)
    return Scheme(precision, native, roots, ranges, {groups.find(n): k for n, k in fixed.items()}, zeros)


def _union(ranges: list[Range]) -> Range:
    return min(r[0] for r in ranges), max(r[1] for r in ranges)


def _precisions(
    graph: Graph, int16_ops: set[str], float_ops: set[str]
) -> tuple[dict[str, DType], dict[str, DType]]:
    """By op, and by value. Ops that only move data follow the type of what they move.

    Reading and writing a state stays in integers only where all uses of this state can.
    """
    precision: dict[str, DType] = {}
    native: dict[str, DType] = dict.fromkeys(graph.inputs, DType.FLOAT32)
    wanted = _integer_uses(graph, float_ops)
    for op in graph.ops:
        chosen = DType.FLOAT32
        if op.name not in float_ops:
            chosen = _precision(graph, op, native, int16_ops, wanted)
        precision[op.name] = chosen
        for y in op.outputs:
            native[y] = chosen if is_float(graph, y) else graph[y].dtype
    return precision, native


def _integer_uses(graph: Graph, float_ops: set[str]) -> set[str]:
    """Values that an op reads as integers, directly or behind ops that only move them."""
    found: set[str] = set()
    for op in reversed(graph.ops):
        if op.name in float_ops or not has_integer_form(graph, op):
            continue
        if not alike(op) or isinstance(op, WriteState) or not found.isdisjoint(op.outputs):
            found.update(op.inputs)
    return found


def _precision(
    graph: Graph, op: Op, native: Mapping[str, DType], int16_ops: set[str], wanted: set[str]
) -> DType:
    chosen = DType.INT16 if op.name in int16_ops else DType.INT8
    if not has_integer_form(graph, op, chosen):
        chosen = DType.INT8
        if not has_integer_form(graph, op, chosen):
            return DType.FLOAT32
    if isinstance(op, ReadState | WriteState):
        return DType.INT8
    if not alike(op):
        return chosen
    inputs = [native.get(x, DType.INT8) for x in float_operands(graph, op) if x not in graph.inputs]
    computed = [t for t in inputs if t in (DType.INT8, DType.INT16, DType.FLOAT32)]
    moves_inputs = set(op.inputs) <= {*graph.inputs, *(n for n in op.inputs if graph[n].constant)}
    if moves_inputs and wanted and not wanted.intersection(op.outputs):
        return DType.FLOAT32
    if DType.INT8 in computed or not computed:
        return DType.INT8
    return DType.INT16 if DType.INT16 in computed else DType.FLOAT32


def _groups(graph: Graph, precision: Mapping[str, DType]) -> tuple[_Groups, dict[str, type[Op]]]:
    """Who shares a quantization, and which values have theirs prescribed.

    A prescribed value that is one of several inputs stays apart: it is requantized there instead.
    """
    groups, fixed = _Groups(), {}
    for op in graph.ops:
        if precision[op.name] is DType.FLOAT32:
            continue
        if type(op) in FIXED:
            fixed[op.outputs[0]] = type(op)
        if not alike(op):
            continue
        names = [*op.outputs, *([f"state {op.state}"] if isinstance(op, ReadState | WriteState) else [])]
        operands = float_operands(graph, op)
        prescribed = {groups.find(n) for n in fixed}
        if len(operands) == 1:
            names.insert(0, operands[0])
        else:
            names += [x for x in operands if groups.find(x) not in prescribed]
        for other in names[1:]:
            groups.join(names[0], other)
    return groups, fixed
