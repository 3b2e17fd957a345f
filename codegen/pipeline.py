"""Model file -> library: load, passes, plan, code. Pure but for reading the model."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import __version__, boards
from ..boards import Board
from ..frontend import load
from ..ir import Graph, verify
from ..ir.ops.reshape import Reshape
from ..passes import run_passes
from ..passes.io_int8 import io_int8
from ..passes.planner import Choice, Goal, check, plan
from ..passes.planner.demand import InputMode
from ..passes.planner.types import Plan
from ..passes.rewrite import fresh_name
from . import costs
from .kernels import KERNELS
from .library import Origin, build_view, port_stems, render
from .names import library_name
from .selftest import SelfTest, known_answers
from .views import LibraryView

STACK_BYTES = 1024
"""RAM of a board that is left to the stack; programs for the emulated boards are linked so, too."""


@dataclass(frozen=True)
class Options:
    """What the user chose.

    board         profile name or path of a profile
    name          stem of every C name; None: from the file name
    input_mode    "arena", or "extern": run() takes const pointers to inputs that are never written
    io_int8       strip quantize and dequantize at the boundary
    input_shapes  overrides by input name
    goal          what kernels are chosen for
    max_ram, max_flash   bytes to stay within, beside the board's own memories
    layer_code_bytes     flash left for each layer's own code and parameters when kernels are chosen
    """

    board: str
    name: str | None = None
    input_mode: InputMode = "arena"
    io_int8: bool = False
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    goal: Goal = "balanced"
    max_ram: int | None = None
    max_flash: int | None = None
    layer_code_bytes: int = 0

    def command(self, model: str) -> str:
        """The command line that makes the library, without paths."""
        parts = ["patchloom", "compile", model, "--board", Path(self.board).name]
        parts += ["--name", self.name] if self.name else []
        parts += ["--input", self.input_mode] if self.input_mode != "arena" else []
        parts += ["--io", "int8"] if self.io_int8 else []
        parts += ["--goal", self.goal] if self.goal != "balanced" else []
        parts += ["--max-ram", str(self.max_ram)] if self.max_ram is not None else []
        parts += ["--max-flash", str(self.max_flash)] if self.max_flash is not None else []
        for name, shape in self.input_shapes.items():
            parts += ["--input-shape", f"{name}={','.join(map(str, shape))}"]
        return shlex.join(parts)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model behind all graph passes: everything that does not depend on the board.

    imported is what the file says, graph what the C computes.
    """

    imported: Graph
    graph: Graph
    answers: SelfTest
    model: bytes
    model_name: str
    options: Options


@dataclass(frozen=True, eq=False)
class Library:
    """A compiled model: `graph` is what the C computes, `imported` what the file says."""

    imported: Graph
    graph: Graph
    plan: Plan
    view: LibraryView
    files: Mapping[str, bytes]
    model: bytes
    model_name: str
    options: Options


def load_graph(model: Path, options: Options) -> Graph:
    """The imported graph, named as the library will be."""
    graph = load(model, options.input_shapes)
    return replace(graph, name=library_name(options.name or model.stem))


def lower_graph(graph: Graph, options: Options, verify_between: bool = False) -> Graph:
    """All graph passes, and what the options ask of inputs and outputs."""
    stripped = io_int8(graph) if options.io_int8 else graph
    lowered = run_passes(stripped, verify_between=verify_between)
    return verify(copy_returned_inputs(lowered) if options.input_mode == "extern" else lowered)


def copy_returned_inputs(graph: Graph) -> Graph:
    """Outputs that are inputs become copies of these.

    Ensures: outputs bit-identical, none of them an input: inputs in the caller's own buffers are not
    where a library's outputs are looked for.
    """
    returned = [y for y in dict.fromkeys(graph.outputs) if y in graph.inputs]
    copies = {y: fresh_name(graph, f"{y}_copy") for y in returned}
    ops = [*graph.ops, *(Reshape(copies[y], y, copies[y], graph[y].shape) for y in returned)]
    tensors = [replace(graph[y], name=copies[y]) for y in returned]
    return graph.rewritten(ops, tensors, tuple(copies.get(y, y) for y in graph.outputs))


def prepare(model: Path, options: Options, verify_between: bool = False) -> Prepared:
    """Import `model` and run the graph passes. Raises UserError for anything wrong with the model."""
    imported = load_graph(model, options)
    graph = lower_graph(imported, options, verify_between)
    answers = known_answers(graph, port_stems("output", graph.outputs))
    return Prepared(imported, graph, answers, model.read_bytes(), model.name, options)


def generate(prepared: Prepared, board: Board, verify_plan: bool = False) -> Library:
    """Plan and write the library for `board`. Raises UnsupportedModel for ops that no kernel accepts."""
    graph, options = prepared.graph, prepared.options
    chosen = _plan(graph, board, options)
    if verify_plan:
        check(graph, chosen, KERNELS)
    origin = Origin(
        version=__version__,
        command=options.command(prepared.model_name),
        model_name=prepared.model_name,
        model_sha256=hashlib.sha256(prepared.model).hexdigest(),
        board=board.name,
    )
    view = build_view(graph, chosen, origin, prepared.answers)
    return Library(
        prepared.imported, graph, chosen, view, render(view), prepared.model, prepared.model_name, options
    )


def _plan(graph: Graph, board: Board, options: Options) -> Plan:
    """The plan for the goal; the one with the least scratch memory where that does not fit the RAM."""
    flash = min(board.flash_bytes, options.max_flash or board.flash_bytes)
    room = max(0, flash - options.layer_code_bytes * len(graph.ops))
    room_for_arena = board.sram_bytes - STACK_BYTES
    ram = min(room_for_arena, options.max_ram or room_for_arena)

    def planned(goal: Goal) -> Plan:
        choice = Choice(goal, costs.load(board.core), room)
        return plan(graph, board.isa, KERNELS, input_mode=options.input_mode, choice=choice)

    chosen = planned(options.goal)
    if options.goal in ("balanced", "latency") and chosen.arena_bytes + chosen.state_bytes > ram:
        return min(chosen, planned("ram"), key=lambda p: p.arena_bytes)
    return chosen


def build_library(model: Path, options: Options, verify_between: bool = False) -> Library:
    """Compile `model`; `verify_between` also checks the IR between passes and replays the plan.

    Raises UserError for anything wrong with the model or the options.
    """
    board = boards.load(options.board)
    return generate(prepare(model, options, verify_between), board, verify_between)
