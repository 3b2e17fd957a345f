"""Stage views: the loop that runs layers in turn, a few rows of each; and what run() calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..ir import Op
from ..ir.printer import type_text
from ..passes.planner.kernel import SCRATCH, Kernel
from ..passes.planner.stages.reach import COLUMNS, ROWS, Reach
from .layers import Binding, whole_layer, wrapped
from .names import comment_text
from .stage_layers import LayerWriter, RowLayer, used
from .views import (
    FeedView,
    LayerView,
    Parameter,
    StageView,
    TickView,
    arguments,
    declarations,
)


class StageWriter(LayerWriter):
    """Writes one stage: its layer functions, and the loop that runs them in turn."""

    def stage(self, views: Sequence[LayerView], index: int, count: int) -> StageView:
        """The function that runs the layers in turn; `views` are those of `layers`."""
        binding, stage = self._binding, self._stage
        bases = {p.name for layer in self._layers for p in self._buffers(layer)}
        if stage.fed:
            bases.add(self._feed().arena)
        buffers = tuple(p for p in self._parameters if p.name in bases)
        ends = [layer for layer in self._layers if not self._all_used(layer)]
        return StageView(
            symbol=f"{binding.prefix}_stage_{index}",
            banner=self._banner(index, count),
            parameters=declarations(buffers),
            arguments=arguments(buffers),
            counters=tuple(layer.counter for layer in self._layers),
            passes=stage.passes if stage.strips else 0,
            running=" || ".join(f"{layer.counter} < {layer.rows}" for layer in ends),
            ticks=tuple(self._tick(layer, v) for layer, v in zip(self._layers, views, strict=True)),
            feed=self._feed() if stage.fed else None,
        )

    def _feed(self) -> FeedView:
        first = self._layers[0]
        x = self._binding.graph[first.op.inputs[0]]
        arena, counters = self._binding.address(SCRATCH, first.step)
        return FeedView(
            stem=self._binding.extern_names[x.name],
            ctype=x.dtype.ctype,
            rows=first.rows,
            row_elements=x.elements // first.rows,
            counters=f"(int32_t *)(void *)({counters})",
            arena=arena,
        )

    def _all_used(self, layer: RowLayer) -> bool:
        """Whether somebody in the stage needs the last row of a layer, so that it is not the last to end."""
        users = [(u, self._reach(u)[layer.output]) for u in self._layers if layer.output in self._reach(u)]
        return any(reach.end(user.rows - 1) >= layer.rows for user, reach in users)

    def _banner(self, index: int, count: int) -> tuple[str, ...]:
        binding, graph, stage = self._binding, self._binding.graph, self._stage
        numbers = f"{self._layers[0].number} to {self._layers[-1].number}"
        cut = f", in {len(stage.strips)} strips of columns" if stage.strips else ""
        lines = [f"stage {index}/{count}  layers {numbers}, a few rows of each in turn{cut}"]
        for value, rows in stage.rings.items():
            place = binding.plan.places[value]
            height, where = graph[value].shape[ROWS], f"{binding.buffer(place)}+{place.offset}"
            lines.append(
                f'  {rows} of {height} rows  {type_text(graph[value])}  {where}  "{comment_text(value, 40)}"'
            )
        return tuple(lines)

    def _tick(self, layer: RowLayer, view: LayerView) -> TickView:
        conditions = [f"{layer.counter} < {layer.rows}"]
        conditions += self._ready(layer)
        if layer.op.name in self._stage.held:
            conditions.append(self._wanted(layer))
        passed = [self._row(layer) if name == "oy" else name for name in used(view.calls)]
        rows = "1" if layer.unit == 1 else f"pl_left({layer.counter}, {layer.unit}, {layer.rows})"
        return TickView(
            condition=wrapped(f"if ({' && '.join(conditions)}) {{"),
            call=wrapped(f"{view.symbol}({', '.join([view.arguments, *passed])});"),
            number=layer.number,
            done=self._done(layer, rows),
            advance=f"{layer.counter} += {rows};" if layer.unit > 1 else f"{layer.counter}++;",
        )

    def _ready(self, layer: RowLayer) -> list[str]:
        """Conditions that the rows which the next call reads are there."""
        last = self._last(layer)
        return [
            f"{self._maker[x].counter} >= {self._until(reach, last)}"
            if not reach.same or layer.rows > reach.size
            else f"{self._maker[x].counter} > {last}"
            for x, reach in self._reach(layer).items()
            if x in self._maker
        ]

    def _last(self, layer: RowLayer) -> str:
        """The last row of the next call."""
        if layer.unit == 1:
            return layer.counter
        return f"{layer.counter} + pl_left({layer.counter}, {layer.unit}, {layer.rows}) - 1"

    def _until(self, reach: Reach, row: str) -> str:
        """Rows of an input up to the last that `row` needs."""
        if reach.up > 1:
            return f"pl_until_of({row}, {reach.stride}, {reach.up}, {reach.ahead}, {reach.size})"
        return f"pl_until({row}, {reach.stride}, {reach.ahead}, {reach.size})"

    def _wanted(self, layer: RowLayer) -> str:
        """Condition that somebody's next call needs the next row."""
        texts = []
        for user in self._layers:
            reach = self._reach(user).get(layer.output)
            if reach is not None:
                texts.append(
                    f"({user.counter} < {user.rows} &&"
                    f" {layer.counter} < {self._until(reach, self._last(user))})"
                )
        if not self._all_used(layer):  # what is left over is computed when all users are done
            users = [u for u in self._layers if layer.output in self._reach(u)]
            texts.append(f"({' && '.join(f'{u.counter} >= {u.rows}' for u in users)})")
        return f"({' || '.join(texts)})"

    def _done(self, layer: RowLayer, rows: str) -> tuple[str, str]:
        """(address, bytes) of what a call made, for the hook."""
        y = self._binding.graph[layer.output]
        _, base = self._binding.address(layer.output, layer.step)
        if layer.kernels[0].kernel.sums:
            return base, f"{layer.counter} + 1 == {layer.rows} ? {y.size_bytes}u : 0u"
        row = self._slot(layer.output, self._row(layer))
        pixel = y.shape[-1] * y.dtype.itemsize
        address = f"{base} + {row}" if row else base
        columns = [self._stage.columns(y.name, s, y.shape[COLUMNS]) for s in range(self._stage.passes)]
        widths = [(b - a) * pixel for a, b in columns]
        starts = [self._column_offset(layer, y.name, s) for s in range(self._stage.passes)]
        width = _select(widths)
        if len(set(starts)) > 1:
            address += f" + {_select(starts)}"
        return address, f"(size_t)({width})" if rows == "1" else f"(size_t)({rows} * {width})"


def program(
    binding: Binding,
    kernels: Mapping[tuple[str, type[Op]], Kernel],
    parameters: tuple[Parameter, ...],
) -> tuple[tuple[LayerView, ...], tuple[LayerView | StageView, ...]]:
    """(all layer functions, what run() calls in order); steps made free by the plan have no function."""
    plan, ops = binding.plan, {op.name: op for op in binding.graph.ops}
    starts = {s.ops[0]: s for s in plan.stages}
    layers: list[LayerView] = []
    runs: list[LayerView | StageView] = []
    at = 0
    while at < len(plan.steps):
        step = plan.steps[at]
        stage = starts.get(step.op)
        if stage is None:
            layer = whole_layer(binding, ops[step.op], at + 1, step, kernels, parameters)
            if layer.calls:
                layers.append(layer)
                runs.append(layer)
            at += 1
            continue
        steps = plan.steps[at : at + len(stage.ops)]
        writer = StageWriter(binding, stage, steps, at + 1, kernels, parameters)
        views = writer.layers(len(plan.steps))
        layers += views
        runs.append(writer.stage(views, plan.stages.index(stage) + 1, len(plan.stages)))
        at += len(stage.ops)
    return tuple(layers), tuple(runs)


def _select(values: Sequence[int]) -> str:
    """A C expression of the strip's value."""
    if len(set(values)) == 1:
        return str(values[0])
    text = str(values[-1])
    for i in reversed(range(len(values) - 1)):
        text = f"strip == {i} ? {values[i]} : {text}"
    return f"({text})"
