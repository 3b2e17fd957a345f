"""Images: inverted bottlenecks (MobileNetV2, MnasNet, MCUNet) of chosen kernel, expansion, depth and width.

space = InvertedBottlenecks((28, 28, 1), 10)
network = space.network(space.largest())
"""

from __future__ import annotations

from dataclasses import dataclass

from ..network import (
    INPUT,
    Add,
    Concat,
    Conv,
    Dense,
    DepthwiseConv,
    GlobalAverage,
    Layer,
    Network,
    Pool,
)
from ..space import Choice, Picks, Space


@dataclass(frozen=True)
class InvertedBottlenecks(Space):
    """A stem, stages of inverted bottlenecks, the mean of the map, and a classifier.

    channels   of the stages' outputs at width 1; all but the first stage halve the map
    depth      most blocks per stage
    """

    channels: tuple[int, ...] = (16, 24, 40)
    depth: int = 3

    def all_choices(self) -> tuple[Choice, ...]:
        found = [
            Choice("width", (0.35, 0.5, 0.75, 1.0, 1.25), whole=True),
            Choice("shrink", (2, 1), whole=True),
            Choice("stem stride", (2, 1), whole=True),
            Choice("head", (0, 64, 128)),
        ]
        for stage in range(1, len(self.channels) + 1):
            found.append(Choice(f"stage {stage} depth", tuple(range(1, self.depth + 1))))
            found.append(Choice(f"stage {stage} width", (0.75, 1.0, 1.25)))
            for block in range(1, self.depth + 1):
                found.append(Choice(f"block_{stage}_{block} kind", ("bottleneck", "ghost", "plain")))
                found.append(Choice(f"block_{stage}_{block} kernel", (3, 5, 7)))
                found.append(Choice(f"block_{stage}_{block} expansion", (2, 3, 4, 6)))
        return tuple(found)

    def network(self, picks: Picks) -> Network:
        return _Builder(self, picks).network()


class _Builder:
    def __init__(self, space: InvertedBottlenecks, picks: Picks) -> None:
        self.space, self.picks = space, picks
        self.layers: list[Layer] = []

    def network(self) -> Network:
        """All layers, from the input to the logits."""
        shrink = int(self.picks["shrink"])
        x, channels = INPUT, self.space.input_shape[2]
        if shrink > 1:  # a smaller resolution: the mean of squares of pixels
            x = self.add(Pool("shrink", x, (shrink, shrink), (shrink, shrink), "average"))
        stride = int(self.picks["stem stride"])
        channels = self.scaled(self.space.channels[0])
        x = self.add(Conv("stem", x, channels, (3, 3), (stride, stride)))
        for stage, base in enumerate(self.space.channels, 1):
            outputs = self.scaled(base * float(self.picks[f"stage {stage} width"]))
            for block in range(1, int(self.picks[f"stage {stage} depth"]) + 1):
                down = 2 if stage > 1 and block == 1 else 1
                x = self.block(f"block_{stage}_{block}", x, channels, outputs, down)
                channels = outputs
        if head := int(self.picks["head"]):
            x = self.add(Conv("head", x, head, (1, 1)))
        x = self.add(GlobalAverage("mean", x))
        self.add(Dense("logits", x, self.space.outputs))
        return Network(self.space.input_shape, tuple(self.layers))

    def add(self, layer: Layer) -> str:
        self.layers.append(layer)
        return layer.name

    def scaled(self, channels: float) -> int:
        """Channels at the chosen width: multiples of 4, which kernels take at once."""
        return max(4, 4 * round(channels * float(self.picks["width"]) / 4))

    def block(self, name: str, x: str, inputs: int, outputs: int, stride: int) -> str:
        """One block; it adds its input where the shapes are equal."""
        kind = self.picks[f"{name} kind"]
        kernel = int(self.picks[f"{name} kernel"])
        expansion = int(self.picks[f"{name} expansion"])
        build = {"bottleneck": self.bottleneck, "ghost": self.ghost, "plain": self.plain}[str(kind)]
        y = build(name, x, inputs, outputs, kernel, expansion, stride)
        return self.add(Add(f"{name}_add", x, y)) if stride == 1 and inputs == outputs else y

    def bottleneck(
        self, name: str, x: str, inputs: int, outputs: int, kernel: int, expansion: int, stride: int
    ) -> str:
        """Expand, depthwise, project (Sandler et al. 2018)."""
        x = self.add(Conv(f"{name}_expand", x, inputs * expansion, (1, 1)))
        x = self.add(DepthwiseConv(f"{name}_depthwise", x, (kernel, kernel), (stride, stride)))
        return self.add(Conv(f"{name}_project", x, outputs, (1, 1), activation="none"))

    def ghost(
        self, name: str, x: str, inputs: int, outputs: int, kernel: int, expansion: int, stride: int
    ) -> str:
        """Half of the channels by a convolution, the others from these by a depthwise one (Han et al. 2020).

        The expansion is not used.
        """
        if stride > 1:
            x = self.add(DepthwiseConv(f"{name}_down", x, (3, 3), (stride, stride)))
        half = self.add(Conv(f"{name}_primary", x, outputs // 2, (1, 1)))
        cheap = self.add(DepthwiseConv(f"{name}_cheap", half, (kernel, kernel)))
        return self.add(Concat(f"{name}_ghost", (half, cheap)))

    def plain(
        self, name: str, x: str, inputs: int, outputs: int, kernel: int, expansion: int, stride: int
    ) -> str:
        """One full 3x3 convolution; kernel and expansion are not used."""
        return self.add(Conv(f"{name}_conv", x, outputs, (3, 3), (stride, stride)))
