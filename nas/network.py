"""Networks as the search sees them: layers by name, without weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from math import prod
from typing import Literal

from ..errors import UserError

ActivationName = Literal["none", "relu", "relu6"]
PoolKind = Literal["average", "max"]
Pair = tuple[int, int]
Shape = tuple[int, ...]
"""Of one sample: (H, W, C) of a map, (N,) of a vector."""


@dataclass(frozen=True)
class Conv:
    """Convolution with bias (batch normalization while training), padded as TensorFlow's SAME."""

    name: str
    x: str
    filters: int
    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    activation: ActivationName = "relu"


@dataclass(frozen=True)
class DepthwiseConv:
    """One filter per channel, with bias (batch normalization while training), padded as SAME."""

    name: str
    x: str
    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    activation: ActivationName = "relu"


@dataclass(frozen=True)
class Dense:
    """Fully connected layer with bias; batch_norm: normalized while training."""

    name: str
    x: str
    units: int
    activation: ActivationName = "none"
    batch_norm: bool = False


@dataclass(frozen=True)
class Add:
    """Sum of two values of one shape."""

    name: str
    a: str
    b: str
    activation: ActivationName = "none"


@dataclass(frozen=True)
class Concat:
    """Values side by side along the channels."""

    name: str
    xs: tuple[str, ...]


@dataclass(frozen=True)
class Pool:
    """Largest or average element of windows, no padding; what is left over at the end is dropped."""

    name: str
    x: str
    window: Pair = (2, 2)
    stride: Pair = (2, 2)
    kind: PoolKind = "max"


@dataclass(frozen=True)
class GlobalAverage:
    """(H, W, C) to (C,)."""

    name: str
    x: str


@dataclass(frozen=True)
class Flatten:
    """(H, W, C) to (H * W * C,)."""

    name: str
    x: str


Layer = Conv | DepthwiseConv | Dense | Add | Concat | Pool | GlobalAverage | Flatten
Weighted = Conv | DepthwiseConv | Dense

INPUT = "input"
"""Name of the network's input."""


def sources(layer: Layer) -> tuple[str, ...]:
    """Names of the values a layer reads."""
    if isinstance(layer, Add):
        return layer.a, layer.b
    return layer.xs if isinstance(layer, Concat) else (layer.x,)


@dataclass(frozen=True)
class Network:
    """Layers in an order of computation; the last one is the output. Each layer names its output value.

    input_shape   of one sample
    Raises UserError where shapes do not fit.
    """

    input_shape: Shape
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        names = [INPUT, *(layer.name for layer in self.layers)]
        if not self.layers or len(set(names)) < len(names):
            raise UserError(
                "a network needs layers of different names", found=", ".join(names[1:]) or "no layer"
            )
        self.shapes  # noqa: B018  (raises where they do not fit)

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """Shape of every value, of one sample."""
        shapes = {INPUT: self.input_shape}
        for layer in self.layers:
            unknown = [x for x in sources(layer) if x not in shapes]
            if unknown:
                raise UserError(f"layer {layer.name!r} reads a value that is not there", found=unknown[0])
            shapes[layer.name] = _shape(layer, [shapes[x] for x in sources(layer)])
        return shapes

    @property
    def digest(self) -> str:
        """The same for equal networks, in every process."""
        return sha256(repr(self).encode()).hexdigest()[:20]

    @property
    def output(self) -> str:
        """Name of the output value."""
        return self.layers[-1].name

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(self._macs(layer) for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Weights and biases, batch normalization folded into them."""
        return sum(prod(kernel) + bias for kernel, bias in self.weights().values())

    def weights(self) -> dict[str, tuple[Shape, int]]:
        """By weighted layer, the shape of its weights and the number of its biases.

        Conv [O,KH,KW,C], DepthwiseConv [1,KH,KW,C], Dense [O,N], as in the IR.
        """
        found: dict[str, tuple[Shape, int]] = {}
        for layer in self.layers:
            if isinstance(layer, Conv):
                channels = self.shapes[layer.x][-1]
                found[layer.name] = ((layer.filters, *layer.kernel, channels), layer.filters)
            elif isinstance(layer, DepthwiseConv):
                channels = self.shapes[layer.x][-1]
                found[layer.name] = ((1, *layer.kernel, channels), channels)
            elif isinstance(layer, Dense):
                found[layer.name] = ((layer.units, self.shapes[layer.x][0]), layer.units)
        return found

    def _macs(self, layer: Layer) -> int:
        if not isinstance(layer, Weighted):
            return 0
        taps = prod(self.weights_of(layer))
        return taps if isinstance(layer, Dense) else taps * prod(self.shapes[layer.name][:2])

    def weights_of(self, layer: Weighted) -> Shape:
        """Shape of a layer's weights."""
        return self.weights()[layer.name][0]


def _shape(layer: Layer, xs: Sequence[Shape]) -> Shape:
    """Shape of a layer's output. Raises UserError where the inputs do not fit."""
    x = xs[0]
    rank = 1 if isinstance(layer, Dense) else len(x) if isinstance(layer, Add | Concat) else 3
    if len(x) != rank:
        raise UserError(
            f"layer {layer.name!r} needs {'a vector' if rank == 1 else 'a map'}", found=str(list(x))
        )
    if isinstance(layer, Conv | DepthwiseConv):
        height, width = (-(-n // s) for n, s in zip(x[:2], layer.stride, strict=True))
        return height, width, layer.filters if isinstance(layer, Conv) else x[2]
    if isinstance(layer, Dense):
        return (layer.units,)
    if isinstance(layer, Pool):
        size = [(n - k) // s + 1 for n, k, s in zip(x[:2], layer.window, layer.stride, strict=True)]
        if min(size) < 1:
            raise UserError(f"the window of {layer.name!r} is larger than its map", found=str(list(x)))
        return size[0], size[1], x[2]
    if isinstance(layer, GlobalAverage):
        return (x[2],)
    if isinstance(layer, Flatten):
        return (prod(x),)
    same = 0 if isinstance(layer, Concat) else 1
    if any(other[: len(x) - 1 + same] != x[: len(x) - 1 + same] or len(other) != len(x) for other in xs):
        raise UserError(f"the inputs of {layer.name!r} differ", found=", ".join(str(list(s)) for s in xs))
    return x if isinstance(layer, Add) else (*x[:-1], sum(other[-1] for other in xs))
