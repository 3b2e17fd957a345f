"""Does a model fit a board? Memory of the real plan, code compiled for the core, latency estimated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import boards
from ..boards import Board
from ..codegen import costs
from ..codegen.memories import excess, taken
from ..codegen.pipeline import STACK_BYTES, Library, Options, Prepared, front, generate, prepare
from ..errors import UserError
from .footprint import Footprint, code_bytes, figures


@dataclass(frozen=True)
class Smallest:
    """The plan with the smallest arena.

    slowdown   its predicted cycles over those of the fastest plan
    layers     names of the layers that keep it from being smaller: they run together, or one alone
    """

    arena_bytes: int
    slowdown: float
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Fit:
    """One model on one board, STACK_BYTES of whose RAM are kept for the stack.

    arena_bytes, state_bytes, weight_bytes   exact, of the plan that compile would use
    code_bytes       compiled for the board's core at -O2; None where its toolchain is missing
    latency_ms       estimated from the cost tables of the kernels; None where they have no cycles.
                     `latency_source` says which cycle model they rest on
    missing          what is exceeded by how many bytes; empty when the model fits
    advice           what would make it fit
    stages           runs of layers executed row by row; 0 where every layer runs whole
    regions          bytes of arena by memory of the board: with more than one, the model fits only so
    smallest         the plan of the smallest arena; None where whole layers fit and nobody looked for it
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
    latency_ms: float | None
    latency_source: str
    missing: tuple[str, ...]
    advice: str
    stages: int = 0
    smallest: Smallest | None = None
    regions: Mapping[str, int] = field(default_factory=dict)

    @property
    def fits(self) -> bool:
        return not self.missing


def fit_model(model: Path, names: tuple[str, ...], options: Options) -> tuple[Fit, ...]:
    """The model on each board of `names`; boards alike for the planner share a plan and its code."""
    prepared = prepare(model, options)
    fastest: dict[tuple[str, frozenset[str]], tuple[Library, int | None]] = {}
    result = []
    for board in map(boards.load, names):
        key = board.core, board.features
        if key not in fastest:
            library = generate(prepared, _roomy(board))
            fastest[key] = library, code_bytes(library, board)
        fit = _fit(board, *fastest[key])
        if not fit.fits:  # whole layers do not; there may be a smaller plan
            library = generate(prepared, board)
            fit = replace(
                _fit(board, library, code_bytes(library, board)), smallest=_smallest(prepared, board)
            )
        result.append(fit)
    return tuple(result)


def _smallest(prepared: Prepared, board: Board) -> Smallest:
    """The other end of the front."""
    found = front(prepared.graph, board, prepared.options)
    point, cycles = found.smallest(), sum(s.cycles for s in found.ways[0])
    return Smallest(point.plan.arena_bytes, point.cycles / cycles if cycles else 1.0, found.limit())


def _roomy(board: Board) -> Board:
    """A board that keeps nothing from having the fastest plan."""
    return replace(board, regions=tuple(replace(r, size_bytes=1 << 30) for r in board.regions))


def _fit(board: Board, library: Library, code: int | None) -> Fit:
    plan, view = library.plan, library.view
    flash = view.weight_bytes + (code or 0)
    over = excess(board, plan, STACK_BYTES)
    missing = [f"{_memory(board, name)} by {n} B" for name, n in over.items()]
    if flash > board.flash_bytes:
        missing.append(f"flash by {flash - board.flash_bytes} B")
    cycles, source = _cycles(board, library)
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
        latency_ms=None if cycles is None else cycles / board.clock_hz * 1e3,
        latency_source=source,
        missing=tuple(missing),
        advice=_advice(board, library) if missing else "",
        stages=len(plan.stages),
        regions=taken(board, plan),
    )


def _memory(board: Board, name: str) -> str:
    """A memory in a message: the main one is the RAM."""
    return "RAM" if name == board.main_region.name else name


def _cycles(board: Board, library: Library) -> tuple[float | None, str]:
    """Estimated cycles of one inference, and on what they rest."""
    table = costs.load(board.core)
    if table.unit != "cycles" or table.cycle_model is None:
        return None, "unknown: the core has no cycle model"
    cycles = costs.predicted(library.graph, library.plan, table)
    if cycles is None:
        return None, "unknown: a kernel of the plan was not measured"
    return cycles, f"estimate: cost tables, cycle model {table.cycle_model}"


def _advice(board: Board, library: Library) -> str:
    """What would help, as far as it is known without trying."""
    plan, view = library.plan, library.view
    inputs = _arena_input_bytes(library)
    over = max(excess(board, plan, STACK_BYTES).values(), default=0)
    if over <= 0:
        return f"weights of {view.weight_bytes} B need a board with more flash, or a smaller model"
    advice = []
    if over <= inputs:
        advice.append(f"--input extern may keep up to {inputs} B of input out of the arena")
    if names := _with_external(library, board):
        advice.append(f"--arena-regions {names} uses the external RAM of {board.name}")
    need = (
        f"activations of {plan.arena_bytes} B need a board with more RAM, a smaller input or a smaller model"
    )
    return "; ".join(advice) or need


def _with_external(library: Library, board: Board) -> str:
    """What --arena-regions has to name for the plan to fit with external RAM; "" where it does not."""
    external = [r for r in board.regions if r.kind == "external"]
    largest = max((t.size_bytes for t in library.graph.tensors.values() if not t.constant), default=0)
    need = library.plan.arena_bytes + library.plan.state_bytes + STACK_BYTES
    usable = sum(r.size_bytes for r in board.arena_regions)
    if not external or need > usable or largest > max(r.size_bytes for r in external):
        return ""
    return ",".join(r.name for r in board.arena_regions)


def _arena_input_bytes(library: Library) -> int:
    return sum(p.size_bytes for p in library.view.inputs if not p.extern)


def check_fits(
    library: Library,
    board: Board,
    footprint: Footprint | None,
    max_ram: int | None = None,
    max_flash: int | None = None,
) -> None:
    """Raise UserError (exit code 1) with what is exceeded by how much unless the library fits.

    footprint            None before it is measured: then stack and code are not counted
    max_ram, max_flash   bytes; further limits beside those of the board
    """
    f = figures(library, footprint)
    ram = f["ram_bytes"] if f["ram_bytes"] is not None else f["arena_bytes"] + f["state_bytes"]
    flash = f["weight_bytes"] + (f["code_bytes"] or 0)
    stack = max(STACK_BYTES, f["stack_bytes"] or 0)
    sizes = {r.name: r.size_bytes for r in board.arena_regions}
    over = [
        (_memory(board, name), sizes[name] + n, sizes[name], f"{board.name} with {stack} B of stack")
        for name, n in excess(board, library.plan, stack).items()
    ]
    limits = (
        *over,
        ("RAM", ram, max_ram, "--max-ram"),
        ("flash", flash, board.flash_bytes, board.name),
        ("flash", flash, max_flash, "--max-flash"),
    )
    for what, need, limit, given in limits:
        if limit is not None and need > limit:
            raise UserError(
                f"{library.model_name} does not fit {given}: {need - limit} B of {what} too many",
                found=f"{need} B of {what}",
                accepted=f"at most {limit} B",
                hint="a smaller model, or a board with more flash"
                if what == "flash"
                else _ram_hint(library, board),
                exit_code=1,
            )


def _ram_hint(library: Library, board: Board) -> str:
    """What would help, with figures that are known."""
    inputs, plan = _arena_input_bytes(library), front(library.planned, board, library.options).smallest().plan
    extern = f"--input extern keeps up to {inputs} B of input out of the arena; " if inputs else ""
    profiles = map(boards.load, boards.names())
    need = plan.arena_bytes + plan.state_bytes + STACK_BYTES
    fitting = [b.name for b in profiles if b.real and b.sram_bytes >= need]
    if names := _with_external(library, board):
        extern += f"--arena-regions {names} uses external RAM; "
    smallest = f"the smallest arena of any plan found is {plan.arena_bytes} B; "
    return f"{smallest}{extern}boards with enough RAM: {', '.join(fitting) or 'none'}"
