"""The graph: an immutable list of operators over named values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from .op import Op
from .types import State, Tensor


@dataclass(frozen=True, eq=False)
class Graph:
    """A network with static shapes, batch 1, NHWC, SSA.

    name     C identifier stem of the model
    tensors  every value and constant by name
    ops      in an order in which every value is computed before it is read; reads and writes of
             state happen in this order too
    inputs, outputs   names of values; an input may be an output
    states   tensors that live between calls
    source   file the graph came from, for messages
    """

    name: str
    tensors: Mapping[str, Tensor]
    ops: tuple[Op, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    states: tuple[State, ...] = ()
    source: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Where an op came from, by op name: `op 7 CONV_2D "conv_4"`; for messages only."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tensors", MappingProxyType(dict(self.tensors)))
        object.__setattr__(self, "labels", MappingProxyType(dict(self.labels)))

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def state(self, name: str) -> State:
        return next(s for s in self.states if s.name == name)

    def label(self, op: Op) -> str:
        """How messages call this op."""
        return self.labels.get(op.name, f'op {op.kind()} "{op.name}"')

    @property
    def macs(self) -> int:
        return sum(op.macs(self.tensors) for op in self.ops)

    def producers(self) -> dict[str, Op]:
        """The op that writes each value."""
        return {y: op for op in self.ops for y in op.outputs}

    def consumers(self) -> dict[str, list[Op]]:
        """The ops that read each value, in order, each once; values nobody reads map to []."""
        readers: dict[str, list[Op]] = {name: [] for name in self.tensors}
        for op in self.ops:
            for x in dict.fromkeys(op.inputs):
                readers[x].append(op)
        return readers

    def rewritten(
        self, ops: Iterable[Op], new: Iterable[Tensor] = (), outputs: tuple[str, ...] | None = None
    ) -> Graph:
        """This graph with other ops and added (or replaced) tensors; tensors nobody names are dropped."""
        ops = tuple(ops)
        outputs = self.outputs if outputs is None else outputs
        tensors = {**self.tensors, **{t.name: t for t in new}}
        used = {*self.inputs, *outputs, *(v for op in ops for v in (*op.inputs, *op.outputs))}
        return replace(
            self, ops=ops, outputs=outputs, tensors={n: t for n, t in tensors.items() if n in used}
        )
