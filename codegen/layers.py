"""Layer views: one C function per step of the plan."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..ir import Graph, Op
from ..ir.printer import type_text
from ..passes.planner.kernel import SCRATCH, STATE_PREFIX, Call, Const, Field, Fill, Kernel, Pointer, RowLoop
from ..passes.planner.types import Place, Plan, Stage, Step
from .constants import ConstantPool, number
from .names import comment_text, identifier
from .views import CallView, LayerView, OutputView, Parameter, arguments, declarations

_WIDTH = 96


@dataclass(frozen=True, eq=False)
class Binding:
    """Where names lead in C: `extern_names` maps extern graph inputs to parameter names, `arena_names` the
    memories that the plan names to those of arenas."""

    graph: Graph
    plan: Plan
    pool: ConstantPool
    prefix: str
    extern_names: Mapping[str, str]
    arena_names: Mapping[str, str] = field(default_factory=lambda: {"": "arena"})

    def place(self, value: str, step: Step) -> Place:
        """Place of a value, of a state (`STATE_PREFIX` + name) or of the step's scratch."""
        if value == SCRATCH:
            assert step.scratch is not None
            return step.scratch
        if value.startswith(STATE_PREFIX):
            return Place("state", self.plan.states[value.removeprefix(STATE_PREFIX)])
        if self.graph[value].constant:
            return Place("const", 0, value)
        return self.plan.places[value]

    def constant(self, value: str) -> str:
        """Symbol of a constant tensor."""
        t = self.graph[value]
        assert t.data is not None
        return self.pool.add(Const(value, t.data.reshape(-1)), f"c_{identifier(value)}", comment_text(value))

    def buffer(self, place: Place) -> str:
        """The buffer of a place, by the name of its parameter where run() has one for it."""
        return self.arena_names[place.owner] if place.region == "arena" else place.region

    def address(self, value: str, step: Step, offset: int = 0) -> tuple[str, str]:
        """(name of the buffer, C expression of an object pointer) of a value plus `offset` bytes."""
        place = self.place(value, step)
        offset += place.offset
        if place.region in ("arena", "state"):
            name = self.buffer(place)
            return name, f"{name} + {offset}"
        base = self.constant(value) if place.region == "const" else self.extern_names[place.owner]
        return base, f"(const uint8_t *)(const void *){base} + {offset}" if offset else base


def wrapped(text: str) -> tuple[str, ...]:
    """Lines of C text, broken at spaces."""
    return tuple(
        textwrap.wrap(text, _WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    )


def _pointer(binding: Binding, step: Step, p: Pointer) -> tuple[str, tuple[str, ...]]:
    """(buffer it points into, lines of its definition)."""
    base, expression = binding.address(p.value, step, p.offset)
    const = "" if p.writable else "const "
    definition = f"{const}{p.ctype} *{p.name} = ({const}{p.ctype} *)({const}void *)({expression});"
    return base, wrapped(definition)


def field_text(binding: Binding, layer: int, label: str, field: Field) -> str:
    """C expression of a field of a parameter block."""
    if isinstance(field, Const):
        return binding.pool.add(field, f"w{layer:02}_{identifier(field.name)}", f"{field.name} of {label}")
    if isinstance(field, Fill):
        return binding.pool.add_fill(field)
    if isinstance(field, float):
        return number(field, "float")
    return field if isinstance(field, str) else number(field, "int32_t")


def pad_text(binding: Binding, pad: Fill | None) -> str:
    """C expression of a padded row."""
    return binding.pool.add_fill(pad) if pad else "NULL"


def first_row(rows: RowLoop) -> str:
    """C expression of the first input row of output row `oy`."""
    if rows.first:
        return rows.first
    first = "oy" if rows.stride == 1 else f"oy * {rows.stride}"
    return f"{first} - {rows.pad_top}" if rows.pad_top else first


def _rows(binding: Binding, rows: RowLoop, itemsize: int, told: bool) -> tuple[str, ...]:
    """The lines that set up the row pointers of output row `oy`, and (told) how many rows are left from
    there."""
    first = first_row(rows)
    pad = pad_text(binding, rows.pad)
    pitch_bytes = rows.pitch * itemsize
    call = f"pl_rows(rows, {rows.taps}, x, {pitch_bytes}, {first}, {rows.dilation}, {rows.height}, {pad});"
    left = f"{rows.out_rows} - oy < {rows.block} ? {rows.out_rows} - oy : {rows.block}"
    return (*((f"const int32_t n = {left};",) if told else ()), *wrapped(call))


def _call(binding: Binding, step: Step, layer: int, label: str, call: Call) -> tuple[set[str], CallView]:
    pairs = [_pointer(binding, step, p) for p in call.pointers]
    struct, loop = call.struct, call.rows
    fields = tuple((n, field_text(binding, layer, label, f)) for n, f in struct.fields) if struct else ()
    args = [number(a, "float") if isinstance(a, float) else str(a) for a in call.args]
    rows: tuple[str, ...] = ()
    if loop:
        x = next(p for p in call.pointers if p.name == "x")
        rows = _rows(binding, loop, binding.graph[x.value].dtype.itemsize, "n" in call.args)
        args = [f"y + (ptrdiff_t)oy * {loop.out_pitch}" if a == "y" else a for a in args]
    view = CallView(
        pointers=tuple(line for _, lines in pairs for line in lines),
        struct_type=struct.ctype if struct else "",
        structs=(fields,) if struct else (),
        taps=loop.taps if loop else 0,
        out_rows=loop.out_rows if loop else 0,
        row_step="oy++" if not loop or loop.block == 1 else f"oy += {loop.block}",
        rows=rows,
        call=wrapped(f"{call.function}({', '.join(args)});"),
    )
    return {base for base, _ in pairs}, view


def _is_free(binding: Binding, step: Step, call: Call) -> bool:
    """A copy whose source and destination are the same place."""
    if not call.copy:
        return False
    x, y = (next(p for p in call.pointers if p.name == n) for n in "xy")
    a, b = binding.place(x.value, step), binding.place(y.value, step)
    same_buffer = a.region == b.region and (a.region == "state" or a.owner == b.owner)
    return same_buffer and a.region != "const" and a.offset + x.offset == b.offset + y.offset


def layer_banner(
    binding: Binding, op: Op, step: Step, layer: int, total: int, stage: Stage | None = None
) -> tuple[str, ...]:
    """Lines that say what a layer reads and makes where, and at what cost."""
    graph = binding.graph
    title = f'layer {layer}/{total}  {op.kind()} "{comment_text(op.name)}"'
    lines = [title, f"  from {comment_text(graph.label(op))}"]
    for name in (*op.inputs, *op.outputs):
        if not graph[name].constant:
            place = binding.place(name, step)
            role = "y" if name in op.outputs else "x"
            ring = f", ring of {stage.rings[name]} rows" if stage and name in stage.rings else ""
            where = f"{type_text(graph[name])}  {binding.buffer(place)}+{place.offset}{ring}"
            lines.append(f'  {role}  {where}  "{comment_text(name, 40)}"')
    read = sum(graph[x].size_bytes for x in op.inputs)
    written = sum(graph[y].size_bytes for y in op.outputs)
    lines.append(f"  {op.macs(graph.tensors)} MAC, {read} B read, {written} B written; kernel {step.kernel}")
    return tuple(lines)


def whole_layer(
    binding: Binding,
    op: Op,
    layer: int,
    step: Step,
    kernels: Mapping[tuple[str, type[Op]], Kernel],
    parameters: tuple[Parameter, ...],
) -> LayerView:
    """The function that runs a whole op; without calls where the plan left nothing to do.

    parameters   all buffers in the order in which `run` passes them
    """
    graph = binding.graph
    calls = [
        _call(binding, step, layer, comment_text(op.name), call)
        for call in kernels[step.kernel, type(op)].emit(op, graph.tensors)
        if not _is_free(binding, step, call)
    ]
    bases = {base for used, _ in calls for base in used}
    buffers = tuple(p for p in parameters if p.name in bases)
    return LayerView(
        number=layer,
        symbol=f"{binding.prefix}_layer_{layer:02}_{identifier(op.name, op.kind(), 32)}",
        banner=layer_banner(binding, op, step, layer, len(binding.plan.steps)),
        parameters=declarations(buffers),
        arguments=arguments(buffers),
        calls=tuple(view for _, view in calls),
        outputs=tuple(OutputView(binding.address(y, step)[1], graph[y].size_bytes, y) for y in op.outputs),
    )
