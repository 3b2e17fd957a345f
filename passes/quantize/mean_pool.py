"""Average pooling over the whole input becomes a mean, which may have a scale of its own."""

from __future__ import annotations

from ...ir import Activation, Graph, Op
from ...ir.ops.average_pool2d import AveragePool2D
from ...ir.ops.mean import Mean


def pools_to_means(graph: Graph) -> Graph:
    """Replace average pools whose one window is the whole input by means over rows and columns.

    Integer pooling has one quantization for input and output. The average of a whole map covers a small part
    of the map's range, so that most of its 256 levels would be wasted; a mean rescales.

    Requires: float graph.
    Ensures:  the same values, up to the order of additions.
    """
    return graph.rewritten(_mean(graph, op) for op in graph.ops)


def _mean(graph: Graph, op: Op) -> Op:
    if not isinstance(op, AveragePool2D) or op.activation is not Activation.NONE or op.window.padded:
        return op
    whole = op.window.kernel == graph[op.x].shape[1:3]
    return Mean(op.name, op.x, op.y, (1, 2), True) if whole else op
