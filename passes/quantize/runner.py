"""Fast float32 execution of graphs, for statistics: products in float32, values dropped after their last use.

The interpreter computes float convolutions in float64, because it is the judge of C code. Calibration runs
hundreds of inferences and needs neither that precision nor all values at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping

import numpy as np

from ...ir import Graph, Op
from ...ir.ops.conv2d import Conv2D
from ...ir.ops.depthwise_conv2d import DepthwiseConv2D
from ...ir.ops.fully_connected import FullyConnected
from ...ir.ops.read_state import ReadState
from ...ir.ops.write_state import WriteState
from ...ir.weighted import float_clamp
from ...ir.window import patches

Values = MutableMapping[str, np.ndarray]
Visit = Callable[[Op, Values], None]


def run(
    graph: Graph, inputs: Mapping[str, np.ndarray], state: MutableMapping[str, np.ndarray], visit: Visit
) -> None:
    """One inference of a float graph. `visit(op, values)` sees the values alive behind each op.

    state is updated in place. Values may be replaced by `visit`; later ops then read the replacement.
    """
    last = last_uses(graph)
    values: Values = {n: t.data for n, t in graph.tensors.items() if t.data is not None}
    values.update(inputs)
    for position, op in enumerate(graph.ops):
        apply(graph, op, values, state)
        visit(op, values)
        for name in {*op.inputs, *op.outputs}:
            if last.get(name, -1) <= position and not graph[name].constant and name not in graph.outputs:
                del values[name]


def last_uses(graph: Graph) -> dict[str, int]:
    """Position of the last op that reads each value."""
    return {x: position for position, op in enumerate(graph.ops) for x in op.inputs}


def apply(graph: Graph, op: Op, values: Values, state: MutableMapping[str, np.ndarray]) -> None:
    """Compute one op of a float graph into `values`."""
    if isinstance(op, ReadState):
        values[op.y] = state[op.state].copy()
        return
    if isinstance(op, WriteState):
        state[op.state] = values[op.x].reshape(state[op.state].shape).copy()
        return
    operands = [values[x] for x in op.inputs]
    if isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected) and operands[0].dtype == np.float32:
        acc = product(graph, op, operands[0], operands[1])
        bias = operands[2].reshape(-1) if op.bias is not None else np.float32(0)
        results: tuple[np.ndarray, ...] = (float_clamp(acc + bias, op.fused),)
    else:
        results = op.reference(graph.tensors, *operands)
    for name, result in zip(op.outputs, results, strict=True):
        values[name] = result.astype(graph[name].dtype.numpy, copy=False).reshape(graph[name].shape)


def product(
    graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected, x: np.ndarray, w: np.ndarray
) -> np.ndarray:
    """Sums of products without bias, float32[..., OC]."""
    if isinstance(op, FullyConnected):
        return x.reshape(-1, w.shape[1]) @ w.T
    if isinstance(op, DepthwiseConv2D):
        return _depthwise(op, x, w)
    groups = x.shape[3] // w.shape[3]
    if op.window.kernel == (1, 1) and groups == 1 and not op.window.padded:
        pixels = x[0, :: op.window.stride[0], :: op.window.stride[1]]
        return (pixels.reshape(-1, x.shape[3]) @ w.reshape(-1, x.shape[3]).T).reshape(
            1, *pixels.shape[:2], -1
        )
    taps = patches(x, op.window, 0)
    rows, columns = taps.shape[:2]
    parts = []
    for g in range(groups):
        part = taps[..., g * w.shape[3] : (g + 1) * w.shape[3]].reshape(rows * columns, -1)
        ours = w[g * w.shape[0] // groups : (g + 1) * w.shape[0] // groups]
        parts.append(part @ ours.reshape(ours.shape[0], -1).T)
    acc = parts[0] if groups == 1 else np.concatenate(parts, axis=1)
    return acc.reshape(1, rows, columns, -1)


def _depthwise(op: DepthwiseConv2D, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    channels = x.shape[3]
    per_tap = w.reshape(*op.window.kernel, channels, -1)
    taps = patches(x, op.window, 0)
    acc = np.zeros((*taps.shape[:2], channels, per_tap.shape[3]), np.float32)
    part = np.empty_like(acc)
    for ky in range(per_tap.shape[0]):
        for kx in range(per_tap.shape[1]):
            np.multiply(taps[:, :, ky, kx, :, None], per_tap[ky, kx], out=part)
            acc += part
    return acc.reshape(1, *taps.shape[:2], -1)
