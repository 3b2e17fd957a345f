"""Offsets by constraint programming: better packings than greedy, and proven bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ortools.sat.python import cp_model

from .alias import Overlaps
from .lives import Block
from .offsets import Packing, round_up


@dataclass(frozen=True)
class Solution:
    """The best packing known and the proven lower bound, in bytes."""

    packing: Packing
    bound: int


def solve(overlaps: Overlaps, start: Packing, bound: int, time_limit_s: float) -> Solution:
    """Improve a packing by CP-SAT, choosing aliases and offsets together; what is outside the arena stays.

    One variable per block, in units of the alignment. Two blocks needed at one step are apart, or at a
    distance at which they may overlap. Deterministic: one worker, fixed seed, and `time_limit_s` in the
    solver's deterministic time, which does not depend on the machine.
    """
    if start.size <= bound or not time_limit_s:
        return Solution(start, bound)
    model = _Model(overlaps, start, bound)
    solver = deterministic_solver(time_limit_s)
    status = solver.solve(model.model)
    if status == cp_model.INFEASIBLE:  # nothing smaller than the start exists
        return Solution(start, start.size)
    proven = max(bound, min(start.size, round(solver.best_objective_bound) * model.unit))
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Solution(start, proven)
    offsets = {name: solver.value(var) * model.unit for name, var in model.offsets.items()}
    size = round_up(max(offset + overlaps.time.blocks[n].size for n, offset in offsets.items()), model.unit)
    return Solution(Packing(size, offsets, start.pinned), min(proven, size))


def deterministic_solver(time_limit_s: float) -> cp_model.CpSolver:
    """A solver that gives equal results on every machine; the limit is in its deterministic time."""
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.catch_sigint_signal = False  # its handler would replace Python's, for good
    solver.parameters.max_deterministic_time = time_limit_s
    return solver


class Offsets:
    """A constraint model of offsets, one variable per block; all numbers in units of the alignment."""

    def __init__(self, overlaps: Overlaps) -> None:
        self.unit = overlaps.need.alignment
        self._overlaps = overlaps
        self._slides = overlaps.time.slides
        self.model = cp_model.CpModel()
        self.offsets: dict[str, cp_model.IntVar] = {}

    def units(self, size: int) -> int:
        """Bytes in units, rounded up."""
        return round_up(size, self.unit) // self.unit

    def keep_apart(self) -> None:
        """Blocks needed at one step are apart, or at a distance at which they may overlap."""
        blocks = self._overlaps.time.blocks
        for (a, b), distances in self._overlaps.distances.items():
            if a in self.offsets and b in self.offsets:
                self._pair(blocks[a], blocks[b], distances)

    def hint(self, offsets: Mapping[str, int]) -> None:
        """Where to begin the search; bytes."""
        for name, offset in offsets.items():
            self.model.add_hint(self.offsets[name], offset // self.unit)

    def _pair(self, a: Block, b: Block, distances: tuple[int, ...]) -> None:
        if not a.size or not b.size:
            return
        x, y = self.offsets[a.name], self.offsets[b.name]
        ways = [self.model.new_bool_var("") for _ in range(2 + len(distances))]
        self.model.add(x - y <= self._before(b, a)).only_enforce_if(ways[0])
        self.model.add(y - x <= self._before(a, b)).only_enforce_if(ways[1])
        for way, distance in zip(ways[2:], distances, strict=True):
            self.model.add(y - x == distance // self.unit).only_enforce_if(way)
        slid = (a.name, b.name) in self._slides or (b.name, a.name) in self._slides
        self.model.add_bool_or(ways) if distances or slid else self.model.add_exactly_one(ways)

    def _before(self, a: Block, b: Block) -> int:
        """The largest distance b - a at which b may start before a, in units."""
        slide = self._slides.get((a.name, b.name), -b.size)
        return max(-self.units(b.size), slide // self.unit)


class _Model(Offsets):
    """One arena, whose size is what counts."""

    def __init__(self, overlaps: Overlaps, start: Packing, bound: int) -> None:
        super().__init__(overlaps)
        blocks = [overlaps.time.blocks[name] for name in start.offsets]
        self.size = self.model.new_int_var(bound // self.unit, start.size // self.unit - 1, "arena")
        self.offsets = {b.name: self._offset(b, start.size) for b in blocks}
        self.keep_apart()
        self.hint(start.offsets)
        self.model.minimize(self.size)

    def _offset(self, block: Block, limit: int) -> cp_model.IntVar:
        top = limit // self.unit - self.units(block.size)
        if block.align == self.unit:
            var = self.model.new_int_var(0, max(0, top), block.name)
        else:
            stride = block.align // self.unit
            var = self.model.new_int_var_from_domain(
                cp_model.Domain.from_values(list(range(0, max(0, top) + 1, stride))), block.name
            )
        self.model.add(var + self.units(block.size) <= self.size)
        return var
