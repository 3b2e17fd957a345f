"""Our NumPy reference held to the outside one.

TensorFlow Lite Micro's interpreter for .tflite models, onnxruntime for .onnx models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..codegen.pipeline import Library
from ..errors import UserError
from ..export.ort import OrtReference
from ..export.tflm import TflmReference
from ..frontend.tflite.schema import IDENTIFIER
from ..ir import DType, Graph, evaluate, initial_state
from ..ir.ops.softmax import Softmax
from ..passes.streaming import windows
from .differences import largest_difference, rounded_values, tolerance
from .harness import Inputs

MAX_SAMPLES = 20
"""Samples compared with the outside reference in one verification of a model without state."""


@dataclass(frozen=True)
class ReferenceCheck:
    """`name` is the outside reference, or says why there is none; then no samples were compared.

    The comparison ends at a sample on which the interpreter would end the process.
    """

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
    """Compare the imported graph's outputs on the first samples: MAX_SAMPLES, or the first sequence."""
    tflite = library.model[4:8] == IDENTIFIER
    if library.options.io_int8 or (library.options.input_shapes and tflite):
        return _without("the model's boundary was changed")
    outside: TflmReference | OrtReference
    try:
        outside = TflmReference(library.model, preserve=False) if tflite else OrtReference(library.model)
    except UserError as e:
        return _without(e.message)
    graph = library.imported
    streamed = library.graph if library.streaming else None
    kept = initial_state(library.graph) if streamed else {}
    stateful = bool(graph.states) or streamed is not None
    count = min(len(samples), reset_every if stateful else MAX_SAMPLES)
    state, rounded = initial_state(graph), rounded_values(graph)
    mismatches, largest, tolerable = 0, 0.0, True
    compared = 0
    for sample, frames in zip(_inputs(library, samples[:count], reset_every), samples, strict=False):
        values = evaluate(graph, sample, state)
        if tflite and _ends_the_process(graph, values):
            break
        try:
            answers = outside.run([sample[n] for n in graph.inputs])
        except UserError as e:
            if tflite:
                raise
            return _without(e.message)
        compared += 1
        differences = {}
        for name, y in zip(graph.outputs, answers, strict=True):
            differences[name] = largest_difference(values[name], y)
            tolerable &= differences[name] <= tolerance(values[name], name in rounded)
        if streamed:  # what the C computes from new frames, beside the whole window
            again = evaluate(streamed, frames, kept)
            for name, now in zip(graph.outputs, streamed.outputs, strict=True):
                differences[name] = max(differences[name], largest_difference(values[name], again[now]))
                tolerable &= differences[name] <= tolerance(values[name], name in rounded)
        mismatches += any(differences.values())
        largest = max(largest, *differences.values())
    name = "tflite-micro" if tflite else "onnxruntime"
    return ReferenceCheck(name, outside.version, compared, mismatches, largest, tolerable)


def _inputs(library: Library, samples: Sequence[Inputs], reset_every: int) -> Iterator[Inputs]:
    """Inputs of the imported graph: the samples, or the windows that end with their frames."""
    if library.streaming is None:
        yield from samples
        return
    for start in range(0, len(samples), reset_every):
        yield from windows(library.imported, library.streaming, samples[start : start + reset_every])


def _ends_the_process(graph: Graph, values: Mapping[str, np.ndarray]) -> bool:
    """Whether the interpreter's assertions fail on these values: a softmax over many equal elements."""
    return any(
        isinstance(op, Softmax)
        and graph[op.x].dtype is DType.INT8
        and op.largest_shift(graph.tensors, values[op.x]) > 31
        for op in graph.ops
    )


def _without(reason: str) -> ReferenceCheck:
    return ReferenceCheck(f"patchloom ({reason})", None, 0, 0, 0.0, True)
