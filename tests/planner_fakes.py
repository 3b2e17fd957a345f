"""Small operators on bytes, descriptors of kernels for them, and random graphs of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from patchloom.ir import DType, Graph, Op, Problem, State, Tensor
from patchloom.ir.op import Arrays, Tensors
from patchloom.ir.ops.read_state import ReadState
from patchloom.ir.ops.write_state import WriteState
from patchloom.passes.planner.kernel import Alias, Call, Kernel


@dataclass(frozen=True)
class Fake(Op):
    """An operator without rules whose output shapes are what the graph declares."""

    def rules(self, tensors: Tensors) -> Iterable[Problem]:
        return ()

    def infer(self, tensors: Tensors) -> tuple[tuple[int, ...], ...]:
        return tuple(tensors[y].shape for y in self.outputs)


def salt(name: str) -> int:
    """A number that differs between operators."""
    return sum(31 * i + ord(c) for i, c in enumerate(name)) % 251


def mixed(name: str, count: int, inputs: list[np.ndarray]) -> np.ndarray:
    """`count` bytes, each depending on all bytes of all inputs and on its index."""
    total = salt(name) + sum(
        (i + 1) * int((x * np.arange(1, x.size + 1)).sum()) for i, x in enumerate(inputs)
    )
    return ((total + 7 * np.arange(count)) % 251).astype(np.uint8)


def flat(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x).reshape(-1).view(np.uint8).astype(np.int64)


@dataclass(frozen=True)
class Mix(Fake):
    """Every output byte depends on every input byte: nothing may overlap."""

    xs: tuple[str, ...]
    ys: tuple[str, ...]
    scratch: int = 0
    INPUTS: ClassVar[tuple[str, ...]] = ("xs",)
    OUTPUTS: ClassVar[tuple[str, ...]] = ("ys",)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        return tuple(
            typed(mixed(self.name + y, tensors[y].size_bytes, [flat(x) for x in inputs]), tensors[y])
            for y in self.ys
        )


@dataclass(frozen=True)
class Map(Fake):
    """Element by element, may run in place (`delta` 0) or `-delta` bytes below its input."""

    x: str
    y: str
    delta: int = 0

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        return (typed(mapped(self.name, flat(inputs[0]))[: tensors[self.y].size_bytes], tensors[self.y]),)


def mapped(name: str, x: np.ndarray) -> np.ndarray:
    return ((x * 3 + salt(name)) % 256).astype(np.uint8)


@dataclass(frozen=True)
class AddBytes(Fake):
    """Element by element over two inputs, in place over either."""

    a: str
    b: str
    y: str
    INPUTS: ClassVar[tuple[str, ...]] = ("a", "b")

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        a, b = (flat(x) for x in inputs)
        return (typed(((a + 2 * b + salt(self.name)) % 256).astype(np.uint8), tensors[self.y]),)


@dataclass(frozen=True)
class Join(Fake):
    """The inputs one after another."""

    xs: tuple[str, ...]
    y: str
    INPUTS: ClassVar[tuple[str, ...]] = ("xs",)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        return (typed(np.concatenate([flat(x) for x in inputs]).astype(np.uint8), tensors[self.y]),)


@dataclass(frozen=True)
class Cut(Fake):
    """Consecutive pieces of the input from byte `begin` on; one piece of full size is a reshape."""

    x: str
    ys: tuple[str, ...]
    begin: int = 0
    OUTPUTS: ClassVar[tuple[str, ...]] = ("ys",)

    def reference(self, tensors: Tensors, *inputs: np.ndarray) -> Arrays:
        x, at, found = flat(inputs[0]).astype(np.uint8), self.begin, []
        for y in self.ys:
            found.append(typed(x[at : at + tensors[y].size_bytes], tensors[y]))
            at += tensors[y].size_bytes
        return tuple(found)


def typed(data: np.ndarray, tensor: Tensor) -> np.ndarray:
    """Bytes as an array of the tensor's type and shape."""
    return np.frombuffer(data.astype(np.uint8).tobytes(), tensor.dtype.numpy).reshape(tensor.shape)


def _yes(op: Op, tensors: Tensors) -> bool:
    return True


def _no_calls(op: Op, tensors: Tensors) -> tuple[Call, ...]:
    return ()


def _join_aliases(op: Join, tensors: Tensors) -> tuple[Alias, ...]:
    at, found = 0, []
    for x in op.xs:
        found.append(Alias(x, op.y, -at, view=True))
        at += tensors[x].size_bytes
    return tuple(found)


def _cut_aliases(op: Cut, tensors: Tensors) -> tuple[Alias, ...]:
    at, found = op.begin, []
    for y in op.ys:
        found.append(Alias(op.x, y, at, view=True))
        at += tensors[y].size_bytes
    return tuple(found)


KERNELS = (
    Kernel("mix", "mix.h", Mix, _yes, _no_calls, lambda op, _: op.scratch),
    Kernel("map", "map.h", Map, _yes, _no_calls, aliases=lambda op, _: (Alias(op.x, op.y, op.delta),)),
    Kernel(
        "add", "add.h", AddBytes, _yes, _no_calls,
        aliases=lambda op, _: (Alias(op.a, op.y), Alias(op.b, op.y)),
    ),
    Kernel("join", "join.h", Join, _yes, _no_calls, aliases=_join_aliases),
    Kernel("cut", "cut.h", Cut, _yes, _no_calls, aliases=_cut_aliases),
)  # fmt: skip


class Build:
    """Makes graphs by hand: each method adds an op and returns its output's name."""

    def __init__(self, dtype: DType = DType.INT8) -> None:
        self.dtype = dtype
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []
        self.inputs: list[str] = []
        self.states: list[State] = []

    def value(self, size: int, dtype: DType | None = None) -> str:
        """A new value of `size` bytes."""
        dtype = dtype or self.dtype
        name = f"v{len(self.tensors)}"
        self.tensors[name] = Tensor(name, (size // dtype.itemsize,), dtype)
        return name

    def size(self, name: str) -> int:
        return self.tensors[name].size_bytes

    def input(self, size: int, dtype: DType | None = None) -> str:
        self.inputs.append(self.value(size, dtype))
        return self.inputs[-1]

    def constant(self, size: int) -> str:
        name = f"c{len(self.tensors)}"
        self.tensors[name] = Tensor(name, (size,), DType.INT8, data=np.arange(size).astype(np.int8))
        return name

    def mix(self, *xs: str, size: int, scratch: int = 0, dtype: DType | None = None) -> str:
        return self._add(Mix(self._name("mix"), xs, (self.value(size, dtype),), scratch))

    def mix2(self, *xs: str, sizes: tuple[int, int]) -> tuple[str, str]:
        ys = (self.value(sizes[0]), self.value(sizes[1]))
        self._add(Mix(self._name("mix"), xs, ys))
        return ys

    def map(self, x: str, delta: int = 0, size: int | None = None) -> str:
        return self._add(Map(self._name("map"), x, self.value(size or self.size(x)), delta))

    def add(self, a: str, b: str) -> str:
        return self._add(AddBytes(self._name("add"), a, b, self.value(self.size(a))))

    def join(self, *xs: str) -> str:
        return self._add(Join(self._name("join"), xs, self.value(sum(self.size(x) for x in xs))))

    def cut(self, x: str, *sizes: int, begin: int = 0) -> tuple[str, ...]:
        op = Cut(self._name("cut"), x, tuple(self.value(s) for s in sizes), begin)
        self._add(op)
        return op.ys

    def state(self, size: int) -> str:
        name = f"s{len(self.states)}"
        self.states.append(State(name, (size,), DType.INT8, None, np.arange(size).astype(np.int8)))
        return name

    def read(self, state: str) -> str:
        size = next(s.size_bytes for s in self.states if s.name == state)
        return self._add(ReadState(self._name("read"), state, self.value(size, DType.INT8)))

    def write(self, state: str, x: str) -> None:
        self.ops.append(WriteState(self._name("write"), state, x))

    def graph(self, *outputs: str) -> Graph:
        return Graph("fake", self.tensors, tuple(self.ops), tuple(self.inputs), outputs, tuple(self.states))

    def _name(self, kind: str) -> str:
        return f"{kind}{len(self.ops)}"

    def _add(self, op: Op) -> str:
        self.ops.append(op)
        return op.outputs[0]


class RandomBuild:
    """Draws a random graph: all kinds of ops and aliases, several inputs, states, awkward outputs."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.b = rng, Build()
        self.values = [self.b.input(self.size()) for _ in range(self.number(1, 3))]
        if rng.random() < 0.2:
            self.values.append(self.b.constant(self.size()))
        self.states = [self.b.state(self.size()) for _ in range(self.number(0, 2))]

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def size(self) -> int:
        return self.number(1, 6) * (4 if self.rng.random() < 0.8 else 3)

    def pick(self) -> str:
        """A value, mostly a recent one."""
        return self.values[-min(int(self.rng.geometric(0.3)), len(self.values))]

    def add_op(self) -> None:
        kinds = (self.mix, self.mix, self.mix2, self.map, self.map, self.shift, self.add, self.join, self.cut)
        kind = (*kinds, self.part, self.wide, self.access)[self.number(0, len(kinds) + 2)]
        self.values.extend(kind(self.pick()))

    def mix(self, x: str) -> tuple[str, ...]:
        return (self.b.mix(x, self.pick(), size=self.size(), scratch=self.number(0, 3) * 4),)

    def mix2(self, x: str) -> tuple[str, ...]:
        return self.b.mix2(x, sizes=(self.size(), self.size()))

    def map(self, x: str) -> tuple[str, ...]:
        return (self.b.map(x),)

    def shift(self, x: str) -> tuple[str, ...]:
        return (self.b.map(x, delta=-4, size=self.number(1, self.b.size(x))),)

    def add(self, x: str) -> tuple[str, ...]:
        same = [v for v in self.values if self.b.size(v) == self.b.size(x)]
        return (self.b.add(x, same[self.number(0, len(same) - 1)]),)

    def join(self, x: str) -> tuple[str, ...]:
        return (self.b.join(x, self.pick(), *([self.pick()] if self.rng.random() < 0.3 else [])),)

    def cut(self, x: str) -> tuple[str, ...]:
        if self.b.size(x) < 2:
            return self.map(x)
        first = self.number(1, self.b.size(x) - 1)
        return self.b.cut(x, first, self.b.size(x) - first)

    def part(self, x: str) -> tuple[str, ...]:
        begin = self.number(0, self.b.size(x) - 1)
        return self.b.cut(x, self.number(1, self.b.size(x) - begin), begin=begin)

    def wide(self, x: str) -> tuple[str, ...]:
        dtype = DType.INT64 if self.rng.random() < 0.5 else DType.FLOAT32
        return (self.b.mix(x, size=8 * self.number(1, 3), dtype=dtype),)

    def access(self, x: str) -> tuple[str, ...]:
        """Read or write a state."""
        if not self.states:
            return self.map(x)
        state = self.states[self.number(0, len(self.states) - 1)]
        size = next(s.size_bytes for s in self.b.states if s.name == state)
        same = [v for v in self.values if self.b.size(v) == size and self.b.tensors[v].dtype is DType.INT8]
        if same and self.rng.random() < 0.6:
            self.b.write(state, same[-1])
            return ()
        return (self.b.read(state),)


def random_graph(rng: np.random.Generator, ops: int) -> Graph:
    """A random graph of `ops` operators."""
    draw = RandomBuild(rng)
    for _ in range(ops):
        draw.add_op()
    values = draw.values
    more = [values[draw.number(0, len(values) - 1)] for _ in range(draw.number(0, 2))]
    return draw.b.graph(*dict.fromkeys([values[-1], *more]))


def random_inputs(rng: np.random.Generator, graph: Graph) -> dict[str, np.ndarray]:
    """Random contents for the graph's inputs."""
    return {x: typed(rng.integers(0, 256, graph[x].size_bytes), graph[x]) for x in graph.inputs}
