"""Runs of ops that can be computed one block of channels after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...ir import DType, Graph, Op
from ...ir.ops.average_pool2d import AveragePool2D
from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.ops.hard_swish import HardSwish
from ...ir.ops.leaky_relu import LeakyRelu
from ...ir.ops.logistic import Logistic
from ...ir.ops.lookup import Lookup
from ...ir.ops.max_pool2d import MaxPool2D
from ...ir.ops.mean import Mean
from ...ir.ops.quantize import Quantize
from ...ir.ops.relu import Relu
from ...ir.ops.reshape import Reshape
from ...ir.ops.resize_nearest import ResizeNearest
from ...ir.ops.tanh import Tanh
from ...ir.weighted import int32_accumulator_problems, weight_zero_point
from ..rewrite import Site

Dense = Conv2D | FullyConnected

_ALIKE = (HardSwish, LeakyRelu, Logistic, Lookup, Quantize, Relu, Tanh)
"""Ops that treat every element alike."""

_MAPS = (AveragePool2D, MaxPool2D, Mean, ResizeNearest)
"""Ops that treat every channel of a map alike."""

_FEWEST = 8
"""Channels of a run at least."""


@dataclass(frozen=True, eq=False)
class Run:
    """expand makes channels, ops between treat each on its own, project adds up products with all of them.

    channels   made by `expand`; element i of every value between belongs to channel i modulo that
    """

    expand: Dense
    between: tuple[Op, ...]
    project: Dense
    channels: int

    @property
    def ops(self) -> tuple[Op, ...]:
        return (self.expand, *self.between, self.project)

    def cuts(self, blocks: int) -> tuple[tuple[int, int], ...]:
        """Channels [start, end) of each of about so many blocks; multiples of four where there are enough,
        because kernels work on words."""
        size = -(-self.channels // blocks)
        if size >= 4:
            size = -(-size // 4) * 4
        return tuple((a, min(a + size, self.channels)) for a in range(0, self.channels, size))


def runs_of(graph: Graph) -> Mapping[str, Run]:
    """All runs of a graph, by the name of the op that projects; they may share an op with the next."""
    site = Site.of(graph)
    found = ((op.name, _run(site, op)) for op in graph.ops if isinstance(op, Dense))
    return {name: run for name, run in found if run is not None}


def _run(site: Site, project: Dense) -> Run | None:
    if not _sums_int32(site, project):
        return None
    between: list[Op] = []
    value = project.x
    while True:
        op = site.producers.get(value)
        if op is None or not site.private(value) or site[value].dtype is not DType.INT8:
            return None
        if isinstance(op, Dense):
            break
        if not isinstance(op, (*_ALIKE, *_MAPS, DepthwiseConv2D, Reshape)):
            return None
        between.append(op)
        value = op.inputs[0]
    run = Run(op, tuple(reversed(between)), project, site[op.weights].shape[0])
    return run if _separate(site, run) else None


def _sums_int32(site: Site, op: Dense) -> bool:
    """Whether the op adds up int8 products in int32, without groups, and its biases are no special case.

    The sums of all products stay below 2^30, whatever the input: that is a rule of the op. Every partial
    sum of products with unshifted activations is at most 128 * sum |weights|, so it does, too.
    """
    weights, x = site[op.weights], site[op.x]
    if x.dtype is not DType.INT8 or weights.data is None or weight_zero_point(weights):
        return False
    if isinstance(op, Conv2D) and x.shape[3] != weights.shape[3]:
        return False
    bias = site[op.bias].data if op.bias is not None else None
    if bias is None:
        return True
    real = np.zeros(weights.shape[0]) if op.rounding.onnx else op.real_scales(site.graph.tensors)
    reach = np.abs(bias.reshape(-1).astype(np.float64)) + 255.0 * op.weight_sums(site.graph.tensors)
    return not list(int32_accumulator_problems(reach, real))


def _separate(site: Site, run: Run) -> bool:
    """Whether no op of the run mixes the channels that `expand` makes."""
    expand, count = run.expand, run.channels
    if isinstance(expand, Conv2D) and site[expand.x].shape[3] != site[expand.weights].shape[3]:
        return False
    if count < _FEWEST or site[expand.x].dtype is not DType.INT8:
        return False
    for op in run.between:
        x, y = site[op.inputs[0]], site[op.outputs[0]]
        if any(not t.shape or t.shape[-1] % count for t in (x, y)):
            return False
        if isinstance(op, Mean) and (op.axes != (1, 2) or len(x.shape) != 4):
            return False
        if isinstance(op, DepthwiseConv2D) and not x.shape[3] == y.shape[3] == count:
            return False
        if isinstance(op, _MAPS) and len(x.shape) != 4:
            return False
    return site[run.project.weights].shape[-1] % count == 0
