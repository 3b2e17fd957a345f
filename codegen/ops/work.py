"""How often the loop bodies of the portable kernels run: what their cost tables count."""

from __future__ import annotations

from math import prod
from typing import Any

from ...ir.ops.partial_sums import PartialSums
from ...ir.weighted import WeightedOp
from ...ir.window import Window
from ...passes.planner.kernel import Tensors


def pointwise_work(op: WeightedOp | PartialSums, tensors: Tensors) -> dict[str, int]:
    """Dot products over pixels, of four output channels at once and of the rest singly."""
    weights = tensors[op.weights]
    count, depth = weights.shape[0], weights.shape[-1]
    pixels = tensors[op.y].elements // count
    fours, ones = pixels * (count // 4), pixels * (count % 4)
    return {
        "calls": 1,
        "pixels": pixels,
        "outputs": pixels * count,
        "stores": pixels * -(-count // 16),
        "fours": fours,
        "fours_inner": fours * depth,
        "ones": ones,
        "ones_inner": ones * depth,
    }


def _window(op: Any) -> Window:
    return op.window if hasattr(op, "window") else Window((1, 1))


def conv_work(op: WeightedOp | PartialSums, tensors: Tensors) -> dict[str, int]:
    """Windows as runs of adjacent elements: a row of taps, or every tap where there are gaps."""
    x, y, weights = tensors[op.x], tensors[op.y], tensors[op.weights]
    if not hasattr(op, "window"):
        return pointwise_work(op, tensors)
    window: Window = op.window
    _, rows, width, count = y.shape
    depth = weights.elements // count // prod(window.kernel)
    groups = x.shape[3] // depth
    together = groups == 1 and window.dilation[1] == 1
    fours, ones = (groups * n for n in divmod(count // groups, 4))
    runs = window.kernel[0] * (1 if together else window.kernel[1])
    pixels, inner = rows * width, prod(window.kernel) * depth
    return {
        "calls": rows,
        "pixels": pixels,
        "outputs": pixels * count,
        "stores": pixels * groups * -(-count // groups // 16),
        "fours_runs": pixels * fours * runs,
        "fours_inner": pixels * fours * inner,
        "ones_runs": pixels * ones * runs,
        "ones_inner": pixels * ones * inner,
    }


def depthwise_work(op: WeightedOp, tensors: Tensors) -> dict[str, int]:
    """Windows of taps, of four channels at once and of the rest singly."""
    x, y, window = tensors[op.x], tensors[op.y], _window(op)
    _, rows, width, count = y.shape
    run = x.shape[3] if count == x.shape[3] else count // x.shape[3]
    fours, ones = (count // run * n for n in divmod(run, 4))
    pixels, taps = rows * width, prod(window.kernel)
    return {
        "calls": rows,
        "taps": pixels * taps,
        "outputs": pixels * count,
        "stores": pixels * (count // run) * -(-run // 16),
        "fours": pixels * fours,
        "fours_taps": pixels * fours * taps,
        "ones": pixels * ones,
        "ones_taps": pixels * ones * taps,
    }


def _taps_inside(size: int, outputs: int, window: Window, axis: int) -> list[int]:
    """How many taps of the window along an axis lie inside the input, by output place."""
    starts = [i * window.stride[axis] - window.padding[axis][0] for i in range(outputs)]
    offsets = range(0, window.extent[axis], window.dilation[axis])
    return [sum(0 <= start + offset < size for offset in offsets) for start in starts]


def skipping_conv_work(op: WeightedOp, tensors: Tensors) -> dict[str, int]:
    """Convolutions that skip columns outside the input; rows outside it are rows of zeros.

    runs     dot products: of a row of taps where it lies inside as a whole, else of single taps
    inner    their elements, of which those with zeros (`zeros`, over all output channels) are apart, since
             products with 0 take another time where floats are multiplied by functions
    skipped  taps outside
    """
    x, y, weights, window = tensors[op.x], tensors[op.y], tensors[op.weights], _window(op)
    _, rows, width, count = y.shape
    (kernel_h, kernel_w), depth = window.kernel, weights.elements // count // prod(window.kernel)
    groups = x.shape[3] // depth
    together = groups == 1 and window.dilation[1] == 1
    down = sum(_taps_inside(x.shape[1], rows, window, 0))
    across = _taps_inside(x.shape[2], width, window, 1)
    whole = sum(n == kernel_w for n in across) if together else 0
    single = sum(n for n in across if not (together and n == kernel_w))
    runs, inner = rows * kernel_h * (whole + single), down * sum(across) * depth
    fours, ones = (groups * n for n in divmod(count // groups, 4))
    return {
        "calls": rows,
        "outputs": y.elements,
        "fours": rows * width * fours,
        "fours_runs": runs * fours,
        "fours_inner": inner * fours,
        "ones": rows * width * ones,
        "ones_runs": runs * ones,
        "ones_inner": inner * ones,
        "zeros": (rows * kernel_h - down) * sum(across) * depth * count,
        "skipped": rows * kernel_h * (width * kernel_w - sum(across)) * (fours + ones),
    }


def skipping_depthwise_work(op: WeightedOp, tensors: Tensors) -> dict[str, int]:
    """Depthwise convolutions that do the same, one output channel at a time."""
    x, y, window = tensors[op.x], tensors[op.y], _window(op)
    _, rows, width, count = y.shape
    down = sum(_taps_inside(x.shape[1], rows, window, 0))
    across = sum(_taps_inside(x.shape[2], width, window, 1))
    return {
        "calls": rows,
        "pixels": rows * width,
        "columns": rows * width * window.kernel[1],
        "outputs": y.elements,
        "rows": y.elements * window.kernel[0],
        "taps": down * across * count,
        "zeros": (rows * window.kernel[0] - down) * across * count,
    }


def pool_work(op: Any, tensors: Tensors) -> dict[str, int]:
    """Elements inside the input under each window; windows at the borders have fewer."""
    x, y, window = tensors[op.x], tensors[op.y], _window(op)
    inside = []
    for axis in (0, 1):
        size, out = x.shape[1 + axis], y.shape[1 + axis]
        starts = [o * window.stride[axis] - window.padding[axis][0] for o in range(out)]
        inside.append(sum(min(s + window.kernel[axis], size) - max(s, 0) for s in starts))
    channels = y.shape[3]
    return {
        "calls": y.shape[1],
        "pixels": y.shape[1] * y.shape[2],
        "outputs": y.elements,
        "window_rows": inside[0] * y.shape[2] * channels,
        "taps": inside[0] * inside[1] * channels,
    }


def transpose_conv_work(op: Any, tensors: Tensors) -> dict[str, int]:
    """Taps that meet an input pixel, for four output channels at once and for the rest singly."""
    x, y, window = tensors[op.x], tensors[op.y], _window(op)
    meets = []
    for axis in (0, 1):
        places = [
            o + window.padding[axis][0] - k
            for o in range(y.shape[1 + axis])
            for k in range(window.kernel[axis])
        ]
        stride, size = window.stride[axis], x.shape[1 + axis]
        meets.append(sum(p % stride == 0 and 0 <= p // stride < size for p in places))
    fours, ones = divmod(y.shape[3], 4)
    taps = meets[0] * meets[1]
    return {
        "rows": y.shape[1],
        "pixels": y.shape[1] * y.shape[2],
        "outputs": y.elements,
        "blocks": y.shape[1] * y.shape[2] * (fours + ones),
        "fours_taps": taps * fours,
        "fours_inner": taps * fours * x.shape[3],
        "ones_taps": taps * ones,
        "ones_inner": taps * ones * x.shape[3],
    }
