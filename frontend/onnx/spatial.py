"""Between ONNX's channels-first values and the channels-last ones of spatial operators.

Every spatial operator stands between two transposes; the layout pass removes them. One spatial dimension
becomes rows of height 1; items of a batch are computed one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...ir import Tensor, Window
from ...ir.ops.concat import Concat
from ...ir.ops.reshape import Reshape
from ...ir.ops.split import Split
from ...ir.ops.transpose import Transpose
from ...ir.window import same_padding
from ..tflite.model import MAX_ELEMENTS
from ..tflite.ops_window import MAX_STEP, MAX_TAPS
from ..tflite.tensors import Unsupported
from .node import NodeImport

MAX_BATCH = 64
"""Items of a batch that are computed one after the other."""

TO_LAST = {3: (0, 2, 1), 4: (0, 2, 3, 1)}
TO_FIRST = {3: (0, 2, 1), 4: (0, 3, 1, 2)}

Pair = tuple[int, int]
Emit = Callable[[str, str], None]


def spatial_shape(op: NodeImport) -> tuple[int, int, int, int]:
    """(N, C, H, W) of the first operand, H = 1 for one spatial dimension. Raises Unsupported."""
    shape = op.shape()
    if len(shape) not in TO_LAST:
        raise Unsupported("there are one or two spatial dimensions", f"input {list(shape)}")
    if shape[0] > MAX_BATCH:
        raise Unsupported(f"at most {MAX_BATCH} items are computed at once", f"a batch of {shape[0]}")
    return (shape[0], shape[1], 1, shape[2]) if len(shape) == 3 else (shape[0], shape[1], shape[2], shape[3])


def channels_last(op: NodeImport, x: str) -> str:
    """A value [N,C,H,W] or [N,C,W] as [N,H,W,C], H = 1 for the latter."""
    rank = len(op.tensor(x).shape)
    last = op.temporary("nhwc", like=x)
    op.emit(Transpose(op.name(), x, last, TO_LAST[rank]))
    if rank == 4:
        return last
    n, w, c = op.tensor(last).shape
    rows = op.temporary("rows", like=x)
    op.emit(Reshape(op.name(), last, rows, (n, 1, w, c)))
    return rows


def channels_first(op: NodeImport, x: str, y: str, rank: int) -> None:
    """y = [N,H,W,C] x as [N,C,H,W] or, of rank 3, [N,C,W]."""
    if rank == 3:
        n, _, w, c = op.tensor(x).shape
        flat = op.temporary("flat", like=x)
        op.emit(Reshape(op.name(), x, flat, (n, w, c)))
        x = flat
    op.emit(Transpose(op.name(), x, y, TO_FIRST[rank]))


def spatial_op(op: NodeImport, emit: Emit, result: Tensor | None = None) -> None:
    """Emit a spatial operator on channels-last items: `emit(x, y)` for [1,H,W,C] x and y.

    result   whose type and quantization the output has; those of the input by default
    """
    n, rank = spatial_shape(op)[0], len(op.shape())
    last = channels_last(op, op.x())

    def value(what: str) -> str:
        name = op.temporary(what)
        if result is not None:
            op.set_tensor(name, dtype=result.dtype, quant=result.quant)
        return name

    computed = value("result")
    if n == 1:
        emit(last, computed)
    else:
        items = tuple(op.temporary("item") for _ in range(n))
        op.emit(Split(op.name(), last, items, 0, (1,) * n))
        results = tuple(value("part") for _ in range(n))
        for x, y in zip(items, results, strict=True):
            emit(x, y)
        op.emit(Concat(op.name(), results, computed, 0))
    channels_first(op, computed, op.y(like=computed), rank)


def _pair(op: NodeImport, name: str, dimensions: int, default: int = 1) -> Pair:
    """An attribute with a number per spatial dimension as (height, width)."""
    given = op.ints_attribute(name) or (default,) * dimensions
    if len(given) != dimensions:
        raise Unsupported(f"{name} has a number per spatial dimension", str(list(given)))
    pair = (1, given[0]) if dimensions == 1 else (given[0], given[1])
    if not all(1 <= v <= MAX_STEP for v in pair):
        raise Unsupported(f"{name} must be in [1, {MAX_STEP}]", str(list(given)))
    return pair


def window_of(op: NodeImport, kernel: Pair | None = None) -> Window:
    """Kernel, strides, dilations and padding of a convolution or pooling (ceil_mode left out).

    kernel   from the weights; None: the attribute kernel_shape
    """
    _, _, height, width = spatial_shape(op)
    dimensions = len(op.shape()) - 2
    if kernel is None:
        if op.ints_attribute("kernel_shape") is None:
            raise Unsupported("kernel_shape is required", "absent")
        kernel = _pair(op, "kernel_shape", dimensions)
    plain = Window(kernel, _pair(op, "strides", dimensions), _pair(op, "dilations", dimensions))
    check_window(plain)
    mode = op.text("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        pads = [
            same_padding(n, e, s) for n, e, s in zip((height, width), plain.extent, plain.stride, strict=True)
        ]
        if mode == "SAME_LOWER":
            pads = [(after, before) for before, after in pads]
        return _padded(plain, (pads[0], pads[1]), height, width)
    if mode == "VALID":
        return plain
    if mode != "NOTSET":
        raise Unsupported("auto_pad is NOTSET, VALID, SAME_UPPER or SAME_LOWER", mode)
    return _padded(plain, explicit_pads(op, dimensions), height, width)


def check_window(window: Window) -> None:
    """Raise Unsupported for absurd kernels."""
    if window.kernel[0] * window.kernel[1] > MAX_TAPS or max(window.extent) > MAX_STEP:
        found = f"{window.kernel[0]}x{window.kernel[1]} spanning {window.extent[0]}x{window.extent[1]}"
        raise Unsupported(f"a kernel has at most {MAX_TAPS} elements and spans {MAX_STEP}", found)


def explicit_pads(op: NodeImport, dimensions: int) -> tuple[Pair, Pair]:
    """The attribute pads as ((top, bottom), (left, right))."""
    given = op.ints_attribute("pads") or (0,) * (2 * dimensions)
    if len(given) != 2 * dimensions or any(not 0 <= p <= MAX_STEP for p in given):
        raise Unsupported(f"pads are two numbers in [0, {MAX_STEP}] per spatial dimension", str(list(given)))
    if dimensions == 1:
        return (0, 0), (given[0], given[1])
    return (given[0], given[2]), (given[1], given[3])


def _padded(window: Window, padding: tuple[Pair, Pair], height: int, width: int) -> Window:
    if (count := (height + sum(padding[0])) * (width + sum(padding[1]))) > MAX_ELEMENTS:
        raise Unsupported(f"a padded input has at most {MAX_ELEMENTS} elements", f"{count} per channel")
    return replace(window, padding=padding)


def rounded_up(window: Window, height: int, width: int) -> Window:
    """The window with padding behind the input, as ceil_mode has it: no window begins in the padding."""
    pairs = []
    for i, n in enumerate((height, width)):
        before, after = window.padding[i]
        stride, extent = window.stride[i], window.extent[i]
        count = -(-(n + before + after - extent) // stride) + 1
        if (count - 1) * stride >= n + before:
            count -= 1
        pairs.append((before, max(after, (count - 1) * stride + extent - n - before)))
    return replace(window, padding=(pairs[0], pairs[1]))


def kernel_last(weights: np.ndarray) -> np.ndarray:
    """Weights [A,B,KH,KW] or [A,B,K] as [A,KH,KW,B]."""
    if weights.ndim == 3:
        weights = weights[:, :, None, :]
    return np.ascontiguousarray(weights.transpose(0, 2, 3, 1))
