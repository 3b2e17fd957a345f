"""Our NumPy reference held to the outside one: TensorFlow Lite Micro's interpreter for .tflite models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..codegen.pipeline import Library
from ..errors import UserError
from ..export.tflm import TflmReference
from ..ir import DType, Graph, evaluate, initial_state
from ..ir.ops.softmax import Softmax
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
    if library.options.io_int8 or library.options.input_shapes:
        return _without("the model's boundary was changed")
    try:
        tflm = TflmReference(library.model, preserve=False)
    except UserError as e:
        return _without(e.message)
    graph = library.imported
    count = min(len(samples), reset_every if graph.states else MAX_SAMPLES)
    state, rounded = initial_state(graph), rounded_values(graph)
    mismatches, largest, tolerable = 0, 0.0, True
    compared = 0
    for sample in samples[:count]:
        values = evaluate(graph, sample, state)
        if _ends_the_process(graph, values):
            break
        compared += 1
        differences = {}
        for name, y in zip(graph.outputs, tflm.run([sample[n] for n in graph.inputs]), strict=True):
            differences[name] = largest_difference(values[name], y)
            tolerable &= differences[name] <= tolerance(values[name], name in rounded)
        mismatches += any(differences.values())
        largest = max(largest, *differences.values())
    return ReferenceCheck("tflite-micro", tflm.version, compared, mismatches, largest, tolerable)


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
