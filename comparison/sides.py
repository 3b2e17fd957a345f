"""The sides of a comparison: a model run by our reference, or a library run on the emulator or the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import folder
from ..codegen.pipeline import Library
from ..emulation.layer_values import LayerValue, Values, run_layers
from ..emulation.verify import SEQUENCE
from ..errors import UnknownInput
from ..frontend import load
from ..ir import Graph, Tensor, evaluate, initial_state
from ..passes import run_passes
from ..passes.fuse_qdq import fuse_qdq
from ..passes.io_int8 import io_int8
from .channels import channels_kept

Shapes = Mapping[str, tuple[int, ...]]
Stored = Mapping[str, np.ndarray]
Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class ModelSide:
    """A model, computed by the reference. `graph`: as it is compared, behind the exact graph passes."""

    title: str
    graph: Graph
    on: str = "reference"

    @property
    def available(self) -> frozenset[str]:
        """Names of the values that can be had."""
        return frozenset(y for op in self.graph.ops for y in op.outputs)

    def run(self, samples: Sequence[Stored], progress: Progress) -> Iterator[Values]:
        """All values of every sample; the state is reset every SEQUENCE of them."""
        for i, sample in enumerate(samples):
            if i % SEQUENCE == 0:
                state = initial_state(self.graph)
            values = evaluate(self.graph, sample, state)
            yield {n: LayerValue(x) for n, x in values.items()}
            progress(i + 1)


@dataclass(frozen=True, eq=False)
class LibrarySide:
    """A compiled library. `graph` is its model, whose values those of the library are named after.

    Channels that were compiled away and rows that nobody needs are left out of values.
    """

    title: str
    graph: Graph
    library: Library
    on: str

    @property
    def available(self) -> frozenset[str]:
        """Names of the values that layers of the library make."""
        made = {y.value for layer in self.library.view.layers for y in layer.outputs}
        return frozenset({n for n in made if n in self.graph.tensors} | set(self.graph.outputs))

    def run(self, samples: Sequence[Stored], progress: Progress) -> Iterator[Values]:
        """What the layers of the library made."""
        lowered = self.library.graph
        fewer = [
            n for n in self.available if n in lowered.tensors and lowered[n].shape != self.graph[n].shape
        ]
        kept = channels_kept(self.graph, lowered, fewer, samples) if fewer else {}
        for values in run_layers(self.library, Path(self.title), samples, self.on, progress=progress):
            whole = {n: v for n, v in values.items() if n in self.available and n not in fewer}
            for name, channels in kept.items():
                whole[name] = _spread(values[name], channels, self.graph[name])
            for y, own in zip(self.graph.outputs, lowered.outputs, strict=True):
                whole[y] = values[own]
            yield whole


Side = ModelSide | LibrarySide


def open_side(what: str | Path | Graph, on: str, shapes: Shapes) -> Side:
    """A model file, a graph, or the folder of a library. Raises UserError for anything else.

    shapes   of inputs of models; names that a model does not have are left out
    """
    if isinstance(what, Graph):
        return ModelSide(what.name, run_passes(what, after="canonicalize"))
    path = Path(what)
    if not folder.is_library(path):
        return ModelSide(str(path), run_passes(fuse_qdq(_load(path, shapes)), after="canonicalize"))
    library = folder.open_library(path)
    if library.streaming is not None:
        return LibrarySide(str(path), library.graph, library, on)
    imported = io_int8(library.imported) if library.options.io_int8 else library.imported
    return LibrarySide(str(path), run_passes(imported, after="canonicalize"), library, on)


def _load(path: Path, shapes: Shapes) -> Graph:
    shapes = dict(shapes)
    while True:
        try:
            return load(path, shapes)
        except UnknownInput as error:
            del shapes[error.name]


def _spread(value: LayerValue, channels: np.ndarray, t: Tensor) -> LayerValue:
    """A value of fewer channels, as one that has them all."""
    data, made = np.zeros(t.shape, value.data.dtype), np.zeros(t.shape, bool)
    data[..., channels] = value.data
    made[..., channels] = True if value.made is None else value.made
    return LayerValue(data, made)
