"""Quantize a model file with calibration data: load, quantize, check against the outside reference, write."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .errors import UserError
from .export.onnx_qdq import to_onnx_qdq
from .export.tflite import to_tflite
from .frontend import import_tflite, load
from .ir import Graph
from .passes import canonicalize, layout
from .passes.fuse_qdq import fuse_qdq
from .passes.io_int8 import io_int8 as strip_io
from .passes.quantize import (
    Calibration,
    IntegerModel,
    LayerNoise,
    Metric,
    Progress,
    RoundingName,
    Sample,
    Techniques,
    labels_of,
    layer_noise,
    logits_sqnr,
    measure,
    quantize_graph,
    samples_of,
)
from .quantization_check import Check, check_onnx, check_tflite

Format = Literal["tflite", "onnx"]

_NOISE_SAMPLES = 8
"""Inputs on which the noise of every value is measured: the exact integer reference takes its time."""

_CHECKED_SAMPLES = 3
"""Inputs on which the written file is compared with the outside reference."""


@dataclass(frozen=True, eq=False)
class Quantized:
    """A quantized model and what it cost.

    graph           the integer graph, as it reads from `content`
    content         the bytes of the file; `path` is where they were written, if anywhere
    layers          noise of every integer value, in the order of computation
    logits_sqnr_db  of the value behind the answer (in front of a last softmax); None when it is float
    float_ops       why layers stay in float between conversions, by name
    metric          before and after, on labelled data (or on the inputs of an autoencoder)
    notes           what a person should know
    """

    graph: Graph
    content: bytes
    format: Format
    path: Path | None
    techniques: Techniques
    int16_ops: tuple[str, ...]
    float_ops: Mapping[str, str]
    calibration_samples: int
    layers: tuple[LayerNoise, ...]
    logits_sqnr_db: float | None
    metric: Metric | None
    check: Check
    notes: tuple[str, ...]

    def worst(self, count: int = 5) -> tuple[LayerNoise, ...]:
        """The values of lowest SQNR."""
        return tuple(sorted(self.layers, key=lambda layer: layer.sqnr_db)[:count])

    def figures(self) -> dict[str, Any]:
        """The document of `quantize --json`."""
        return {
            "path": None if self.path is None else str(self.path),
            "format": self.format,
            "bytes": len(self.content),
            "calibration_samples": self.calibration_samples,
            "techniques": asdict(self.techniques),
            "int16_layers": list(self.int16_ops),
            "float_layers": dict(self.float_ops),
            "metric": None if self.metric is None else asdict(self.metric),
            "logits_sqnr_db": self.logits_sqnr_db,
            "layers": [asdict(layer) for layer in self.layers],
            "worst_layers": [layer.value for layer in self.worst()],
            "check": asdict(self.check),
            "notes": list(self.notes),
        }


def quantize(
    model: str | Path | Graph,
    calibration: Calibration,
    *,
    labels: str | Path | np.ndarray | Sequence[int] | None = None,
    evaluation: Calibration | None = None,
    observer: str = "mse",
    bias_correction: bool = True,
    equalisation: bool | Literal["always"] = True,
    rounding: RoundingName = "adaptive",
    int16_layers: Sequence[str] | Literal["auto"] = (),
    int16_budget: float = 0.25,
    io_int8: bool = False,
    format: Format = "tflite",
    out: str | Path | None = None,
    seed: int = 0,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Quantized:
    """Quantize a float model to int8 (int16 activations in `int16_layers`).

    model         file or graph
    calibration   typical inputs: .npy or .npz file, array [N, ...], arrays by input name, or an iterable
    labels        class per sample of `evaluation` (without it: of `calibration`), for accuracy
    evaluation    inputs the labels belong to; noise is measured on some of them, too
    int16_layers  names of layers, or "auto": those that lose most, within `int16_budget` of the MACs
    io_int8       int8 graph inputs and outputs instead of float ones
    format        "tflite": TensorFlow Lite's rounding; "onnx": QDQ with ONNX's
    out           file to write, as a whole or not at all
    progress      called with a step's name, how much of it is done, and how much there is
    Raises UserError for bad input, naming the tensor or operator, and (exit code 1) when the file does not
    compute the same integers in the outside reference; then nothing is written.
    """
    techniques = Techniques(
        observer, bias_correction, equalisation, rounding,
        int16_layers="auto" if int16_layers == "auto" else tuple(int16_layers),
        int16_budget=int16_budget, seed=seed,
    )  # fmt: skip
    _check_format(format, out, io_int8)
    imported = model if isinstance(model, Graph) else load(Path(model), input_shapes or {})
    graph = layout(canonicalize(imported))
    samples = samples_of(graph, calibration)
    tests = samples if evaluation is None else samples_of(graph, evaluation, "evaluation data")
    classes = graph[graph.outputs[0]].elements
    wanted = None if labels is None else labels_of(labels, len(tests), classes)
    result = quantize_graph(graph, samples, techniques, progress)
    noise = _noise(result, tests, progress)
    broken = [f"{n.value!r} becomes NaN once quantized" for n in noise if np.isnan(n.sqnr_db)]
    boundary = strip_io(result.graph) if io_int8 else result.graph
    content = to_tflite(boundary, custom=True) if format == "tflite" else to_onnx_qdq(boundary)
    read = partial(_read_again, format=format, source=str(out or f"{graph.name}.{format}"))
    final = read(content)
    if format == "tflite":
        check = check_tflite(content, final, result.graph, boundary, samples[:_CHECKED_SAMPLES])
    else:
        check = check_onnx(content, final, result.graph, samples[:_CHECKED_SAMPLES], read)
    measured = result.graph if format == "tflite" else final
    metric = measure(
        result.float_graph, measured, tests, wanted, lambda n: progress("accuracy", n, len(tests))
    )
    path = None if out is None else _write(Path(out), content)
    return Quantized(
        final, content, format, path, techniques, result.int16_ops, result.float_ops, len(samples), noise,
        logits_sqnr(noise, result.float_graph), metric, check, (*result.notes, *broken),
    )  # fmt: skip


def _check_format(format: str, out: str | Path | None, io_int8: bool) -> None:
    if format not in ("tflite", "onnx"):
        raise UserError(f"cannot write {format!r}", accepted="tflite, onnx")
    if format == "onnx" and io_int8:
        raise UserError("a QDQ file has float inputs and outputs", hint="--io int8 at compile strips them")
    if out is not None and not Path(out).resolve().parent.is_dir():
        raise UserError(f"{out}: there is no such folder", found=str(Path(out).resolve().parent))
    if out is not None and Path(out).is_dir():
        raise UserError(f"{out}: is a directory", accepted="a file to write")


def _read_again(content: bytes, format: Format, source: str) -> Graph:
    """The graph of the file as `compile` sees it."""
    if format == "tflite":
        return import_tflite(content, source)
    from .frontend.onnx import import_onnx  # takes as long to import as everything else together

    return fuse_qdq(import_onnx(content, source))


def _noise(result: IntegerModel, tests: Sequence[Sample], progress: Progress) -> tuple[LayerNoise, ...]:
    count = min(len(tests), _NOISE_SAMPLES)
    picked = [tests[i] for i in np.linspace(0, len(tests) - 1, count).round().astype(int)]
    return layer_noise(
        result.float_graph, result.graph, result.stored, picked, lambda n: progress("noise", n, count)
    )


def _write(path: Path, content: bytes) -> Path:
    """Write as a whole: a file of this name holds all of the content, or is what it was."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as e:
        part.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written", found=str(e)) from e
    return path
