"""Which memories of a board activations may take, and how much of each."""

from __future__ import annotations

from collections.abc import Sequence

from ..boards import Board, Region
from ..errors import UserError
from ..passes.planner import PlanError, Room
from ..passes.planner.types import Plan

GUARD_BYTES = 64
"""Bytes of a memory left free beside an arena: programs that verify a library watch them."""


def usable(board: Board, asked: Sequence[str]) -> tuple[tuple[Region, int], ...]:
    """(memory, bytes of it that arenas may take), the one to be filled first in front.

    asked   NAME or NAME:BYTES each; none: all RAM of the chip, the fastest first
    Raises UserError for what the board does not have.
    """
    if not asked:
        return tuple((r, r.size_bytes) for r in board.arena_regions if r.kind == "sram")
    known = {r.name: r for r in board.arena_regions}
    found: dict[str, tuple[Region, int]] = {}
    for text in asked:
        name, colon, size = text.partition(":")
        if name not in known:
            raise _refused(text, board, f"{board.name} has no memory {name!r} for arenas")
        if name in found:
            raise _refused(text, board, f"memory {name!r} is named twice")
        limit = known[name].size_bytes
        if colon:
            if not (size.isascii() and size.isdigit() and len(size) < 12 and 0 < int(size) <= limit):
                raise _refused(text, board, f"{size!r} is no number of bytes of {name}, which has {limit}")
            limit = int(size)
        found[name] = known[name], limit
    return tuple(found.values())


def _refused(text: str, board: Board, rule: str) -> UserError:
    accepted = ", ".join(f"{r.name} ({r.size_bytes} B)" for r in board.arena_regions)
    return UserError("--arena-regions cannot be used", rule=rule, found=text, accepted=accepted)


def rooms(board: Board, asked: Sequence[str], kept_bytes: int) -> tuple[Room, ...]:
    """What arenas may take of each memory; `kept_bytes` of the main one are for stack and state."""
    found = []
    for region, limit in usable(board, asked):
        kept = kept_bytes if region is board.main_region else GUARD_BYTES
        found.append(Room(region.name, max(0, min(limit, region.size_bytes - kept))))
    return tuple(found)


def check_memories(board: Board, plan: Plan) -> None:
    """Raise PlanError where the plan names memories that the board does not have, or more of one."""
    sizes = {r.name: r.size_bytes for r in board.arena_regions}
    for name, size in plan.arenas.items():
        if size > sizes.get(name, 0):
            raise PlanError(
                f"an arena of {size} B in {name!r}, of which {board.name} has {sizes.get(name, 0)} B"
            )


def taken(board: Board, plan: Plan) -> dict[str, int]:
    """Bytes of arena in each memory of the board."""
    return dict(plan.arenas) or {board.main_region.name: plan.arena_bytes}


def excess(board: Board, plan: Plan, stack_bytes: int) -> dict[str, int]:
    """Bytes by which a plan with that much stack exceeds memories of the board, by memory."""
    need = taken(board, plan)
    main = board.main_region.name
    need[main] = need.get(main, 0) + plan.state_bytes + stack_bytes
    sizes = {r.name: r.size_bytes for r in board.arena_regions}
    return {name: n - sizes[name] for name, n in need.items() if n > sizes[name]}
