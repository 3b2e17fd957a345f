"""Around the network: features before it, the sliding-window decision behind it, and the two peers.

The peers are TensorFlow Lite Micro's interpreter on the same features, and the whole of
`pymicro-wakeword` on the same audio.
"""

from __future__ import annotations

import json
import statistics
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pymicro_wakeword
from pymicro_features import MicroFrontend
from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures

from patchloom.export.tflm import TflmReference
from patchloom.ir import Graph, Tensor

MODEL = Path(pymicro_wakeword.__file__).parent / "models" / "okay_nabu.tflite"
_CONFIG = MODEL.with_suffix(".json")
# 10 ms at 16 kHz, 16 bit: what the frontend takes at a time (its windows of 30 ms overlap by 20 ms)
_STEP_BYTES = 320


@dataclass(frozen=True)
class Rule:
    """The decision: the mean of the last `window` probabilities exceeds `cutoff`."""

    cutoff: float
    window: int


@dataclass(frozen=True)
class Quantization:
    """Scales and zero points at the network's boundary, and frames per inference."""

    frames: int
    input_scale: float
    input_zero_point: int
    output_scale: float
    output_zero_point: int


def rule() -> Rule:
    """The rule shipped with the model."""
    micro = json.loads(_CONFIG.read_text())["micro"]
    return Rule(float(micro["probability_cutoff"]), int(micro["sliding_window_size"]))


def quantization(graph: Graph) -> Quantization:
    """Quantization of the imported graph's one input `[1, frames, 40]` and one output `[1, 1]`."""
    x, y = graph[graph.inputs[0]], graph[graph.outputs[0]]
    return Quantization(x.shape[1], *_scale(x), *_scale(y))


def _scale(tensor: Tensor) -> tuple[float, int]:
    assert tensor.quant is not None
    return float(tensor.quant.scale[0]), int(tensor.quant.zero_point[0])


def features(audio: np.ndarray) -> np.ndarray:
    """float64[steps, 40]: one row of filter-bank energies every 10 ms of int16[N] audio at 16 kHz."""
    frontend = MicroFrontend()
    data = audio.astype("<i2").tobytes()
    rows, at = [], 0
    while at + _STEP_BYTES <= len(data):
        result = frontend.process_samples(data[at : at + _STEP_BYTES])
        at += result.samples_read * 2
        if result.features:
            rows.append(result.features)
    return np.array(rows)


def quantize(rows: np.ndarray, q: Quantization) -> np.ndarray:
    """int8[inferences, 1, frames, 40]: whole groups of `frames` rows, as the network takes them."""
    count = rows.shape[0] // q.frames
    groups = rows[: count * q.frames].reshape(count, 1, q.frames, rows.shape[1])
    return np.round(groups / q.input_scale + q.input_zero_point).astype(np.int8)


def window_means(outputs: Iterable[int], q: Quantization, decide: Rule) -> list[float]:
    """Mean probability after each inference from the network's raw outputs; 0 until the window is full."""
    recent: deque[float] = deque(maxlen=decide.window)
    means = []
    for raw in outputs:
        # float32 arithmetic, as the package does it
        recent.append(float((np.float32(raw) - np.float32(q.output_zero_point)) * np.float32(q.output_scale)))
        means.append(statistics.mean(recent) if len(recent) == decide.window else 0.0)
    return means


def detected(means: Sequence[float], decide: Rule) -> bool:
    """Whether the detector fired at any time in a clip."""
    return any(m > decide.cutoff for m in means)


def tflm_outputs(model: bytes, inputs: np.ndarray) -> np.ndarray:
    """Raw outputs uint8[inferences] of TensorFlow Lite Micro, from its initial state."""
    interpreter = TflmReference(model)
    return np.array([int(interpreter.run([x])[0].item()) for x in inputs], np.uint8)


class Package:
    """The detector of `pymicro-wakeword` with its own engine (the TensorFlow Lite C library)."""

    def __init__(self) -> None:
        self._detector = MicroWakeWord.from_config(_CONFIG)

    def fires(self, audio: np.ndarray) -> list[bool]:
        """Its decision after every 10 ms of int16[N] audio at 16 kHz, from its initial state."""
        self._detector.reset()
        source = MicroWakeWordFeatures()
        steps = source.process_streaming(audio.astype("<i2").tobytes())
        return [bool(self._detector.process_streaming(step)) for step in steps]
