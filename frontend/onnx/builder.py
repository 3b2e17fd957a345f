"""An ONNX graph becomes IR operators, and everything that cannot is collected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto

from ...errors import Violation
from ...ir import Op, Quant, Tensor
from ..tflite.builder import MAX_VALUES, broken_rules
from ..tflite.naming import Names, printable
from ..tflite.tensors import Unsupported, size_problem
from .functions import Body, has_definition, local_function, standard_function
from .model import MAX_DEPTH, Model, names_read
from .node import NodeImport
from .tensors import dtype_for, malformed

Converter = Callable[[NodeImport], None]
Folder = Callable[[NodeImport], list[np.ndarray] | None]


@dataclass(frozen=True, eq=False)
class Value:
    """What a name of the file stands for: a value `name` of the IR, computed or constant.

    data   of a constant, which enters the graph when an operator reads it
    """

    name: str
    data: np.ndarray | None = None


ABSENT = Value("")
"""An optional operand a call does not give."""


@dataclass(eq=False)
class Scope:
    """Names visible to the nodes of one graph or function body; None stands for a value of unknown type.

    attributes  of the call, which attributes of a function's nodes may refer to
    """

    values: dict[str, Value | None] = field(default_factory=dict)
    attributes: Mapping[str, AttributeProto] = field(default_factory=dict)
    opset: int = 0
    depth: int = 0


class Converters:
    """How operators are imported: by ONNX name, those of other domains as `domain::Name`.

    folders   evaluate an operator on constants; None where it has to be computed
    """

    def __init__(self, converters: Mapping[str, Converter], folders: Mapping[str, Folder]) -> None:
        self.converters = converters
        self.folders = folders


class GraphBuilder:
    """Imports nodes in file order; problems land in `violations`."""

    def __init__(self, model: Model, converters: Converters) -> None:
        self.model = model
        self.table = converters
        self.names = Names()
        self.op_names = Names()
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []
        self.labels: dict[str, str] = {}
        self.scales: dict[str, Quant] = {}  # of float constants that were quantized in the file
        self.violations: list[Violation] = []
        self.count = 0
        self.values_left = MAX_VALUES
        self.wanted = names_read(model.graph)
        for f in model.functions.values():
            self.wanted.update(f.output, *(n.input for n in f.node))

    # --- graphs ---------------------------------------------------------------------------------

    def add_constants(self, graph: GraphProto, scope: Scope) -> None:
        """Make the initialisers of a graph known."""
        if graph.sparse_initializer:
            raise malformed(self.model.source, "sparse initialisers", "constants are dense")
        for proto in graph.initializer:
            try:
                data: np.ndarray | None = self.model.reader.array(proto)
            except Unsupported as error:
                data = None
                label = f'constant "{printable(proto.name)}"'
                self.violations += [Violation(label, p.rule, p.found, p.hint) for p in error.problems]
            name = self.names.unique(printable(proto.name))
            scope.values[proto.name] = None if data is None else Value(name, data)

    def run(self, nodes: Sequence[NodeProto], scope: Scope) -> None:
        """Import nodes in order."""
        if scope.depth > MAX_DEPTH:
            raise malformed(self.model.source, "functions that call functions", f"at most {MAX_DEPTH} deep")
        for node in nodes:
            self._import(NodeImport(self, node, scope, self.count))

    def _import(self, op: NodeImport) -> None:
        self.count += 1
        scope, node = op.scope, op.node
        for name in node.input:
            if name and name not in scope.values:
                rule = "nodes are in execution order, and constants are in the file"
                what = f"{op.label} reads {printable(name)!r}, which nothing before it computes"
                raise malformed(self.model.source, what, rule)
        for name in node.output:
            if name and name in scope.values:
                what = f"{op.label} writes {printable(name)!r} again"
                raise malformed(self.model.source, what, "a value is written once")
        try:
            self._convert(op)
        except Unsupported as error:
            self.violations += [Violation(op.label, p.rule, p.found, p.hint) for p in error.problems]
            scope.values.update({name: None for name in node.output if name})
        for name in node.output:
            if name:
                scope.values.setdefault(name, None)

    def _convert(self, op: NodeImport) -> None:
        key = op.key
        converter, folder = self.table.converters.get(key), self.table.folders.get(key)
        ready = all(not name or op.scope.values[name] is not None for name in op.node.input)
        body = local_function(op)
        if body is None and converter is None and folder is None and ready:
            body = standard_function(op)
        if body is not None:
            self._call(op, body)
        elif converter is None and folder is None and (ready or not has_definition(op)):
            raise Unsupported(
                "the operator must be one of those docs/onnx_operators.md lists",
                f"{printable(key)} of operator set {op.opset}",
            )
        elif ready:
            self._convert_one(op, converter, folder)

    def _convert_one(self, op: NodeImport, converter: Converter | None, folder: Folder | None) -> None:
        results = folder(op) if folder else None
        if results is not None:
            for i, data in enumerate(results):
                op.set_constant(i, data)
        elif converter is not None:
            converter(op)
        else:
            raise Unsupported("the operands must be constant", "computed ones")

    def _call(self, op: NodeImport, body: Body) -> None:
        """Import the body of a function in place of its call."""
        given = {a.name: a for a in op.node.attribute if not a.ref_attr_name}
        for a in op.node.attribute:
            if a.ref_attr_name in op.scope.attributes:
                given[a.name] = op.scope.attributes[a.ref_attr_name]
        attributes = {**{a.name: a for a in body.defaults}, **given}
        inner = Scope({}, attributes, body.opset, op.scope.depth + 1)
        for i, name in enumerate(body.inputs):
            operand = op.node.input[i] if i < len(op.node.input) else ""
            # An operand that is not given is absent inside, too.
            inner.values[name] = op.scope.values[operand] if operand else ABSENT
        self.wanted.update(body.outputs, *(n.input for n in body.nodes))
        self.run(body.nodes, inner)
        for name, result in zip(op.node.output, body.outputs, strict=False):
            if name:
                op.scope.values[name] = inner.values.get(result)

    def inline(self, op: NodeImport, graph: GraphProto) -> None:
        """Import a graph that is an attribute of `op` in its place; it sees the names around it."""
        inner = Scope(dict(op.scope.values), op.scope.attributes, op.scope.opset, op.scope.depth + 1)
        self.add_constants(graph, inner)
        self.run(list(graph.node), inner)
        for name, result in zip(op.node.output, graph.output, strict=False):
            if result.name not in inner.values:
                raise malformed(
                    self.model.source, f"{op.label}: {printable(result.name)!r} is never computed"
                )
            op.scope.values[name] = inner.values[result.name]

    # --- values ---------------------------------------------------------------------------------

    def use(self, value: Value) -> str:
        """IR name of a value; constants enter the graph on first use."""
        if value.data is not None and value.name not in self.tensors:
            data = value.data
            if data.dtype == np.float16:
                data = data.astype(np.float32)
            dtype = dtype_for(data.dtype, value.name)
            if not data.size:
                raise Unsupported("tensors have elements", f"{value.name!r} is {list(data.shape)}")
            if data.dtype == np.float32 and np.isnan(data).any():
                rule, hint = "constants are numbers", "the training diverged, or the export failed"
                raise Unsupported(rule, f"{value.name!r} holds NaN", hint)
            self.tensors[value.name] = Tensor(value.name, data.shape, dtype, None, data)
        return value.name

    def declare(self, tensor: Tensor) -> None:
        self.tensors[tensor.name] = tensor

    def emit(self, op: Op, label: str) -> None:
        """Append an op: its rules are checked, its outputs get the inferred shapes.

        An op on constants only is computed now, and its outputs are constants.
        """
        tensors = self.tensors
        if problems := broken_rules(op, tensors):
            raise Unsupported.by_rules(problems)
        for y, shape in zip(op.outputs, op.infer(tensors), strict=True):
            if problem := size_problem(shape):
                raise Unsupported(problem, f"output {list(shape)}")
            self.reserve(prod(shape))
            tensors[y] = replace(tensors[y], shape=shape)
        operands = [tensors[x].data for x in op.inputs]
        data = [d for d in operands if d is not None]
        if operands and len(data) == len(operands):
            with np.errstate(all="ignore"):
                results = op.reference(tensors, *data)
            for y, result in zip(op.outputs, results, strict=True):
                array = result.astype(tensors[y].dtype.numpy).reshape(tensors[y].shape)
                tensors[y] = replace(tensors[y], data=array)
            return
        self.labels[op.name] = label
        self.ops.append(op)

    def reserve(self, elements: int) -> None:
        """Account for the elements of a computed value. Raises Unsupported when all are too many."""
        self.values_left -= elements
        if self.values_left < 0:
            raise Unsupported(f"values have at most {MAX_VALUES} elements in all", f"{elements} more")
