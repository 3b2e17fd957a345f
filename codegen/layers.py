"""Layer views: one C function per step of the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..ir import Graph, Op
from ..ir.printer import type_text
from ..passes.planner.kernel import SCRATCH, STATE_PREFIX, Call, Const, Field, Fill, Kernel, Pointer, RowLoop
from ..passes.planner.types import Place, Plan, Step
from .constants import ConstantPool, number
from .names import comment_text, identifier
from .views import CallView, LayerView, PointerView, RowsView


@dataclass(frozen=True, eq=False)
class Binding:
    """Where names lead in C: `extern_names` maps extern graph inputs to parameter names."""

    graph: Graph
    plan: Plan
    pool: ConstantPool
    prefix: str
    extern_names: Mapping[str, str]

    def place(self, value: str, step: Step) -> Place:
        """Place of a value, of a state (`STATE_PREFIX` + name) or of the step's scratch."""
        if value == SCRATCH:
            assert step.scratch is not None
            return step.scratch
        if value.startswith(STATE_PREFIX):
            return Place("state", self.plan.states[value.removeprefix(STATE_PREFIX)])
        if self.graph[value].constant:
            return Place("const", 0)
        return self.plan.places[value]

    def constant(self, value: str) -> str:
        """Symbol of a constant tensor."""
        t = self.graph[value]
        assert t.data is not None
        return self.pool.add(Const(value, t.data.reshape(-1)), f"c_{identifier(value)}", comment_text(value))

    def address(self, value: str, step: Step, offset: int = 0) -> tuple[str, str]:
        """(base buffer's name, C expression of type byte pointer) of a value plus `offset` bytes."""
        place = self.place(value, step)
        if place.region == "const":
            base = self.constant(value)
        elif place.region == "input":
            base = self.extern_names[value]
        else:
            return place.region, f"{place.region} + {place.offset + offset}"
        if offset:
            return base, f"(const uint8_t *)(const void *){base} + {offset}"
        return base, base


def _pointer(binding: Binding, step: Step, p: Pointer) -> tuple[str, PointerView]:
    base, expression = binding.address(p.value, step, p.offset)
    const, void = ("", "void") if p.writable else ("const ", "const void")
    view = PointerView(f"{const}{p.ctype} *{p.name}", f"({const}{p.ctype} *)({void} *)({expression})")
    return base, view


def _field(binding: Binding, layer: int, label: str, field: Field, ctype_hint: str = "") -> str:
    if isinstance(field, Const):
        return binding.pool.add(field, f"w{layer:02}_{identifier(field.name)}", f"{field.name} of {label}")
    if isinstance(field, Fill):
        return binding.pool.add_fill(field)
    if isinstance(field, float):
        return number(field, "float")
    return field if isinstance(field, str) else number(field, "int32_t")


def _rows(binding: Binding, rows: RowLoop, itemsize: int) -> RowsView:
    first = "oy" if rows.stride == 1 else f"oy * {rows.stride}"
    if rows.pad_top:
        first += f" - {rows.pad_top}"
    return RowsView(
        taps=rows.taps,
        x="x",
        pitch_bytes=rows.pitch * itemsize,
        first=first,
        dilation=rows.dilation,
        height=rows.height,
        pad=binding.pool.add_fill(rows.pad) if rows.pad else "NULL",
        out_rows=rows.out_rows,
    )


def _call(binding: Binding, step: Step, layer: int, label: str, call: Call) -> tuple[set[str], CallView]:
    pairs = [_pointer(binding, step, p) for p in call.pointers]
    struct = call.struct
    fields = tuple((n, _field(binding, layer, label, f)) for n, f in struct.fields) if struct else ()
    rows = None
    args = [number(a, "float") if isinstance(a, float) else str(a) for a in call.args]
    if call.rows:
        x = next(p for p in call.pointers if p.name == "x")
        rows = _rows(binding, call.rows, binding.graph[x.value].dtype.itemsize)
        args = [f"y + (ptrdiff_t)oy * {call.rows.out_pitch}" if a == "y" else a for a in args]
    view = CallView(
        pointers=tuple(v for _, v in pairs),
        struct_type=struct.ctype if struct else "",
        struct_fields=fields,
        rows=rows,
        call=f"{call.function}({', '.join(args)})",
    )
    return {base for base, _ in pairs}, view


def _is_free(binding: Binding, step: Step, call: Call) -> bool:
    """A copy whose source and destination are the same place."""
    if not call.copy:
        return False
    x, y = (next(p for p in call.pointers if p.name == n) for n in "xy")
    px, py = binding.place(x.value, step), binding.place(y.value, step)
    return px.region == py.region and px.region != "const" and px.offset + x.offset == py.offset + y.offset


def _banner(binding: Binding, op: Op, step: Step, number_: int, total: int) -> tuple[str, ...]:
    graph = binding.graph
    lines = [
        f'layer {number_}/{total}  {op.kind()} "{comment_text(op.name)}"  ({comment_text(graph.label(op))})'
    ]
    for name in (*op.inputs, *op.outputs):
        t = graph[name]
        if t.constant:
            continue
        place = binding.place(name, step)
        role = "y" if name in op.outputs else "x"
        lines.append(f'  {role}  {type_text(t)}  {place.region}+{place.offset}  "{comment_text(name)}"')
    read = sum(graph[x].size_bytes for x in op.inputs)
    written = sum(graph[y].size_bytes for y in op.outputs)
    lines.append(f"  {op.macs(graph.tensors)} MAC, {read} B read, {written} B written; kernel {step.kernel}")
    return tuple(lines)


def layer_views(
    binding: Binding, kernels: Mapping[tuple[str, type[Op]], Kernel], run_order: tuple[str, ...]
) -> tuple[LayerView, ...]:
    """One view per step that has work to do; steps made free by the plan have no function.

    run_order   names of all possible buffers in the order in which `run` passes them
    """
    graph = binding.graph
    ops = {op.name: op for op in graph.ops}
    total = len(binding.plan.steps)
    result = []
    for n, step in enumerate(binding.plan.steps, 1):
        op = ops[step.op]
        calls = kernels[step.kernel, type(op)].emit(op, graph.tensors)
        views, bases = [], set()
        for call in calls:
            if not _is_free(binding, step, call):
                used, view = _call(binding, step, n, comment_text(op.name), call)
                bases |= used
                views.append(view)
        if not views:
            continue
        buffers = [b for b in run_order if b.split(" ")[-1].lstrip("*") in bases]
        result.append(
            LayerView(
                number=n,
                symbol=f"{binding.prefix}_layer_{n:02}_{identifier(op.name, op.kind(), 32)}",
                banner=_banner(binding, op, step, n, total),
                parameters=", ".join(buffers),
                arguments=", ".join(b.split(" ")[-1].lstrip("*") for b in buffers),
                calls=tuple(views),
                outputs=tuple((binding.address(y, step)[1], graph[y].size_bytes, y) for y in op.outputs),
            )
        )
    return tuple(result)
