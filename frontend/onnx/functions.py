"""Operators that are defined by others: local functions of a file, and functions of the standard itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import AttributeProto, FunctionProto, NodeProto, TypeProto, helper

from .model import domain_of
from .node import NodeImport


@dataclass(frozen=True, eq=False)
class Body:
    """What a call is replaced by.

    defaults   attributes a call that does not give them has
    opset      version of the standard operators in the body
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[NodeProto, ...]
    defaults: tuple[AttributeProto, ...]
    opset: int


def _body(function: FunctionProto, defaults: Iterable[AttributeProto], opset: int) -> Body:
    versions = {domain_of(o.domain): o.version for o in function.opset_import}
    return Body(
        tuple(function.input),
        tuple(function.output),
        tuple(function.node),
        tuple(defaults),
        versions.get("", opset),
    )


def local_function(op: NodeImport) -> Body | None:
    """The function of the file the node calls."""
    function = op.builder.model.functions.get((domain_of(op.node.domain), op.node.op_type))
    return None if function is None else _body(function, function.attribute_proto, op.opset)


def standard_function(op: NodeImport) -> Body | None:
    """The definition of a standard operator by simpler ones, as the installed onnx package has it."""
    if op.node.domain not in ("", "ai.onnx"):
        return None
    try:
        schema: Any = onnx.defs.get_schema(op.node.op_type, op.opset, "")
        function = FunctionProto()
        if schema.has_function:
            function.CopyFrom(schema.function_body)
        elif schema.has_context_dependent_function:
            types = [_type(op, i).SerializeToString() for i in range(len(op.node.input))]
            data = schema.get_context_dependent_function(_resolved(op).SerializeToString(), types)
            function.ParseFromString(data)
        else:
            return None
    except Exception:  # its own classes; without a definition the operator is refused by name
        return None
    defaults = [a.default_value for a in schema.attributes.values() if a.default_value.name]
    return _body(function, defaults, op.opset)


def _resolved(op: NodeImport) -> NodeProto:
    """The node with the attributes of the call it refers to, as its own."""
    node = NodeProto()
    node.CopyFrom(op.node)
    del node.attribute[:]
    for a in op.node.attribute:
        found = op.scope.attributes.get(a.ref_attr_name) if a.ref_attr_name else a
        if found is not None:
            node.attribute.add().CopyFrom(found)
            node.attribute[-1].name = a.name
    return node


def _type(op: NodeImport, position: int) -> TypeProto:
    """Type and shape of an operand as ONNX writes it; empty for an absent one."""
    if not op.has(position):
        return TypeProto()
    known = op.known(position)
    kind = op.dtype(position).numpy if known is None else known.dtype
    return helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(kind), op.shape(position))


def has_definition(op: NodeImport) -> bool:
    """Whether the operator may be defined by simpler ones."""
    try:
        schema: Any = onnx.defs.get_schema(op.node.op_type, op.opset, domain_of(op.node.domain))
    except Exception:  # its own class: there is no such operator
        return False
    return bool(schema.has_function or schema.has_context_dependent_function)
