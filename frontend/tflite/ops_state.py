"""Converters of operators with state: variables, their initialisation, and SVDF."""

from __future__ import annotations

from dataclasses import replace

import tflite

from ...errors import Violation
from ...ir import Graph, Tensor, evaluate
from ...ir.ops.read_state import ReadState
from ...ir.ops.svdf import Svdf
from ...ir.ops.write_state import WriteState
from .builder import Converter, GraphBuilder, OpImport
from .naming import printable
from .structure import check_structure
from .tensors import Unsupported, dtype_of, quant_of, size_problem

MAX_INIT_ELEMENTS = 1 << 24
"""Elements an initialisation may compute at import."""


def _var_handle(op: OpImport) -> None:
    """Handles that name the same variable are the same state."""
    op.count((0, 0))
    o = op.options("VarHandleOptions")
    key = ((o.Container() or b"").decode(errors="replace"), (o.SharedName() or b"").decode(errors="replace"))
    op.builder.handles[op.raw.outputs[0]] = key


def _key(op: OpImport) -> tuple[object, str]:
    """The variable behind operand 0, and a name for its state."""
    handle = op.raw.inputs[0]
    if handle not in op.builder.handles:
        raise Unsupported("a variable must come from VAR_HANDLE", f"{op.builder.names[max(handle, 0)]!r}")
    key = op.builder.handles[handle]
    shared = key[1] if isinstance(key, tuple) else ""
    return key, printable(shared) or op.builder.names[handle]


def _read_variable(op: OpImport) -> None:
    op.count((1, 1))
    key, wanted = _key(op)
    raw = op.builder.graph.tensors[op.raw.outputs[0]]
    if raw.shape is None or size_problem(raw.shape):
        raise Unsupported("the shape of a variable must be known", f"{list(raw.shape or ())}")
    y = op.y()
    op.builder.tensors[y] = replace(op.tensor(y), shape=raw.shape)
    op.emit(ReadState(op.name(), op.builder.variables.declare(key, wanted, op.tensor(y)), y))


def _assign_variable(op: OpImport) -> None:
    op.count((2, 2), 0)
    key, wanted = _key(op)
    op.emit(WriteState(op.name(), op.builder.variables.declare(key, wanted, op.tensor(op.x(1))), op.x(1)))


def _call_once(op: OpImport) -> None:
    """Run the initialisation subgraph now: what it writes is what a reset restores."""
    op.count((0, 0), 0)
    builder = op.builder
    index = op.options("CallOnceOptions").InitSubgraphIndex()
    graphs = builder.model.subgraphs
    if not 0 < index < len(graphs) or builder.graph is not graphs[0]:
        raise Unsupported("only the main subgraph may call another one", f"subgraph {index} of {len(graphs)}")
    if any(isinstance(o, ReadState | WriteState) for o in builder.ops):
        raise Unsupported("initialisation comes before every use of a variable", "behind a read or write")
    graph = graphs[index]
    if graph.inputs or graph.outputs:
        raise Unsupported(
            "an initialisation has no inputs and outputs", f"{len(graph.inputs)}, {len(graph.outputs)}"
        )
    check_structure(builder.model, graph)
    init = GraphBuilder(builder.model, graph, builder.variables)
    init.run(INIT_CONVERTERS)
    builder.violations += [
        Violation(f"{v.op} of subgraph {index}", v.rule, v.found, v.hint) for v in init.violations
    ]
    if init.violations:
        return
    if sum(t.elements for t in init.tensors.values()) > MAX_INIT_ELEMENTS:
        raise Unsupported(f"an initialisation has at most {MAX_INIT_ELEMENTS} elements", "more")
    states = tuple(builder.variables.states.values())
    values = {s.name: s.initial.copy() for s in states}
    evaluate(Graph("init", init.tensors, tuple(init.ops), (), (), states), {}, values)
    builder.variables.set_initial(values)


def _svdf(op: OpImport) -> None:
    """The state operand is read before the filter and written behind it."""
    op.count((5, 5))
    o = op.options("SVDFOptions")
    index = op.raw.inputs[4]
    raw = op.builder.graph.tensors[index]
    if index < 0 or not raw.variable or raw.shape is None or size_problem(raw.shape):
        raise Unsupported("the state must be a variable tensor of known shape", f"{printable(raw.name)!r}")
    dtype = dtype_of(raw)
    old = op.builder.fresh.unique(f"{op.builder.names[index]}.old")
    new = op.builder.fresh.unique(f"{op.builder.names[index]}.new")
    quant = quant_of(raw, dtype)
    for name in (old, new):
        op.builder.tensors[name] = Tensor(name, raw.shape, dtype, quant)
    state = op.builder.variables.declare(index, op.builder.names[index], op.tensor(old))
    activation = op.activation(o)
    op.emit(ReadState(op.name(), state, old))
    op.emit(Svdf(op.name(), op.x(), op.x(1), op.x(2), op.optional(3), old, op.y(), new, o.Rank(), activation))
    op.emit(WriteState(op.name(), state, new))


_CODE = tflite.BuiltinOperator
CONVERTERS: dict[int, Converter] = {
    _CODE.ASSIGN_VARIABLE: _assign_variable,
    _CODE.CALL_ONCE: _call_once,
    _CODE.READ_VARIABLE: _read_variable,
    _CODE.SVDF: _svdf,
    _CODE.VAR_HANDLE: _var_handle,
}
INIT_CONVERTERS: dict[int, Converter] = {
    _CODE.ASSIGN_VARIABLE: _assign_variable,
    _CODE.READ_VARIABLE: _read_variable,
    _CODE.VAR_HANDLE: _var_handle,
}
"""What an initialisation consists of in practice: constants put into variables."""
