"""The command `diff`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..comparison import Diff, LayerDiff
from ..comparison import diff as run_diff
from .output import number, print_json, print_table, print_text, progress
from .shapes import Shapes, parse_shapes

_SHOWN = 10
"""Layers in the table, unless all are asked for."""


class DiffOn(StrEnum):
    """Where libraries run."""

    qemu = "qemu"
    host = "host"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("diff")(diff)


def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="A model, or a folder written by compile.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="What is compared with it: a model or folder.")],
    inputs: Annotated[
        Path | None,
        typer.Option(help="A .npy file [N, ...], or .npz by input name, instead of random inputs."),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Random inputs.")] = 8,
    seed: Annotated[int, typer.Option(help="Of the random inputs.")] = 0,
    on: Annotated[DiffOn, typer.Option(help="Where libraries run.")] = DiffOn.qemu,
    min_sqnr: Annotated[
        float | None, typer.Option(help="SQNR in dB that is enough; default: by the types of the values.")
    ] = None,
    input_shape: Shapes = None,
    all: Annotated[
        bool, typer.Option("--all", help="Show every layer, in the order of computation.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Compare A and B layer by layer on the same inputs. Exit code 1 when they differ."""
    with _runs() as done:
        result = run_diff(
            a,
            b,
            inputs=inputs,
            samples=samples,
            seed=seed,
            on=on.value,
            min_sqnr_db=min_sqnr,
            input_shapes=parse_shapes(input_shape),
            progress=done,
        )
    print_json(result.figures()) if json else _show(result, all)
    if not result.passed:
        raise typer.Exit(1)


@contextmanager
def _runs() -> Iterator[Callable[[int, int], None]]:
    """A progress bar over the runs of both sides, in percent."""
    with progress("diff", 100) as done:
        yield lambda n, total: done(100 * n // max(1, total))


def short(name: str, width: int = 48) -> str:
    """A name that fits a column: fused layers are called after all they were made of, `a;b;c`."""
    first = name.partition(";")[0]
    return first if len(first) <= width else f"...{first[3 - width :]}"


def _show(result: Diff, all: bool) -> None:
    inputs = "given" if result.seed is None else f"random, seed {result.seed}"
    print_text(f"{_side(result, 'a')}\n{_side(result, 'b')}\n{result.samples} samples ({inputs})")
    if all or not result.equal:
        _show_layers(result, all)
    for y in result.outputs:
        if y.same_largest is not None:
            print_text(f"output {short(y.value)!r}: same largest element in {y.same_largest} of {y.samples}")
    _show_unmatched("a", result.unmatched_a)
    _show_unmatched("b", result.unmatched_b)
    for name in result.missing_outputs:
        print_text(f"output {name!r} could not be compared")
    if (loss := result.largest_loss) is not None:
        print_text(
            f"largest loss in one layer: {short(loss.op, 80)} ({loss.loss_db:.1f} dB below its inputs)"
        )
    print_text(_verdict(result))


def _show_layers(result: Diff, all: bool) -> None:
    shown = result.layers if all else result.worst(_SHOWN)
    title = "every layer, in order" if all else f"the {len(shown)} worst of {len(result.layers)} layers"
    columns = ["layer", "type", "SQNR dB>", "loss dB>", "max error>", "elements differing>", ""]
    print_table(columns, map(_row, shown), title)


def _side(result: Diff, which: str) -> str:
    side = result.a if which == "a" else result.b
    where = "reference" if side.on == "reference" else f"library on {side.on}"
    return f"{which}: {side.source} ({where}, {side.values} values)"


def _row(layer: LayerDiff) -> tuple[str, ...]:
    types = layer.type_a if layer.type_a == layer.type_b else f"{layer.type_a} / {layer.type_b}"
    differing = f"{number(layer.differing)} of {number(layer.elements)}"
    status = "" if layer.status == "within" else layer.status
    return (short(layer.value), types, _db(layer.sqnr_db), _db(layer.loss_db), f"{layer.max_abs_error:.3g}",
            differing, status)  # fmt: skip


def _db(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _show_unmatched(which: str, names: tuple[str, ...]) -> None:
    if names:
        some = ", ".join(short(n, 32) for n in names[:5])
        rest = f" and {len(names) - 5} more" if len(names) > 5 else ""
        print_text(f"without counterpart in {which}: {some}{rest}")


def _verdict(result: Diff) -> str:
    first = result.first_differing
    if first is not None:
        return (
            f"first differing: {short(first.op, 80)}, {number(first.differing)} of {number(first.elements)} "
            f"elements, by up to {first.max_abs_error:.3g} ({_db(first.sqnr_db)} dB)"
        )
    if not result.passed:
        return "what was compared does not differ"
    return (
        f"all {len(result.layers)} layers are equal"
        if result.equal
        else "no layer differs by more than it may"
    )
