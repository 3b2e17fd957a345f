"""Compare two models, or a model and a library, and say where they begin to differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..emulation.differences import rounded_values
from ..emulation.layer_values import Values
from ..errors import UserError
from ..ir import Graph
from .feeding import Inputs, given_samples, ports_of, random_samples, to_real
from .grids import grids_of, kind_of
from .matching import How, Node, Pair, match, nodes_of
from .measure import Status, Tally
from .order import reorder
from .sides import Shapes, Side, open_side


@dataclass(frozen=True)
class LayerDiff:
    """One value that both sides compute.

    op, value, type_      of the first side; value_b, type_b: of the second
    matched        "output", "name" or "position": why the two were taken for the same
    elements       compared, over all samples
    differing      elements whose real values are not equal
    max_abs_error  largest difference of real values
    sqnr_db        10 log10(sum first^2 / sum (first - second)^2); infinite where nothing differs
    loss_db        by how much sqnr_db is below that of the noisiest value it is computed from; None where
                   those are equal or inputs
    status         "equal"; "within" the tolerance; "differs"
    first_sample   the first in which values that are compared exactly, or as floats, differ
    """

    op: str
    value: str
    value_b: str
    type_a: str
    type_b: str
    matched: How
    elements: int
    differing: int
    max_abs_error: float
    sqnr_db: float
    loss_db: float | None
    status: Status
    first_sample: int | None


@dataclass(frozen=True)
class OutputDiff:
    """An output of the model. `same_largest`: samples whose largest element is the same one; None for one."""

    value: str
    samples: int
    same_largest: int | None


@dataclass(frozen=True)
class SideInfo:
    """What was compared: file or folder, and what computed it ("reference", "qemu" or "host")."""

    source: str
    on: str
    values: int


@dataclass(frozen=True)
class Diff:
    """What two sides have in common, layer by layer, in the order of computation of the first.

    unmatched_a, unmatched_b   values that have no counterpart (moves and conversions are not listed)
    missing_outputs            outputs that could not be compared: the sides differ, then
    """

    a: SideInfo
    b: SideInfo
    samples: int
    seed: int | None
    min_sqnr_db: float | None
    layers: tuple[LayerDiff, ...]
    outputs: tuple[OutputDiff, ...]
    unmatched_a: tuple[str, ...]
    unmatched_b: tuple[str, ...]
    missing_outputs: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether all outputs were compared, and nothing differs by more than it may."""
        return self.first_differing is None and not self.missing_outputs

    @property
    def equal(self) -> bool:
        return self.passed and all(layer.status == "equal" for layer in self.layers)

    @property
    def first_differing(self) -> LayerDiff | None:
        """The first value that differs by more than it may: in the first sample, in the order of computation.

        Later samples carry differences on through states.
        """
        differing = [layer for layer in self.layers if layer.status == "differs"]
        return min(differing, key=lambda layer: layer.first_sample or 0, default=None)

    @property
    def largest_loss(self) -> LayerDiff | None:
        """The layer that adds most noise to what it is given."""
        losses = [layer for layer in self.layers if layer.loss_db is not None and layer.loss_db > 0]
        return max(losses, key=lambda layer: layer.loss_db or 0.0, default=None)

    def worst(self, count: int | None = None) -> tuple[LayerDiff, ...]:
        """The layers, those of lowest SQNR first."""
        return tuple(sorted(self.layers, key=lambda layer: layer.sqnr_db)[:count])

    def figures(self) -> dict[str, Any]:
        """The document of `diff --json`."""
        first, loss = self.first_differing, self.largest_loss
        return {
            **asdict(self),
            "passed": self.passed,
            "equal": self.equal,
            "first_differing": first and first.value,
            "largest_loss": loss and loss.value,
            "worst_layers": [layer.value for layer in self.worst(5)],
        }


def diff(
    a: str | Path | Graph,
    b: str | Path | Graph,
    *,
    inputs: Inputs | None = None,
    samples: int = 8,
    seed: int = 0,
    on: str = "qemu",
    min_sqnr_db: float | None = None,
    input_shapes: Shapes | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Diff:
    """Run `a` and `b` on the same inputs and compare every value that both compute.

    a, b          model file, graph, or library folder, whose layers are read back from where it runs
    inputs        .npy or .npz file, array [N, ...], or arrays by input name: real values, or integers as an
                  input stores them; without them `samples` random ones of `seed`. Each model's own
                  quantization is applied.
    on            where libraries run: "qemu" or "host"
    min_sqnr_db   SQNR that is enough for every value. Without it integers of equal scale have to be equal
                  bit for bit, floats within the tolerance of verify, and others need MIN_SQNR_DB
    input_shapes  of models that leave dimensions open
    progress      called with the number of runs done, of how many
    Raises UserError: bad input, nothing in common, a tool is missing, a library does not run.
    """
    sides = _opened(a, b, on, input_shapes or {})
    graphs = (sides[0].graph, sides[1].graph)
    ports = ports_of(*graphs)
    drawn = random_samples(ports, samples, seed) if inputs is None else given_samples(ports, inputs)
    nodes = [nodes_of(side.graph, side.available) for side in sides]
    outputs = _outputs(*graphs)
    comparison = _Comparison(graphs, match(nodes[0], nodes[1], outputs), outputs)
    for values in _runs(sides, drawn, progress):
        comparison.add(*values)
    layers = comparison.layers(min_sqnr_db)
    if not layers:
        raise UserError(
            "nothing of the two can be compared",
            found=f"{len(nodes[0])} and {len(nodes[1])} values, none of equal name or shape",
        )
    found_a, found_b = {x.value for x in layers}, {x.value_b for x in layers}
    return Diff(
        _info(sides[0], nodes[0]), _info(sides[1], nodes[1]), len(drawn),
        seed if inputs is None else None, min_sqnr_db, layers, comparison.outputs(len(drawn)),
        _unmatched(nodes[0], found_a), _unmatched(nodes[1], found_b),
        tuple(y for y in graphs[0].outputs if y not in found_a and y not in graphs[0].inputs)
        + tuple(y for y in graphs[1].outputs if y not in found_b and y not in graphs[1].inputs),
    )  # fmt: skip


def _opened(a: str | Path | Graph, b: str | Path | Graph, on: str, shapes: Shapes) -> tuple[Side, Side]:
    if on not in ("qemu", "host"):
        raise UserError(f"cannot run on {on!r}", accepted="qemu, host")
    sides = (open_side(a, on, shapes), open_side(b, on, shapes))
    inputs = tuple(dict.fromkeys(sides[0].graph.inputs + sides[1].graph.inputs))
    if unknown := [n for n in shapes if n not in inputs]:
        raise UserError(f"no input of the two is called {unknown[0]!r}", accepted=", ".join(inputs))
    return sides


def _outputs(a: Graph, b: Graph) -> list[tuple[str, str]]:
    """Outputs that belong together: by name where the names are the same ones, else by their place."""
    if set(a.outputs) == set(b.outputs):
        return [(y, y) for y in a.outputs]
    return list(zip(a.outputs, b.outputs, strict=False))


def _info(side: Side, nodes: Sequence[Node]) -> SideInfo:
    return SideInfo(side.title, side.on, len(nodes))


def _unmatched(nodes: Sequence[Node], found: set[str]) -> tuple[str, ...]:
    """Computed values that were not compared, nor in another type."""
    converted = {x for n in nodes if n.moved and n.name in found for x in n.reads}
    return tuple(n.name for n in nodes if n.name not in found | converted and not n.moved)


def _runs(
    sides: tuple[Side, Side],
    samples: Sequence[tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]],
    progress: Callable[[int, int], None],
) -> Iterator[tuple[Values, Values]]:
    """All values of both sides, sample by sample."""
    done = [0, 0]

    def at(side: int) -> Callable[[int], None]:
        def count(n: int) -> None:
            done[side] = n
            progress(sum(done), 2 * len(samples))

        return count

    runs = [side.run([s[i] for s in samples], at(i)) for i, side in enumerate(sides)]
    return zip(*runs, strict=True)


class _Comparison:
    """Adds up differences of all pairs, sample by sample."""

    def __init__(
        self, graphs: tuple[Graph, Graph], pairs: Sequence[Pair], outputs: Sequence[tuple[str, str]]
    ) -> None:
        self._graphs = graphs
        rounded = [rounded_values(g) for g in graphs]
        grids = [grids_of(g) for g in graphs]
        self._pairs = []
        for p in pairs:
            kind = kind_of(grids[0][p.a.name], grids[1][p.b.name])
            rounds = p.a.name in rounded[0] or p.b.name in rounded[1]
            self._pairs.append((p, Tally(p.a.tensor, p.b.tensor, kind, rounds)))
        named = {(p.a.name, p.b.name) for p in pairs}
        self._same_largest = {y: 0 for y in outputs if y in named}

    def add(self, a: Values, b: Values) -> None:
        """One sample. A side may lack values; pairs that no sample has are left out."""
        for pair, tally in self._pairs:
            if pair.a.name in a and pair.b.name in b:
                tally.add(a[pair.a.name], b[pair.b.name])
        for x, y in self._same_largest:
            real_x = to_real(a[x].data, self._graphs[0][x])
            real_y = to_real(reorder(b[y].data, real_x.shape), self._graphs[1][y])
            self._same_largest[x, y] += int(real_x.argmax() == real_y.argmax())

    def layers(self, min_sqnr_db: float | None) -> tuple[LayerDiff, ...]:
        listed = [(p, t) for p, t in self._pairs if p.how == "output" or not p.layer.moved]
        compared = {p.a.name: (p, t) for p, t in listed if t.elements}
        sources = _sources(self._graphs[0], compared)
        return tuple(
            LayerDiff(
                pair.layer.label, name, pair.b.name, pair.a.tensor.dtype.value, pair.b.tensor.dtype.value,
                pair.how, tally.elements, tally.differing, tally.max_abs_error, tally.sqnr_db,
                _loss(tally, [compared[x][1] for x in sources[name]]), tally.status(min_sqnr_db),
                tally.first_sample,
            )
            for name, (pair, tally) in compared.items()
        )  # fmt: skip

    def outputs(self, samples: int) -> tuple[OutputDiff, ...]:
        return tuple(
            OutputDiff(x, samples, n if self._graphs[0][x].elements > 1 else None)
            for (x, _), n in self._same_largest.items()
        )


def _sources(graph: Graph, compared: Mapping[str, object]) -> dict[str, set[str]]:
    """The nearest values that were compared, by each value computed from them."""
    nearest: dict[str, set[str]] = {}
    for op in graph.ops:
        found = {s for x in op.inputs for s in ({x} if x in compared else nearest.get(x, set()))}
        nearest.update((y, found) for y in op.outputs)
    return nearest


def _loss(tally: Tally, sources: Sequence[Tally]) -> float | None:
    before = min((t.sqnr_db for t in sources), default=float("inf"))
    return before - tally.sqnr_db if np.isfinite(before) and np.isfinite(tally.sqnr_db) else None
