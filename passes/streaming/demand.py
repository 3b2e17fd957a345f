"""What a call computes and what outlives it: forward how rows move, backward who needs which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...ir import Graph
from .flows import Flow, NeedsWhole, flow
from .frames import Rows, TimeAxis, Track, count, union, within, without


@dataclass(frozen=True, eq=False)
class Movement:
    """How rows move through the graph, whatever is kept.

    tracks  values of which some rows move with time; all others change as a whole
    flows   ops that work row by row, by name
    stops   ops that read tracked values and need them whole, or whose results do not move, with the reason
    """

    tracks: Mapping[str, Track]
    flows: Mapping[str, Flow]
    stops: Mapping[str, str]


@dataclass(frozen=True)
class Kept:
    """Rows of one value that outlive a call.

    rows      of the value in this call, those that older calls left: [first, end)
    shift     rows by which the value moves in `phases` calls
    """

    rows: Rows
    shift: int
    phases: int

    @property
    def in_place(self) -> bool:
        """Whether the state also holds the rows this call adds, so that it is the value, moved in place.

        Otherwise old and new rows are put together elsewhere: where calls take turns, and where most rows
        are new.
        """
        return self.phases == 1 and self.rows[1] - self.rows[0] >= self.shift

    @property
    def count(self) -> int:
        """Rows of state, all phases together."""
        rows = self.rows[1] - self.rows[0]
        return rows + self.shift if self.in_place else rows * self.phases

    @property
    def next_rows(self) -> Rows:
        """Rows of this call that will be `rows` after `phases` more calls."""
        return self.rows[0] + self.shift, self.rows[1] + self.shift


@dataclass(frozen=True, eq=False)
class Schedule:
    """What one call computes.

    kept       by value, the input included
    requests   ranges of rows that ops and outputs read, by value
    segments   ranges of rows each row-by-row op computes, by op name; ops without any are not needed
    """

    kept: Mapping[str, Kept]
    requests: Mapping[str, tuple[Rows, ...]]
    segments: Mapping[str, tuple[Rows, ...]]

    def state_bytes(self, graph: Graph, movement: Movement) -> int:
        return sum(k.count * movement.tracks[v].time.row_bytes(graph[v]) for v, k in self.kept.items())

    def macs(self, graph: Graph, movement: Movement) -> int:
        """Multiply-accumulates of one call."""
        total = 0
        for op in graph.ops:
            part = movement.flows.get(op.name)
            macs = op.macs(graph.tensors)
            total += macs if part is None else macs * count(self.segments[op.name]) // part.times[0].rows
        return total


def follow(graph: Graph, name: str, time: TimeAxis, hop: int) -> Movement:
    """How rows move when the window on input `name` goes on by `hop` frames per call."""
    tracks = {name: Track(time, (0, time.rows), 1, hop)}
    flows: dict[str, Flow] = {}
    stops: dict[str, str] = {}
    for op in graph.ops:
        read = [x for x in dict.fromkeys(op.inputs) if x in tracks]
        if not read:
            continue
        try:
            found = flow(op, graph.tensors, {x: tracks[x].time for x in read})
            moved = _moved([tracks[x] for x in read], found)
        except NeedsWhole as e:
            stops[op.name] = str(e)
            continue
        flows[op.name] = found
        tracks |= dict(zip(op.outputs, moved, strict=True))
    return Movement(tracks, flows, stops)


def _moved(operands: list[Track], found: Flow) -> list[Track]:
    track: Track | None = operands[0]
    for other in operands[1:]:
        assert track
        track = track.meet(other)
        if track is None:
            raise NeedsWhole("its operands have no frames that move alike")
    assert track
    tracks = [track.behind(found.taps, time) for time in found.times]
    moved = [t for t in tracks if t is not None]
    if len(moved) < len(tracks):
        raise NeedsWhole("every row of its result sees the padding around the window")
    return moved


def schedule(graph: Graph, movement: Movement, forgotten: Iterable[str] = ()) -> Schedule:
    """Least computation: every row that is needed again is kept, but those of values in `forgotten`."""
    never = frozenset(forgotten)
    requests: dict[str, list[Rows]] = {v: [] for v in movement.tracks}
    kept: dict[str, Kept] = {}
    segments: dict[str, tuple[Rows, ...]] = {}
    for v in graph.outputs:
        if v in movement.tracks:
            requests[v].append((0, movement.tracks[v].time.rows))
    for op in reversed(graph.ops):
        part = movement.flows.get(op.name)
        if part is not None:
            computed: list[Rows] = []
            for y in op.outputs:
                found, rest = _decide(movement.tracks[y], requests[y], y not in never)
                kept |= {y: found} if found else {}
                computed += rest
            segments[op.name] = union(computed)
        for x in dict.fromkeys(op.inputs):
            if x in movement.tracks:
                whole = (0, movement.tracks[x].time.rows)
                reads = [whole] if part is None else [part.taps.reads(s) for s in segments[op.name]]
                requests[x] += [r for r in (_clip(r, whole) for r in reads) if r]
    for x in graph.inputs:
        if x in movement.tracks and (found := _input_kept(movement.tracks[x], requests[x])):
            kept[x] = found
    return Schedule(kept, {v: tuple(dict.fromkeys(r)) for v, r in requests.items()}, segments)


def _clip(rows: Rows, whole: Rows) -> Rows | None:
    """The rows that exist; None when all are padding."""
    first, end = max(rows[0], whole[0]), min(rows[1], whole[1])
    return (first, end) if first < end else None


def _decide(track: Track, wanted: Iterable[Rows], may_keep: bool) -> tuple[Kept | None, tuple[Rows, ...]]:
    """What is kept of a value so that `wanted` is there, and the ranges to compute each call."""
    wanted = union(wanted)
    moving = within(wanted, track.stable)
    if not may_keep or not moving:
        return None, wanted
    first, end = moving[0][0], moving[-1][1]
    old = (first, end - track.shift)
    if not within(moving, old):
        return None, wanted
    return Kept(old, track.shift, track.phases), union((*without(wanted, old), (old[1], end)))


def _input_kept(track: Track, wanted: Iterable[Rows]) -> Kept | None:
    """Frames of older calls that are wanted: what arrives is the newest `shift` frames only."""
    first = min((r[0] for r in wanted), default=track.time.rows)
    old = (first, track.time.rows - track.shift)
    return Kept(old, track.shift, 1) if old[0] < old[1] else None


def within_state(graph: Graph, movement: Movement, limit_bytes: int) -> Schedule:
    """The cheapest schedule found whose state has at most `limit_bytes`; if none was, one with little state.

    Greedy: while there is too much state, the value is given up that costs the fewest MACs per byte; then
    values are kept again, the one that saves most MACs first, as long as they fit.
    """
    now = schedule(graph, movement)
    values = now.kept.keys() - set(graph.inputs)
    keep = set(values)

    def only(chosen: set[str]) -> Schedule:
        return schedule(graph, movement, movement.tracks.keys() - chosen)

    while (size := now.state_bytes(graph, movement)) > limit_bytes:
        less: list[tuple[float, str, Schedule]] = []
        for v in keep:
            other = only(keep - {v})
            if (saved := size - other.state_bytes(graph, movement)) > 0:
                less.append(((other.macs(graph, movement) - now.macs(graph, movement)) / saved, v, other))
        if not less:
            return now
        _, v, now = min(less, key=lambda f: f[:2])
        keep.remove(v)
    while True:
        tried = {v: only(keep | {v}) for v in values - keep}
        fits = {v: s for v, s in tried.items() if s.state_bytes(graph, movement) <= limit_bytes}
        more = [(s.macs(graph, movement), v) for v, s in fits.items()]
        if not more or min(more)[0] >= now.macs(graph, movement):
            return now
        v = min(more)[1]
        now, keep = fits[v], keep | {v}
