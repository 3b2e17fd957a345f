"""Flash, RAM and stack of a library on a board, measured from its object files and a linked program."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import boards
from ..boards import Board
from ..codegen.kernels import KERNELS
from ..codegen.memories import taken
from ..codegen.pipeline import Library
from ..errors import UserError
from ..passes.planner.usage import usage
from . import toolchain
from .build import compile_object
from .harness import build
from .sizes import section_sizes, stack_bytes

FREE_STACK_BYTES = 512
"""Stack that every firmware has anyway; what a library needs beyond it counts as its RAM."""


@dataclass(frozen=True)
class Footprint:
    """Measured bytes of one library on one board.

    code_bytes     .text + .rodata of layers and kernels at -O2, without weights, libc and start-up
    weight_bytes   constants of the weights file, as linked
    writable_bytes .data and .bss of the library itself (0: it has no writable symbols)
    stack_bytes    worst-case stack of run(), libc functions included
    """

    code_bytes: int
    weight_bytes: int
    writable_bytes: int
    stack_bytes: int


def measurable(board: Board) -> bool:
    """Whether the toolchain of the board's core is installed."""
    try:
        toolchain.find(board.core)
    except UserError:
        return False
    return True


def code_bytes(library: Library, board: Board) -> int | None:
    """Bytes of layers and kernels on the board's core; None where its toolchain is not installed."""
    if not measurable(board):
        return None
    with tempfile.TemporaryDirectory(prefix="patchloom-measure-") as name:
        folder = _written(library, Path(name))
        sizes = section_sizes(
            compile_object(folder / f"{library.view.name}.c", [folder], board, folder / "code.o")
        )
    return sizes.text + sizes.rodata


def measure(library: Library, board: Board) -> Footprint | None:
    """Compile the library for `board` and link it into a program; None where there is no toolchain for that.

    Raises UserError (exit code 1) when the program does not fit the board.
    """
    if not measurable(board):
        return None
    stem = library.view.name
    with tempfile.TemporaryDirectory(prefix="patchloom-measure-") as name:
        folder = _written(library, Path(name))
        code, weights = (
            section_sizes(compile_object(folder / f"{part}.c", [folder], board, folder / f"{part}.o"))
            for part in (stem, f"{stem}_weights")
        )
        program = build(folder, library.view, library.graph, board, folder, hooked=False)
        return Footprint(
            code_bytes=code.text + code.rodata,
            weight_bytes=weights.rodata,
            writable_bytes=code.data + code.bss + weights.data + weights.bss,
            stack_bytes=stack_bytes(program.path, f"{stem}_run"),
        )


def _written(library: Library, folder: Path) -> Path:
    for name, data in library.files.items():
        (folder / name).write_bytes(data)
    return folder


def figures(library: Library, footprint: Footprint | None) -> dict[str, Any]:
    """The figures of `compile --json`; bytes that could not be measured are None."""
    plan, view = library.plan, library.view
    ram = None
    if footprint:
        beyond = max(0, footprint.stack_bytes - FREE_STACK_BYTES)
        ram = plan.arena_bytes + plan.state_bytes + footprint.writable_bytes + beyond
    return {
        "name": view.name,
        "board": view.board,
        "arena_bytes": plan.arena_bytes,
        "regions": taken(boards.load(library.options.board), plan),
        "state_bytes": plan.state_bytes,
        "ram_bytes": ram,
        "input_bytes": sum(p.size_bytes for p in view.inputs),
        "output_bytes": sum(p.size_bytes for p in view.outputs),
        "weight_bytes": footprint.weight_bytes if footprint else view.weight_bytes,
        "code_bytes": footprint.code_bytes if footprint else None,
        "stack_bytes": footprint.stack_bytes if footprint else None,
        "macs": view.macs,
        "plan": {
            "arena_lower_bound_bytes": plan.lower_bound_bytes,
            "arena_proven_minimal": plan.optimal,
            "slow_traffic_proven_minimal": plan.arenas_optimal if plan.arenas else None,
            **asdict(usage(library.graph, plan, KERNELS)),
        },
    }
