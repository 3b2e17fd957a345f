"""Memory model of the order search: bytes that must exist while an op runs and after it.

Values are made of atoms: runs of bytes that several values have in common because they are views of each
other (a reshape, a concat's input, a split's output). The cost of a set of live values is the total size
of the atoms they are made of, so that shared bytes count once. Sets of ops, values and atoms are bit
masks. Fragmentation is not modelled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from ...ir import Op
from ...ir.ops.read_state import ReadState
from ...ir.ops.write_state import WriteState
from .content import Contents
from .demand import Demand
from .kernel import Alias


class LiveBytes:
    """What running an op costs, as a function of the set of ops run before.

    before, after   per op, the ops that must have run earlier (by data, and by order of access to a
                    state), and those that wait for it directly
    reads, writes   per op, its run-time operands
    given, start    values the caller fills before the first op; those of them needed after that moment
    """

    def __init__(self, need: Demand) -> None:
        self.need = need
        self.ops: tuple[Op, ...] = need.graph.ops
        names = [*need.graph.inputs, *(y for op in self.ops for y in op.outputs)]
        self._index = {name: i for i, name in enumerate(names)}
        self.before = _predecessors(self.ops)
        self.after = [mask(t for t, b in enumerate(self.before) if b >> k & 1) for k in range(len(self.ops))]
        self.reads = [self._values(op.inputs) for op in self.ops]
        self.writes = [self._values(op.outputs) for op in self.ops]
        self._readers = [mask(t for t, r in enumerate(self.reads) if r >> i & 1) for i in range(len(names))]
        self._kept = self._values(need.graph.outputs)
        self.given = self._values(need.graph.inputs)
        self.start = mask(i for i in bits(self.given) if self._readers[i] or self._kept >> i & 1)
        self._scratch = [need.scratch[op.name] for op in self.ops]
        self._overwrites = [self._overwrite(op) for op in self.ops]
        self._writes_state = mask(t for t, op in enumerate(self.ops) if isinstance(op, WriteState))
        self._costs: dict[tuple[int, int], int] = {}
        self._make_atoms(names)

    def _values(self, names: Iterable[str]) -> int:
        return mask(self._index[n] for n in names if n in self._index)

    def _overwrite(self, op: Op) -> list[tuple[int, int, int]]:
        """(input, output, bytes shared) of in-place writes, most bytes first."""
        graph, found = self.need.graph, []
        for alias in self.need.aliases[op.name]:
            if not alias.view and alias.a not in self.need.extern:
                a, b = graph[alias.a].size_bytes, graph[alias.b].size_bytes
                found.append(
                    (
                        self._index[alias.a],
                        self._index[alias.b],
                        min(a, alias.delta + b) - max(0, alias.delta),
                    )
                )
        return sorted(found, key=lambda item: -item[2])

    # --- atoms -----------------------------------------------------------------------------------

    def _make_atoms(self, names: list[str]) -> None:
        graph, unit = self.need.graph, self.need.alignment
        in_state, free_until = self._state_residents()
        contents = Contents({n: graph[n].size_bytes for n in names}, self._views(in_state))
        cuts: dict[str, set[int]] = defaultdict(set)
        for name in names:
            for run in contents[name]:
                cuts[run.origin] |= {run.offset, run.offset + run.size}
        self._sizes: list[int] = []
        self._free_until: list[int] = []
        at: dict[tuple[str, int], int] = {}
        for name, edges in cuts.items():
            ordered = sorted(edges)
            free = name in self.need.extern or name in in_state
            for low, high in pairwise(ordered):
                at[name, low] = len(self._sizes)
                # The last atom carries the padding up to where another value may begin.
                padded = -(-high // unit) * unit if high == ordered[-1] else high
                self._sizes.append(0 if free else padded - low)
                self._free_until.append(free_until.get(name, 0))
        self._atoms = [
            mask(at[r.origin, cut] for r in contents[n] for cut in cuts[r.origin] if r.covers(cut))
            for n in names
        ]

    def _views(self, in_state: set[str]) -> list[Alias]:
        """Views that can share memory: what is joined lies in one place only, and not in foreign memory."""
        graph, found = self.need.graph, list[Alias]()
        foreign, joined = set(self.need.extern), set[str]()
        for op in self.ops:
            if isinstance(op, ReadState) and op.y not in graph.outputs:
                foreign.add(op.y)
            for alias in self.need.aliases[op.name]:
                joins = graph[alias.a].size_bytes < graph[alias.b].size_bytes
                if not alias.view or alias.b in in_state or alias.delta % self.need.align(alias.b):
                    continue
                if (alias.a in foreign and (joins or alias.b in graph.outputs)) or (
                    joins and alias.a in joined
                ):
                    continue
                if alias.a in foreign:
                    foreign.add(alias.b)
                elif joins:
                    joined.add(alias.a)
                found.append(alias)
        return found

    def _state_residents(self) -> tuple[set[str], dict[str, int]]:
        """Values the state buffer holds: those written to it when nobody needs the old content any more;
        and values read from it, with the ops (next writes) before which that is so.
        """
        graph, ancestors = self.need.graph, ancestors_of(self.before)
        made = {y: t for t, op in enumerate(self.ops) for y in op.outputs}
        reads: dict[str, list[str]] = defaultdict(list)
        resident, until = set[str](), dict[str, int]()
        for t, op in enumerate(self.ops):
            if isinstance(op, ReadState):
                reads[op.state].append(op.y)
                until[op.y] = 1 << len(self.ops)
            elif isinstance(op, WriteState):
                old = reads.pop(op.state, [])
                until.update(dict.fromkeys(old, 1 << t))
                if (
                    op.x in made
                    and op.x not in graph.outputs
                    and self._replaces(op.x, made[op.x], old, ancestors)
                ):
                    resident.add(op.x)
        return resident, {y: m for y, m in until.items() if y not in graph.outputs}

    def _replaces(self, x: str, made: int, old: list[str], ancestors: list[int]) -> bool:
        """Whether all readers of `old` have run when `x` is written, or `x` is written over it."""
        maker = self.ops[made]
        in_place = any(a.b == x and a.a in old and a.delta == 0 for a in self.need.aliases[maker.name])
        allowed = ancestors[made] | (1 << made if in_place else 0)
        still_read = (self._readers[self._index[y]] & ~allowed for y in old)
        return not isinstance(maker, ReadState) and not any(still_read)

    # --- evaluation ------------------------------------------------------------------------------

    def cost(self, live: int, done: int) -> int:
        """Bytes of the live values after the ops in `done`."""
        key = live, done & self._writes_state
        if key not in self._costs:
            self._costs[key] = self._weigh(self._made_of(live), done)
        return self._costs[key]

    def _made_of(self, values: int) -> int:
        atoms = 0
        for i in bits(values):
            atoms |= self._atoms[i]
        return atoms

    def _weigh(self, atoms: int, done: int) -> int:
        until = self._free_until
        return sum(self._sizes[i] for i in bits(atoms) if not until[i] or until[i] & done)

    def step(self, op: int, live: int, done: int) -> tuple[int, int]:
        """Bytes needed while an op runs, and the values live after it."""
        done_after = done | 1 << op
        during = after = live | self.writes[op]
        for i in bits((self.reads[op] | self.writes[op]) & ~self._kept):
            if not self._readers[i] & ~done_after:
                after &= ~(1 << i)
        peak = self.cost(during, done) + self._scratch[op]
        if self._overwrites[op]:
            peak -= self._saved(op, during, after, done)
        return peak, after

    def _saved(self, op: int, during: int, after: int, done: int) -> int:
        """Bytes saved by writing outputs over inputs that die."""
        total = used = 0
        for a, b, shared in self._overwrites[op]:
            dies = not after >> a & 1 and not self._atoms[a] & self._made_of(during & ~(1 << a))
            if dies and not used & (1 << a | 1 << b):
                total += min(shared, self._weigh(self._atoms[a], done), self._weigh(self._atoms[b], done))
                used |= 1 << a | 1 << b
        return total


def bits(mask_: int) -> list[int]:
    """Indices of the set bits, ascending."""
    found = []
    while mask_:
        low = mask_ & -mask_
        found.append(low.bit_length() - 1)
        mask_ ^= low
    return found


def mask(indices: Iterable[int]) -> int:
    """The set of these indices."""
    result = 0
    for i in indices:
        result |= 1 << i
    return result


def _predecessors(ops: tuple[Op, ...]) -> list[int]:
    writer = {y: t for t, op in enumerate(ops) for y in op.outputs}
    last: dict[str, int] = {}
    before = []
    for t, op in enumerate(ops):
        earlier = mask(writer[x] for x in op.inputs if x in writer)
        if isinstance(op, ReadState | WriteState):
            if op.state in last:
                earlier |= 1 << last[op.state]
            last[op.state] = t
        before.append(earlier)
    return before


def ancestors_of(before: list[int]) -> list[int]:
    """Per op, all ops that must have run earlier, through any number of steps."""
    found: list[int] = []
    for direct in before:
        found.append(direct)
        for t in bits(direct):
            found[-1] |= found[t]
    return found
