"""Placement in several memories by constraint programming: the least traffic in the slow ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ortools.sat.python import cp_model

from .alias import Overlaps
from .lives import Block
from .rooms import Space, Spread
from .solver import Offsets, deterministic_solver


@dataclass(frozen=True)
class SpreadSolution:
    """The best placement known; `proven`: none moves fewer bytes in the slower rooms."""

    spread: Spread
    proven: bool


def spread_exactly(
    overlaps: Overlaps, space: Space, names: list[str], start: Spread | None, time_limit_s: float
) -> SpreadSolution | None:
    """Place the blocks `names` so that the slowest room moves as little as possible, then the next one, and
    so on; then in as few bytes as possible.

    start          a placement to begin with, if one is known
    time_limit_s   for each of these goals, in the solver's deterministic time
    None where no placement is found.
    """
    if start is not None and not any(start.moved):
        return SpreadSolution(start, True)
    model = _Model(overlaps, space, names)
    best, proven = start, True
    for goal in (*reversed(range(1, len(space.rooms))), None):
        if best is not None:
            model.hint(best.offsets)
        found, optimal = model.minimize(goal, time_limit_s)
        if found is not None and (best is None or found.cost < best.cost):
            best = found
        if best is None:
            return None
        if goal is not None:
            proven &= optimal
            model.fix(goal, best.moved[len(space.rooms) - 1 - goal])
    assert best is not None
    return SpreadSolution(best, proven)


class _Model(Offsets):
    """One variable for the offset of each block, and one per room that says whether the block is there."""

    def __init__(self, overlaps: Overlaps, space: Space, names: list[str]) -> None:
        super().__init__(overlaps)
        self._space = space
        self._there: dict[str, list[cp_model.IntVar]] = {}
        sizes = space.sizes
        self._sizes = [self.model.new_int_var(0, size // self.unit, "") for size in sizes]
        self.model.add(sum(self._sizes) <= space.limit // self.unit)
        for name in names:
            self._block(overlaps.time.blocks[name])
        self.keep_apart()

    def _block(self, block: Block) -> None:
        stride, size = block.align // self.unit, self.units(block.size)
        domain = cp_model.Domain.from_intervals([])
        there = []
        fits = [(s, n) for s, n in zip(self._space.starts, self._space.sizes, strict=True)]
        for start, room in fits:
            low, high = start // self.unit, (start + room) // self.unit - size
            part = cp_model.Domain.from_intervals([[low, high]] if low <= high else [])
            if stride > 1 and low <= high:
                part = cp_model.Domain.from_values(list(range(low, high + 1, stride)))
            domain = domain.union_with(part)
        var = self.model.new_int_var_from_domain(domain, block.name)
        for room_number, (start, room) in enumerate(fits):
            low, high = start // self.unit, (start + room) // self.unit - size
            here = self.model.new_bool_var("")
            if low > high:
                self.model.add(here == 0)
            else:
                self.model.add_linear_constraint(var, low, high).only_enforce_if(here)
                end = var + size - low
                self.model.add(end <= self._sizes[room_number]).only_enforce_if(here)
            there.append(here)
        self.model.add_exactly_one(there)
        self.offsets[block.name], self._there[block.name] = var, there

    def _moved(self, room: int) -> cp_model.LinearExprT:
        return sum(self._space.traffic[name] * there[room] for name, there in self._there.items())

    def fix(self, room: int, moved: int) -> None:
        """From now on a room moves at most that many bytes."""
        self.model.add(self._moved(room) <= moved)

    def minimize(self, room: int | None, time_limit_s: float) -> tuple[Spread | None, bool]:
        """The placement found that moves least in a room (None: that takes the fewest bytes), and whether
        none is better."""
        self.model.minimize(sum(self._sizes) if room is None else self._moved(room))
        solver = deterministic_solver(time_limit_s)
        status = solver.solve(self.model)
        self.model.clear_hints()
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None, status == cp_model.INFEASIBLE
        offsets: Mapping[str, int] = {n: solver.value(v) * self.unit for n, v in self.offsets.items()}
        return self._space.spread(self._overlaps, offsets), status == cp_model.OPTIMAL
