"""Graph passes, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import UserError
from ..ir import Graph, verify
from .canonicalize import canonicalize
from .constant_channels import fold_constant_channels
from .layout import layout
from .lower import lower

PASSES: tuple[tuple[str, Callable[[Graph], Graph]], ...] = (
    ("layout", layout),
    ("canonicalize", canonicalize),
    ("fold_constant_channels", fold_constant_channels),
    ("lower", lower),
)  # fmt: skip


def run_passes(graph: Graph, verify_between: bool = False, after: str | None = None) -> Graph:
    """The graph after all passes, or after the one called `after`.

    verify_between   run the verifier on the graph before the first and behind each pass
    Raises UserError when there is no pass called `after`.
    """
    names = [name for name, _ in PASSES]
    if after is not None and after not in names:
        raise UserError(f"there is no pass {after!r}", accepted=", ".join(names))
    if verify_between:
        verify(graph)
    for name, run in PASSES:
        graph = run(graph)
        if verify_between:
            verify(graph)
        if name == after:
            break
    return graph


__all__ = ["PASSES", "canonicalize", "fold_constant_channels", "layout", "lower", "run_passes"]
