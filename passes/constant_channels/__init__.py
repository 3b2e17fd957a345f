"""Dead and constant channels compiled away."""

from __future__ import annotations

from ...ir import Graph
from ..rewrite import apply_rewrites, remove_dead_ops
from ..simplify_movement import drop_movement
from .constant import replace_constant_values
from .fold import fold_into_biases, owned_weights
from .remove import remove_channels


def fold_constant_channels(graph: Graph) -> Graph:
    """Remove channels whose value cannot depend on the input, and channels nobody reads.

    Interval analysis (`bounds`) finds constant channels; their effect joins the biases of the ops
    that read them, whose weights for them become 0 (`fold`); channels that only meet such weights
    are dead everywhere and are cut out (`live`, `remove`).

    Requires: the rules of every op are met.
    Ensures:  outputs and states bit-identical, graph inputs and outputs of the same shape; MACs, weights
              and activations never grow, accumulators keep their bounds. Float graphs are left alone.
    """
    if not owned_weights(graph):
        return graph
    while True:
        folded = fold_into_biases(remove_dead_ops(replace_constant_values(graph)))
        smaller = remove_channels(folded)
        if smaller is graph:
            return graph
        graph = apply_rewrites(smaller, (drop_movement,))
