"""What the pooling operators share: rules, shapes, cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from .cases import Draw, draw_quant, one_op_graph
from .elementwise import ACTIVATIONS, same_quant, unary_problems
from .graph import Graph
from .op import Activation, Op, Problem, Tensors
from .types import DType, Tensor
from .window import Window, same_padding


def pool_problems(
    tensors: Tensors, x: str, y: str, window: Window, rescales: bool = False
) -> Iterable[Problem]:
    """Rules of pooling: [1,H,W,C], at least one element of x under every window, dilation of floats only.

    rescales   the quantization of y may differ from that of x
    """
    tx = tensors[x]
    if len(tx.shape) != 4 or tx.shape[0] != 1:
        yield Problem("input must be [1,H,W,C]", str(list(tx.shape)))
        return
    if window.dilation != (1, 1) and tx.dtype is not DType.FLOAT32:
        yield Problem("pooling of integers has no dilation", str(window.dilation))
    if min(window.output_size(*tx.shape[1:3])) < 1:
        yield Problem("the window must fit the padded input", f"{window.extent} on {list(tx.shape[1:3])}")
    elif not all(_meets(window, axis, tx.shape[1 + axis]) for axis in (0, 1)):
        rule = "padding must be smaller than the window, which must meet the input everywhere"
        yield Problem(rule, f"{window.padding} on {window.kernel}")
    yield from unary_problems(tensors, x, y, ACTIVATIONS)
    if not rescales and not same_quant(tensors, (x, y)):
        hint = "requantize behind the pooling instead"
        yield Problem("input and output must have the same quantization", f"{x!r} and {y!r} differ", hint)


def _meets(window: Window, axis: int, size: int) -> bool:
    """Whether every window along `axis` has a tap inside the input, and no padding is as wide as it."""
    if any(p >= window.extent[axis] for p in window.padding[axis]):
        return False
    outputs = window.output_size(size, size)[axis]
    starts = np.arange(outputs) * window.stride[axis] - window.padding[axis][0]
    taps = starts[:, None] + np.arange(window.kernel[axis]) * window.dilation[axis]
    return bool(((taps >= 0) & (taps < size)).any(axis=1).all())


def infer_pool(tensors: Tensors, x: str, window: Window) -> tuple[tuple[int, ...], ...]:
    """Output shape as `infer` returns it."""
    shape = tensors[x].shape
    return ((1, *window.output_size(*shape[1:3]), shape[3]),)


def draw_pool(draw: Draw, make: Callable[[Window, Activation], Op]) -> Graph:
    """A random one-pooling graph with VALID or SAME padding, so that TFLite can express it."""
    dtype = draw.choice(list(ACTIVATIONS))
    kernel = (draw.integer(1, 4), draw.integer(1, 4))
    stride = (draw.integer(1, 3), draw.integer(1, 3))
    size = (draw.integer(1, 8), draw.integer(1, 8))
    if draw.choice([True, False]):
        pad = tuple(same_padding(n, k, s) for n, k, s in zip(size, kernel, stride, strict=True))
        window = Window(kernel, stride, padding=(pad[0], pad[1]))
    else:
        size = (size[0] + kernel[0] - 1, size[1] + kernel[1] - 1)
        window = Window(kernel, stride)
    quant = draw_quant(draw, dtype)
    x = Tensor("x", (1, *size, draw.integer(1, 9)), dtype, quant)
    return one_op_graph(make(window, draw.choice(list(Activation))), [x, Tensor("y", (), dtype, quant)])
