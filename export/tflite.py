"""Graphs as TensorFlow Lite files."""

from __future__ import annotations

import numpy as np
import tflite

from ..errors import UserError
from ..ir import DType, Graph, Op, State
from ..ir.ops.read_state import ReadState
from ..ir.ops.svdf import Svdf
from ..ir.ops.write_state import WriteState
from ..ir.rounding import Rounding
from .tflite_custom import is_table, write_custom, write_table
from .tflite_ops import CODE, WRITERS, OpWriter, write_svdf
from .tflite_writer import TYPE_CODES, OutOp, OutSubgraph, OutTensor, serialise


def to_tflite(graph: Graph, custom: bool = False) -> bytes:
    """The bytes of a .tflite file with the meaning of `graph`; the same graph gives the same bytes.

    Paddings of convolutions that are neither SAME nor VALID become a PAD operator in front. States
    become resource variables that a second subgraph initialises; the state of an SVDF becomes its
    variable tensor.

    custom   write functions of one byte as tables, and operators that TensorFlow Lite has not as custom
             ones that only this tool reads

    Raises UserError for what TensorFlow Lite cannot express: other paddings of pooling, lookup
    tables, an SVDF state that does not start at zero, ONNX's rounding.
    """
    if rounded := [op.name for op in graph.ops if getattr(op, "rounding", Rounding.TFLITE_DOUBLE).onnx]:
        rule = "TensorFlow Lite rounds quantized results another way than ONNX"
        what = f"{graph.source or graph.name}: cannot be written as .tflite"
        raise UserError(what, rule=rule, found=rounded[0])
    main, init = OutSubgraph(), OutSubgraph()
    writer = OpWriter(graph, main)
    main.inputs = tuple(writer.value(name) for name in graph.inputs)
    internal = _svdf_states(graph)
    resources = [s for s in graph.states if s.name not in internal.values()]
    handles = _write_handles(main, init, resources)
    variables = {
        s.name: main.add(OutTensor(s.name, s.shape, TYPE_CODES[s.dtype], s.quant, variable=True))
        for s in graph.states
        if s.name in internal.values()
    }
    for op in graph.ops:
        if isinstance(op, Svdf):
            write_svdf(writer, op, variables[internal[op.name]])
        elif isinstance(op, ReadState):
            if op.state in handles:
                main.ops.append(_variable_op(CODE.READ_VARIABLE, (handles[op.state],), (writer.value(op.y),)))
        elif isinstance(op, WriteState):
            if op.state in handles:
                inputs = (handles[op.state], writer.value(op.x))
                main.ops.append(_variable_op(CODE.ASSIGN_VARIABLE, inputs, ()))
        else:
            _write(writer, op, custom)
    main.outputs = tuple(writer.value(name) for name in graph.outputs)
    return serialise([main, init] if resources else [main], "patchloom")


def _write(writer: OpWriter, op: Op, custom: bool) -> None:
    """One op without state. Raises UserError where TensorFlow Lite has none, unless `custom`."""
    if custom and is_table(writer.graph, op):
        write_table(writer, op)
    elif type(op) in WRITERS:
        try:
            WRITERS[type(op)](writer, op)
        except UserError:
            if not custom:
                raise
            write_custom(writer, op)
    elif custom:
        write_custom(writer, op)
    else:
        raise writer.cannot(op, f"no operator for {op.kind()}")


def custom_ops(graph: Graph) -> tuple[Op, ...]:
    """The ops that `to_tflite(graph, custom=True)` writes as custom operators."""
    found = []
    for op in graph.ops:
        if not isinstance(op, Svdf | ReadState | WriteState):
            scratch = OutSubgraph()
            _write(OpWriter(graph, scratch), op, custom=True)
            if any(o.custom is not None for o in scratch.ops):
                found.append(op)
    return tuple(found)


def _svdf_states(graph: Graph) -> dict[str, str]:
    """State by SVDF op, checked to be used by that op alone and to start at zero."""
    found: dict[str, str] = {}
    producers, consumers = graph.producers(), graph.consumers()
    for op in graph.ops:
        if not isinstance(op, Svdf):
            continue
        read, writes = producers.get(op.state_in), consumers.get(op.state_out, [])
        state = read.state if isinstance(read, ReadState) else ""
        users = [o for o in graph.ops if isinstance(o, ReadState | WriteState) and o.state == state]
        if not (state and len(users) == 2 and len(writes) == 1 and writes[0] is users[1]):
            raise UserError(
                f"{graph.label(op)} cannot be written as TensorFlow Lite",
                rule="its state must be read in front of it and written behind it, and nowhere else",
                found=f"{len(users)} uses of state {state!r}",
            )
        initial = graph.state(state)
        zero = initial.quant.z if initial.quant and initial.dtype is DType.INT8 else 0
        if np.any(initial.initial != zero):
            raise UserError(
                f"{graph.label(op)} cannot be written as TensorFlow Lite",
                rule="its state must start at zero",
                found=f"state {state!r} starts otherwise",
            )
        found[op.name] = state
    return found


def _variable_op(code: int, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> OutOp:
    name = "ReadVariableOptions" if code == CODE.READ_VARIABLE else "AssignVariableOptions"
    return OutOp(code, inputs, outputs, 1, (name, {}))


def _handle(out: OutSubgraph, state: State) -> int:
    """A handle to the variable `state.name`; handles of one name are the same variable."""
    index = out.add(OutTensor(f"{state.name}/handle", (), tflite.TensorType.RESOURCE))
    out.ops.append(
        OutOp(
            CODE.VAR_HANDLE,
            (),
            (index,),
            1,
            ("VarHandleOptions", {"Container": "", "SharedName": state.name}),
        )
    )
    return index


def _write_handles(main: OutSubgraph, init: OutSubgraph, states: list[State]) -> dict[str, int]:
    """Handles by state name in the main subgraph, and the subgraph that fills the variables once."""
    if not states:
        return {}
    main.ops.append(OutOp(CODE.CALL_ONCE, (), (), 1, ("CallOnceOptions", {"InitSubgraphIndex": 1})))
    for state in states:
        handle = _handle(init, state)
        value = init.add(
            OutTensor(
                f"{state.name}/initial", state.shape, TYPE_CODES[state.dtype], state.quant, state.initial
            )
        )
        init.ops.append(_variable_op(CODE.ASSIGN_VARIABLE, (handle, value), ()))
    return {state.name: _handle(main, state) for state in states}
