"""Small networks with constant channels, and what fold_constant_channels owes to any graph."""

from __future__ import annotations

import numpy as np
from nets import WEIGHTS, Net, Q, samples
from patchloom.ir import Activation, DType, Graph, Quant, Window, check_rules, evaluate, verify
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.weighted import WeightedOp
from patchloom.passes import fold_constant_channels

WIDE = Quant((4.0,), (-8,))
"""Output quantization in which the test's accumulators do not saturate."""

ONE, SAME = Window((1, 1)), Window((3, 3), padding=((1, 1), (1, 1)))
ZERO = -8
"""Zero point of every activation here."""


def costs(graph: Graph) -> tuple[int, int, int]:
    """MACs, bytes of weights, elements of activations."""
    weights = {op.weights for op in graph.ops if isinstance(op, WeightedOp)}
    activations = sum(t.elements for t in graph.tensors.values() if not t.constant)
    return graph.macs, sum(graph[w].size_bytes for w in weights), activations


def accumulators(graph: Graph) -> dict[str, float]:
    """Largest |accumulator| of each integer weighted op, over channels that have weights, for any input."""
    found = {}
    for op in graph.ops:
        if isinstance(op, WeightedOp):
            x, sums = graph[op.x], op.weight_sums(graph.tensors)
            bias = np.abs(np.array(data(graph, op.bias))) if op.bias else 0
            bounds = sums * max(x.zero_point + 128, 127 - x.zero_point) + bias
            found[op.name] = float(np.where(sums > 0, bounds, 0).max())
    return found


def assert_folds(before: Graph, after: Graph) -> None:
    """Valid, same interface, bit-identical outputs and states, nothing bigger, nothing left to do."""
    check_rules(verify(after))
    assert (after.inputs, after.outputs, after.states) == (before.inputs, before.outputs, before.states)
    assert all(a <= b for a, b in zip(costs(after), costs(before), strict=True))
    for name in (*before.inputs, *before.outputs):
        assert after[name].shape == before[name].shape and after[name].quant == before[name].quant
    if all(t.dtype is not DType.INT16 for t in before.tensors.values()):
        limits = accumulators(before)
        assert all(bound <= limits[name] for name, bound in accumulators(after).items())
    states: tuple[dict[str, np.ndarray], ...] = tuple(
        {s.name: s.initial.copy() for s in before.states} for _ in range(2)
    )
    for sample in samples(before, 3):
        want, got = (evaluate(g, sample, s) for g, s in zip((before, after), states, strict=True))
        for name in before.outputs:
            np.testing.assert_array_equal(got[name], want[name], err_msg=name)
        for name in states[0]:
            np.testing.assert_array_equal(states[1][name], states[0][name], err_msg=name)
    assert fold_constant_channels(after) is after


def fold(net: Net, *outputs: str) -> Graph:
    graph = net.graph(*outputs)
    check_rules(graph)
    result = fold_constant_channels(graph)
    assert_folds(graph, result)
    return result


def data(graph: Graph, name: str) -> list[int]:
    """All elements of a constant."""
    found = graph[name].data
    assert found is not None
    return found.ravel().tolist()


def sized(graph: Graph, **sizes: int) -> None:
    """Each value has that many channels."""
    assert {n: graph[n].shape[-1] for n in sizes} == sizes


def conv(
    net: Net,
    y: str,
    x: str,
    weights: object,
    bias: object = None,
    window: Window = ONE,
    activation: Activation = Activation.NONE,
    quant: Quant = WIDE,
) -> str:
    """A convolution with weights [OC,IC] at every tap, or [OC,KH,KW,IC]."""
    w = np.array(weights, np.int8)
    if w.ndim == 2:
        w = np.broadcast_to(w[:, None, None, :], (w.shape[0], *window.kernel, w.shape[1])).copy()
    name = net.const(f"{y}_w", w, WEIGHTS)
    wide = np.int64 if net.tensors[x].dtype is DType.INT16 else np.int32
    b = None if bias is None else net.const(f"{y}_b", np.array(bias, wide), Quant((0.015625,), (0,)))
    return net.add(Conv2D(y, x, name, b, y, window, activation), quant=quant)


def with_constant(value: int = 3, dtype: DType = DType.INT8) -> tuple[Net, str]:
    """A value [1,4,4,3] whose channel 1 is `value` for any input."""
    net = Net()
    quant = Quant((0.25,), (0,)) if dtype is DType.INT16 else Q
    out = Quant((4.0,), (0,)) if dtype is DType.INT16 else WIDE
    x = net.input("x", (1, 4, 4, 2), dtype, quant)
    steps = 256 * (value - out.z)
    return net, conv(net, "a", x, [[5, -3], [0, 0], [7, 90]], [0, steps, -40], quant=out)
