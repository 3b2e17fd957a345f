"""Contents: which bytes of a block are the same as which bytes of another, because one is a view."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .kernel import Alias


@dataclass(frozen=True)
class Run:
    """Bytes [start, start + size) of a block are those of `origin` from `offset` on."""

    start: int
    size: int
    origin: str
    offset: int

    def covers(self, offset: int) -> bool:
        """Whether the byte of `origin` at that offset is among them."""
        return self.offset <= offset < self.offset + self.size

    def moved(self, distance: int) -> Run:
        """The run seen from `distance` bytes before its block."""
        return Run(self.start + distance, self.size, self.origin, self.offset)


class Contents:
    """Runs of every block; views are followed to where the bytes were first made."""

    def __init__(self, sizes: Mapping[str, int], aliases: Iterable[Alias]) -> None:
        self._sizes = sizes
        self._incoming: dict[str, list[Alias]] = defaultdict(list)
        self._runs: dict[str, tuple[Run, ...]] = {}
        for alias in aliases:
            if alias.view:
                self._incoming[alias.b].append(alias)

    def __getitem__(self, name: str) -> tuple[Run, ...]:
        """The runs of a block in order of address, without gaps."""
        if name not in self._runs:
            runs = [Run(0, self._sizes[name], name, 0)]
            for alias in self._incoming[name]:
                # Byte i of b is byte i + delta of a. What an earlier alias told stays.
                for run in self[alias.a]:
                    runs = _overlay(runs, run.moved(-alias.delta), name)
            self._runs[name] = tuple(runs)
        return self._runs[name]


def clip(runs: Iterable[Run], low: int, high: int) -> list[Run]:
    """The parts of runs that lie in [low, high)."""
    clipped = []
    for r in runs:
        start, end = max(r.start, low), min(r.start + r.size, high)
        if start < end:
            clipped.append(Run(start, end - start, r.origin, r.offset + start - r.start))
    return clipped


def _overlay(runs: list[Run], new: Run, own: str) -> list[Run]:
    """Replace the bytes of `own` that `new` covers."""
    result: list[Run] = []
    for run in runs:
        covered = clip([new], run.start, run.start + run.size) if run.origin == own else []
        if not covered:
            result.append(run)
            continue
        (part,) = covered
        result.extend(clip([run], run.start, part.start))
        result.append(part)
        result.extend(clip([run], part.start + part.size, run.start + run.size))
    return result
