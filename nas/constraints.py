"""What a candidate may need, and what it would: asked of the compiler before anything is trained."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from ..api import Prediction, predict
from .graph import float_graph, stand_ins
from .network import Network

_KEPT = 4096
"""Candidates whose figures are remembered."""


@dataclass(frozen=True)
class Limits:
    """A board, and bytes and time to stay within beside its own memories.

    max_ram, max_flash   bytes
    max_latency_ms       of one inference at the board's clock, as the cost tables predict it
    """

    board: str
    max_ram: int | None = None
    max_flash: int | None = None
    max_latency_ms: float | None = None


@dataclass(frozen=True)
class Excess:
    """By what share each limit is exceeded; at most 0 where it is kept."""

    ram: float
    flash: float
    latency: float

    @property
    def any(self) -> bool:
        return max(self.ram, self.flash, self.latency) > 0


@dataclass(frozen=True)
class Cost:
    """What a network needs on a board.

    arena_bytes, flash_bytes   flash: weights, and code where it has been compiled
    cycles, latency_ms         predicted; None where a kernel was not measured on the core
    """

    arena_bytes: int
    flash_bytes: int
    cycles: float | None
    latency_ms: float | None
    macs: int
    parameters: int
    excess: Excess

    @property
    def fits(self) -> bool:
        return not self.excess.any


class Compiler:
    """Costs of networks under limits; each is asked for once."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._known: OrderedDict[Network, Cost] = OrderedDict()

    def cost(self, network: Network) -> Cost:
        """What the network needs: exact but for its code, which a few kB of flash are kept for."""
        if network not in self._known:
            self._known[network] = self._asked(network)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return self._known[network]

    def _asked(self, network: Network) -> Cost:
        graph = float_graph(network, stand_ins(network))
        limits = self.limits
        p = predict(graph, limits.board, max_ram=limits.max_ram, max_flash=limits.max_flash)
        return Cost(
            arena_bytes=p.arena_bytes + p.state_bytes,
            flash_bytes=p.flash_bytes,
            cycles=p.cycles,
            latency_ms=p.latency_ms,
            macs=network.macs,
            parameters=network.parameters,
            excess=self._excess(p),
        )

    def _excess(self, p: Prediction) -> Excess:
        slow = 0.0
        if self.limits.max_latency_ms is not None:
            slow = (p.latency_ms or 0.0) / self.limits.max_latency_ms - 1
        return Excess(
            ram=(p.arena_bytes + p.state_bytes) / max(1, p.ram_limit_bytes) - 1,
            flash=p.flash_bytes / max(1, p.flash_limit_bytes) - 1,
            latency=slow,
        )
