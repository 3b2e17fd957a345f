"""Order of the ops with the smallest peak of live bytes."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush

from ...ir import Op
from ...ir.ops.write_state import WriteState
from .demand import Demand
from .livebytes import LiveBytes, ancestors_of, bits

STATE_LIMIT = 10_000
"""Sets of executed ops the exact search looks at; about two seconds."""

MOVES_PER_STATE = 10
"""Next ops looked at per set, on average, before the search stops early: wide graphs have hundreds."""


@dataclass(frozen=True)
class Order:
    """An order of ops, its peak of live bytes, and a bound no order's peak is below.

    The peak counts in-place writes, views and scratch but no fragmentation.
    """

    ops: tuple[Op, ...]
    peak_bytes: int
    lower_bound_bytes: int


def order(need: Demand, limit: int = STATE_LIMIT) -> Order:
    """The order of minimal peak; the graph's own order when no other is better.

    Exact unless the search looks at more than `limit` sets of executed ops, or at MOVES_PER_STATE times
    as many next ops; then it is the best order found, and `lower_bound_bytes` tells how far from optimal
    it can be at most.
    """
    search = _Search(LiveBytes(need))
    given = tuple(range(len(need.graph.ops)))
    best, peak = given, search.peak(given)
    if peak > search.floor:
        greedy = search.complete(0, search.memory.start, 0)[1]
        if search.peak(greedy) < peak:
            best, peak = greedy, search.peak(greedy)
    bound = search.floor
    if peak > bound:
        found, bound = search.run(peak, limit)
        if found is not None and search.peak(found) < peak:
            best, peak = found, search.peak(found)
    return Order(tuple(need.graph.ops[t] for t in best), peak, min(bound, peak))


def given_order(need: Demand, bound: int) -> Order:
    """The graph's own order; `bound` is what `order` found."""
    search = _Search(LiveBytes(need))
    return Order(need.graph.ops, search.peak(tuple(range(search.count))), bound)


class _Search:
    """Best-first search over sets of executed ops: the way to the full set with the smallest peak."""

    def __init__(self, memory: LiveBytes) -> None:
        self.memory = memory
        self.count = len(memory.ops)
        self.floor = self._floor()

    def _floor(self) -> int:
        """Every op needs at least its own operands and scratch, in any order; inputs come all at once."""
        m, everything = self.memory, (1 << self.count) - 1
        ancestors = ancestors_of(m.before)
        writes = sum(1 << t for t, op in enumerate(m.ops) if isinstance(op, WriteState))
        # Everybody else has read already, so that most values die; states are as little written as can be.
        late = [everything & ~(1 << t | writes & ~ancestors[t]) for t in range(self.count)]
        return max([m.cost(m.given, 0), *(m.step(t, m.reads[t], late[t])[0] for t in range(self.count))])

    def peak(self, way: tuple[int, ...]) -> int:
        """Peak of live bytes of an order."""
        live, done = self.memory.start, 0
        peak = self.memory.cost(self.memory.given, 0)
        for t in way:
            needed, live = self.memory.step(t, live, done)
            peak, done = max(peak, needed), done | 1 << t
        return peak

    def ready(self, done: int) -> int:
        """Set of the ops that can run next."""
        waiting = [t for t in range(self.count) if not done >> t & 1 and not self.memory.before[t] & ~done]
        return sum(1 << t for t in waiting)

    def ready_after(self, op: int, ready: int, done: int) -> int:
        """`ready`, when `op` is the last of those in `done`."""
        new = sum(1 << t for t in bits(self.memory.after[op]) if not self.memory.before[t] & ~done)
        return ready & ~(1 << op) | new

    def complete(self, done: int, live: int, peak: int) -> tuple[int, tuple[int, ...]]:
        """Greedy: always the op that needs least beyond the peak so far, then leaves least alive."""
        way: list[int] = []
        ready = self.ready(done)
        while ready:
            options = []
            for t in bits(ready):
                needed, after = self.memory.step(t, live, done)
                left = self.memory.cost(after, done | 1 << t)
                options.append((max(needed, peak), left, t, after))
            peak, _, t, live = min(options)
            done |= 1 << t
            ready = self.ready_after(t, ready, done)
            way.append(t)
        return peak, tuple(way)

    def run(self, ceiling: int, limit: int) -> tuple[tuple[int, ...] | None, int]:
        """An order with a peak below `ceiling` (None: there is none, or none was found) and a lower bound."""
        full = (1 << self.count) - 1
        heap = [(self.floor, 0, 0, self.memory.start, self.ready(0))]
        came: dict[int, tuple[int, int]] = {}
        closed: set[int] = set()
        moves_left = MOVES_PER_STATE * limit
        while heap:
            peak, _, done, live, ready = heappop(heap)
            if done == full:
                return self._way(came, done), peak
            if done in closed:
                continue
            if len(closed) == limit or moves_left < 0:
                return self._rescue(came, [(peak, 0, done, live, ready), *heap], ceiling), peak
            closed.add(done)
            moves = self._moves(peak, done, live, ready)
            moves_left -= len(moves)
            for t, needed, after in moves:
                then = done | 1 << t
                worst = max(peak, needed)
                if worst < ceiling and then not in closed and worst < came.get(then, (ceiling, 0))[0]:
                    came[then] = (worst, t)
                    heappush(heap, (worst, -then.bit_count(), then, after, self.ready_after(t, ready, then)))
        return None, ceiling

    def _moves(self, peak: int, done: int, live: int, ready: int) -> list[tuple[int, int, int]]:
        """Next ops as (op, bytes needed, values live after it).

        An op that fits under the peak so far and leaves no more alive than before can only help every
        later op, so it is then the only move.
        """
        before, moves = self.memory.cost(live, done), []
        for t in bits(ready):
            needed, after = self.memory.step(t, live, done)
            if needed <= peak and self.memory.cost(after, done | 1 << t) <= before:
                return [(t, needed, after)]
            moves.append((t, needed, after))
        return moves

    def _rescue(
        self, came: dict[int, tuple[int, int]], frontier: list[tuple[int, int, int, int, int]], ceiling: int
    ) -> tuple[int, ...] | None:
        """Complete the sets with most ops executed greedily; the best order, if below the ceiling."""
        best: tuple[int, tuple[int, ...]] | None = None
        for peak, _, done, live, _ in sorted(frontier, key=lambda f: (-f[2].bit_count(), f[0], f[2]))[:16]:
            reached, rest = self.complete(done, live, peak)
            if reached < (ceiling if best is None else best[0]):
                best = (reached, (*self._way(came, done), *rest))
        return None if best is None else best[1]

    def _way(self, came: dict[int, tuple[int, int]], done: int) -> tuple[int, ...]:
        way = []
        while done:
            t = came[done][1]
            way.append(t)
            done &= ~(1 << t)
        return tuple(reversed(way))
