"""Mixed precision: which ops compute with int16 activations, under a budget."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...ir import DType, Graph, Op
from .kinds import Weighted, alike, has_integer_form
from .observers import LEVELS, Distribution
from .report import sqnr_db
from .scheme import Scheme


def value_sqnr(d: Distribution, scheme: Scheme, name: str) -> float:
    """SQNR in decibels of this value alone stored as int8: rounding and clipping, from its histogram."""
    quant = scheme.quant(name, DType.INT8)
    low, high = (-128 - quant.z) * quant.s, (LEVELS - 129 - quant.z) * quant.s
    centres = d.centres
    clipped = np.maximum(low - centres, 0.0) + np.maximum(centres - high, 0.0)
    noise = np.where(clipped > 0, clipped**2, quant.s**2 / 12)
    return sqnr_db(float((centres**2 * d.counts).sum()), float((noise * d.counts).sum()))


def choose_int16(
    graph: Graph, scheme: Scheme, distributions: Mapping[str, Distribution], mac_share: float
) -> tuple[str, ...]:
    """Names of ops whose int8 activations lose most, within a share of the multiply-accumulates.

    A value profits only when both the op that computes it and those that read it work in int16, so they are
    taken together, worst value first, as long as the budget lasts.
    """
    producers, consumers = graph.producers(), graph.consumers()
    values = [
        n
        for n in distributions
        if n in producers and isinstance(producers[n], Weighted) and n not in graph.outputs
    ]
    values.sort(key=lambda n: value_sqnr(distributions[n], scheme, n))
    chosen: dict[str, Op] = {}
    for name in values:
        together = [producers[name], *(op for op in consumers[name] if not alike(op))]
        if any(not has_integer_form(graph, op, DType.INT16) for op in together):
            continue
        trial = {**chosen, **{op.name: op for op in together}}
        if sum(op.macs(graph.tensors) for op in trial.values()) <= mac_share * graph.macs:
            chosen = trial
    return tuple(op.name for op in graph.ops if op.name in chosen)
