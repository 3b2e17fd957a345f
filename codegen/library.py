"""Graph + Plan -> the files of a C library, as text. Equal input gives equal bytes."""

from __future__ import annotations

from dataclasses import dataclass

import jinja2
import numpy as np

from ..ir import Graph, Tensor
from ..ir.printer import type_text
from ..passes.planner.kernel import Const
from ..passes.planner.types import Plan
from .constants import ConstantPool, number
from .kernels_header import RUNTIME, kernels_text
from .layers import Binding, layer_views
from .names import comment_text, identifier, unique
from .ops import KERNELS
from .selftest import SelfTest
from .views import LibraryView, PortView

ALIGNMENT = 16
"""Bytes to which arena, state and weights are aligned."""

_KERNELS = {(k.name, k.op): k for k in KERNELS}

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("patchloom.codegen", "templates"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)

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


def _port(stem: str, name: str, t: Tensor, expression: str, region: str) -> PortView:
    return PortView(
        stem=stem,
        macro=stem.upper(),
        tensor=comment_text(name),
        ctype=t.dtype.ctype,
        comment=type_text(t),
        shape=t.shape,
        elements=t.elements,
        size_bytes=t.size_bytes,
        scale=number(t.quant.s, "float") if t.quant else "1.0f",
        zero_point=t.zero_point,
        quantized=t.quant is not None,
        expression=expression,
        extern=region == "input",
        region=region,
    )


def port_stems(kind: str, names: tuple[str, ...]) -> list[str]:
    """`input`, or `input_<tensor>` where there are several."""
    if len(names) == 1:
        return [kind]
    return [f"{kind}_{n}" for n in unique([identifier(n, kind) for n in names])]


def _ports(kind: str, names: tuple[str, ...], binding: Binding) -> tuple[PortView, ...]:
    ports = []
    for stem, name in zip(port_stems(kind, names), names, strict=True):
        place = binding.plan.places.get(name)
        region = place.region if place else "const"
        if region == "const":
            expression = binding.constant(name)
        elif region == "input":
            expression = stem
        else:
            assert place is not None
            expression = f"{region} + {place.offset}"
        ports.append(_port(stem, name, binding.graph[name], expression, region))
    return tuple(ports)


def build_view(graph: Graph, plan: Plan, origin: Origin, selftest: SelfTest) -> LibraryView:
    """Every number and name of the library."""
    name = graph.name
    pool = ConstantPool(name)
    extern = {
        n: stem
        for stem, n in zip(port_stems("input", graph.inputs), graph.inputs, strict=True)
        if plan.places[n].region == "input"
    }
    binding = Binding(graph, plan, pool, name, extern)
    run_order = (
        "uint8_t *arena",
        *(("uint8_t *state",) if graph.states else ()),
        *(f"const {graph[n].dtype.ctype} *{stem}" for n, stem in extern.items()),
    )
    layers = layer_views(binding, _KERNELS, run_order)
    inputs = _ports("input", graph.inputs, binding)
    outputs = _ports("output", graph.outputs, binding)
    states = tuple(
        (comment_text(s.name), plan.states[s.name], s.size_bytes, _initial(binding, s.name, s.initial))
        for s in graph.states
    )
    ops = {op.name: op for op in graph.ops}
    used = dict.fromkeys(_KERNELS[step.kernel, type(ops[step.op])].header for step in plan.steps)
    system, kernels = kernels_text(used)
    arrays = pool.arrays()
    return LibraryView(
        name=name,
        macro=name.upper(),
        version=origin.version,
        command=comment_text(origin.command, 400),
        model_name=comment_text(origin.model_name),
        model_sha256=origin.model_sha256,
        board=origin.board,
        arena_bytes=plan.arena_bytes,
        state_bytes=plan.state_bytes,
        alignment=ALIGNMENT,
        inputs=inputs,
        outputs=outputs,
        layers=layers,
        arrays=arrays,
        states=states,
        system_headers=tuple(system),
        kernels=kernels,
        run_parameters=", ".join(run_order),
        run_arguments=", ".join(p.split(" ")[-1].lstrip("*") for p in run_order),
        selftest_parameters=", ".join(p.removeprefix("const ") for p in run_order),
        extern_inputs=tuple(p for p in inputs if p.extern),
        selftest=selftest,
        macs=graph.macs,
        weight_bytes=sum(int(a.data.nbytes) for a in arrays),
    )


def _initial(binding: Binding, name: str, initial: np.ndarray) -> str:
    """Symbol of a state's initial contents, or "" when they are all zero bytes."""
    if not initial.tobytes().strip(b"\0"):
        return ""
    return binding.pool.add(
        Const(name, initial.reshape(-1)), f"s_{identifier(name)}", f"initial {comment_text(name)}"
    )


def render(view: LibraryView) -> dict[str, bytes]:
    """All files of the library by name."""
    files = {
        pattern.format(name=view.name): _ENVIRONMENT.get_template(template).render(lib=view).encode()
        for pattern, template in _FILES.items()
    }
    files["LICENSE"] = (RUNTIME / "LICENSE").read_bytes()
    return files
