"""streaming: a network over a window of frames becomes one that is given the new frames only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...errors import UserError
from ...ir import Graph, verify
from ...ir.ops.reshape import Reshape
from ..rewrite import remove_dead_ops
from .build import Builder
from .demand import Movement, Schedule, follow, schedule, within_state
from .frames import TimeAxis, count

Axis = int | Literal["time"]

__all__ = [
    "Axis",
    "KeptRows",
    "OpRows",
    "StreamReport",
    "Streamed",
    "axis_of",
    "convert",
    "stream",
    "windows",
]


@dataclass(frozen=True)
class KeptRows:
    """State of one value: `rows` of its `window_rows` rows, `phases` times, in `state_bytes` bytes.

    With one phase the rows that a call adds are counted too: the state is the value, moved in place.
    """

    value: str
    rows: int
    window_rows: int
    phases: int
    state_bytes: int


@dataclass(frozen=True)
class OpRows:
    """What one op with multiply-accumulates computes per call; `whole` says why an op needs all rows."""

    op: str
    rows: int
    window_rows: int
    macs_window: int
    macs_call: int
    whole: str | None = None


@dataclass(frozen=True)
class StreamReport:
    """What streaming saves and costs.

    axis, frames, hop        dimension of the input that is time, frames of the window, frames per call
    macs_window, macs_call   multiply-accumulates of the window's network and of one call
    state_bytes, kept        rows that outlive a call
    ops                      ops with multiply-accumulates
    stops                    (op, reason) of ops that are computed from all rows, in order; what is behind
                             the first is computed whole
    """

    input: str
    axis: int
    frames: int
    hop: int
    macs_window: int
    macs_call: int
    state_bytes: int
    kept: tuple[KeptRows, ...]
    ops: tuple[OpRows, ...]
    stops: tuple[tuple[str, str], ...]

    def text(self) -> str:
        """For people, a few lines."""
        share = 100 * self.macs_call / self.macs_window if self.macs_window else 0.0
        lines = [
            f"streams {self.input!r} along dimension {self.axis}, "
            f"{self.hop} of {self.frames} frames per call",
            f"{self.macs_call} of {self.macs_window} MACs per call ({share:.1f} %), "
            f"{self.state_bytes} bytes of state",
        ]
        for k in self.kept:
            phases = f" of each of {k.phases} calls in turn" if k.phases > 1 else ""
            lines.append(
                f"keeps {k.rows} of {k.window_rows} rows{phases} of {k.value!r}: {k.state_bytes} bytes"
            )
        lines += [f"{op} needs all rows: {reason}" for op, reason in self.stops]
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Streamed:
    """A streamed graph and what is to be said about it."""

    graph: Graph
    report: StreamReport


def stream(graph: Graph, axis: Axis = "time", hop: int = 1) -> Graph:
    """The network over a sliding window as a network with state that is given `hop` new frames per call.

    Requires: a verified graph without state, canonicalized or lowered, with one input.
    Ensures:  after every call the outputs are bit-identical to those of `graph` on the window of the last
              frames, where frames from before the reset are zero (stored: the zero point). Float graphs too,
              as long as kernels add up a sum in one order whatever the number of rows. Fewer MACs per call.
    Raises UserError when there is nothing to save, or the graph does not meet the requirements.
    """
    return convert(graph, axis, hop).graph


def convert(graph: Graph, axis: Axis = "time", hop: int = 1, max_state_bytes: int | None = None) -> Streamed:
    """As `stream`, with the report.

    max_state_bytes   rows are computed again instead of kept until the state fits; None: all that is
                      needed again is kept, which is least computation
    Raises UserError as `stream`, and when no network within `max_state_bytes` is found.
    """
    graph = remove_dead_ops(graph)
    name = _streamed_input(graph)
    time = _time_axis(graph, name, axis)
    _check_hop(graph, name, time, hop)
    movement = follow(graph, name, time, hop)
    plan = schedule(graph, movement)
    report = _report(graph, name, movement, plan, hop)
    _check_saving(graph, report)
    if max_state_bytes is not None and report.state_bytes > max_state_bytes:
        plan = within_state(graph, movement, max_state_bytes)
        least, report = report, _report(graph, name, movement, plan, hop)
        if report.state_bytes > max_state_bytes or report.macs_call >= report.macs_window:
            raise UserError(
                f"{_source(graph)}: no streamed network with {max_state_bytes} bytes of state was found",
                rule="it must compute less than the whole window does",
                found=f"{least.state_bytes} bytes for the fewest multiply-accumulates",
                hint="allow more state, or compile the network without streaming",
                exit_code=1,
            )
    return Streamed(verify(Builder(graph, movement, plan).build()), report)


def axis_of(text: str) -> Axis:
    """The axis a user names: "time" or the number of a dimension. Raises UserError for anything else."""
    if text == "time":
        return "time"
    if not (text.isascii() and text.isdigit()):
        raise UserError(
            "no such axis", found=text, accepted='"time", or the number of a dimension of the input'
        )
    return int(text)


def windows(
    graph: Graph, report: StreamReport, calls: Iterable[Mapping[str, np.ndarray]]
) -> Iterator[dict[str, np.ndarray]]:
    """Inputs of the window's network `graph`, one for each call's inputs of the streamed one, from a reset.

    Other inputs are passed on as they are. For comparing the two networks.
    """
    t = graph[report.input]
    window = np.full(t.shape, t.zero_point, t.dtype.numpy)
    for call in calls:
        window = np.concatenate([window, call[report.input]], axis=report.axis)
        window = np.take(window, range(-t.shape[report.axis], 0), axis=report.axis)
        yield {**call, report.input: window}


def _source(graph: Graph) -> str:
    return graph.source or graph.name


def _streamed_input(graph: Graph) -> str:
    """The only input that frames can arrive at. Raises UserError when there is none."""
    if graph.states:
        raise UserError(
            f"{_source(graph)}: cannot be streamed",
            rule="streaming is for networks over a window, which have no state of their own",
            found=f"state {', '.join(repr(s.name) for s in graph.states)}",
            hint="compile it without --stream-axis: its input is one step already",
        )
    if len(graph.inputs) != 1 or graph.inputs[0] in graph.outputs:
        raise UserError(
            f"{_source(graph)}: cannot be streamed",
            rule="one input, which is no output, is the window of frames",
            found=f"inputs {', '.join(graph.inputs)}; outputs {', '.join(graph.outputs)}",
        )
    return graph.inputs[0]


def _time_axis(graph: Graph, name: str, axis: Axis) -> TimeAxis:
    """Where frames lie in the input; `axis` counts dimensions behind the reshapes that read a flat one."""
    shape = graph[name].shape
    readers = graph.consumers()[name]
    shapes = {op.shape for op in readers if isinstance(op, Reshape)}
    flat = [d for d in range(len(shape)) if shape[d] == graph[name].elements]
    unfolded = (
        shapes.pop() if len(shapes) == 1 and flat and all(isinstance(o, Reshape) for o in readers) else shape
    )
    chosen = next((d for d, n in enumerate(unfolded) if d > 0 and n > 1), None) if axis == "time" else axis
    if chosen is None or not 0 < chosen < len(unfolded) or unfolded[chosen] < 2:
        raise UserError(
            f"{_source(graph)}: input {name!r} has no axis {axis!r} of frames",
            found=f"shape {list(unfolded)}",
            accepted=", ".join(str(d) for d, n in enumerate(unfolded) if d > 0 and n > 1) or "none",
        )
    rows = unfolded[chosen]
    if unfolded == shape:
        return TimeAxis(chosen, 1, rows)
    if any(n > 1 for n in unfolded[:chosen]):
        raise UserError(
            f"{_source(graph)}: frames of input {name!r} are not in one piece",
            rule="the frames of a flat input lie behind one another",
            found=f"{list(shape)} read as {list(unfolded)}, axis {chosen}",
        )
    return TimeAxis(flat[-1], graph[name].elements // rows, rows)


def _check_hop(graph: Graph, name: str, time: TimeAxis, hop: int) -> None:
    if not 0 < hop < time.rows:
        raise UserError(
            f"{_source(graph)}: {hop} new frames per call cannot be streamed",
            rule="a call brings at least one frame and fewer than the window has",
            found=f"input {name!r} has {time.rows} frames",
            accepted=f"1 to {time.rows - 1}",
        )


def _report(graph: Graph, name: str, movement: Movement, plan: Schedule, hop: int) -> StreamReport:
    kept, ops = [], []
    for v, k in plan.kept.items():
        time = movement.tracks[v].time
        size = k.count * time.row_bytes(graph[v])
        kept.append(KeptRows(v, k.count // k.phases, time.rows, k.phases, size))
    for op in graph.ops:
        macs = op.macs(graph.tensors)
        part = movement.flows.get(op.name)
        if macs and part is None:
            reason = movement.stops.get(op.name, "it is behind an op that needs all rows")
            ops.append(OpRows(graph.label(op), 1, 1, macs, macs, reason))
        elif macs and part:
            rows, whole = count(plan.segments[op.name]), part.times[0].rows
            ops.append(OpRows(graph.label(op), rows, whole, macs, macs * rows // whole))
    stops = tuple((graph.label(op), movement.stops[op.name]) for op in graph.ops if op.name in movement.stops)
    time = movement.tracks[name].time
    return StreamReport(
        input=name,
        axis=time.axis,
        frames=time.rows,
        hop=hop,
        macs_window=graph.macs,
        macs_call=plan.macs(graph, movement),
        state_bytes=plan.state_bytes(graph, movement),
        kept=tuple(reversed(kept)),
        ops=tuple(ops),
        stops=stops,
    )


def _check_saving(graph: Graph, report: StreamReport) -> None:
    """Refuse what would compute as much as the window's network, and say what stands in the way."""
    if report.macs_call < report.macs_window:
        return
    first = next(iter(report.stops), None)
    raise UserError(
        f"{_source(graph)}: streaming saves nothing",
        rule="a call must take fewer multiply-accumulates than the whole window",
        found=f"{report.macs_call} MACs per call of {report.hop} frames, {report.macs_window} per window",
        hint=f"{first[0]} needs all rows: {first[1]}" if first else "fewer new frames per call",
        exit_code=1,
    )
