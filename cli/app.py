"""The commands."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from .. import __version__, api, boards
from ..errors import UserError
from . import diff, quantize, search, show
from .output import print_json, print_text, progress
from .plot import check_picture, plot_front
from .shapes import Shapes, parse_shapes

app = typer.Typer(
    name="patchloom",
    help="Compile neural networks to small C99 libraries and prove them on emulated microcontrollers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Model = Annotated[
    Path, typer.Argument(help="A .tflite, .onnx or .keras model, or a SavedModel folder.", show_default=False)
]
LibraryFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="A folder written by compile.", show_default=False)
]


class InputMode(StrEnum):
    """Where inputs lie."""

    arena = "arena"
    extern = "extern"
    rows = "rows"


class Goal(StrEnum):
    """What kernels are chosen for."""

    balanced = "balanced"
    latency = "latency"
    ram = "ram"
    flash = "flash"


class Io(StrEnum):
    """Types at the boundary."""

    model = "model"
    int8 = "int8"


class On(StrEnum):
    """Where to run."""

    qemu = "qemu"
    host = "host"
    renode = "renode"
    unicorn = "unicorn"


def _version(value: bool) -> None:
    if value:
        typer.echo(f"patchloom {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Shared options."""


@app.command()
def compile(
    model: Model,
    board: Annotated[str, typer.Option(help="Board profile (patchloom boards) or a .toml file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write.")],
    name: Annotated[str | None, typer.Option(help="Stem of all C names; default: the file's name.")] = None,
    goal: Annotated[Goal, typer.Option(help="What kernels are chosen for.")] = Goal.balanced,
    max_ram: Annotated[int | None, typer.Option(min=1, help="Bytes of RAM to stay within.")] = None,
    max_flash: Annotated[int | None, typer.Option(min=1, help="Bytes of flash to stay within.")] = None,
    input_mode: Annotated[InputMode, typer.Option("--input", help="Where inputs lie.")] = InputMode.arena,
    io: Annotated[Io, typer.Option(help="int8 strips quantize/dequantize at the boundary.")] = Io.model,
    input_shape: Shapes = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Typical inputs (.npy, .npz) of a float model, to quantize it first.")
    ] = None,
    stream_axis: Annotated[
        str | None,
        typer.Option("--stream-axis", help="Take new frames only, along `time` or a dimension of the input."),
    ] = None,
    hop: Annotated[int, typer.Option(min=1, help="New frames per call with --stream-axis.")] = 1,
    max_state: Annotated[int | None, typer.Option(min=0, help="Bytes of state with --stream-axis.")] = None,
    arena_regions: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:BYTES],...",
            help="Memories of the board for activations, the one to be filled first in front.",
        ),
    ] = None,
    verify_passes: Annotated[
        bool, typer.Option("--verify-passes", help="Check the IR after every pass.")
    ] = False,
    json: Json = False,
) -> None:
    """Compile MODEL into a C99 library for BOARD."""
    compiled = api.compile(
        model,
        board,
        output,
        name=name,
        input_mode=input_mode.value,
        io_int8=io is Io.int8,
        input_shapes=parse_shapes(input_shape),
        goal=goal.value,
        max_ram=max_ram,
        max_flash=max_flash,
        calibration=calibration,
        stream_axis=stream_axis,
        hop=hop,
        max_state=max_state,
        arena_regions=() if arena_regions is None else arena_regions.split(","),
        verify_passes=verify_passes,
    )
    print_json(compiled.figures()) if json else show.compiled(compiled)


def load_inputs(path: Path | None) -> np.ndarray | dict[str, np.ndarray] | None:
    """The array of a .npy file, or the arrays of a .npz file by name. Raises UserError for anything else."""
    if path is None:
        return None
    try:
        data = np.load(path, allow_pickle=False)
        return data if isinstance(data, np.ndarray) else dict(data)
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as e:
        raise UserError(
            f"{path} is not a .npy or .npz file",
            found=str(e) or type(e).__name__,
            accepted="saved by numpy.save",
        ) from e


@app.command()
def verify(
    folder: LibraryFolder,
    samples: Annotated[int, typer.Option(min=1, help="Random inputs to compare.")] = 20,
    inputs: Annotated[
        Path | None,
        typer.Option(help="A .npy file [N, ...], or .npz by input name, instead of random inputs."),
    ] = None,
    on: Annotated[On, typer.Option(help="Where to run the C.")] = On.qemu,
    json: Json = False,
) -> None:
    """Run the library and compare it with the reference bit for bit."""
    data = load_inputs(inputs)
    arrays = [*data.values()] if isinstance(data, dict) else [] if data is None else [data]
    with progress(
        f"verify on {on.value}", max((len(np.atleast_1d(x)) for x in arrays), default=samples)
    ) as done:
        result = api.verify(folder, samples=samples, inputs=data, on=on.value, progress=done)
    print_json(result.figures()) if json else show.verified(result)
    if not result.passed:
        raise typer.Exit(1)


@app.command()
def profile(
    folder: LibraryFolder,
    on: Annotated[On, typer.Option(help="Where to count: qemu.")] = On.qemu,
    json: Json = False,
) -> None:
    """Instructions and cycles per layer, counted on the emulated board."""
    if on is not On.qemu:
        raise UserError(f"cannot count on {on.value}", accepted="qemu")
    result = api.profile(folder)
    print_json(asdict(result)) if json else show.profiled(result)


@app.command()
def fit(
    model: Model,
    board: Annotated[list[str] | None, typer.Option(help="Only this board; repeatable.")] = None,
    input_mode: Annotated[InputMode, typer.Option("--input", help="Where inputs lie.")] = InputMode.arena,
    input_shape: Shapes = None,
    json: Json = False,
) -> None:
    """Show which boards MODEL fits, with memory and an estimate of latency. Exit code 1 when it fits none."""
    names = tuple(board) if board else boards.names()
    result = api.fit(model, names, input_mode=input_mode.value, input_shapes=parse_shapes(input_shape))
    print_json([{**asdict(f), "fits": f.fits} for f in result]) if json else show.fits(model.name, result)
    if not any(f.fits for f in result):
        raise typer.Exit(1)


@app.command()
def pareto(
    model: Model,
    board: Annotated[str, typer.Option(help="Board profile (patchloom boards) or a .toml file.")],
    input_mode: Annotated[InputMode, typer.Option("--input", help="Where inputs lie.")] = InputMode.arena,
    io: Annotated[Io, typer.Option(help="int8 strips quantize/dequantize at the boundary.")] = Io.model,
    input_shape: Shapes = None,
    plot: Annotated[Path | None, typer.Option(help="Picture of the front to write (.png or .svg).")] = None,
    json: Json = False,
) -> None:
    """Show the front of RAM and latency: every plan that no other beats in both."""
    if plot is not None:
        check_picture(plot)
    points = api.pareto(
        model,
        board,
        input_mode=input_mode.value,
        io_int8=io is Io.int8,
        input_shapes=parse_shapes(input_shape),
    )
    if plot is not None:
        plot_front(plot, f"{model.name} on {board}", points)
    print_json([p.figures() for p in points]) if json else show.front(model.name, board, points)


quantize.register(app)
search.register(app)
diff.register(app)


@app.command("boards")
def list_boards(json: Json = False) -> None:
    """List board profiles."""
    profiles = [boards.load(n) for n in boards.names()]
    if json:
        print_json(
            [
                {
                    "name": b.name,
                    "title": b.title,
                    "real": b.real,
                    "core": b.core,
                    "features": sorted(b.features),
                    "clock_hz": b.clock_hz,
                    "sram_bytes": b.sram_bytes,
                    "flash_bytes": b.flash_bytes,
                    "arena_regions": [asdict(r) for r in b.arena_regions],
                    "emulator": asdict(b.emulator),
                }
                for b in profiles
            ]
        )
    else:
        show.boards_table(profiles)


@app.command("ops")
def list_ops(json: Json = False) -> None:
    """List operators and the kernels that implement them."""
    rows = api.operators()
    print_json(rows) if json else show.operators(rows)


@app.command()
def dump(
    model: Model,
    after: Annotated[
        str, typer.Option(help="Pass to stop after; `import` shows the file as it is.")
    ] = "lower",
    input_shape: Shapes = None,
    io: Annotated[Io, typer.Option(help="int8 strips quantize/dequantize at the boundary.")] = Io.model,
    json: Json = False,
) -> None:
    """Print the IR in a stable text form."""
    text = api.dump(model, after, io_int8=io is Io.int8, input_shapes=parse_shapes(input_shape))
    print_json({"after": after, "ir": text}) if json else print_text(text.rstrip("\n"))


@app.command()
def doctor(json: Json = False) -> None:
    """Show toolchains and emulators found, and what each enables."""
    rows = api.doctor()
    print_json(rows) if json else show.doctor(rows)
