"""Execution of a stage row by row, replayed: what must be kept how long, and what may overlap.

A stage runs in ticks. In each tick every op, in order, computes one unit of rows if the rows it needs are
there and somebody waits for what it makes. This is the order in which the generated C runs. The first op of
a fed stage takes rows from the caller: it gets the next one when no other op can do anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import lcm

import numpy as np

from .reach import Reach

_NEVER = 1 << 30


@dataclass(frozen=True)
class Flow:
    """One op of a stage.

    inputs   reach of each input that is taken row by row
    output   the value it makes
    rows     steps until it is done; `unit` of them at a time
    whole    its output is there only when it is done (a sum over the map)
    joined   its inputs' rows of one call have to lie behind one another
    """

    inputs: Mapping[str, Reach]
    output: str
    rows: int
    unit: int = 1
    whole: bool = False
    joined: bool = True


@dataclass(frozen=True)
class Kept:
    """Rows of a value that a stage keeps in a ring of `rows`; `passing`: none are left after a tick."""

    rows: int
    passing: bool


@dataclass(frozen=True, eq=False)
class Replay:
    """What a stage does when.

    times   int64 per op: when each of its calls happens, as tick * span + place in the tick
    held    ops that would run ahead of those who need their rows
    """

    flows: tuple[Flow, ...]
    times: tuple[np.ndarray, ...]
    span: int
    held: frozenset[int]
    fed: bool = False
    _known: dict[str, Kept] = field(default_factory=dict)

    def prefix(self, count: int) -> Replay | None:
        """The replay of the first ops alone; None where those behind them change what they do.

        What is kept of a value that only these ops use does not depend on the others.
        """
        if self.held:
            return None
        return Replay(self.flows[:count], self.times[:count], self.span, frozenset(), self.fed, self._known)

    @cached_property
    def users(self) -> dict[str, list[int]]:
        """Numbers of the ops that take a value row by row."""
        found: dict[str, list[int]] = {}
        for i, flow in enumerate(self.flows):
            for x in flow.inputs:
                found.setdefault(x, []).append(i)
        return found

    @cached_property
    def makers(self) -> dict[str, int]:
        """Number of the op that makes a value."""
        return {f.output: i for i, f in enumerate(self.flows)}

    def done(self, op: int, times: np.ndarray) -> np.ndarray:
        """Rows that op number `op` has done before each of `times`."""
        calls = np.searchsorted(self.times[op], times)
        return np.minimum(calls * self.flows[op].unit, self.flows[op].rows)

    def oldest(self, value: str, times: np.ndarray) -> np.ndarray:
        """The first row of a value that somebody needs at each of `times`; a huge number where nobody does.

        An op that is at work needs all that its first row needs.
        """
        found = np.full(times.shape, _NEVER)
        for i in self.users.get(value, ()):
            flow, done = self.flows[i], self.done(i, times)
            found = np.minimum(found, np.where(done < flow.rows, flow.inputs[value].firsts(done), _NEVER))
        return found

    def kept(self, value: str) -> Kept:
        """The ring of a value that is made and used in the stage, and nowhere else."""
        if value not in self._known:
            self._known[value] = self._keep(value)
        return self._known[value]

    def _keep(self, value: str) -> Kept:
        i = self.makers[value]
        flow, times = self.flows[i], self.times[i]
        starts = np.arange(len(times)) * flow.unit
        ends = np.minimum(starts + flow.unit, flow.rows)
        high = int((ends - np.minimum(self.oldest(value, times), starts)).max())
        after = (times // self.span + 1) * self.span  # the end of the tick
        left = bool((ends > self.oldest(value, after)).any())
        users = (self.flows[u] for u in self.users.get(value, ()))
        multiple = lcm(flow.unit, *(u.unit for u in users if u.joined))
        return Kept(-(-high // multiple) * multiple, not left)

    def overlap_distance(self, x: str, x_row: int, y: str, y_row: int) -> int | None:
        """The largest distance `y` - `x` at which the stage's output `y` may be written over its input `x`.

        x_row, y_row   bytes of one row
        At each write of rows of y, all bytes up to their end must be before the first row of x that is still
        needed. None where there is no limit, because all of x has been used before y is written.
        """
        i = self.makers[y]
        flow, times = self.flows[i], self.times[i]
        written = np.minimum(np.arange(1, len(times) + 1) * flow.unit, flow.rows) * y_row
        if flow.whole:
            times, written = times[-1:], np.array([y_row])
        oldest = self.oldest(x, times)
        room = np.where(oldest == _NEVER, _NEVER, oldest * x_row - written)
        found = int(room.min())
        return None if found == _NEVER else found


def replay(flows: Sequence[Flow], fed: bool = False) -> Replay | None:
    """All calls of a stage; None where it would wait for ever."""
    state = _Run(flows, fed)
    times: list[list[int]] = [[] for _ in flows]
    tick, span = 0, len(flows) + 1
    while state.left:
        called = list(state.tick())
        if not called:
            return None
        for i in called:
            times[i].append(tick * span + i)
        tick += 1
    found = tuple(np.array(t, np.int64) for t in times)
    return Replay(tuple(flows), found, span, frozenset(state.held), fed)


class _Run:
    def __init__(self, flows: Sequence[Flow], fed: bool) -> None:
        self.flows, self._fed = flows, fed
        self.done = [0] * len(flows)
        self.left = sum(f.rows > 0 for f in flows)
        self.held: set[int] = set()
        maker = {f.output: i for i, f in enumerate(flows)}
        self._needs = [[(maker[x], r) for x, r in f.inputs.items() if x in maker] for f in flows]
        self._users: list[list[tuple[int, Reach]]] = [[] for _ in flows]
        for i, needs in enumerate(self._needs):
            for m, reach in needs:
                self._users[m].append((i, reach))

    def tick(self) -> Iterator[int]:
        """Numbers of the ops that are called in this tick."""
        called = False
        for i in self._calls(int(self._fed)):
            called = True
            yield i
        if self._fed and not called and self.done[0] < self.flows[0].rows:
            self.done[0] += 1
            self.left -= self.done[0] == self.flows[0].rows
            yield 0

    def _calls(self, start: int) -> Iterator[int]:
        done = self.done
        for i, flow in enumerate(self.flows[start:], start):
            first = done[i]
            if first >= flow.rows:
                continue
            end = min(first + flow.unit, flow.rows)
            if any(done[m] < reach.end(end - 1) for m, reach in self._needs[i]):
                continue
            if self._users[i] and not self._wanted(i, first):
                self.held.add(i)
                continue
            done[i] = end
            self.left -= end == flow.rows
            yield i

    def _wanted(self, i: int, row: int) -> bool:
        """Whether the next call of some user needs that row; all may be done, and rows left over."""
        idle = True
        for user, reach in self._users[i]:
            flow, at = self.flows[user], self.done[user]
            if at < flow.rows:
                idle = False
                if row < reach.end(min(at + flow.unit, flow.rows) - 1):
                    return True
        return idle
