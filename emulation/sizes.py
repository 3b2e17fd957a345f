"""Sizes of what a program or object file holds, and the stack its functions need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import elf
from .stack import stack_bytes, stacks_bytes

__all__ = ["Sizes", "section_sizes", "stack_bytes", "stacks_bytes"]


@dataclass(frozen=True)
class Sizes:
    """Bytes by kind of section; `sections` has every allocated section by name.

    text    executable
    rodata  constant
    data    initialised and writable, takes flash and RAM
    bss     zero-initialised
    """

    text: int
    rodata: int
    data: int
    bss: int
    sections: tuple[tuple[str, int], ...]


def section_sizes(path: Path) -> Sizes:
    """Sizes of an object file or a linked program. Raises UserError when it is not an ELF file."""
    totals = {"text": 0, "rodata": 0, "data": 0, "bss": 0}
    listed = []
    for s in elf.read(path).sections:
        if not s.flags & elf.SHF_ALLOC:
            continue
        listed.append((s.name, s.size_bytes))
        totals[_kind(s)] += s.size_bytes
    return Sizes(totals["text"], totals["rodata"], totals["data"], totals["bss"], tuple(listed))


def _kind(section: elf.Section) -> str:
    if section.kind == elf.SHT_NOBITS:
        return "bss"
    if section.flags & elf.SHF_EXECINSTR:
        return "text"
    return "data" if section.flags & elf.SHF_WRITE else "rodata"
