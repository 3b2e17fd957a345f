"""Small operators on bytes, their kernels, random graphs of them, and a machine that executes plans.

The operators mean what their `reference` says; the machine runs their kernels byte by byte on the
memory a plan lays out, so that a byte overwritten too early gives a wrong result.
"""

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
from patchloom.passes.planner.types import Place, Plan


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
    total = salt(name) + sum((i + 1) * int((x * np.arange(1, x.size + 1)).sum()) for i, x in enumerate(inputs))
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
            typed(mixed(self.name + y, tensors[y].size_bytes, [flat(x) for x in inputs]), tensors[y]) for y in self.ys
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


def random_graph(rng: np.random.Generator, ops: int) -> Graph:
    """A random graph: all kinds of ops and aliases, several inputs, states, awkward outputs."""
    b = Build()

    def number(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    def size() -> int:
        return number(1, 6) * (4 if rng.random() < 0.8 else 3)

    def pick() -> str:
        recent = int(rng.geometric(0.3))
        return values[-min(recent, len(values))]

    values = [b.input(size()) for _ in range(number(1, 3))]
    if rng.random() < 0.2:
        values.append(b.constant(size()))
    states = [b.state(size()) for _ in range(number(0, 2))]
    for _ in range(ops):
        values.extend(_random_op(b, rng, number, size, pick, states, values))
    outputs = [values[-1]] + [values[number(0, len(values) - 1)] for _ in range(number(0, 2))]
    return b.graph(*dict.fromkeys(outputs))


def _random_op(b, rng, number, size, pick, states, values):  # type: ignore[no-untyped-def]
    x = pick()
    kind = rng.choice(["mix", "mix", "mix2", "map", "map", "shift", "add", "join", "cut", "part", "wide", "state"])
    if kind == "mix":
        return [b.mix(x, pick(), size=size(), scratch=number(0, 3) * 4)]
    if kind == "mix2":
        return b.mix2(x, sizes=(size(), size()))
    if kind == "shift" and b.size(x) > 4:
        return [b.map(x, delta=-4, size=number(1, b.size(x)))]
    if kind == "add":
        same = [v for v in values if b.size(v) == b.size(x)]
        return [b.add(x, same[number(0, len(same) - 1)])]
    if kind == "join":
        return [b.join(x, pick(), *([pick()] if rng.random() < 0.3 else []))]
    if kind == "cut" and b.size(x) > 1:
        first = number(1, b.size(x) - 1)
        return b.cut(x, first, b.size(x) - first)
    if kind == "part":
        begin = number(0, b.size(x) - 1)
        return b.cut(x, number(1, b.size(x) - begin), begin=begin)
    if kind == "wide":
        return [b.mix(x, size=8 * number(1, 3), dtype=DType.INT64 if rng.random() < 0.5 else DType.FLOAT32)]
    if kind == "state" and states:
        return _random_state_op(b, rng, number, states, values)
    return [b.map(x)]


def _random_state_op(b, rng, number, states, values):  # type: ignore[no-untyped-def]
    state = states[number(0, len(states) - 1)]
    need = next(s.size_bytes for s in b.states if s.name == state)
    same = [v for v in values if b.size(v) == need and b.tensors[v].dtype is DType.INT8]
    if same and rng.random() < 0.6:
        b.write(state, same[-1])
        return []
    return [b.read(state)]


# --- the machine -----------------------------------------------------------------------------------


def execute(graph: Graph, plan: Plan, inputs: dict[str, np.ndarray], state: dict[str, np.ndarray]) -> dict[str, bytes]:
    """Run a plan on real memory. Outputs by name, and states by name with "state:" in front."""
    rng = np.random.default_rng(0)
    memory = {("arena", ""): rng.integers(0, 256, plan.arena_bytes + 64).astype(np.uint8)}
    memory["state", ""] = rng.integers(0, 256, plan.state_bytes + 64).astype(np.uint8)
    values = {n: flat(t.data).astype(np.uint8) for n, t in graph.tensors.items() if t.data is not None}

    def at(place: Place, size: int) -> np.ndarray:
        return memory[place.region, place.owner if place.region == "input" else ""][place.offset : place.offset + size]

    def bytes_of(name: str) -> np.ndarray:
        return values[name] if name in values else at(plan.places[name], graph[name].size_bytes)

    for s in graph.states:
        at(Place("state", plan.states[s.name]), s.size_bytes)[:] = flat(state[s.name])
    for x in graph.inputs:
        if plan.places[x].region == "input":
            memory["input", x] = flat(inputs[x]).astype(np.uint8)
        else:
            bytes_of(x)[:] = flat(inputs[x])
    ops = {op.name: op for op in graph.ops}
    for step in plan.steps:
        op = ops[step.op]
        if isinstance(op, ReadState):
            bytes_of(op.y)[:] = at(Place("state", plan.states[op.state]), graph[op.y].size_bytes)
        elif isinstance(op, WriteState):
            at(Place("state", plan.states[op.state]), graph[op.x].size_bytes)[:] = bytes_of(op.x)
        else:
            scratch = at(step.scratch, op.scratch) if isinstance(op, Mix) and step.scratch else np.zeros(0, np.uint8)
            _run_kernel(op, [bytes_of(x) for x in op.inputs], [bytes_of(y) for y in op.outputs], scratch)
    result = {y: bytes_of(y).tobytes() for y in graph.outputs}
    for s in graph.states:
        result[f"state:{s.name}"] = at(Place("state", plan.states[s.name]), s.size_bytes).tobytes()
    return result


def _run_kernel(op: Op, inputs: list[np.ndarray], outputs: list[np.ndarray], scratch: np.ndarray) -> None:
    """Execute as a C kernel would: one byte after another, straight on memory."""
    if isinstance(op, Mix):
        scratch[:] = 0xA5
        for y, name in zip(outputs, op.ys, strict=True):
            y[:] = 0x5A
            y[:] = mixed(op.name + name, y.size, [x.astype(np.int64) for x in inputs])
    elif isinstance(op, Map):
        for i in range(outputs[0].size):
            outputs[0][i] = mapped(op.name, inputs[0][i : i + 1].astype(np.int64))[0]
    elif isinstance(op, AddBytes):
        a, b = inputs
        for i in range(outputs[0].size):
            outputs[0][i] = (int(a[i]) + 2 * int(b[i]) + salt(op.name)) % 256
    elif isinstance(op, Join):
        at = 0
        for x in inputs:
            for i in range(x.size):
                outputs[0][at + i] = x[i]
            at += x.size
    else:
        assert isinstance(op, Cut)
        at = op.begin
        for y in outputs:
            for i in range(y.size):
                y[i] = inputs[0][at + i]
            at += y.size
