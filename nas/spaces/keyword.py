"""Keyword spotting: depthwise separable networks on spectrograms (DS-CNN), or 1-D over time.

space = DepthwiseSeparable((49, 10, 1), 12)        # 49 frames of 10 features
network = space.network(space.largest())
"""

from __future__ import annotations

from dataclasses import dataclass

from ..network import INPUT, Add, Conv, Dense, DepthwiseConv, GlobalAverage, Layer, Network
from ..space import Choice, Picks, Space


@dataclass(frozen=True)
class DepthwiseSeparable(Space):
    """A stem over time and frequency, separable blocks, the mean of the map, and a classifier.

    "over" says whether blocks see frequency: "map" keeps the spectrogram a picture (DS-CNN, Zhang et al.
    2017), "time" takes all of a frame's features as channels of a 1-D network (TC-ResNet, Choi et al. 2019).

    blocks   most blocks
    """

    blocks: int = 6

    def all_choices(self) -> tuple[Choice, ...]:
        found = [
            Choice("over", ("time", "map")),
            Choice("width", (16, 24, 32, 48, 64, 80), whole=True),
            Choice("stem stride", (2, 1), whole=True),
            Choice("stem kernel", (4, 8, 10)),
            Choice("blocks", tuple(range(2, self.blocks + 1))),
        ]
        for n in range(1, self.blocks + 1):
            found.append(Choice(f"block_{n} kernel", (3, 5, 7)))
            found.append(Choice(f"block_{n} width", (0.75, 1.0, 1.5)))
            found.append(Choice(f"block_{n} stride", (1, 2)))
        return tuple(found)

    def network(self, picks: Picks) -> Network:
        layers: list[Layer] = []

        def add(layer: Layer) -> str:
            layers.append(layer)
            return layer.name

        on_map = picks["over"] == "map"
        features = self.input_shape[1]
        stride, kernel = int(picks["stem stride"]), int(picks["stem kernel"])
        channels = width = int(picks["width"])
        if on_map:
            x = add(Conv("stem", INPUT, channels, (kernel, min(4, features)), (stride, min(2, features))))
        else:  # one column is left of the features: a stride of all of them
            x = add(Conv("stem", INPUT, channels, (kernel, features), (stride, features)))
        for n in range(1, int(picks["blocks"]) + 1):
            name, k, s = f"block_{n}", int(picks[f"block_{n} kernel"]), int(picks[f"block_{n} stride"])
            outputs = 4 * round(width * float(picks[f"{name} width"]) / 4)
            y = add(DepthwiseConv(f"{name}_depthwise", x, (k, k if on_map else 1), (s, s if on_map else 1)))
            y = add(Conv(f"{name}_pointwise", y, outputs, (1, 1)))
            same = s == 1 and outputs == channels
            x, channels = add(Add(f"{name}_add", x, y)) if same else y, outputs
        x = add(GlobalAverage("mean", x))
        add(Dense("logits", x, self.outputs))
        return Network(self.input_shape, tuple(layers))
