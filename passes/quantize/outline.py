"""The integer graph a float graph will become, without data: for planning before anything is trained."""

from __future__ import annotations

import numpy as np

from ...ir import Activation, DType, Graph
from .convert import to_integers
from .kinds import Weighted, is_float
from .mean_pool import pools_to_means
from .observers import Distribution
from .reconstruct import fit_layer
from .scheme import make_scheme

_REACH = 4.0
"""Made-up reach of activations: a few standard deviations of a normalized layer."""


def outline(graph: Graph) -> Graph:
    """Quantize to int8 with made-up ranges of activations, weights rounded to nearest.

    Requires: canonical float graph.
    Ensures: operators, shapes and types are those of quantize_graph; the numbers mean nothing. Ranges of
    real data may differ so that channels are constant, which makes the real one smaller.
    """
    graph = pools_to_means(graph)
    values = [n for n, t in graph.tensors.items() if t.data is None]
    ranges = {n: Distribution(*_range(graph, n, i / len(values))) for i, n in enumerate(values)}
    scheme = make_scheme(graph, {n: d for n, d in ranges.items() if is_float(graph, n)}, _whole)
    weights = {}
    for op in graph.ops:
        if isinstance(op, Weighted) and scheme.precision[op.name] is not DType.FLOAT32:
            still = np.zeros(graph[op.weights].shape[op.CHANNEL_AXIS], bool)
            weights[op.name] = fit_layer(graph, scheme, op, None, still, False)
    return to_integers(graph, scheme, weights)[0]


def _whole(d: Distribution) -> tuple[float, float]:
    return d.low, d.high


def _range(graph: Graph, name: str, share: float) -> tuple[float, float]:
    """What an activation's values may be, as its operator clamps them.

    share   from 0 to 1, another one for every value: zero points differ as they do in real networks, so
            that rows of padding are not shared more than there
    """
    producer = next((op for op in graph.ops if name in op.outputs), None)
    clamp = getattr(producer, "activation", Activation.NONE)
    low = 0.0 if clamp in (Activation.RELU, Activation.RELU6) else -_REACH * (0.5 + share)
    return low, 6.0 if clamp is Activation.RELU6 else _REACH
