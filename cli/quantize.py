"""The command `quantize`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..quantization import Quantized
from ..quantization import quantize as run_quantize
from .output import number, print_json, print_table, print_text, progress
from .shapes import Shapes, parse_shapes


class Observer(StrEnum):
    """How the ranges of activations are chosen."""

    minmax = "minmax"
    percentile = "percentile"
    mse = "mse"
    entropy = "entropy"


class Rounding(StrEnum):
    """How weights are rounded."""

    nearest = "nearest"
    adaptive = "adaptive"


class FileFormat(StrEnum):
    """What is written."""

    tflite = "tflite"
    onnx = "onnx"


class Boundary(StrEnum):
    """Types at the boundary."""

    float32 = "float32"
    int8 = "int8"


DataFile = Annotated[Path, typer.Option(help="Typical inputs: .npy [N, ...], or .npz by input name.")]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("quantize")(quantize)


def quantize(
    model: Annotated[Path, typer.Argument(help="A float model.", show_default=False)],
    calibration: DataFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write.")],
    labels: Annotated[
        Path | None, typer.Option(help="Class of every sample of the evaluation data (.npy).")
    ] = None,
    evaluation: Annotated[
        Path | None, typer.Option(help="Inputs the labels belong to; default: the calibration data.")
    ] = None,
    observer: Annotated[Observer, typer.Option(help="How activation ranges are chosen.")] = Observer.mse,
    rounding: Annotated[Rounding, typer.Option(help="How weights are rounded.")] = Rounding.adaptive,
    bias_correction: Annotated[bool, typer.Option(help="Repair shifts of channel means.")] = True,
    equalisation: Annotated[bool, typer.Option(help="Balance channel ranges of layers.")] = True,
    int16: Annotated[
        list[str] | None, typer.Option(help="Layer with int16 activations, or `auto`; repeatable.")
    ] = None,
    int16_budget: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of MACs that `--int16 auto` may use.")
    ] = 0.25,
    io: Annotated[Boundary, typer.Option(help="Types of inputs and outputs.")] = Boundary.float32,
    format: Annotated[FileFormat, typer.Option(help="Kind of file.")] = FileFormat.tflite,
    seed: Annotated[int, typer.Option(help="Of all random choices.")] = 0,
    input_shape: Shapes = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Quantize a float MODEL with calibration data, and show what it cost."""
    with _steps() as show_step:
        result = run_quantize(
            model,
            calibration,
            labels=labels,
            evaluation=evaluation,
            observer=observer.value,
            bias_correction=bias_correction,
            equalisation=equalisation,
            rounding=rounding.value,
            int16_layers="auto" if int16 == ["auto"] else int16 or (),
            int16_budget=int16_budget,
            io_int8=io is Boundary.int8,
            format=format.value,
            out=output,
            seed=seed,
            input_shapes=parse_shapes(input_shape),
            progress=show_step,
        )
    print_json(result.figures()) if json else _show(result)


@contextmanager
def _steps() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar over all steps, in percent of the steps there usually are."""
    order = ("extremes", "histograms", "layers", "noise", "accuracy")
    with progress("quantize", 100 * len(order)) as done:
        yield lambda what, n, total: done(100 * order.index(what) + 100 * n // max(total, 1))


def _show(result: Quantized) -> None:
    """Metric, worst layers, what was checked."""
    if result.metric is not None:
        m = result.metric
        print_text(
            f"{m.name} on {m.samples} samples: {m.float_value:.4f} float, {m.integer_value:.4f} quantized"
        )
    if result.logits_sqnr_db is not None:
        print_text(f"SQNR of the answer: {result.logits_sqnr_db:.1f} dB")
    rows = [(layer.value[:60], layer.op[:60], layer.dtype, f"{layer.sqnr_db:.1f}") for layer in result.layers]
    print_table(["value", "computed by", "type", "SQNR dB>"], rows, "noise of every layer, in order")
    worst = ", ".join(f"{layer.value[:40]} ({layer.sqnr_db:.1f} dB)" for layer in result.worst(3))
    print_text(f"worst: {worst}")
    for note in result.notes:
        print_text(f"note: {note}")
    c = result.check
    checked = f"{c.samples} samples equal" if c.version else "nothing compared"
    if c.mismatches:
        checked = f"{c.samples} samples, {c.mismatches} elements differ"
    print_text(f"checked against {c.reference} {c.version or ''}: {checked}")
    for why in c.explained:
        print_text(f"note: {why}")
    if c.left_out:
        print_text(f"not there, computed by our reference alone: {', '.join(c.left_out)}")
    print_text(f"{result.path}: {number(len(result.content))} bytes, {result.calibration_samples} samples")
