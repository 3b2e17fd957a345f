"""The tables of docs/boards.md, made from the profiles: `python -m patchloom.boards.table` rewrites them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from . import Board, Region, core, core_names, load, names

DOCUMENT = Path(__file__).parent.parent / "docs" / "boards.md"


def board_table(real: bool) -> str:
    """Markdown table of all boards one can buy (`real`) or of the generic profiles."""
    head = (
        "board",
        "title",
        "core",
        "MHz",
        "SRAM for the arena",
        "RAM for arenas, the fastest first",
        "flash",
        "features",
        "wait states",
        "runs on",
    )
    boards = [b for b in map(load, names()) if b.real == real]
    return _markdown(head, [_board_row(b) for b in boards])


def core_table() -> str:
    """Markdown table of all cores."""
    cores = [core(name) for name in core_names()]
    rows = [(c.name, c.architecture, ", ".join(sorted(c.features)), c.timed_like or c.name) for c in cores]
    return _markdown(("core", "architecture", "features", "cost table"), rows)


def update(text: str) -> str:
    """`text` with everything between a pair of `<!-- NAME -->`, `<!-- end -->` lines made anew."""
    for name, table in (
        ("boards", board_table(real=True)),
        ("generic", board_table(real=False)),
        ("cores", core_table()),
    ):
        before, opening, rest = text.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition("<!-- end -->\n")
        if not opening or not closing:
            raise ValueError(f"{DOCUMENT.name} has no <!-- {name} --> ... <!-- end --> pair")
        text = before + opening + table + closing + after
    return text


def _board_row(board: Board) -> tuple[str, ...]:
    waits = "" if board.flash_wait_states is None else str(board.flash_wait_states)
    return (
        f"`{board.name}`",
        board.title,
        board.core,
        f"{board.clock_hz / 1e6:g}",
        _kib(board.sram_bytes),
        ", ".join(_memory(r) for r in board.arena_regions),
        _kib(board.flash_bytes),
        ", ".join(sorted(board.features)),
        waits,
        f"{board.emulator.machine}: {board.emulator.note}",
    )


def _memory(region: Region) -> str:
    external = " (external)" if region.kind == "external" else ""
    return f"`{region.name}` {_kib(region.size_bytes)}{external}"


def _kib(size_bytes: int) -> str:
    return f"{size_bytes / 1024:.1f} KB".replace(".0 KB", " KB")


def _markdown(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


if __name__ == "__main__":
    DOCUMENT.write_text(update(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
