"""What the planner decides: order, kernels, places. A plan names graph values and never copies them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Place:
    """Where a value lives: `offset` bytes into a region.

    region   "arena", "state", "input" (the caller's own buffer, never written) or "const"
    owner    the graph input whose buffer it is ("input"), the state in whose bytes it lies ("state"; the
             offset still counts from the start of the state buffer), the memory that an arena is for
             ("arena", where the plan names memories); "" otherwise
    """

    region: str
    offset: int
    owner: str = ""


@dataclass(frozen=True)
class Step:
    """Execute one op: by which kernel, with scratch memory where (None: it needs none)."""

    op: str
    kernel: str
    scratch: Place | None = None


@dataclass(frozen=True)
class Stage:
    """Ops that run together, a few rows of each at a time, so that no map between them is ever whole.

    ops      a run of the plan's steps; in every tick each computes its next rows, if those it needs are there
    rings    rows kept of each value, by name: row r lies in slot r modulo that number. Values of the stage
             that are not named are whole
    units    rows per call by op
    held     ops that wait until somebody needs their next rows
    strips   columns [start, end) of each value made here, per strip: the stage runs once for every strip.
             Empty: whole rows
    fed      the caller gives the rows of the first op's input one by one; the counts of rows done are the
             scratch memory of that op in between
    upwards  rows are computed from the last to the first
    """

    ops: tuple[str, ...]
    rings: Mapping[str, int]
    units: Mapping[str, int]
    held: frozenset[str] = frozenset()
    strips: tuple[Mapping[str, tuple[int, int]], ...] = ()
    fed: bool = False
    upwards: bool = False

    @property
    def counter_bytes(self) -> int:
        """Memory for the counts of rows done between two rows that are fed."""
        return 4 * len(self.ops) if self.fed else 0

    def columns(self, value: str, strip: int, width: int) -> tuple[int, int]:
        """Columns of a value made in the stage that a strip computes; `width` is that of the value."""
        return self.strips[strip][value] if self.strips else (0, width)

    def pitch(self, value: str, width: int) -> int:
        """Columns of one row of a ring."""
        return max((b - a for a, b in (s[value] for s in self.strips)), default=width)

    @property
    def passes(self) -> int:
        """How often the stage runs."""
        return len(self.strips) or 1


@dataclass(frozen=True)
class Plan:
    """Order, placement and kernels of one graph on one board.

    steps              in execution order, each op of the graph once
    stages             runs of steps that are executed together, in order; other ops run whole
    places             of every value that is not constant
    arenas             bytes of the arena in each memory of the board, the fastest first; empty where there is
                       one arena, wherever the program has its data. `arenas_optimal`: no placement under this
                       order moves fewer bytes in the slower ones
    arena_bytes        size of the arena, or of all together; lower_bound_bytes is proven: no placement under
                       this order is smaller, whichever values share memory (those in the state buffer or in
                       the caller's inputs stay there); `optimal` when the two are equal
    channel_blocks     the plan is for the graph with these runs of ops, by the name of the last, computed in
                       so many blocks of channels (`split_channels`)
    state_bytes        size of the state buffer; `states` gives each state's offset in it
    order_peak_bytes   peak of live bytes of this order as the order search counts them; no order has less
                       than order_bound_bytes; `order_optimal` when the two are equal
    """

    steps: tuple[Step, ...]
    places: Mapping[str, Place]
    states: Mapping[str, int]
    arena_bytes: int
    state_bytes: int
    lower_bound_bytes: int
    order_peak_bytes: int = 0
    order_bound_bytes: int = 0
    stages: tuple[Stage, ...] = ()
    arenas: Mapping[str, int] = field(default_factory=dict)
    arenas_optimal: bool = False
    channel_blocks: tuple[tuple[str, int], ...] = ()

    def stage_of(self, op: str) -> Stage | None:
        """The stage that an op belongs to."""
        return next((s for s in self.stages if op in s.ops), None)

    @property
    def optimal(self) -> bool:
        return self.arena_bytes == self.lower_bound_bytes

    @property
    def order_optimal(self) -> bool:
        return self.order_peak_bytes == self.order_bound_bytes
