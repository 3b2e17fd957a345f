"""What a search leaves behind: weights of candidates, and the chosen ones as libraries on the board."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import api
from ..errors import UserError
from .constraints import Limits
from .data import Data
from .graph import LayerValues, Values, float_graph
from .network import Network
from .training import Recipe

CALIBRATION_SAMPLES = 200


@dataclass(frozen=True)
class Deployed:
    """A network on its board.

    float_accuracy, int8_accuracy   on the test part
    arena_bytes, flash_bytes        of the compiled library; *_predicted: before anything was trained
    cycles_measured                 on the emulated core; None where it has no cycle model
    bit_exact                       the emulated board gives the integers of the reference
    """

    float_accuracy: float
    int8_accuracy: float
    arena_bytes: int
    arena_predicted: int
    flash_bytes: int
    flash_predicted: int
    cycles_measured: int | None
    cycles_predicted: float | None
    bit_exact: bool


def save(path: Path, values: Values) -> None:
    """Write weights and biases as an .npz file, as a whole or not at all."""
    arrays = {f"{n}/{part}": getattr(v, part) for n, v in values.items() for part in ("weights", "bias")}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, **arrays)
        part.replace(path)
    except OSError as e:
        part.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written", found=str(e)) from e


def restore(path: Path, network: Network) -> dict[str, LayerValues] | None:
    """The weights of `network` as `save` wrote them; None where no file holds them."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError):
        return None
    found = {}
    for name, (shape, biases) in network.weights().items():
        weights, bias = arrays.get(f"{name}/weights"), arrays.get(f"{name}/bias")
        if weights is None or bias is None or weights.shape != shape or bias.shape != (biases,):
            return None
        found[name] = LayerValues(weights, bias)
    return found


def deploy(
    network: Network, values: Values, data: Data, limits: Limits, folder: Path, *, verified: int = 20
) -> Deployed:
    """Quantize with training samples, compile into `folder`, and run on the emulated board.

    folder     gets model.tflite, library/ and figures.json
    verified   test samples that are run there
    Raises UserError where a tool is missing or the library does not fit.
    """
    graph = float_graph(network, values)
    predicted = api.predict(graph, limits.board, max_ram=limits.max_ram, max_flash=limits.max_flash)
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model.tflite"
    x, y = data.test
    quantized = api.quantize(graph, data.few(CALIBRATION_SAMPLES), evaluation=x, labels=y, out=model)
    compiled = api.compile(
        model,
        limits.board,
        folder / "library",
        name="net",
        io_int8=True,
        goal="latency",
        max_ram=limits.max_ram,
        max_flash=limits.max_flash,
    )
    figures, metric = compiled.figures(), quantized.metric
    assert metric is not None
    result = Deployed(
        float_accuracy=metric.float_value,
        int8_accuracy=metric.integer_value,
        arena_bytes=figures["arena_bytes"] + figures["state_bytes"],
        arena_predicted=predicted.arena_bytes + predicted.state_bytes,
        flash_bytes=figures["weight_bytes"] + (figures["code_bytes"] or 0),
        flash_predicted=predicted.flash_bytes,
        cycles_measured=api.profile(folder / "library").cycles,
        cycles_predicted=predicted.cycles,
        bit_exact=api.verify(folder / "library", samples=verified).passed,
    )
    write_json(folder / "figures.json", asdict(result))
    return result


def describe(folder: Path, network: Network, picks: Mapping[str, Any], recipe: Recipe) -> None:
    """Write how the network of a folder came about: picks, layers, and how it was trained."""
    write_json(
        folder / "training.json",
        {"picks": dict(picks), "recipe": asdict(recipe), "layers": [repr(layer) for layer in network.layers]},
    )


def write_json(path: Path, document: Any) -> None:
    """Write a JSON file, as a whole or not at all."""
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        part.write_text(json.dumps(document, indent=1) + "\n")
        part.replace(path)
    except OSError as e:
        part.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written", found=str(e)) from e
