"""The option `--input-shape`."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import UserError

Shapes = Annotated[
    list[str] | None,
    typer.Option("--input-shape", metavar="NAME=1,49,10,1", help="Shape of an input; repeatable."),
]


def parse_shapes(texts: list[str] | None) -> dict[str, tuple[int, ...]]:
    """`NAME=1,49,10,1` options as a mapping. Raises UserError for anything else."""
    shapes = {}
    for text in texts or []:
        name, _, values = text.rpartition("=")
        try:
            shapes[name] = tuple(int(v) for v in values.split(","))
        except ValueError:
            name = ""
        if not name or min(shapes[name]) < 1:
            raise UserError(f"--input-shape {text} is not a shape", accepted="NAME=1,49,10,1")
    return shapes
