"""Model file -> library: load, passes, plan, code. Pure but for reading the model."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from .. import __version__, boards
from ..boards import Board
from ..errors import UserError
from ..frontend import load, portable_model
from ..ir import Graph, verify
from ..ir.ops.reshape import Reshape
from ..passes import run_passes
from ..passes.channel_blocks import Fronts, split_channels
from ..passes.fuse_qdq import fuse_qdq
from ..passes.io_int8 import io_int8
from ..passes.planner import Choice, Goal, PlanError, check, plan, plan_in
from ..passes.planner.demand import InputMode
from ..passes.planner.front import Front
from ..passes.planner.placement import state_layout
from ..passes.planner.types import Plan
from ..passes.rewrite import fresh_name
from ..passes.streaming import StreamReport, axis_of, convert
from . import costs
from .kernels import KERNELS
from .library import Origin, build_view, port_stems, render
from .memories import check_memories, rooms
from .names import library_name
from .selftest import SelfTest, known_answers
from .views import LibraryView

STACK_BYTES = 1024
"""RAM of a board that is left to the stack; programs for the emulated boards are linked so, too."""

LAYER_BYTES = 136
"""What the code and parameters of a layer take at most on a Cortex-M4, beside its kernel (measured)."""


@dataclass(frozen=True)
class Options:
    """What the user chose.

    board         profile name or path of a profile
    name          stem of every C name; None: from the file name
    input_mode    "arena"; "extern": run() takes const pointers to inputs that are never written; "rows": the
                  caller gives the rows of the input one by one
    io_int8       strip quantize and dequantize at the boundary
    input_shapes  overrides by input name
    goal          what kernels are chosen for
    max_ram, max_flash   bytes to stay within, beside the board's own memories
    stream_axis   "time" or a dimension: run() takes `hop` new frames per call; max_state: bytes to keep
    layer_code_bytes     flash left for each layer's own code and parameters when kernels are chosen
    reserved_ram_bytes   RAM left for a deeper stack than is counted as free
    arena_regions        memories for arenas, the one to be filled first in front: NAME or NAME:BYTES each.
                         Empty: one arena in the main memory; all RAM of the chip where it does not fit there
    """

    board: str
    name: str | None = None
    input_mode: InputMode = "arena"
    io_int8: bool = False
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    goal: Goal = "balanced"
    max_ram: int | None = None
    max_flash: int | None = None
    stream_axis: str | None = None
    hop: int = 1
    max_state: int | None = None
    layer_code_bytes: int = 0
    reserved_ram_bytes: int = 0
    arena_regions: tuple[str, ...] = ()

    def command(self, model: str) -> str:
        """The command line that makes the library, without paths."""
        parts = ["patchloom", "compile", model, "--board", Path(self.board).name]
        parts += ["--name", self.name] if self.name else []
        parts += ["--input", self.input_mode] if self.input_mode != "arena" else []
        parts += ["--io", "int8"] if self.io_int8 else []
        parts += ["--goal", self.goal] if self.goal != "balanced" else []
        parts += ["--max-ram", str(self.max_ram)] if self.max_ram is not None else []
        parts += ["--max-flash", str(self.max_flash)] if self.max_flash is not None else []
        parts += ["--stream-axis", self.stream_axis] if self.stream_axis is not None else []
        parts += ["--hop", str(self.hop)] if self.hop != 1 else []
        parts += ["--max-state", str(self.max_state)] if self.max_state is not None else []
        parts += ["--arena-regions", ",".join(self.arena_regions)] if self.arena_regions else []
        for name, shape in self.input_shapes.items():
            parts += ["--input-shape", f"{name}={','.join(map(str, shape))}"]
        return shlex.join(parts)


def fed_by_rows(graph: Graph) -> Graph:
    """A first op takes the input, whose rows the caller gives one by one.

    Ensures: outputs bit-identical. Raises UserError where the input has no rows.
    """
    shapes = [graph[x].shape for x in graph.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] < 2:
        raise UserError(
            f"{graph.source or graph.name} cannot be fed by rows",
            found=", ".join(str(list(s)) for s in shapes),
            accepted="one input [1,H,W,C] of at least two rows",
            hint="--input extern keeps inputs out of the arena, too",
        )
    x = graph[graph.inputs[0]]
    y = fresh_name(graph, f"rows of {x.name}")
    feed = Reshape(y, x.name, y, x.shape)
    return graph.rewritten(
        [feed, *(op.renamed({x.name: y}) for op in graph.ops)], [replace(x, name=y)], graph.outputs
    )


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model behind all graph passes: everything that does not depend on the board.

    imported is what the file says, graph what the C computes; streaming says what differs when that is
    given new frames only.
    """

    imported: Graph
    graph: Graph
    answers: SelfTest
    model: bytes
    model_name: str
    options: Options
    streaming: StreamReport | None = None


@dataclass(frozen=True, eq=False)
class Library:
    """A compiled model: `graph` is what the C computes, `imported` what the file says, as in Prepared.

    planned   what the plan was searched for: `graph` before some ops were split into blocks of channels
    """

    imported: Graph
    graph: Graph
    planned: Graph
    plan: Plan
    view: LibraryView
    files: Mapping[str, bytes]
    model: bytes
    model_name: str
    options: Options
    streaming: StreamReport | None = None


def load_graph(model: Path, options: Options) -> Graph:
    """The imported graph, named as the library will be."""
    graph = fuse_qdq(load(model, options.input_shapes))
    return replace(graph, name=library_name(options.name or model.stem))


def lower_graph(graph: Graph, options: Options, verify_between: bool = False) -> Graph:
    """All graph passes, and what the options ask of inputs and outputs."""
    return _lowered(graph, options, verify_between)[0]


def _lowered(graph: Graph, options: Options, verify_between: bool) -> tuple[Graph, StreamReport | None]:
    stripped = io_int8(graph) if options.io_int8 else graph
    lowered, report = run_passes(stripped, verify_between=verify_between), None
    if options.stream_axis is not None:
        streamed = convert(lowered, axis_of(options.stream_axis), options.hop, options.max_state)
        lowered, report = streamed.graph, streamed.report
    if options.input_mode != "arena":
        lowered = copy_returned_inputs(lowered)
    return verify(fed_by_rows(lowered) if options.input_mode == "rows" else lowered), report


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
    graph, report = _lowered(imported, options, verify_between)
    answers = known_answers(graph, port_stems("output", graph.outputs))
    portable = portable_model(model, options.input_shapes)
    return Prepared(imported, graph, answers, portable, model.name, options, report)


def generate(
    prepared: Prepared, board: Board, verify_plan: bool = False, stored: Plan | None = None
) -> Library:
    """Plan and write the library for `board`, or write it as the plan `stored` says.

    Raises UnsupportedModel for ops that no kernel accepts, PlanError when `stored` is wrong.
    """
    options = prepared.options
    chosen = stored or make_plan(prepared.graph, board, options)
    try:
        graph = split_channels(prepared.graph, chosen.channel_blocks)
    except ValueError as e:
        raise PlanError(str(e)) from e
    if verify_plan or stored:
        check_memories(board, chosen)
        check(graph, chosen, KERNELS)
    origin = Origin(
        version=__version__,
        command=options.command(prepared.model_name),
        model_name=prepared.model_name,
        model_sha256=hashlib.sha256(prepared.model).hexdigest(),
        board=board.name,
    )
    view = build_view(graph, chosen, origin, prepared.answers, board)
    return Library(
        prepared.imported,
        graph,
        prepared.graph,
        chosen,
        view,
        render(view),
        prepared.model,
        prepared.model_name,
        options,
        prepared.streaming,
    )


def room(board: Board, options: Options) -> int:
    """Bytes that arena and state may take together."""
    for_arena = board.sram_bytes - STACK_BYTES
    return max(0, min(for_arena, options.max_ram or for_arena) - options.reserved_ram_bytes)


def choice_of(graph: Graph, board: Board, options: Options) -> Choice:
    """How kernels are chosen, as the options say."""
    flash = min(board.flash_bytes, options.max_flash or board.flash_bytes)
    left = max(0, flash - options.layer_code_bytes * len(graph.ops))
    return Choice(options.goal, costs.load(board.core), left)


def front(graph: Graph, board: Board, options: Options) -> Fronts:
    """All plans of a graph for a board, from the fastest to the one of the smallest arena."""
    choice = choice_of(graph, board, options)
    goal: Goal = "balanced" if choice.goal == "ram" else choice.goal
    return _front(graph, board.isa, board.core, goal, choice.flash_bytes, options.input_mode)


@lru_cache(maxsize=8)
def _front(
    graph: Graph,
    isa: frozenset[str],
    core: str,
    goal: Goal,
    flash_bytes: int | None,
    input_mode: InputMode,
) -> Fronts:
    """The search takes long, and a library may be planned again when its code and stack are known."""
    choice = Choice(goal, costs.load(core), flash_bytes)

    def of(graph: Graph, like: Front | None = None) -> Front:
        return Front(graph, isa, KERNELS, input_mode=input_mode, choice=choice, like=like)

    return Fronts(graph, of(graph), of, extern=input_mode == "extern")


def make_plan(graph: Graph, board: Board, options: Options) -> Plan:
    """The plan for the goal: every op whole where that fits the RAM; else the fastest that fits, in stages;
    else one in several memories.

    The smallest there is where none fits, or where that is the goal.
    """
    if options.arena_regions:
        return _asked_plan(graph, board, options)
    limit = room(board, options)
    if options.goal != "ram" and options.input_mode != "rows":
        choice = choice_of(graph, board, options)
        whole = plan(graph, board.isa, KERNELS, input_mode=options.input_mode, choice=choice)
        if whole.arena_bytes + whole.state_bytes <= limit:
            return whole
    found = front(graph, board, options)
    point = None if options.goal == "ram" else found.fastest_within(limit)
    one = (point or found.smallest()).plan
    if one.arena_bytes + one.state_bytes <= limit:
        return one
    return _plan_in_rooms(graph, board, options) or one


def _plan_in_rooms(graph: Graph, board: Board, options: Options) -> Plan | None:
    """The plan for the goal that spreads values over memories; None where there is none."""
    state = state_layout(graph)[1]
    places = rooms(board, options.arena_regions, STACK_BYTES + options.reserved_ram_bytes + state)
    if len(places) < 2 and not options.arena_regions:
        return None  # the main memory was tried
    limit = sum(r.size_bytes for r in places)
    if options.max_ram is not None:
        limit = min(limit, options.max_ram - options.reserved_ram_bytes - state)
    if options.goal != "ram" and options.input_mode != "rows":
        choice, mode = choice_of(graph, board, options), options.input_mode
        whole = plan_in(graph, board.isa, KERNELS, places, limit=limit, input_mode=mode, choice=choice)
        if whole is not None:
            return whole
    return front(graph, board, options).within(places, limit, smallest=options.goal == "ram")


def _asked_plan(graph: Graph, board: Board, options: Options) -> Plan:
    """The plan in the memories that the options name. Raises UserError where it fits none."""
    found = _plan_in_rooms(graph, board, options)
    if found is not None:
        return found
    least = front(graph, board, options).smallest().plan.arena_bytes
    kept = STACK_BYTES + options.reserved_ram_bytes + state_layout(graph)[1]
    places = rooms(board, options.arena_regions, kept)
    raise UserError(
        f"{graph.source or graph.name} does not fit the memories named by --arena-regions",
        rule="every value lies in one memory; stack and state take some of the main one",
        found=f"the smallest arena of any plan found is {least} B",
        accepted=", ".join(f"{r.size_bytes} B in {r.name}" for r in places),
        hint="name more memories, or a board with more",
        exit_code=1,
    )


def build_library(
    model: Path, options: Options, verify_between: bool = False, stored: Plan | None = None
) -> Library:
    """Compile `model`; `verify_between` also checks the IR between passes and replays the plan.

    stored   the plan of a library that was compiled before
    Raises UserError for anything wrong with the model or the options, PlanError for a wrong `stored`.
    """
    board = boards.load(options.board)
    return generate(prepare(model, options, verify_between), board, verify_between, stored)
