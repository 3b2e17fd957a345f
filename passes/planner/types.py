"""What the planner decides: order, kernels, places. A plan names graph values and never copies them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where a value lives: `offset` bytes into a region.

    region   "arena", "state", "input" (the caller's own buffer, never written) or "const"
    owner    the graph input whose buffer it is ("input"), the state in whose bytes it lies ("state"; the
             offset still counts from the start of the state buffer); "" otherwise
    """

    region: str
    offset: int
    owner: str = ""


@dataclass(frozen=True)
class Step:
    """Execute one whole op: by which kernel, with scratch memory where (None: it needs none).

    A plan is a list of steps; ops executed together per row or patch will be another kind of step.
    """

    op: str
    kernel: str
    scratch: Place | None = None


@dataclass(frozen=True)
class Plan:
    """Order, placement and kernels of one graph on one board.

    steps              in execution order, each op of the graph once
    places             of every value that is not constant
    arena_bytes        size of the arena; lower_bound_bytes is proven: no placement under this order is
                       smaller, whichever values share memory (those in the state buffer or in the
                       caller's inputs stay there); `optimal` when the two are equal
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

    @property
    def optimal(self) -> bool:
        return self.arena_bytes == self.lower_bound_bytes

    @property
    def order_optimal(self) -> bool:
        return self.order_peak_bytes == self.order_bound_bytes
