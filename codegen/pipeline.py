"""Model file -> library: load, passes, plan, code. Pure but for reading the model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import __version__, boards
from ..frontend import load
from ..ir import Graph, verify
from ..passes import run_passes
from ..passes.io_int8 import io_int8
from ..passes.planner import check, plan
from ..passes.planner.demand import InputMode
from ..passes.planner.types import Plan
from .library import Origin, build_view, port_stems, render
from .names import identifier
from .ops import KERNELS
from .selftest import known_answers
from .views import LibraryView


@dataclass(frozen=True)
class Options:
    """What the user chose.

    board         profile name or path of a profile
    name          stem of every C name; None: from the file name
    input_mode    "arena", or "extern": run() takes const pointers to inputs that are never written
    io_int8       strip quantize and dequantize at the boundary
    input_shapes  overrides by input name
    """

    board: str
    name: str | None = None
    input_mode: InputMode = "arena"
    io_int8: bool = False
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def command(self, model: str) -> str:
        """The command line that makes the library, without paths."""
        parts = ["patchloom compile", model, "--board", Path(self.board).name]
        parts += ["--name", self.name] if self.name else []
        parts += ["--input", self.input_mode] if self.input_mode != "arena" else []
        parts += ["--io", "int8"] if self.io_int8 else []
        parts += [f"--input-shape {n}={','.join(map(str, s))}" for n, s in self.input_shapes.items()]
        return " ".join(parts)


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
    return replace(graph, name=identifier(options.name or model.stem, "model"))


def lower_graph(graph: Graph, options: Options, verify_between: bool = False) -> Graph:
    """All graph passes, and boundary stripping where asked for."""
    stripped = io_int8(graph) if options.io_int8 else graph
    return verify(run_passes(stripped, verify_between=verify_between))


def build_library(model: Path, options: Options, verify_between: bool = False) -> Library:
    """Compile `model`.

    Raises UserError for anything wrong with the model or the options.
    """
    board = boards.load(options.board)
    imported = load_graph(model, options)
    graph = lower_graph(imported, options, verify_between)
    chosen = plan(graph, board.features, KERNELS, input_mode=options.input_mode)
    check(graph, chosen, KERNELS)
    data = model.read_bytes()
    origin = Origin(
        version=__version__,
        command=options.command(model.name),
        model_name=model.name,
        model_sha256=hashlib.sha256(data).hexdigest(),
        board=board.name,
    )
    view = build_view(graph, chosen, origin, known_answers(graph, port_stems("output", graph.outputs)))
    return Library(imported, graph, chosen, view, render(view), data, model.name, options)
