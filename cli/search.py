"""The command `search`."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError
from .output import number, print_json, print_table, print_text, progress

if TYPE_CHECKING:
    from ..nas.search import Searched


class Strategy(StrEnum):
    """Who proposes candidates."""

    nsga2 = "nsga2"
    nsga3 = "nsga3"
    tpe = "tpe"
    evolution = "evolution"
    random = "random"


Out = Annotated[Path, typer.Option("-o", "--output", help="Folder of the study; one that is there goes on.")]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("search")(search)


def search(
    space: Annotated[str, typer.Argument(help="A search space: image, ...", show_default=False)],
    board: Annotated[str, typer.Option(help="Board profile the network must fit.")],
    data: Annotated[Path, typer.Option(help="An .npz file: x_train, y_train, x_test, y_test.")],
    output: Out,
    trials: Annotated[int, typer.Option(min=1, help="Candidates to train.")] = 50,
    strategy: Annotated[Strategy, typer.Option(help="Who proposes candidates.")] = Strategy.nsga2,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the data per candidate.")] = 10,
    max_ram: Annotated[int | None, typer.Option(min=1, help="Bytes of RAM at most.")] = None,
    max_flash: Annotated[int | None, typer.Option(min=1, help="Bytes of flash at most.")] = None,
    max_latency_ms: Annotated[float | None, typer.Option(min=0, help="Predicted time at most.")] = None,
    storage: Annotated[str | None, typer.Option(help="URL of a database that workers share.")] = None,
    name: Annotated[str, typer.Option(help="Name of the study in the storage.")] = "search",
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    deploy: Annotated[str, typer.Option(help="best: compile and verify the best one.")] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Search for networks that are accurate on the data and fit the board."""
    from ..nas.constraints import Limits  # Optuna takes long to import
    from ..nas.data import load
    from ..nas.search import search as run_search
    from ..nas.spaces import SPACES
    from ..nas.training import Recipe

    if space not in SPACES:
        raise UserError(f"there is no space {space!r}", accepted=", ".join(SPACES))
    if deploy not in ("", "best"):
        raise UserError(f"cannot deploy {deploy!r}", accepted="best")
    found = load(data, seed)
    with progress("training", trials) as told:
        result = run_search(
            SPACES[space](found.shape, found.classes),
            found,
            Limits(board, max_ram, max_flash, max_latency_ms),
            output,
            trials=trials,
            strategy=strategy.value,
            recipe=Recipe(epochs=epochs),
            storage=storage,
            name=name,
            seed=seed,
            deploy_best=bool(deploy),
            seen=lambda done, best: told(done),
        )
    if json:
        print_json(
            {
                "trained": len(result.found),
                "rejected": result.rejected,
                "front": [asdict(f) for f in result.front],
                "deployed": None if result.deployed is None else asdict(result.deployed),
            }
        )
        return
    _show(result)


def _show(result: Searched) -> None:
    print_table(
        ("accuracy>", "RAM>", "flash>", "cycles>", "MACs>", "parameters>", "trial>"),
        (
            (
                f"{f.accuracy:.4f}",
                number(f.arena_bytes),
                number(f.flash_bytes),
                number(None if f.cycles is None else round(f.cycles)),
                number(f.macs),
                number(f.parameters),
                str(f.number),
            )
            for f in result.front
        ),
        f"{len(result.found)} candidates trained, {result.rejected} did not fit; none of these beats another",
    )
    if (d := result.deployed) is not None:
        cycles = number(d.cycles_measured, "not measured")
        print_text(
            f"deployed: accuracy on the test part {d.int8_accuracy:.4f} (float {d.float_accuracy:.4f}), "
            f"{number(d.arena_bytes)} B of RAM, {number(d.flash_bytes)} B of flash, {cycles} cycles, "
            f"{'bit-exact' if d.bit_exact else 'NOT bit-exact'} on the emulated board: "
            f"{result.folder / 'best' / 'library'}"
        )
