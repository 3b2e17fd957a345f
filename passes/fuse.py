"""Rewrites that fuse an op into its neighbour: padding, activations, quantization pairs."""

from __future__ import annotations

from dataclasses import replace

from ..ir import Activation, DType, Op, Window
from ..ir.fixed_point import activation_range
from ..ir.ops.add import Add
from ..ir.ops.average_pool2d import AveragePool2D
from ..ir.ops.conv2d import Conv2D
from ..ir.ops.depthwise_conv2d import DepthwiseConv2D
from ..ir.ops.dequantize import Dequantize
from ..ir.ops.fully_connected import FullyConnected
from ..ir.ops.max_pool2d import MaxPool2D
from ..ir.ops.mul import Mul
from ..ir.ops.pad import Pad
from ..ir.ops.quantize import Quantize
from ..ir.ops.relu import Relu
from ..ir.ops.sub import Sub
from ..ir.ops.transpose_conv import TransposeConv
from .rewrite import Change, Rewrite, Site, remove_copy

_ACTIVATED = (
    Add, AveragePool2D, Conv2D, DepthwiseConv2D, FullyConnected, MaxPool2D, Mul, Relu, Sub, TransposeConv,
)  # fmt: skip


def _padded_window(window: Window, pad: Pad) -> Window | None:
    """The window with the padding of `pad` added; None where it is not spatial or a border is all padding."""
    if pad.padding[0] != (0, 0) or pad.padding[3] != (0, 0):
        return None
    pairs = [
        (old[0] + new[0], old[1] + new[1]) for old, new in zip(window.padding, pad.padding[1:3], strict=True)
    ]
    if any(max(pair) >= extent for pair, extent in zip(pairs, window.extent, strict=True)):
        return None
    return replace(window, padding=(pairs[0], pairs[1]))


def fuse_pad(site: Site, op: Op) -> Change | None:
    """Spatial padding becomes the padding of the window that reads it.

    Convolutions: padding with the zero point. Max pooling, which skips padded elements: padding with
    a value no element is below. Average pooling counts elements and is left alone.
    """
    if not isinstance(op, Conv2D | DepthwiseConv2D | MaxPool2D):
        return None
    pad = site.producers.get(op.x)
    if not isinstance(pad, Pad) or not site.stored_alike(pad.x, pad.y):
        return None
    neutral = (
        # a dilated window can miss the input where padding is wide
        pad.value <= _lower_bound(site, pad.x) and op.window.dilation == (1, 1)
        if isinstance(op, MaxPool2D)
        else pad.value == site[pad.y].zero_point
    )
    window = _padded_window(op.window, pad) if neutral else None
    return Change({op.name: (replace(op, x=pad.x, window=window),)}) if window else None


def _lower_bound(site: Site, name: str) -> float:
    """A stored value no element of a value is below."""
    t = site[name]
    op = site.producers.get(name)
    activation = op.activation if isinstance(op, _ACTIVATED) else Activation.NONE
    if t.dtype is DType.FLOAT32:
        return activation.bounds[0]
    return activation_range(activation, t)[0]


def _both(a: Activation, b: Activation) -> Activation | None:
    """The activation that clamps as one after the other; None where there is none."""
    low = max(a.bounds[0], b.bounds[0])
    high = min(a.bounds[1], b.bounds[1])
    return next((c for c in Activation if c.bounds == (low, high)), None)


def fuse_relu(site: Site, op: Op) -> Change | None:
    """A clamp becomes the fused activation of the op before it.

    Integers: only where the clamp does not rescale, because rescaling rounds.
    """
    if not isinstance(op, Relu) or not site.private(op.x) or not site.stored_alike(op.x, op.y):
        return None
    producer = site.producers.get(op.x)
    if not isinstance(producer, _ACTIVATED):
        return None
    activation = _both(producer.activation, op.activation)
    if activation is None or (isinstance(producer, Relu) and not site.stored_alike(producer.x, producer.y)):
        return None
    return Change({producer.name: (replace(producer, y=op.y, activation=activation),), op.name: ()})


def cancel_quantize(site: Site, op: Op) -> Change | None:
    """quantize(dequantize(x)) to x's own quantization is x, and so is a quantize that changes nothing.

    Exact for 8 and 16 bits: the float product and quotient err by less than half a step. The other
    order, dequantize(quantize(x)), rounds x and stays.
    """
    if not isinstance(op, Quantize):
        return None
    if site.stored_alike(op.x, op.y):
        return remove_copy(site, op, op.x, op.y)
    first = site.producers.get(op.x)
    if not isinstance(first, Dequantize | Quantize) or not site.stored_alike(first.x, op.y):
        return None
    narrow = site[first.x].dtype in (DType.INT8, DType.UINT8, DType.INT16)
    lossless = _stays_finite(site, first.x) if isinstance(first, Dequantize) else _only_shifts(site, first)
    return remove_copy(site, op, first.x, op.y) if narrow and lossless else None


def _stays_finite(site: Site, x: str) -> bool:
    """Whether float32 holds every real value of `x`: scales near its largest number do not allow it."""
    quant = site[x].quant
    return quant is not None and quant.s < 2.0**100


def _only_shifts(site: Site, op: Quantize) -> bool:
    """Whether it is the lossless change between uint8 and int8: one scale, zero points 128 apart."""
    x, y = site[op.x], site[op.y]
    if {x.dtype, y.dtype} != {DType.INT8, DType.UINT8} or x.quant is None or y.quant is None:
        return False
    return (
        x.quant.s == y.quant.s
        and x.quant.z - x.dtype.integer_range[0] == y.quant.z - y.dtype.integer_range[0]
    )


FUSE: tuple[Rewrite, ...] = (fuse_pad, fuse_relu, cancel_quantize)
