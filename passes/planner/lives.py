"""Lifetimes: every value, state content and scratch buffer as a rectangle of steps x bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...ir import Op
from ...ir.ops.read_state import ReadState
from ...ir.ops.write_state import WriteState
from .demand import Demand
from .kernel import Alias


@dataclass(frozen=True)
class Block:
    """`size` bytes needed from step `start` to step `end`, both inclusive.

    Step -1 is when the caller writes the inputs; the step after the last is when it reads the outputs.
    """

    name: str
    size: int
    align: int
    start: int
    end: int

    def meets(self, other: Block) -> bool:
        """Whether there is a step at which both are needed."""
        return self.start <= other.end and other.start <= self.end


def scratch_name(op: str) -> str:
    """Block name of the scratch memory of an op."""
    return f"<scratch of {op}>"


@dataclass(frozen=True)
class Timeline:
    """The blocks of one order of ops, and how they may share memory.

    order    ops as executed
    blocks   run-time values, scratch buffers, and state contents between writes ("versions")
    aliases  what the kernels declare, plus: reading a state views its content, writing it makes one
    pins     blocks whose place is given: state content -> state name, extern input -> its own name
    slides   (a, b) -> limit: b may be written over a at any distance b - a up to it, in bytes
    """

    order: tuple[Op, ...]
    blocks: dict[str, Block]
    aliases: tuple[Alias, ...]
    pins: dict[str, tuple[str, str]]
    slides: dict[tuple[str, str], int] = field(default_factory=dict)


def timeline(need: Demand, order: tuple[Op, ...]) -> Timeline:
    """Lifetimes and aliases when the graph's ops run in `order`, each as a whole."""
    blocks = _value_blocks(need, order)
    pins = {x: ("input", x) for x in need.graph.inputs if x in need.extern}
    aliases: list[Alias] = []
    for step, op in enumerate(order):
        if size := need.scratch[op.name]:
            blocks[scratch_name(op.name)] = Block(scratch_name(op.name), size, need.alignment, step, step)
        aliases.extend(need.aliases[op.name])
    for state in need.graph.states:
        for block, extra in _versions(need, order, state.name):
            blocks[block.name] = block
            pins[block.name] = ("state", state.name)
            aliases.extend(extra)
    return Timeline(order, blocks, tuple(aliases), pins)


def _value_blocks(need: Demand, order: tuple[Op, ...]) -> dict[str, Block]:
    graph = need.graph
    start = dict.fromkeys(graph.inputs, -1) | {y: t for t, op in enumerate(order) for y in op.outputs}
    end = dict(start)
    for step, op in enumerate(order):
        end.update({x: step for x in op.inputs if x in end})
    end.update({y: len(order) for y in graph.outputs if y in end})
    return {
        v: Block(v, graph[v].size_bytes, need.align(v), start[v], end[v]) for v in start if need.variable(v)
    }


def _versions(need: Demand, order: tuple[Op, ...], name: str) -> list[tuple[Block, list[Alias]]]:
    """Contents of a state between its writes, each needed from its write to its last read.

    What the last write left (or the first content, when nothing writes) is needed to the end. Between
    the last read of a content and the next write the state's bytes are free.
    """
    state = need.graph.state(name)
    align = max(need.alignment, state.dtype.itemsize)
    found: list[tuple[Block, list[Alias]]] = []
    start, end, extra = -1, -1, list[Alias]()

    def close(last: int) -> None:
        version = f"<state {name} {len(found)}>"
        links = [Alias(a.a or version, a.b or version, 0, view=True) for a in extra]
        found.append((Block(version, state.size_bytes, align, start, last), links))

    for step, op in enumerate(order):
        if isinstance(op, ReadState) and op.state == name:
            end = step
            extra.append(Alias("", op.y))
        elif isinstance(op, WriteState) and op.state == name:
            close(end)
            start, end = step, step
            extra = [Alias(op.x, "")] if need.variable(op.x) else []
    close(len(order))
    return found
