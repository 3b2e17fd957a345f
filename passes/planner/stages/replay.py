"""Execution of a stage row by row, replayed: what must be kept how long, and what may overlap.

A stage runs in ticks. In each tick every op, in order, computes one unit of rows if the rows it needs are
there and somebody waits for what it makes. This is the order in which the generated C runs. The first op of
a fed stage takes rows from the caller: it gets the next one when no other op can do anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
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

        They do where they make one of the first wait. What is kept of a value that only these ops use does
        not depend on the others.
        """
        held = frozenset(i for i in self.held if i < count)
        if any(self.users[self.flows[i].output][-1] >= count for i in held):
            return None
        return Replay(self.flows[:count], self.times[:count], self.span, held, self.fed, self._known)

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


def replay(flows: Sequence[Flow], fed: bool = False, may_wait: frozenset[int] | None = None) -> Replay | None:
    """All calls of a stage; None where it would wait for ever.

    may_wait   ops that are held where they would run ahead; None: all
    """
    state = _Run(flows, fed, may_wait)
    times: list[list[int]] = [[] for _ in flows]
    tick, span = 0, len(flows) + 1
    while state.left:
        called = state.tick()
        if not called:
            return None
        for i in called:
            times[i].append(tick * span + i)
        tick += 1
    found = tuple(np.array(t, np.int64) for t in times)
    return Replay(tuple(flows), found, span, frozenset(state.held), fed)


class _Run:
    """The state of a stage: calls done of each op, of `_total`, and rows done."""

    def __init__(self, flows: Sequence[Flow], fed: bool, may_wait: frozenset[int] | None) -> None:
        self._fed = fed
        self._rows, self._units = [f.rows for f in flows], [f.unit for f in flows]
        self._total = [-(-f.rows // f.unit) for f in flows]
        self._calls, self._done = [0] * len(flows), [0] * len(flows)
        self.left = sum(total > 0 for total in self._total)
        self.held: set[int] = set()
        maker = {f.output: i for i, f in enumerate(flows)}
        self._needs = [
            [(maker[x], _wanted_rows(r, f.rows, f.unit)) for x, r in f.inputs.items() if x in maker]
            for f in flows
        ]
        self._users: list[list[tuple[int, Sequence[int]]]] = [[] for _ in flows]
        for i, needs in enumerate(self._needs):
            for m, wanted in needs:
                self._users[m].append((i, wanted))
        self._may_wait = [bool(u) and (may_wait is None or i in may_wait) for i, u in enumerate(self._users)]

    def tick(self) -> list[int]:
        """Numbers of the ops that are called in this tick."""
        first, called, done = int(self._fed), list[int](), self._done
        for i in range(first, len(done)):  # this loop is most of the time that the search takes
            call = self._calls[i]
            if call == self._total[i]:
                continue
            for m, wanted in self._needs[i]:
                if done[m] < wanted[call]:
                    break
            else:
                if self._may_wait[i] and not self._wanted(i, done[i]):
                    self.held.add(i)
                    continue
                self._call(i)
                called.append(i)
        if self._fed and not called and self._calls[0] < self._total[0]:
            self._call(0)
            called.append(0)
        return called

    def _call(self, i: int) -> None:
        self._calls[i] += 1
        self._done[i] = min(self._done[i] + self._units[i], self._rows[i])
        self.left -= self._calls[i] == self._total[i]

    def _wanted(self, i: int, row: int) -> bool:
        """Whether the next call of some user needs that row; all may be done, and rows left over."""
        idle = True
        for user, wanted in self._users[i]:
            at = self._calls[user]
            if at < self._total[user]:
                idle = False
                if row < wanted[at]:
                    return True
        return idle


@lru_cache(maxsize=1024)
def _wanted_rows(reach: Reach, rows: int, unit: int) -> tuple[int, ...]:
    """How many rows of an input must be there for each call of an op."""
    return tuple(reach.end(min(row + unit, rows) - 1) for row in range(0, rows, unit))
