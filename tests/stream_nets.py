"""Networks over windows of frames, and how their streamed form is run and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from library_support import QUANTS, fully_connected, weighted
from nets import Net
from patchloom.codegen import KERNELS, Origin, build_view, known_answers, render
from patchloom.codegen.library import port_stems
from patchloom.emulation.harness import build, execute
from patchloom.ir import Activation, DType, Graph, Window, check_rules, evaluate, initial_state
from patchloom.ir.cases import Draw, draw_data
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.pad import Pad
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.reshape import Reshape
from patchloom.ir.ops.slice import Slice
from patchloom.ir.ops.split import Split
from patchloom.ir.ops.transpose import Transpose
from patchloom.ir.window import same_padding
from patchloom.passes.planner import check, plan
from patchloom.passes.streaming import StreamReport, windows

ACTIVATIONS = (Activation.NONE, Activation.NONE, Activation.RELU, Activation.RELU6)
"""Mostly none: clamps make outputs alike."""

Sample = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Style:
    """What a random network consists of: kinds of padding along time, strides, where time lies."""

    padding: tuple[str, ...] = ("valid", "same")
    strides: tuple[int, ...] = (1, 1, 1, 2)
    axis: int = 1


def random_stream_net(draw: Draw, dtype: DType, style: Style, steps: int = 6) -> Graph:
    """A random network over 12 to 26 frames, with branches, that ends in a class, a pool or a sequence."""
    net = Net()
    frames, width, channels = draw.integer(12, 26), draw.integer(1, 4), draw.integer(1, 4)
    shape = (1, frames, width, channels) if style.axis == 1 else (1, width, frames, channels)
    quant = QUANTS[dtype]
    if style.axis == 1 and draw.integer(0, 3) == 0:
        flat = net.input("x", (1, frames * width * channels), dtype, quant)
        x = net.add(Reshape("unfold", flat, "unfold", shape))
    else:
        x = net.input("x", shape, dtype, quant)
    for i in range(steps):
        x = draw.choice(STEPS)(net, draw, f"v{i}", x, style)
    return net.graph(*_end(net, draw, x, style))


def _geometry(draw: Draw, shape: tuple[int, ...], style: Style, dilation: bool) -> Window:
    """A window on [1,H,W,C] that fits, padded along time as the style has it."""
    d = style.axis - 1
    kernel, stride, dilated = [1, 1], [1, 1], [1, 1]
    padding = [(0, 0), (0, 0)]
    rows = shape[style.axis]
    kernel[d] = min(draw.integer(1, 4), rows)
    stride[d] = draw.choice(style.strides)
    if dilation and stride[d] == 1 and (kernel[d] - 1) * 2 < rows:
        dilated[d] = draw.choice([1, 1, 2])
    extent = (kernel[d] - 1) * dilated[d] + 1
    if draw.choice(style.padding) == "same":
        padding[d] = same_padding(rows, extent, stride[d])
    kernel[1 - d] = min(draw.integer(1, 2), shape[2 - d])
    if draw.choice([True, False]):
        padding[1 - d] = same_padding(shape[2 - d], kernel[1 - d], 1)
    pads = (padding[0], padding[1])
    return Window((kernel[0], kernel[1]), (stride[0], stride[1]), (dilated[0], dilated[1]), pads)


def conv(net: Net, name: str, x: str, count: int, window: Window, activation: Activation) -> str:
    """A convolution with `count` outputs whose results are about as large as x."""
    shape = (count, *window.kernel, net.tensors[x].shape[3])
    w, b = weighted(net, name, x, shape, count)
    return net.add(Conv2D(name, x, w, b, name, window, activation))


def depthwise(net: Net, name: str, x: str, window: Window, activation: Activation) -> str:
    """A depthwise convolution."""
    channels = net.tensors[x].shape[3]
    w, b = weighted(net, name, x, (1, *window.kernel, channels), channels)
    return net.add(DepthwiseConv2D(name, x, w, b, name, window, activation))


def _conv(net: Net, draw: Draw, name: str, x: str, style: Style) -> str:
    window = _geometry(draw, net.tensors[x].shape, style, dilation=True)
    return conv(net, name, x, draw.integer(1, 5), window, draw.choice(ACTIVATIONS))


def _depthwise(net: Net, draw: Draw, name: str, x: str, style: Style) -> str:
    window = _geometry(draw, net.tensors[x].shape, style, dilation=True)
    return depthwise(net, name, x, window, draw.choice(ACTIVATIONS))


def _pool(net: Net, draw: Draw, name: str, x: str, style: Style) -> str:
    window = _geometry(draw, net.tensors[x].shape, style, dilation=False)
    kind = draw.choice([MaxPool2D, AveragePool2D])
    return net.add(kind(name, x, name, window, draw.choice(ACTIVATIONS)))


def _residual(net: Net, draw: Draw, name: str, x: str, style: Style) -> str:
    """x plus a convolution of x of the same size, or less where the convolution is not padded."""
    channels, d = net.tensors[x].shape[3], style.axis - 1
    kernel, padding = [1, 1], [(0, 0), (0, 0)]
    kernel[d] = min(3, net.tensors[x].shape[style.axis])
    padding[d] = (kernel[d] // 2, (kernel[d] - 1) // 2)
    if "same" not in style.padding:
        padding[d] = (0, 0)
    window = Window((kernel[0], kernel[1]), padding=(padding[0], padding[1]))
    y = conv(net, f"{name}_c", x, channels, window, Activation.RELU)
    if net.tensors[x].shape != net.tensors[y].shape:
        begin = tuple(draw.integer(0, kernel[d] - 1) if a == style.axis else 0 for a in range(4))
        x = net.add(Slice(f"{name}_s", x, f"{name}_s", begin, net.tensors[y].shape, (1, 1, 1, 1)))
    return net.add(Add(name, x, y, name, draw.choice(ACTIVATIONS)))


def _branches(net: Net, draw: Draw, name: str, x: str, style: Style) -> str:
    """Two convolutions of one size side by side, put together and taken apart again."""
    window = _geometry(draw, net.tensors[x].shape, style, dilation=True)
    a = conv(net, f"{name}_a", x, 2, window, Activation.RELU)
    b = depthwise(net, f"{name}_b", x, window, Activation.NONE)
    both = net.add(Concat(f"{name}_ab", (a, b), f"{name}_ab", 3))
    count = net.tensors[both].shape[3]
    parts = (f"{name}_p", f"{name}_q")
    net.add(Split(f"{name}_pq", both, parts, 3, (count - 1, 1)))
    return parts[0]


def _movement(net: Net, draw: Draw, name: str, x: str, style: Style) -> str:
    """Padding along time and channels, a slice, a relu, a pair of transposes."""
    shape, axis = net.tensors[x].shape, style.axis
    kind = draw.integer(0, 3)
    if kind == 0 and "same" in style.padding:
        border = tuple(
            (draw.integer(0, 2), draw.integer(0, 1)) if a in (axis, 3) else (0, 0) for a in range(4)
        )
        return net.add(Pad(name, x, name, border, draw.choice([net.tensors[x].zero_point, 3])))
    if kind == 1 and shape[axis] > 4:
        begin = tuple(draw.integer(0, 2) if a == axis else 0 for a in range(4))
        step = tuple(draw.choice([1, 2]) if a == axis else 1 for a in range(4))
        size = tuple(-(-(n - b) // s) for n, b, s in zip(shape, begin, step, strict=True))
        return net.add(Slice(name, x, name, begin, size, step))
    if kind == 2:
        turned = net.add(Transpose(f"{name}_t", x, f"{name}_t", (0, 2, 1, 3)))
        turned = net.add(Relu(f"{name}_r", turned, f"{name}_r", Activation.RELU))
        return net.add(Transpose(name, turned, name, (0, 2, 1, 3)))
    return net.add(Relu(name, x, name, Activation.RELU6))


Step = Callable[[Net, Draw, str, str, Style], str]
STEPS: tuple[Step, ...] = (_conv, _conv, _depthwise, _pool, _residual, _branches, _movement)


def _end(net: Net, draw: Draw, x: str, style: Style) -> tuple[str, ...]:
    kind = draw.integer(0, 3)
    if kind == 0:
        return (fully_connected(net, "scores", net.add(Mean("mean", x, "mean", (1, 2), False)), 3),)
    if kind == 1:
        t = net.tensors[x]
        return (fully_connected(net, "scores", net.add(Reshape("flat", x, "flat", (1, t.elements))), 3),)
    if kind == 2:
        return (net.add(Mean("narrow", x, "narrow", (3 - style.axis,), False)),)
    return (x, net.add(Relu("copy", x, "copy", Activation.RELU)))


def causal_net(frames: int = 49, bands: int = 10, channels: int = 64, blocks: int = 4) -> Graph:
    """A DS-CNN for keywords whose convolutions are not padded along time; the last one spans what is left."""
    net = Net()
    x = net.input("audio", (1, frames, bands, 1), DType.INT8, QUANTS[DType.INT8])
    first = Window((10, 4), (1, 2), padding=((0, 0), same_padding(bands, 4, 2)))
    x = conv(net, "conv", x, channels, first, Activation.RELU)
    for i in range(blocks):
        x = depthwise(net, f"dw_{i}", x, Window((3, 3), padding=((0, 0), (1, 1))), Activation.RELU)
        x = conv(net, f"pw_{i}", x, channels, Window((1, 1)), Activation.RELU)
    rest = net.tensors[x].shape[1:3]
    x = net.add(AveragePool2D("pool", x, "pool", Window((rest[0], rest[1])), Activation.NONE))
    return net.graph(fully_connected(net, "scores", x, 12))


def frames_of(streamed: Graph, count: int, draw: Draw) -> list[dict[str, np.ndarray]]:
    """Inputs of `count` calls."""
    return [
        {n: draw_data(draw, streamed[n].shape, streamed[n].dtype) for n in streamed.inputs}
        for _ in range(count)
    ]


def both_in_the_interpreter(
    window: Graph, streamed: Graph, report: StreamReport, calls: Sequence[Sample]
) -> list[tuple[Sample, Sample]]:
    """(window's outputs, streamed outputs) after every call from a reset."""
    check_rules(streamed)
    state = initial_state(streamed)
    pairs = []
    for call, whole in zip(calls, windows(window, report, calls), strict=True):
        expected, found = evaluate(window, whole), evaluate(streamed, call, state)
        pairs.append(({y: expected[y] for y in window.outputs}, {y: found[y] for y in window.outputs}))
    return pairs


def outputs_in_c(graph: Graph, samples: Sequence[Sample], work: Path) -> list[Sample]:
    """Outputs of the compiled graph, one run after the other from a reset, on the host with sanitizers."""
    chosen = plan(graph, frozenset(), KERNELS)
    check(graph, chosen, KERNELS)
    answers = known_answers(graph, port_stems("output", graph.outputs))
    view = build_view(graph, chosen, Origin("0", "test", "net", "0" * 64, "host"), answers)
    work.mkdir(parents=True)
    for file, data in render(view).items():
        (work / file).write_bytes(data)
    program = build(work, view, graph, None, work, hooked=False, sanitize=True)
    outcome = execute(program, samples, reset_every=len(samples), checks=False)
    assert outcome.damaged_guards == 0
    return [s.outputs for s in outcome.samples]
