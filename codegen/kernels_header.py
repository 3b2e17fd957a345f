"""The private kernels header: the text of exactly those kernel files that a plan uses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

RUNTIME = Path(__file__).resolve().parent.parent / "runtime_c"
_INCLUDE = re.compile(r'^#include "([^"]+)"\s*$', re.MULTILINE)
_STRIPPED = re.compile(r'^(#include ("[^"]+"|<[^>]+>)|#pragma once)\s*\n', re.MULTILINE)
_SYSTEM = re.compile(r"^#include (<[^>]+>)", re.MULTILINE)


def _closure(header: Path, seen: dict[Path, str]) -> None:
    """Add `header` behind everything it includes."""
    header = header.resolve()
    if header in seen:
        return
    text = header.read_text()
    for name in _INCLUDE.findall(text):
        _closure(header.parent / name, seen)
    seen[header] = text


def kernels_text(headers: Iterable[str]) -> tuple[list[str], str]:
    """(system headers, C text) of the kernel files named, dependencies first, each once."""
    files: dict[Path, str] = {}
    for header in headers:
        _closure(RUNTIME / header, files)
    system = sorted({s for text in files.values() for s in _SYSTEM.findall(text)})
    return system, "\n".join(_STRIPPED.sub("", text).strip() + "\n" for text in files.values())
