"""Names of a file made unique and printable, close to the original."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath

MAX_NAME = 200


def printable(name: str) -> str:
    """`name` without control characters (which could drive a terminal) and of bounded length."""
    return "".join(c if c.isprintable() else "?" for c in name[:MAX_NAME])


class Names:
    """Gives out names that were not given out before."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def unique(self, wanted: str) -> str:
        """`wanted`, or `wanted_1`, `wanted_2`, ... when it is taken."""
        name = wanted
        while name in self._taken:
            self._next[wanted] = self._next.get(wanted, 0) + 1
            name = f"{wanted}_{self._next[wanted]}"
        self._taken.add(name)
        return name


def tensor_names(names: Iterable[str]) -> tuple[Names, tuple[str, ...]]:
    """Value names for a subgraph's tensors in order, and the name source they came from."""
    taken = Names()
    return taken, tuple(taken.unique(printable(n) or f"tensor_{i}") for i, n in enumerate(names))


def op_name(value: str) -> str:
    """A short name for the op that computes `value`.

    Converters join the names of all fused ops with `;`; the first one names the op.
    """
    return value.split(";")[0] or value


def graph_name(path: str) -> str:
    """A C identifier from a file's stem."""
    stem = re.sub(r"\W", "_", PurePath(path).stem, flags=re.ASCII)
    return stem if re.match(r"[A-Za-z]", stem) else f"model_{stem}".rstrip("_")
