"""Memory model of the order search: storages, and what running an op makes of the live ones.

A storage is a set of values that are the same bytes (an op's output and its reshape). One lies inside
another when it is a part of it (a concat's input, a split's output); it costs nothing while that lives.
All sets, of ops and of storages, are bit masks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...ir import Op
from ...ir.ops.read_state import ReadState
from ...ir.ops.write_state import WriteState
from .demand import Demand


@dataclass
class Storage:
    """Bytes under one or more names.

    readers        ops that read one of the names; output: one is a graph output and outlives them
    writable       no name is an extern input
    inside, parts  storages it is a part of, and storages that are parts of it
    state_until    the next writes of the state it was read from: before them the state buffer holds it
    """

    bytes: int
    readers: int = 0
    output: bool = False
    writable: bool = True
    inside: int = 0
    parts: int = 0
    state_until: int = 0


class Storages:
    """The storages of a graph.

    before    per op, the ops that must run earlier: by data, and by order of access to a state
    given     storages the caller fills before the first op; start: those of them that ops still read
    """

    def __init__(self, need: Demand) -> None:
        self.need = need
        self.ops: tuple[Op, ...] = need.graph.ops
        self.of = _merge_equal(need)
        self.all = self._collect()
        self.reads = [_mask(self.of[x] for x in op.inputs if x in self.of) for op in self.ops]
        self.writes = [_mask(self.of[y] for y in op.outputs) for op in self.ops]
        self.scratch = [need.scratch[op.name] for op in self.ops]
        self.before = _predecessors(self.ops)
        self.given = _mask(self.of[x] for x in need.graph.inputs)
        self.start = _mask(i for i in bits(self.given) if self.all[i].readers or self.all[i].output)
        self.overwrites = [self._overwrites(op) for op in self.ops]
        self._nest()
        self._place_states()

    def _collect(self) -> list[Storage]:
        graph, unit = self.need.graph, self.need.alignment
        found = [Storage(0) for _ in range(max(self.of.values(), default=-1) + 1)]
        for name, i in self.of.items():
            found[i].bytes = max(found[i].bytes, -(-graph[name].size_bytes // unit) * unit)
            found[i].output |= name in graph.outputs
            found[i].writable &= name not in self.need.extern
        for t, op in enumerate(self.ops):
            for x in op.inputs:
                if x in self.of:
                    found[self.of[x]].readers |= 1 << t
        return found

    def _nest(self) -> None:
        """Mark parts: by views to something larger (concat) or smaller (split), through any depth."""
        graph = self.need.graph
        for op in self.ops:
            for alias in self.need.aliases[op.name]:
                a, b = self.of[alias.a], self.of[alias.b]
                if not alias.view or a == b or alias.delta % self.need.align(alias.b):
                    continue
                small, large = (a, b) if graph[alias.a].size_bytes < graph[alias.b].size_bytes else (b, a)
                joining = small == a  # only one concat can hold an input, and not one the caller owns
                if joining and (self.all[a].inside or not self.all[a].writable):
                    continue
                self.all[small].inside |= 1 << large
        for storage in sorted(self.all, key=lambda s: -s.bytes):
            for j in bits(storage.inside):
                storage.inside |= self.all[j].inside
        for i, storage in enumerate(self.all):
            for j in bits(storage.inside):
                self.all[j].parts |= 1 << i
            if not all(self.all[j].writable for j in (i, *bits(storage.inside))) and not storage.output:
                storage.bytes = 0  # it lives in the caller's buffer
        for x in self.need.extern:
            self.all[self.of[x]].bytes = 0

    def _overwrites(self, op: Op) -> tuple[tuple[int, int, int], ...]:
        """(input storage, output storage, bytes shared) of in-place writes, most bytes first."""
        graph, found = self.need.graph, []
        for alias in self.need.aliases[op.name]:
            if not alias.view and self.all[self.of[alias.a]].writable:
                a, b = graph[alias.a].size_bytes, graph[alias.b].size_bytes
                shared = min(a, alias.delta + b) - max(0, alias.delta)
                found.append((self.of[alias.a], self.of[alias.b], shared))
        return tuple(sorted(found, key=lambda item: -item[2]))

    def _place_states(self) -> None:
        """State reads cost nothing until the state is written; writes nothing where nobody still reads."""
        ancestors = ancestors_of(self.before)
        readers: dict[str, int] = {}
        reads: dict[str, list[int]] = {}
        writer = {y: t for t, op in enumerate(self.ops) for y in op.outputs}
        for t, op in enumerate(self.ops):
            if isinstance(op, ReadState):
                reads.setdefault(op.state, []).append(self.of[op.y])
                readers[op.state] = readers.get(op.state, 0) | self.all[self.of[op.y]].readers
            elif isinstance(op, WriteState):
                for i in reads.pop(op.state, []):
                    self.all[i].state_until |= 1 << t
                old = readers.pop(op.state, 0)
                made = writer.get(op.x)
                if made is not None and not old & ~(ancestors[made] | self._in_place(made, op.x) << made):
                    self._keep_in_state(self.of[op.x])
        end = 1 << len(self.ops)
        for left in reads.values():
            for i in left:
                self.all[i].state_until |= end

    def _in_place(self, op: int, y: str) -> bool:
        """Whether an op can write its output right over an input."""
        return any(alias.b == y and alias.delta == 0 for alias in self.need.aliases[self.ops[op].name])

    def _keep_in_state(self, i: int) -> None:
        if not self.all[i].output and not self.given >> i & 1:
            self.all[i].bytes = 0

    # --- evaluation ------------------------------------------------------------------------------

    def cost(self, live: int, done: int) -> int:
        """Bytes the live storages occupy after the ops in `done`."""
        total = 0
        for i in bits(live):
            s = self.all[i]
            if not s.inside & live and not (s.state_until and not s.state_until & done and not s.output):
                total += s.bytes
        return total

    def step(self, op: int, live: int, done: int) -> tuple[int, int]:
        """Bytes needed while an op runs, and the storages live after it."""
        during = live | self.writes[op]
        done_after = done | 1 << op
        after = during
        for i in bits(self.reads[op] | self.writes[op]):
            if not self.all[i].output and not self.all[i].readers & ~done_after:
                after &= ~(1 << i)
        peak = self.cost(during, done) + self.scratch[op]
        used = 0
        for a, b, shared in self.overwrites[op]:
            s = self.all[a]
            dies = not after >> a & 1 and not (s.inside | s.parts) & live and not s.state_until & ~done
            if dies and not used & (1 << a | 1 << b) and self.all[b].bytes:
                peak -= shared
                used |= 1 << a | 1 << b
        return peak, after


def bits(mask: int) -> list[int]:
    """Indices of the set bits, ascending."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found


def _mask(indices: Iterable[int]) -> int:
    result = 0
    for i in indices:
        result |= 1 << i
    return result


def _merge_equal(need: Demand) -> dict[str, int]:
    """Storage index of each run-time value; views of equal size share one."""
    graph, of = need.graph, dict[str, int]()
    same = {
        alias.b: alias.a
        for op in graph.ops
        for alias in need.aliases[op.name]
        if alias.view and alias.delta == 0 and graph[alias.a].size_bytes == graph[alias.b].size_bytes
    }
    # An extern input's view that is an output needs its own bytes: the caller looks for it in the arena.
    count = 0
    for name in (*graph.inputs, *(y for op in graph.ops for y in op.outputs)):
        source = same.get(name)
        if source is not None and not (name in graph.outputs and source in need.extern):
            of[name] = of[source]
        else:
            of[name], count = count, count + 1
    return of


def _predecessors(ops: tuple[Op, ...]) -> list[int]:
    writer = {y: t for t, op in enumerate(ops) for y in op.outputs}
    last: dict[str, int] = {}
    before = []
    for t, op in enumerate(ops):
        mask = 0
        for x in op.inputs:
            if x in writer:
                mask |= 1 << writer[x]
        if isinstance(op, ReadState | WriteState):
            if op.state in last:
                mask |= 1 << last[op.state]
            last[op.state] = t
        before.append(mask)
    return before


def ancestors_of(before: list[int]) -> list[int]:
    """Per op, all ops that must have run earlier, through any number of steps."""
    found: list[int] = []
    for mask in before:
        found.append(mask)
        for t in bits(mask):
            found[-1] |= found[t]
    return found
