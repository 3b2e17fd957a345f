"""Printing: tables and messages for people, one JSON document for programs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ..errors import UnsupportedModel, UserError

_PIPE_WIDTH = 200  # columns where output is no terminal: tables are not cut to a guess of 80


def _console(is_error: bool) -> Console:
    """A console that prints text as it is: names from models and paths are no markup."""
    stream = sys.stderr if is_error else sys.stdout
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(stderr=is_error, highlight=False, markup=False, emoji=False, soft_wrap=True, width=width)


out = _console(is_error=False)
messages = _console(is_error=True)


def printable(text: str) -> str:
    """`text` without characters that drive a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def print_text(text: str) -> None:
    """Text for people on stdout."""
    out.print(printable(text))


def print_error(error: UserError) -> None:
    """`error: ...` on stderr, with rule, found, accepted and hint; one block per violation of a model."""
    text = printable(str(error))
    if isinstance(error, UnsupportedModel):
        *blocks, count = text.split("\n")
        text = "\n".join([*(b if b.startswith(" ") else f"error: {b}" for b in blocks), count])
    else:
        text = f"error: {text}"
    messages.print(text)


def print_json(document: Any) -> None:
    """One JSON document on stdout; numbers that JSON has no words for (infinity, NaN) are null."""
    sys.stdout.write(json.dumps(_finite(document), indent=2, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list | tuple) else value


def number(value: int | float | None, unknown: str = "unknown") -> str:
    """`12,345`; `unknown` for what was not measured."""
    if value is None:
        return unknown
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """A table; columns whose name ends in `>` are right-aligned."""
    table = Table(
        title=printable(title) or None, box=None, header_style="bold", pad_edge=False, title_justify="left"
    )
    for column in columns:
        justify = "right" if column.endswith(">") else "left"
        table.add_column(column.rstrip(">"), justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*map(printable, row))
    out.print(table)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr (only on a terminal); yields a function that takes the number done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=messages, transient=True, disable=not messages.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
