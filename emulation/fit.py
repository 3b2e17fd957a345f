"""Does a model fit a board? Memory of the real plan, code compiled for the core, latency estimated."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from .. import boards
from ..boards import Board
from ..codegen.pipeline import Library, Options, build_library
from ..errors import UserError
from .build import compile_object
from .sizes import section_sizes


@dataclass(frozen=True)
class Fit:
    """One model on one board.

    arena_bytes, state_bytes, weight_bytes   exact, of the plan that compile would use
    code_bytes       compiled for the board's core at -O2; None where its toolchain is missing
    latency_ms       estimated: MACs / (MACs per cycle of the core) / clock; `latency_source` says so
    missing          what is exceeded by how many bytes; empty when the model fits
    advice           what would make it fit
    """

    board: str
    real: bool
    core: str
    arena_bytes: int
    state_bytes: int
    weight_bytes: int
    code_bytes: int | None
    sram_bytes: int
    flash_bytes: int
    latency_ms: float
    latency_source: str
    missing: tuple[str, ...]
    advice: str

    @property
    def fits(self) -> bool:
        return not self.missing


def _code_bytes(library: Library, board: Board) -> int | None:
    name = library.view.name
    with tempfile.TemporaryDirectory(prefix="patchloom-fit-") as work:
        folder = Path(work)
        for file, data in library.files.items():
            (folder / file).write_bytes(data)
        try:
            sizes = section_sizes(compile_object(folder / f"{name}.c", [folder], board, folder / "code.o"))
        except UserError:
            return None
    return sizes.text + sizes.rodata


def fit_model(model: Path, names: tuple[str, ...], options: Options) -> tuple[Fit, ...]:
    """The model on each board of `names`; boards with equal cores and features share plan and code."""
    known: dict[tuple[str, frozenset[str]], tuple[Library, int | None]] = {}
    result = []
    for name in names:
        board = boards.load(name)
        key = (board.core, board.features)
        if key not in known:
            same = next(
                (lib for (_, features), (lib, _) in known.items() if features == board.features), None
            )
            library = same or build_library(model, replace(options, board=name))
            known[key] = (library, _code_bytes(library, board))
        result.append(_fit(board, *known[key]))
    return tuple(result)


def _fit(board: Board, library: Library, code: int | None) -> Fit:
    plan, view = library.plan, library.view
    ram, flash = plan.arena_bytes + plan.state_bytes, view.weight_bytes + (code or 0)
    missing = []
    if ram > board.sram_bytes:
        missing.append(f"RAM by {ram - board.sram_bytes} B")
    if flash > board.flash_bytes:
        missing.append(f"flash by {flash - board.flash_bytes} B")
    core = boards.core(board.core)
    cycles = view.macs / core.macs_per_cycle
    return Fit(
        board=board.name,
        real=board.real,
        core=board.core,
        arena_bytes=plan.arena_bytes,
        state_bytes=plan.state_bytes,
        weight_bytes=view.weight_bytes,
        code_bytes=code,
        sram_bytes=board.sram_bytes,
        flash_bytes=board.flash_bytes,
        latency_ms=cycles / board.clock_hz * 1e3,
        latency_source=f"estimate: {core.macs_per_cycle:g} MAC/cycle",
        missing=tuple(missing),
        advice=_advice(board, library) if missing else "",
    )


def _advice(board: Board, library: Library) -> str:
    """What would help, as far as it is known without trying."""
    plan, view = library.plan, library.view
    inputs = sum(p.size_bytes for p in view.inputs if not p.extern)
    over = plan.arena_bytes + plan.state_bytes - board.sram_bytes
    if over <= 0:
        return f"weights of {view.weight_bytes} B need a board with more flash, or a smaller model"
    if 0 < over <= inputs:
        return f"--input extern may keep up to {inputs} B of input out of the arena"
    return (
        f"activations of {plan.arena_bytes} B need a board with more RAM, a smaller input or a smaller model"
    )
