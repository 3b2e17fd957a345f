"""Around the network: features before it, the sliding-window decision behind it, and the two peers.

The peers are TensorFlow Lite Micro's interpreter on the same features, and the whole of
`pymicro-wakeword` on the same audio.
"""

from __future__ import annotations

import json
import statistics
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pymicro_wakeword
from patchloom.export.tflm import TflmReference
from patchloom.ir import Graph, Tensor
from pymicro_features import MicroFrontend
from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures

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


def _shipped() -> dict[str, Any]:
    return dict(json.loads(_CONFIG.read_text())["micro"])


def shipped_rule() -> Rule:
    """The rule shipped with the model."""
    micro = _shipped()
    return Rule(float(micro["probability_cutoff"]), int(micro["sliding_window_size"]))


def tflm_arena_bytes() -> int:
    """What the model's own configuration reserves for TensorFlow Lite Micro, state included."""
    return int(_shipped()["tensor_arena_size"])


def quantization(graph: Graph) -> Quantization:
    """Quantization of the imported graph's one input `[1, frames, 40]` and one output `[1, 1]`."""
    x, y = graph[graph.inputs[0]], graph[graph.outputs[0]]
    return Quantization(x.shape[1], *_scale(x), *_scale(y))


def _scale(tensor: Tensor) -> tuple[float, int]:
    assert tensor.quant is not None
    return tensor.quant.s, tensor.quant.z


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


def decisions(outputs: Iterable[int], q: Quantization, rule: Rule) -> tuple[bool, ...]:
    """Whether the detector fires after each inference, from the network's raw outputs since a reset."""
    recent: deque[float] = deque(maxlen=rule.window)
    fires = []
    for raw in outputs:
        # float32 arithmetic, as the package does it
        recent.append(float((np.float32(raw) - np.float32(q.output_zero_point)) * np.float32(q.output_scale)))
        fires.append(len(recent) == rule.window and statistics.mean(recent) > rule.cutoff)
    return tuple(fires)


class Tflm:
    """TensorFlow Lite Micro's interpreter."""

    def __init__(self) -> None:
        self._interpreter = TflmReference(MODEL.read_bytes(), preserve=False)

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """Raw outputs uint8[inferences] for int8[inferences, 1, frames, 40], from the initial state."""
        self._interpreter.reset()
        return np.array([self._interpreter.run([x])[0].item() for x in inputs], np.uint8)


class Package:
    """The detector of `pymicro-wakeword` with its own engine (the TensorFlow Lite C library)."""

    def __init__(self) -> None:
        self._detector = MicroWakeWord.from_config(_CONFIG)

    def decisions(self, audio: np.ndarray) -> tuple[bool, ...]:
        """Its decision after each 10 ms step that has features, of int16[N] audio, from its initial state."""
        self._detector.reset()
        source = MicroWakeWordFeatures()
        steps = source.process_streaming(audio.astype("<i2").tobytes())
        return tuple(bool(self._detector.process_streaming(step)) for step in steps)
