"""Time series: dynamic 1-D convolutions over frames of sensor channels (the MicroNAS family).

    space = DynamicConvolutions((128, 1, 6), 5)        # 128 frames of 6 channels
    network = space.network(space.largest())

Frames run along the height, so that a network can be computed row by row as they come. Sensors are fused
early (all channels in one convolution) or late (a depthwise convolution per channel first).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..network import INPUT, Add, Conv, Dense, DepthwiseConv, GlobalAverage, Layer, Network, Pool
from ..space import Choice, Picks, Space


@dataclass(frozen=True)
class DynamicConvolutions(Space):
    """Fusion of the sensors, blocks that shorten time, the mean over time, and a classifier.

    input_shape  (frames, 1, channels)
    blocks       most blocks
    """

    blocks: int = 4

    def all_choices(self) -> tuple[Choice, ...]:
        found = [
            Choice("width", (8, 12, 16, 24, 32, 48), whole=True),
            Choice("fusion", ("early", "late")),
            Choice("reduction", (1, 2, 4), whole=True),
            Choice("blocks", tuple(range(1, self.blocks + 1))),
        ]
        for n in range(1, self.blocks + 1):
            found.append(Choice(f"block_{n} kind", ("separable", "full")))
            found.append(Choice(f"block_{n} kernel", (3, 5, 7, 9)))
            found.append(Choice(f"block_{n} stride", (2, 1)))
            found.append(Choice(f"block_{n} growth", (1.0, 1.5, 2.0)))
        return tuple(found)

    def network(self, picks: Picks) -> Network:
        layers: list[Layer] = []

        def add(layer: Layer) -> str:
            layers.append(layer)
            return layer.name

        x, frames = INPUT, self.input_shape[0]
        reduction = min(int(picks["reduction"]), frames)
        if reduction > 1:
            x = add(Pool("reduce", x, (reduction, 1), (reduction, 1), "average"))
        if picks["fusion"] == "late":
            x = add(DepthwiseConv("sensors", x, (5, 1)))
        channels = int(picks["width"])
        x = add(Conv("fuse", x, channels, (3, 1) if picks["fusion"] == "early" else (1, 1)))
        for n in range(1, int(picks["blocks"]) + 1):
            name, kernel = f"block_{n}", (int(picks[f"block_{n} kernel"]), 1)
            stride = (int(picks[f"block_{n} stride"]), 1)
            outputs = 4 * round(channels * float(picks[f"block_{n} growth"]) / 4)
            if picks[f"{name} kind"] == "separable":
                y = add(DepthwiseConv(f"{name}_depthwise", x, kernel, stride))
                y = add(Conv(f"{name}_pointwise", y, outputs, (1, 1)))
            else:
                y = add(Conv(f"{name}_conv", x, outputs, kernel, stride))
            same = stride == (1, 1) and outputs == channels
            x, channels = add(Add(f"{name}_add", x, y)) if same else y, outputs
        x = add(GlobalAverage("mean", x))
        add(Dense("logits", x, self.outputs))
        return Network(self.input_shape, tuple(layers))
