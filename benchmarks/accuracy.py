"""What post-training quantization costs and what each technique earns: writes accuracy.json and a table.

    python benchmarks/accuracy.py [--models FOLDER] [--only NAME]

Models are the float networks of MLPerf Tiny and their int8 files (`--models`: the folder that holds
vww_96_float.tflite, vww_96_int8.tflite, pretrainedResnet.tflite and pretrainedResnet_quant.tflite), on photos
(benchmarks/photos.py), and the network of examples/fashion_mnist. SQNR is that of the logits.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import photos
from patchloom import api
from patchloom.frontend import load
from patchloom.ir import Graph, evaluate
from patchloom.passes import canonicalize
from patchloom.passes.quantize import logits_of, sqnr_db
from patchloom.quantization import quantize

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "fashion_mnist"
sys.path.insert(0, str(EXAMPLE))
import dataset  # noqa: E402

RESULTS = HERE / "accuracy.json"
BOARD = "nucleo-l4r5zi"
CALIBRATION_IMAGES = 100
EVALUATION_IMAGES = 60
LABELLED_IMAGES = 2000
PLAIN = {"observer": "minmax", "bias_correction": False, "equalisation": False, "rounding": "nearest"}
TECHNIQUES: dict[str, dict[str, Any]] = {
    "minmax": PLAIN,
    "percentile": {**PLAIN, "observer": "percentile"},
    "entropy": {**PLAIN, "observer": "entropy"},
    "mse": {**PLAIN, "observer": "mse"},
    "mse + bias correction": {**PLAIN, "observer": "mse", "bias_correction": True},
    "mse + equalisation": {**PLAIN, "observer": "mse", "equalisation": "always"},
    "mse + adaptive rounding": {**PLAIN, "observer": "mse", "rounding": "adaptive"},
    "mse + bias correction + equalisation": {"rounding": "nearest", "equalisation": "always"},
    "mse + bias correction + adaptive rounding": {"observer": "mse", "equalisation": False},
    "default": {},
    "default + int16 auto": {"int16_layers": "auto"},
}
"""Arguments of `quantize` by name of the row."""


@dataclass(frozen=True, eq=False)
class Case:
    """A float model, inputs in its types, and the int8 file of the same network where there is one."""

    name: str
    model: Path
    data: str
    calibration: np.ndarray
    evaluation: np.ndarray
    labels: np.ndarray | None = None
    other: Path | None = None


def cases(models: Path) -> Iterator[Case]:
    """What is measured, as far as its files are there."""
    for name, other, size, scale in (
        ("vww_96_float", "vww_96_int8", 96, 1 / 255),
        ("pretrainedResnet", "pretrainedResnet_quant", 32, 1.0),
    ):
        if not (models / f"{name}.tflite").exists():
            print(f"{name}: not in {models}, skipped", file=sys.stderr)
            continue
        calibration = photos.crops(photos.CALIBRATION, CALIBRATION_IMAGES, size, seed=1) * np.float32(scale)
        evaluation = photos.crops(photos.EVALUATION, EVALUATION_IMAGES, size, seed=2) * np.float32(scale)
        data = f"scikit-image photos, {CALIBRATION_IMAGES} calibrate, {EVALUATION_IMAGES} evaluate"
        yield Case(
            name, models / f"{name}.tflite", data, calibration, evaluation, None, models / f"{other}.tflite"
        )
    if dataset.available():
        yield fashion_mnist()
    else:
        print("fashion_mnist: apt-get install dataset-fashion-mnist; skipped", file=sys.stderr)


def fashion_mnist() -> Case:
    """The network of examples/fashion_mnist with real labels."""
    train, _ = dataset.load("train")
    images, labels = dataset.load("t10k")
    chosen = np.random.default_rng(0).choice(len(train), CALIBRATION_IMAGES, replace=False)
    n = LABELLED_IMAGES
    data = f"Fashion-MNIST, {CALIBRATION_IMAGES} of train calibrate, the first {n} of test evaluate"
    model = EXAMPLE / "fashion_mnist_float.tflite"
    return Case("fashion_mnist", model, data, train[chosen], images[:n], labels[:n])


def logits(graph: Graph, inputs: np.ndarray, stored: bool) -> np.ndarray:
    """Real logits [N, classes]; stored: the graph takes and gives integers."""
    name, x = logits_of(graph), graph.inputs[0]
    rows = []
    for item in inputs:
        value = item[np.newaxis]
        quant = graph[x].quant
        if stored and quant is not None:
            value = np.clip(np.round(value / quant.s) + quant.z, -128, 127).astype(np.int8)
        y = evaluate(graph, {x: value})[name].astype(np.float64).reshape(-1)
        quant = graph[name].quant
        rows.append(y if quant is None else (y - quant.z) * quant.s)
    return np.stack(rows)


def memory(model: Path) -> dict[str, int]:
    """Bytes of the compiled library."""
    with tempfile.TemporaryDirectory() as folder:
        figures = api.compile(model, BOARD, Path(folder) / "lib").figures()
    return {"arena_bytes": figures["arena_bytes"], "weight_bytes": figures["weight_bytes"]}


def row(case: Case, technique: str, model: Path, exact: np.ndarray) -> dict[str, Any]:
    ours = logits(load(model), case.evaluation, stored=True)
    sqnr = sqnr_db(float((exact**2).sum()), float(((exact - ours) ** 2).sum()))
    return {
        "model": case.name,
        "data": case.data,
        "technique": technique,
        "float_accuracy": accuracy(exact, case.labels),
        "int8_accuracy": accuracy(ours, case.labels),
        "logits_sqnr_db": round(sqnr, 2),
        **memory(model),
    }


def accuracy(y: np.ndarray, labels: np.ndarray | None) -> float | None:
    return None if labels is None else float((y.argmax(axis=1) == labels).mean())


def rows(case: Case) -> Iterator[dict[str, Any]]:
    """The int8 file that exists, then every technique."""
    exact = logits(canonicalize(load(case.model)), case.evaluation, stored=False)
    if case.other is not None:
        yield row(case, f"the int8 file {case.other.name}", case.other, exact)
    for technique, arguments in TECHNIQUES.items():
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "quantized.tflite"
            quantize(
                case.model,
                case.calibration,
                out=out,
                io_int8=True,
                evaluation=case.evaluation[:4],
                **arguments,
            )
            yield row(case, technique, out, exact)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--only", help="name of one model; its rows are replaced, others stay")
    arguments = parser.parse_args()
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    for case in cases(arguments.models):
        if arguments.only not in (None, case.name):
            continue
        new = []
        kept = [r for r in kept if r["model"] != case.name]
        for result in rows(case):
            new.append(result)
            print(json.dumps(result), flush=True)
            RESULTS.write_text(json.dumps([*kept, *new], indent=2) + "\n")
        kept += new


if __name__ == "__main__":
    main()
