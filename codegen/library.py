"""Graph + Plan -> the files of a C library, as text. Equal input gives equal bytes."""

from __future__ import annotations

from dataclasses import dataclass

import jinja2

from ..boards import Board, Region
from ..ir import Graph, Tensor
from ..ir.printer import type_text
from ..passes.planner.kernel import Const
from ..passes.planner.types import Plan
from .constants import ConstantPool, number
from .kernels import KERNELS
from .kernels_header import RUNTIME, kernels_text
from .layers import Binding
from .names import comment_text, identifier, markdown_code, unique
from .selftest import SelfTest
from .stages import program
from .views import ArenaView, LibraryView, Parameter, PortView, StateView

ALIGNMENT = 16
"""Bytes to which arenas, state and weights are aligned."""

_ERROR_ARENA = 1
_MORE_ERRORS = 5
"""Status numbers: of an arena that cannot be used; those of further arenas follow the last one in use."""

_KERNELS = {(k.name, k.op): k for k in KERNELS}

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("patchloom.codegen", "templates"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.filters["code"] = markdown_code

_FILES = {
    "{name}.h": "library.h.j2",
    "{name}.c": "library.c.j2",
    "{name}_weights.h": "weights.h.j2",
    "{name}_weights.c": "weights.c.j2",
    "{name}_kernels.h": "kernels.h.j2",
    "{name}_selftest.c": "selftest.c.j2",
    "README.md": "README.md.j2",
    "Makefile": "Makefile.j2",
    "CMakeLists.txt": "CMakeLists.txt.j2",
}


@dataclass(frozen=True)
class Origin:
    """Facts for banners: what was compiled and how. No paths, no dates."""

    version: str
    command: str
    model_name: str
    model_sha256: str
    board: str


def port_stems(kind: str, names: tuple[str, ...]) -> list[str]:
    """`input`, or `input_<tensor>` where there are several."""
    if len(names) == 1:
        return [kind]
    return [f"{kind}_{n}" for n in unique([identifier(n, kind) for n in names])]


def _port(stem: str, name: str, t: Tensor, expression: str, region: str, arena: str) -> PortView:
    quant = None if t.quant is None or t.quant.per_axis else t.quant
    return PortView(
        stem=stem,
        macro=stem.upper(),
        tensor=comment_text(name),
        ctype=t.dtype.ctype,
        comment=type_text(t),
        shape=", ".join(map(str, t.shape)) or "1",
        elements=t.elements,
        size_bytes=t.size_bytes,
        scale=number(quant.s, "float") if quant else "",
        zero_point=quant.z if quant else 0,
        quantized=quant is not None,
        expression=expression,
        region=region,
        arena=arena,
    )


def _ports(kind: str, names: tuple[str, ...], binding: Binding) -> tuple[PortView, ...]:
    ports = []
    for stem, name in zip(port_stems(kind, names), names, strict=True):
        t = binding.graph[name]
        if t.constant:
            first = next(iter(binding.arena_names.values()))
            ports.append(_port(stem, name, t, binding.constant(name), "const", first))
            continue
        place = binding.plan.places[name]
        reachable = ("arena", "input") if kind == "input" else ("arena",)
        assert place.region in reachable, f"{kind} {name!r} lies in {place.region}"
        buffer = binding.buffer(place)
        ports.append(_port(stem, name, t, f"{buffer} + {place.offset}", place.region, buffer))
    return tuple(ports)


def _extern_names(graph: Graph, plan: Plan) -> dict[str, str]:
    """Parameter name of each input that stays in the caller's buffer."""
    stems = zip(port_stems("input", graph.inputs), graph.inputs, strict=True)
    return {name: stem for stem, name in stems if plan.places[name].region == "input"}


def _arenas(plan: Plan, board: Board | None) -> tuple[ArenaView, ...]:
    """The buffers for activations, the one in the fastest memory first."""
    if not plan.arenas:
        return (ArenaView("arena", "", plan.arena_bytes, _ERROR_ARENA),)
    memories = {r.name: r for r in board.arena_regions} if board else {}
    stems = unique([f"arena_{identifier(name)}" for name in plan.arenas])
    found = []
    for i, (name, stem) in enumerate(zip(plan.arenas, stems, strict=True)):
        memory = memories.get(name)
        found.append(
            ArenaView(
                name=stem if len(stems) > 1 else "arena",
                memory=name,
                size_bytes=plan.arenas[name],
                error=_MORE_ERRORS + i if i else _ERROR_ARENA,
                where=_where(memory) if memory else comment_text(name),
                setup=comment_text(memory.setup) if memory else "",
            )
        )
    return tuple(found)


def _where(memory: Region) -> str:
    """What memory that is, for comments."""
    kinds = {"tcm": " (tightly coupled)", "external": " (external RAM)"}
    return f"{memory.name}{kinds.get(memory.speed, '')} at {memory.start:#010x}"


def _parameters(graph: Graph, arenas: tuple[ArenaView, ...], extern: dict[str, str]) -> tuple[Parameter, ...]:
    state = Parameter("uint8_t *", "state")
    buffers = (Parameter("uint8_t *", a.name) for a in arenas)
    inputs = (Parameter(f"const {graph[n].dtype.ctype} *", stem) for n, stem in extern.items())
    return (*buffers, *((state,) if graph.states else ()), *inputs)


def _states(graph: Graph, plan: Plan, pool: ConstantPool) -> tuple[StateView, ...]:
    views = []
    for s in graph.states:
        label, initial = comment_text(s.name), ""
        if s.initial.tobytes().strip(b"\0"):
            data = Const(s.name, s.initial.reshape(-1))
            initial = pool.add(data, f"s_{identifier(s.name)}", f"initial {label}")
        views.append(StateView(label, plan.states[s.name], s.size_bytes, initial))
    return tuple(views)


def build_view(
    graph: Graph, plan: Plan, origin: Origin, selftest: SelfTest, board: Board | None = None
) -> LibraryView:
    """Every number and name of the library.

    board   whose memories the plan names, if it names any
    Requires: no output of the graph is an input in the caller's own buffer, where run() finds it but
    the functions that return outputs would not.
    """
    name = graph.name
    pool = ConstantPool(name)
    extern = _extern_names(graph, plan)
    arenas = _arenas(plan, board)
    binding = Binding(graph, plan, pool, name, extern, {a.memory: a.name for a in arenas})
    parameters = _parameters(graph, arenas, extern)
    layers, runs = program(binding, _KERNELS, parameters)
    inputs, outputs = _ports("input", graph.inputs, binding), _ports("output", graph.outputs, binding)
    states = _states(graph, plan, pool)
    ops = {op.name: op for op in graph.ops}
    running = [plan.steps[layer.number - 1] for layer in layers]
    system, kernels = kernels_text(dict.fromkeys(_KERNELS[s.kernel, type(ops[s.op])].header for s in running))
    arrays = pool.arrays()
    return LibraryView(
        name=name,
        macro=name.upper(),
        version=origin.version,
        command=comment_text(origin.command, 400),
        model_name=comment_text(origin.model_name),
        model_sha256=origin.model_sha256,
        board=comment_text(origin.board),
        arenas=arenas,
        arena_bytes=plan.arena_bytes,
        state_bytes=plan.state_bytes,
        alignment=ALIGNMENT,
        inputs=inputs,
        outputs=outputs,
        layers=layers,
        runs=runs,
        arrays=arrays,
        states=states,
        system_headers=tuple(system),
        kernels=kernels,
        parameters=parameters,
        selftest=selftest,
        macs=graph.macs,
        weight_bytes=sum(int(a.data.nbytes) for a in arrays),
    )


def render(view: LibraryView) -> dict[str, bytes]:
    """All files of the library by name."""
    files = {
        pattern.format(name=view.name): _ENVIRONMENT.get_template(template).render(lib=view).encode()
        for pattern, template in _FILES.items()
    }
    files["LICENSE"] = (RUNTIME / "LICENSE").read_bytes()
    return files
