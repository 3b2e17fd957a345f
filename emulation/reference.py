"""Our NumPy reference held to the outside one: TensorFlow Lite Micro's interpreter for .tflite models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..codegen.pipeline import Library
from ..codegen.selftest import FLOAT_TOLERANCE
from ..errors import UserError
from ..export.tflm import TflmReference
from ..ir import evaluate, initial_state
from .harness import Inputs

MAX_SAMPLES = 20
"""Samples compared with the outside reference in one verification."""


@dataclass(frozen=True)
class ReferenceCheck:
    """`name` is the outside reference, or says why there is none; then no samples were compared."""

    name: str
    version: str | None
    samples: int
    mismatches: int
    max_abs_diff: float
    within_tolerance: bool

    @property
    def passed(self) -> bool:
        return self.mismatches == 0 or self.within_tolerance


def check_reference(library: Library, samples: Sequence[Inputs], reset_every: int) -> ReferenceCheck:
    """Compare the imported graph's outputs on the first samples of `samples` (up to MAX_SAMPLES, or one sequence)."""
    if library.options.io_int8 or library.options.input_shapes:
        return ReferenceCheck("patchloom (the model's boundary was changed)", None, 0, 0, 0.0, True)
    try:
        tflm = TflmReference(library.model)
    except UserError as e:
        return ReferenceCheck(f"patchloom ({e.message})", None, 0, 0, 0.0, True)
    graph = library.imported
    count = min(len(samples), reset_every if graph.states else MAX_SAMPLES)
    state = initial_state(graph)
    mismatches, worst, relative = 0, 0.0, 0.0
    for sample in samples[:count]:
        values = evaluate(graph, sample, state)
        answers = tflm.run([sample[n] for n in graph.inputs])
        bad = False
        for name, y in zip(graph.outputs, answers, strict=True):
            want = values[name].astype(np.float64)
            difference = float(np.abs(want - np.asarray(y, np.float64).reshape(want.shape)).max(initial=0.0))
            bad |= difference != 0.0
            worst = max(worst, difference)
            relative = max(relative, difference / max(1.0, float(np.abs(want).max(initial=0.0))))
        mismatches += bad
    floats = any(graph[n].dtype.value == "float32" for n in graph.outputs)
    return ReferenceCheck(
        "tflite-micro", tflm.version, count, mismatches, worst, floats and relative <= FLOAT_TOLERANCE
    )
