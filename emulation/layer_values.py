"""Run a library and read back what every layer of it made."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import boards
from ..codegen.pipeline import Library
from ..codegen.views import LayerView
from ..errors import UserError
from ..ir import Graph
from .harness import Inputs, Made, build, execute_values, other_layers, samples_per_boot
from .verify import SEQUENCE

_BOOT_BYTES = 1 << 27
"""Bytes of results that one boot may give."""


@dataclass(frozen=True, eq=False)
class LayerValue:
    """A value as the library made it. `made`: which elements a layer computed; None: all of them.

    Rows that nobody needs are not made where layers run a few rows at a time.
    """

    data: np.ndarray
    made: np.ndarray | None = None


Values = Mapping[str, LayerValue]


def run_layers(
    library: Library,
    folder: Path,
    samples: Sequence[Inputs],
    on: str,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> Iterator[Values]:
    """Build the library in `folder`, run it on `samples`, and give all layer outputs of each by value name.

    on        "qemu" (the board's machine) or "host"
    progress  called with the number of samples done
    Stateful models are reset every SEQUENCE samples. Raises UserError: a tool is missing, an input does not
    fit the machine's memory, or the program does not run to its end.
    """
    board = None if on == "host" else boards.load(library.options.board)
    graph, view = library.graph, library.view
    places = {layer.number: _places(graph, layer) for layer in view.layers}
    done = 0
    with tempfile.TemporaryDirectory(prefix="patchloom-layers-") as work:
        program = build(folder, view, graph, board, Path(work))
        boot = _samples_of_a_boot(graph, samples_per_boot(program), len(samples))
        for start in range(0, len(samples), boot):
            for made in execute_values(program, samples[start : start + boot], SEQUENCE):
                if set(made.layers) != (known := {n for n, outputs in places.items() if outputs}):
                    raise other_layers(view, f"layers {sorted(made.layers)}", f"{sorted(known)}")
                yield _values(library, places, made)
                done += 1
                progress(done)


def _samples_of_a_boot(graph: Graph, capacity: int | None, count: int) -> int:
    """Samples run in one go: whole sequences where states live between them."""
    bytes_each = sum(graph[y].size_bytes for op in graph.ops for y in op.outputs)
    wanted = max(1, _BOOT_BYTES // max(1, bytes_each))
    if not graph.states:
        return wanted if capacity is None else min(wanted, capacity)
    whole = min(SEQUENCE, count)
    if capacity is not None and capacity < whole:
        raise UserError(
            "the frames between two resets do not fit the memory of the machine beside the program",
            found=f"{capacity} frames fit",
            accepted=f"{whole}",
            hint="fewer samples, or --on host",
        )
    return max(whole, min(wanted, capacity or wanted) // SEQUENCE * SEQUENCE)


_Place = tuple[str, np.ndarray]
"""Name of a value, and the flat indices of its elements in the order in which a layer makes them."""


def _places(graph: Graph, layer: LayerView) -> list[_Place]:
    """What a layer makes, output by output."""
    places = []
    for y in layer.outputs:
        t = graph[y.value]
        order = y.computed(np.arange(t.elements, dtype=np.int64).reshape(t.shape))
        places.append((y.value, np.frombuffer(order, np.int64)))
    return places


def _values(library: Library, places: Mapping[int, Sequence[_Place]], made: Made) -> Values:
    values = {name: LayerValue(y) for name, y in made.outputs.items()}
    for number, outputs in places.items():
        data, at = made.layers[number], 0
        wanted = sum(len(order) * library.graph[name].dtype.itemsize for name, order in outputs)
        if wanted != len(data):
            raise other_layers(library.view, f"layer {number} made {len(data)} B", f"{wanted} B")
        for name, order in outputs:
            t = library.graph[name]
            values[name] = _placed(np.frombuffer(data, t.dtype.numpy, len(order), at), order, t.shape)
            at += len(order) * t.dtype.itemsize
    return values


def _placed(data: np.ndarray, order: np.ndarray, shape: tuple[int, ...]) -> LayerValue:
    """The elements, brought to their places."""
    whole = np.zeros(int(np.prod(shape)), data.dtype)
    made = np.zeros(whole.shape, bool)
    whole[order], made[order] = data, True
    return LayerValue(whole.reshape(shape), None if made.all() else made.reshape(shape))
