"""Printing: tables and messages for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ..errors import UnsupportedModel, UserError

_PIPE_WIDTH = 200  # columns where output is no terminal: tables are not cut to a guess of 80
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
messages = Console(
    stderr=True, highlight=False, soft_wrap=True, width=None if sys.stderr.isatty() else _PIPE_WIDTH
)


def print_error(error: UserError) -> None:
    """`error: ...` on stderr, with rule, found, accepted and hint; every violation of a model is one such block."""
    text = str(error)
    if isinstance(error, UnsupportedModel):
        blocks = text.split("\n")
        text = "\n".join(
            f"error: {b}" if b and not b.startswith(" ") and "cannot be" in b else b for b in blocks
        )
    else:
        text = f"error: {text}"
    messages.print(escape(text))


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def number(value: int | float | None, unknown: str = "unknown") -> str:
    """`12,345`; `unknown` for what was not measured."""
    if value is None:
        return unknown
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """A table; columns whose name ends in `>` are right-aligned."""
    table = Table(
        title=escape(title) if title else None,
        box=None,
        header_style="bold",
        pad_edge=False,
        title_justify="left",
    )
    for column in columns:
        table.add_column(
            column.rstrip(">"), justify="right" if column.endswith(">") else "left", no_wrap=True
        )
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)


@contextmanager
def progress(what: str, total: int) -> Iterator[Any]:
    """A progress bar on stderr (only on a terminal); yields a function that takes the number done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=messages, transient=True, disable=not messages.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
