"""Which channels of a value are left where constant channels were compiled away.

The remaining channels keep their order and, on every input, their values. So they are found by computing both
graphs with the reference: the channels of the smaller value are a subsequence of those of the whole. Where
two channels are alike on all inputs, either will do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from ..emulation.verify import SEQUENCE
from ..ir import Graph, evaluate, initial_state


def channels_kept(
    whole: Graph, smaller: Graph, names: Sequence[str], samples: Sequence[Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Indices of the last dimension by value name; values whose channels cannot be found are left out.

    names   of values that are in both graphs and differ in shape
    """
    digests = [_digests(graph, names, samples) for graph in (whole, smaller)]
    found = {name: _subsequence(digests[0][name], digests[1][name]) for name in names}
    return {
        n: np.array(c)
        for n, c in found.items()
        if c is not None and (*whole[n].shape[:-1], len(c)) == smaller[n].shape
    }


def _digests(
    graph: Graph, names: Sequence[str], samples: Sequence[Mapping[str, np.ndarray]]
) -> dict[str, list[bytes]]:
    """A hash of every channel over all samples, by value name."""
    hashes = {n: [hashlib.blake2b() for _ in range(graph[n].shape[-1])] for n in names}
    for i, sample in enumerate(samples):
        if i % SEQUENCE == 0:
            state = initial_state(graph)
        values = evaluate(graph, sample, state)
        for name, channels in hashes.items():
            for c, h in enumerate(channels):
                h.update(np.ascontiguousarray(values[name][..., c]).tobytes())
    return {n: [h.digest() for h in channels] for n, channels in hashes.items()}


def _subsequence(whole: Sequence[bytes], part: Sequence[bytes]) -> list[int] | None:
    """Where the items of `part` are in `whole`, in order, each as early as it can be; None: they are not."""
    found, at = [], 0
    for item in part:
        while at < len(whole) and whole[at] != item:
            at += 1
        if at == len(whole):
            return None
        found.append(at)
        at += 1
    return found
