"""Random networks of maps, rich in what stages must get right, and their plans run on a machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
from nets import Net
from patchloom import boards
from patchloom.codegen import KERNELS, known_answers
from patchloom.codegen.library import port_stems
from patchloom.codegen.pipeline import Library, Options, Prepared, choice_of, generate, lower_graph
from patchloom.emulation.verify import Verification, random_inputs, verify_library
from patchloom.ir import Activation, DType, Graph, Quant, Tensor, Window
from patchloom.ir.cases import Draw
from patchloom.ir.ops.add import Add
from patchloom.ir.ops.average_pool2d import AveragePool2D
from patchloom.ir.ops.concat import Concat
from patchloom.ir.ops.conv2d import Conv2D
from patchloom.ir.ops.depthwise_conv2d import DepthwiseConv2D
from patchloom.ir.ops.max_pool2d import MaxPool2D
from patchloom.ir.ops.mean import Mean
from patchloom.ir.ops.mul import Mul
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.resize_bilinear import ResizeBilinear
from patchloom.ir.ops.resize_nearest import ResizeNearest
from patchloom.ir.ops.transpose_conv import TransposeConv
from patchloom.passes.planner import front as planner_front
from patchloom.passes.planner.front import Front
from patchloom.passes.planner.stages.replay import Flow
from patchloom.passes.planner.stages.search import Way, cheapest_ways
from patchloom.passes.planner.stages.segments import Segment
from patchloom.passes.planner.types import Plan

QUANTS = {DType.INT8: Quant((0.05,), (-8,)), DType.INT16: Quant((2e-4,), (0,)), DType.FLOAT32: None}
MOST_ELEMENTS = 2500
"""Maps larger than this are only made smaller."""


def random_stage_net(
    draw: Draw, dtype: DType = DType.INT8, steps: int = 7, resizes: bool = False, columns: int | None = None
) -> Graph:
    """Branches, residual additions, concatenations, windows of all kinds, on maps of 5 to 17 rows; with
    `resizes`, about every other layer resizes its map or is a transposed convolution."""
    net = Net()
    rows, width = draw.integer(7, 17), draw.integer(5, 13)
    shape = (1, rows, columns or width, draw.choice([1, 3, 4, 8]))
    values = [net.input("x", shape, dtype, QUANTS[dtype])]
    for i in range(steps):
        recent = values[-1] if draw.integer(0, 3) else draw.choice(values)
        step = _resizing_step if resizes and draw.integer(0, 1) else _step
        values.append(step(net, draw, f"v{i}", recent, values))
    if draw.integer(0, 2) == 0:
        values.append(_sum_of_map(net, draw, "sum", values[-1]))
    readers = {x for op in net.ops for x in op.inputs}
    ends = [v for v in values if v not in readers and v not in net.inputs]
    also = [v for v in values[1:] if v in readers and draw.integer(0, 7) == 0]
    return net.graph(*dict.fromkeys(ends[:3] + also[:1]))


def _step(net: Net, draw: Draw, y: str, x: str, values: Sequence[str]) -> str:
    """Append one op that reads x, or x and another value of a shape that suits."""
    shape = net.tensors[x].shape
    same = [v for v in values if net.tensors[v].shape == shape and v != x]
    beside = [v for v in values if net.tensors[v].shape[1:3] == shape[1:3] and v != x]
    kinds = [_conv, _conv, _conv, _depthwise, _depthwise, _pool, _pool, _factor, _function]
    if net.tensors[x].elements > MOST_ELEMENTS:
        kinds = [_pool, _depthwise]
    elif net.tensors[x].elements < MOST_ELEMENTS // 8 and shape[1] < 6:
        kinds += [_grow] * 3
    if same and draw.integer(0, 2) == 0:
        return net.add(Add(y, x, draw.choice(same), y, draw.choice(list(Activation))))
    if beside and shape[3] < 12 and draw.integer(0, 3) == 0:
        return net.add(Concat(y, (x, draw.choice(beside)), y, 3))
    return draw.choice(kinds)(net, draw, y, x)


def _window(draw: Draw, shape: Sequence[int], dilates: bool = True) -> Window:
    """A window on [1,H,W,C]: SAME-like, one-sided, or without padding and with rows left over."""
    kernel, stride, dilation, padding = [], [], [], []
    for size in shape[1:3]:
        k = draw.integer(1, min(3, size))
        d = draw.integer(1, 2) if dilates and draw.integer(0, 3) == 0 and 2 * (k - 1) < size else 1
        extent = (k - 1) * d + 1
        padding.append((draw.integer(0, extent - 1), draw.integer(0, extent - 1)))
        kernel.append(k)
        dilation.append(d)
        stride.append(draw.choice([1, 1, 2, 3]) if size > 6 else 1)
    none = draw.choice([True, False])
    pads = ((0, 0), (0, 0)) if none else (padding[0], padding[1])
    return Window((kernel[0], kernel[1]), (stride[0], stride[1]), (dilation[0], dilation[1]), pads)


def weights(net: Net, draw: Draw, name: str, x: str, shape: tuple[int, ...], count: int) -> tuple[str, str]:
    """Weights and bias that give outputs about as large as x."""
    rng, t = draw.rng(), net.tensors[x]
    spread = 1 / np.sqrt(np.prod(shape) / count)
    if t.quant is None:
        w = net.const(f"{name}/w", rng.normal(0, spread, shape).astype(np.float32))
        return w, net.const(f"{name}/b", rng.normal(0, 0.1, count).astype(np.float32))
    quant = Quant((float(np.float32(spread / 73)),), (0,))
    w = net.const(f"{name}/w", rng.integers(-127, 128, shape).astype(np.int8), quant)
    scale = float(np.float32(t.quant.s) * np.float32(quant.s))
    data = rng.normal(0, 0.5 / scale, count).astype(np.int64 if t.dtype is DType.INT16 else np.int32)
    return w, net.const(f"{name}/b", data, Quant((scale,), (0,)))


def _conv(net: Net, draw: Draw, y: str, x: str) -> str:
    shape = net.tensors[x].shape
    window = _window(draw, shape) if draw.integer(0, 2) else Window((1, 1))
    count = draw.choice([shape[3], 2, 4, 8])
    w, b = weights(net, draw, y, x, (count, *window.kernel, shape[3]), count)
    return net.add(Conv2D(y, x, w, b, y, window, draw.choice([Activation.NONE, Activation.RELU])))


def _depthwise(net: Net, draw: Draw, y: str, x: str) -> str:
    shape = net.tensors[x].shape
    window = _window(draw, shape)
    if draw.choice([True, False]) and min(shape[1:3]) >= 3:
        window = Window((3, 3), padding=((1, 1), (1, 1)))
    w, b = weights(net, draw, y, x, (1, *window.kernel, shape[3]), shape[3])
    return net.add(DepthwiseConv2D(y, x, w, b, y, window, draw.choice([Activation.NONE, Activation.RELU])))


def _pool(net: Net, draw: Draw, y: str, x: str) -> str:
    shape = net.tensors[x].shape
    window = _window(draw, shape, dilates=False)
    if draw.choice([True, False]) and min(shape[1:3]) >= 3:
        window = Window((2, 2), (2, 2))
    kind = draw.choice([MaxPool2D, AveragePool2D])
    size = window.output_size(*shape[1:3])
    covered = all(  # every window meets the map
        (n - 1) * s - p[0] < rows
        for n, s, p, rows in zip(size, window.stride, window.padding, shape[1:3], strict=True)
    )
    if not covered:
        window = replace(window, padding=((0, 0), (0, 0)))
    return net.add(kind(y, x, y, window, Activation.NONE))


def _factor(net: Net, draw: Draw, y: str, x: str) -> str:
    """A factor per channel: constant, or computed from the map itself."""
    t = net.tensors[x]
    if draw.choice([True, False]):
        factor = _sum_of_map(net, draw, f"{y}_f", x)
    else:
        shape = (1, 1, 1, t.shape[3])
        rng = draw.rng()
        data = rng.normal(size=shape) if t.quant is None else rng.integers(-100, 101, shape)
        factor = net.const(f"{y}_f", data.astype(t.dtype.numpy), t.quant and replace(t.quant, scale=(0.02,)))
    return net.add(Mul(y, x, factor, y, Activation.NONE))


def _function(net: Net, draw: Draw, y: str, x: str) -> str:
    return net.add(Relu(y, x, y, Activation.RELU))


def _grow(net: Net, draw: Draw, y: str, x: str) -> str:
    _, height, width, _ = net.tensors[x].shape
    size = draw.choice([(2 * height, 2 * width), (2 * height, width)])
    return net.add(ResizeNearest(y, x, y, size, False, False))


def _resizing_step(net: Net, draw: Draw, y: str, x: str, values: Sequence[str]) -> str:
    """A map of another size: of another value's where that is small enough, so that both can be joined."""
    sizes = [net.tensors[v].shape[1:3] for v in values if net.tensors[v].shape[1] > 1]
    channels = net.tensors[x].shape[3]
    able = [size for size in sizes if size[0] * size[1] * channels <= MOST_ELEMENTS]
    if draw.integer(0, 2) == 0:
        return transposed(net, draw, y, x)
    size = draw.choice(able) if able and draw.choice([True, False]) else None
    while size is None or size[0] * size[1] * channels > MOST_ELEMENTS:
        size = draw.integer(1, 19), draw.integer(1, 13)
    return resized(net, draw, y, x, size)


def resized(net: Net, draw: Draw, y: str, x: str, size: tuple[int, int]) -> str:
    """Append an op that resizes x, in any of the ways there are."""
    ways = draw.choice([(False, False), (True, False), (False, True)])
    op = draw.choice([ResizeNearest, ResizeBilinear, ResizeBilinear])(y, x, y, size, *ways)
    return net.add(ResizeNearest(y, x, y, size, *ways) if any(op.rules(_with_output(net, op))) else op)


def _with_output(net: Net, op: ResizeNearest | ResizeBilinear) -> dict[str, Tensor]:
    return {**net.tensors, op.y: replace(net.tensors[op.x], name=op.y, shape=op.infer(net.tensors)[0])}


def transposed(net: Net, draw: Draw, y: str, x: str) -> str:
    """A transposed convolution: windows side by side, or with gaps between them and rows that no input
    meets."""
    t = net.tensors[x]
    if t.elements < MOST_ELEMENTS // 4 and draw.integer(0, 2) == 0:
        return _side_by_side(net, draw, y, x)
    floating, grows = t.quant is None, t.elements < MOST_ELEMENTS // 2
    kernel, stride, dilation, padding, size = [], [], [], [], []
    for n in t.shape[1:3]:
        k, s = draw.integer(1, 4), draw.integer(1, 3) if grows and n < 9 else 1
        d = draw.integer(1, 2) if floating else 1
        before = draw.integer(0, min(2, k - 1))
        full = (n - 1) * s + (k - 1) * d + 1 - before
        kernel.append(k)
        stride.append(s)
        dilation.append(d)
        padding.append((before, 0))
        size.append(min(19, max(1, full + draw.integer(-2, 2))))
    count = draw.choice([1, 2, 4, 5])
    window = Window(*((a, b) for a, b in (kernel, stride, dilation)), (padding[0], padding[1]))
    w, b = weights(net, draw, y, x, (count, *window.kernel, t.shape[3]), count)
    return net.add(TransposeConv(y, x, w, b, y, window, (size[0], size[1]), draw.choice(list(Activation))))


def _side_by_side(net: Net, draw: Draw, y: str, x: str) -> str:
    """A transposed convolution whose kernel is as large as its stride."""
    _, height, width, channels = net.tensors[x].shape
    down, across, count = draw.integer(1, 3), draw.integer(1, 2), draw.choice([1, 4, 5])
    w, b = weights(net, draw, y, x, (count, down, across, channels), count)
    window, size = Window((down, across), (down, across)), (down * height, across * width)
    return net.add(TransposeConv(y, x, w, b, y, window, size, draw.choice(list(Activation))))


def _sum_of_map(net: Net, draw: Draw, y: str, x: str) -> str:
    """The average of the map, by one of the two operators that compute it."""
    height, width = net.tensors[x].shape[1:3]
    if draw.choice([True, False]):
        return net.add(Mean(y, x, y, (1, 2), True))
    return net.add(AveragePool2D(y, x, y, Window((height, width), (height, width)), Activation.NONE))


# --- plans ---------------------------------------------------------------------------------------


def prepared(graph: Graph, board: str = "generic-cortex-m4", **options: object) -> Prepared:
    """The graph behind all passes, called "net"."""
    chosen = Options(**{"board": board, **options})  # type: ignore[arg-type]
    lowered = lower_graph(replace(graph, name="net"), chosen)
    return Prepared(
        imported=graph,
        graph=lowered,
        streaming=None,
        answers=known_answers(lowered, port_stems("output", lowered.outputs)),
        model=b"",
        model_name="net.tflite",
        options=chosen,
    )


Picker = Callable[[int, list[Segment]], Iterable[Way]]
"""(ops, all segments) -> ways."""


def front_of(p: Prepared, pick: Picker | None = None) -> Front:
    """The front of plans on its board; with `pick`, these ways instead."""
    board = boards.load(p.options.board)
    choice = choice_of(p.graph, board, p.options)

    def ways(count: int, found: Iterable[Segment]) -> Iterable[Way]:
        return cheapest_ways(count, found) if pick is None else pick(count, list(found))

    with mock.patch.object(planner_front, "cheapest_ways", ways):
        return Front(p.graph, board.isa, KERNELS, input_mode=p.options.input_mode, choice=choice)


def spread(ways: Sequence[Way], count: int) -> list[Way]:
    """`count` ways at most, the fastest and the smallest among them."""
    picked = np.linspace(0, len(ways) - 1, min(count, len(ways))).round().astype(int)
    return [ways[i] for i in dict.fromkeys(picked.tolist())]


def random_ways(rng: np.random.Generator, ways: int, strips: float = 0.3) -> Picker:
    """Ways of random segments: stages that no front has, too; `strips`: share of those cut into columns."""

    def pick(count: int, found: list[Segment]) -> Iterator[Way]:
        for _ in range(ways):
            way: list[Segment] = []
            while (at := way[-1].end if way else 0) < count:
                here = [s for s in found if s.start == at]
                cut = [s for s in here if s.strips]
                options = cut if cut and rng.random() < strips else here
                way.append(options[int(rng.integers(len(options)))])
            yield tuple(way)

    return pick


def through(chosen: Callable[[Segment], bool]) -> Picker:
    """The way through the longest segment that is `chosen`, the ops beside it whole."""

    def pick(count: int, found: list[Segment]) -> Iterator[Way]:
        able = [s for s in found if chosen(s)]
        if able:
            middle = max(able, key=lambda s: s.end - s.start)
            whole = {s.start: s for s in reversed(found) if s.rows is None}
            before = (whole[i] for i in range(middle.start))
            after = (whole[i] for i in range(middle.end, count))
            yield (*before, middle, *after)

    return pick


def library_of(p: Prepared, plan: Plan) -> Library:
    """The library of a plan, which the plan checker accepts."""
    return generate(p, boards.load(p.options.board), stored=plan)


def run(library: Library, on: str = "host", samples: int = 2) -> Verification:
    """Run a library: on the host with sanitizers, or on the machine of its board."""
    inputs = list(random_inputs(library.graph, samples, seed=samples))
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        for name, data in library.files.items():
            (folder / name).write_bytes(data)
        return verify_library(library, folder, inputs, on, sanitize=on == "host")


def wrong(v: Verification) -> str:
    """What is wrong with a run; "" where nothing is."""
    if v.damaged_guards:
        return f"{v.damaged_guards} runs wrote outside the arena"
    if v.bit_exact or (v.within_tolerance and not v.layers_compared):
        return ""
    return "; ".join(m.what for m in v.first) or "different"


def features(way: Way) -> set[str]:
    """What stages of a way have that may go wrong."""
    found: set[str] = set()
    for s in way:
        if s.rows is None:
            continue
        flows = s.rows.run.flows
        widths = [{b - a for a, b in (strip[v] for strip in s.strips)} for v in (s.strips or ({},))[0]]
        told = {
            "stage": True,
            "held": bool(s.rows.run.held),
            "outputs": len(s.rows.escapes) > 1,
            "units": any(f.unit > 1 for f in flows),
            "sums": any(f.whole for f in flows),
            "repeats": any(r.up > 1 for f in flows for r in f.inputs.values()),
            "strips": bool(s.strips),
            "uneven strips": any(len(w) > 1 for w in widths),
            "left over": any(_left_over(s, f) for f in flows),
        }
        found |= {name for name, there in told.items() if there}
    return found


def _left_over(s: Segment, flow: Flow) -> bool:
    """Whether rows are made that nobody in the stage needs."""
    assert s.rows is not None
    ends = [f.inputs[flow.output].end(f.rows - 1) for f in s.rows.run.flows if flow.output in f.inputs]
    return bool(ends) and max(ends) < flow.rows
