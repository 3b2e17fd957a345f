"""Layer functions of stages: they compute a few rows per call."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..ir import Op
from ..passes.planner.kernel import SCRATCH, Call, Kernel, Pointer
from ..passes.planner.stages.pieces import RowKernel, staged_kernels
from ..passes.planner.stages.reach import COLUMNS, ROWS, Reach, reaches, steps
from ..passes.planner.types import Stage, Step
from .constants import number
from .layers import Binding, field_text, first_row, layer_banner, pad_text, wrapped
from .names import comment_text, identifier
from .views import (
    CallView,
    LayerView,
    OutputView,
    Parameter,
    arguments,
    declarations,
)


@dataclass(frozen=True, eq=False)
class RowLayer:
    """One op of a stage: its kernel for each strip, and the steps it takes."""

    op: Op
    step: Step
    number: int
    kernels: tuple[RowKernel, ...]
    rows: int

    @property
    def unit(self) -> int:
        return self.kernels[0].unit

    @property
    def counter(self) -> str:
        return f"y{self.number:02}"

    @property
    def output(self) -> str:
        return self.op.outputs[0]


class LayerWriter:
    """Writes the layer functions of one stage; `first` is the number of its first layer."""

    def __init__(
        self,
        binding: Binding,
        stage: Stage,
        steps: Sequence[Step],
        first: int,
        kernels: Mapping[tuple[str, type[Op]], Kernel],
        parameters: tuple[Parameter, ...],
    ) -> None:
        self._binding, self._stage, self._parameters = binding, stage, parameters
        ops = {op.name: op for op in binding.graph.ops}
        self._layers = tuple(
            self._describe(ops[s.op], s, first + i, kernels[s.kernel, type(ops[s.op])])
            for i, s in enumerate(steps)
        )
        self._maker = {layer.output: layer for layer in self._layers}

    def _describe(self, op: Op, step: Step, number: int, kernel: Kernel) -> RowLayer:
        tensors = self._binding.graph.tensors
        kernels = staged_kernels(kernel, op, tensors, self._stage)
        assert kernels, f"{kernel.name} cannot run {op.name!r} row by row"
        return RowLayer(op, step, number, kernels, steps(op, tensors))

    # --- layer functions -------------------------------------------------------------------------

    def layers(self, total: int) -> list[LayerView]:
        """One function per op: it computes the rows from `oy` on that one call of its kernel makes."""
        return [self._layer(layer, total) for layer in self._layers]

    def _layer(self, layer: RowLayer, total: int) -> LayerView:
        binding, op = self._binding, layer.op
        by_strip = [kernel.calls() for kernel in layer.kernels]
        pairs = [self._call(layer, calls) for calls in zip(*by_strip, strict=True)]
        buffers = self._buffers(layer)
        told = used(pairs)
        upwards = layer.unit if self._stage.upwards else 0
        y = binding.graph[layer.output]
        width = y.shape[COLUMNS] if len(y.shape) == 4 else 1
        strips = [self._stage.columns(y.name, s, width) for s in range(self._stage.passes)]
        return LayerView(
            number=layer.number,
            symbol=f"{binding.prefix}_layer_{layer.number:02}_{identifier(op.name, op.kind(), 32)}",
            banner=layer_banner(binding, op, layer.step, layer.number, total, self._stage),
            parameters=", ".join([declarations(buffers), *(f"int32_t {name}" for name in told)]),
            arguments=arguments(buffers),
            calls=tuple(pairs),
            outputs=(OutputView("", y.size_bytes, y.name, layer.rows, tuple(strips), upwards),),
            in_stage=True,
        )

    def _buffers(self, layer: RowLayer) -> tuple[Parameter, ...]:
        bases = {
            self._binding.address(p.value, layer.step)[0]
            for kernel in layer.kernels
            for call in kernel.calls()
            for p in call.pointers
        }
        return tuple(p for p in self._parameters if p.name in bases)

    def _call(self, layer: RowLayer, calls: Sequence[Call]) -> CallView:
        """One call of the kernel; what differs between strips comes from tables."""
        first = calls[0]
        tables: dict[str, tuple[int, ...]] = {}
        lines: list[str] = []
        for i, pointer in enumerate(first.pointers):
            lines += self._pointer(layer, pointer, [c.pointers[i] for c in calls], tables)
        args: list[str] = []
        for i, arg in enumerate(first.args):
            values = [c.args[i] for c in calls]
            if len(set(values)) > 1:
                tables[f"n{i}"] = tuple(int(v) for v in values)
                args.append(f"n{i}[strip]")
            else:
                args.append(number(arg, "float") if isinstance(arg, float) else str(arg))
        structs = self._structs(layer, calls)
        if len(structs) > 1:
            args = ["&p[strip]" if a == "&p" else a for a in args]
        loop = first.rows
        return CallView(
            pointers=tuple(lines),
            struct_type=first.struct.ctype if first.struct else "",
            structs=structs,
            tables=tuple(tables.items()),
            taps=loop.taps if loop else 0,
            out_rows=0,
            row_step="",
            rows=self._rows(layer, calls) if loop else (),
            call=wrapped(f"{first.function}({', '.join(args)});"),
        )

    def _structs(self, layer: RowLayer, calls: Sequence[Call]) -> tuple[tuple[tuple[str, str], ...], ...]:
        found = []
        for call in calls:
            if call.struct:
                label = comment_text(layer.op.name)
                texts = [
                    (n, field_text(self._binding, layer.number, label, f)) for n, f in call.struct.fields
                ]
                found.append(tuple(texts))
        return tuple(found[:1]) if len(set(found)) == 1 else tuple(found)

    def _pointer(
        self,
        layer: RowLayer,
        pointer: Pointer,
        all_strips: Sequence[Pointer],
        tables: dict[str, tuple[int, ...]],
    ) -> list[str]:
        """Lines of a pointer variable: to the row of this call; with row pointers to the first row."""
        binding = self._binding
        offsets = [p.offset + self._column_offset(layer, p.value, s) for s, p in enumerate(all_strips)]
        terms: list[str] = []
        if len(set(offsets)) > 1:
            tables[f"{pointer.name}_at"] = tuple(offsets)
            terms.append(f"{pointer.name}_at[strip]")
            offsets = [0]
        row = self._row_term(layer, pointer)
        if row:
            terms.append(row)
        _, address = binding.address(pointer.value, layer.step, offsets[0])
        const = "" if pointer.writable else "const "
        if terms and not address.startswith(("arena", "state")):  # rows are counted in bytes
            address = f"((const uint8_t *)(const void *){address})"
        text = " + ".join([address, *terms])
        definition = (
            f"{const}{pointer.ctype} *{pointer.name} = ({const}{pointer.ctype} *)({const}void *)({text});"
        )
        return list(wrapped(definition))

    def _column_offset(self, layer: RowLayer, value: str, s: int) -> int:
        """Bytes from the start of a row in memory to the first column that a strip needs or makes."""
        graph = self._binding.graph
        if value == SCRATCH or not self._stage.strips or graph[value].constant:
            return 0
        pixel = graph[value].shape[-1] * graph[value].dtype.itemsize
        held_from = self._stage.strips[s][value][0] if value in self._stage.rings else 0
        if value == layer.output:
            start = self._stage.strips[s][value][0]
        elif value in layer.kernels[s].piece.starts:
            start = layer.kernels[s].piece.starts[value]
        else:
            start = held_from
        return (start - held_from) * pixel

    def _row_bytes(self, value: str) -> int:
        """Distance of rows in memory."""
        t = self._binding.graph[value]
        width = t.shape[COLUMNS]
        if value in self._stage.rings:
            width = self._stage.pitch(value, width)
        return width * t.shape[-1] * t.dtype.itemsize

    def _row_term(self, layer: RowLayer, pointer: Pointer) -> str:
        """The row's distance from the start of its buffer, "" where there is none."""
        found = self._reach(layer)
        if pointer.value == layer.output:
            if layer.kernels[0].kernel.sums:
                return ""
            return self._slot(pointer.value, "oy")
        if self._is_fed(layer) and pointer.value == layer.op.inputs[0]:
            return ""  # the parameter is the row
        if pointer.value not in found or any(c.rows for c in layer.kernels[0].calls()):
            return ""
        return self._slot(pointer.value, "oy")

    def _is_fed(self, layer: RowLayer) -> bool:
        """Whether the layer takes rows from the caller."""
        return self._stage.fed and layer is self._layers[0]

    def _row(self, layer: RowLayer) -> str:
        """The first row of the layer's next call."""
        if self._stage.upwards:
            return f"{layer.rows - layer.unit} - {layer.counter}"
        return layer.counter

    def _slot(self, value: str, row: str) -> str:
        ring = self._stage.rings.get(value)
        if ring == 1:
            return ""
        slot = f"pl_slot({row}, {ring})" if ring else row if row.isidentifier() else f"({row})"
        return f"(ptrdiff_t){slot} * {self._row_bytes(value)}"

    def _reach(self, layer: RowLayer) -> Mapping[str, Reach]:
        """What a layer needs of its inputs, rows counted in the order in which they are computed."""
        found = reaches(layer.op, self._binding.graph.tensors, ROWS)
        assert found is not None
        if self._stage.upwards:
            return {x: reach.mirrored(layer.rows) for x, reach in found.items()}
        return found

    def _rows(self, layer: RowLayer, calls: Sequence[Call]) -> tuple[str, ...]:
        """Lines that set up the row pointers; padded rows are those of the widest strip."""
        rows = calls[0].rows
        assert rows is not None
        x = next(p for p in calls[0].pointers if p.name == "x")
        first = first_row(rows)
        if len(self._structs(layer, calls)) > 1:
            first = re.sub(r"\bp\.", "p[strip].", first)
        pads = [c.rows.pad for c in calls if c.rows and c.rows.pad]
        pad = pad_text(self._binding, max(pads, key=lambda p: p.count, default=None))
        ring = self._stage.rings.get(x.value)
        function = "pl_ring_rows" if ring else "pl_rows"
        height = self._binding.graph[x.value].shape[ROWS]
        numbers = f"{first}, {rows.dilation}, {height}, {pad}{f', {ring}' if ring else ''}"
        text = f"{function}(rows, {rows.taps}, x, {self._row_bytes(x.value)}, {numbers});"
        left = f"const int32_t n = pl_left(oy, {rows.block}, {layer.rows});"
        return (*((left,) if "n" in calls[0].args else ()), *wrapped(text))


def used(calls: Sequence[CallView]) -> list[str]:
    """Which of row and strip a layer function has to be told."""
    text = " ".join(line for c in calls for line in (*c.pointers, *c.rows, *c.call))
    return [name for name in ("oy", "strip") if re.search(rf"\b{name}\b", text)]
