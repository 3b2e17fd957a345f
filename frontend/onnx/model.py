"""An ONNX file, parsed and checked as far as that goes without knowing its operators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, Message
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto

from ...errors import UserError
from ..tflite.naming import printable
from .tensors import TensorReader, malformed

OLDEST_OPSET = 7
"""From here on operators broadcast as NumPy does."""

MAX_FILE_BYTES = (1 << 31) - 1
"""A protobuf message is at most 2 GiB."""

MAX_NODES = 100_000
MAX_DEPTH = 16
"""Graphs inside operators inside graphs, and functions that call functions."""

STANDARD = ("", "ai.onnx")
MICROSOFT = "com.microsoft"


@dataclass(frozen=True, eq=False)
class Model:
    """A parsed file.

    opsets     version by domain, the standard domain as ""
    functions  local functions by (domain, name)
    reader     of its constants
    """

    source: str
    proto: ModelProto
    opsets: dict[str, int]
    functions: dict[tuple[str, str], onnx.FunctionProto]
    reader: TensorReader

    @property
    def graph(self) -> GraphProto:
        return self.proto.graph

    @property
    def opset(self) -> int:
        return self.opsets[""]


def domain_of(name: str) -> str:
    """A domain with the standard one's two names made one."""
    return "" if name in STANDARD else name


def newest_opset() -> int:
    """The newest operator set that the installed onnx package knows."""
    return int(onnx.defs.onnx_opset_version())


def parse_model(data: bytes, source: str, folder: Path | None = None) -> Model:
    """The model in the bytes of a file. Raises UserError when they are no ONNX model we can read."""
    if len(data) > MAX_FILE_BYTES:
        raise malformed(source, f"{len(data)} bytes", f"an ONNX file has at most {MAX_FILE_BYTES}")
    proto = ModelProto()
    try:
        proto.ParseFromString(data)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise malformed(source, str(error)[:200]) from None
    if not _texts_are_text(proto):
        raise malformed(source, "a name that is no UTF-8 text")
    if not proto.HasField("graph") or not (proto.graph.output or proto.graph.node):
        raise malformed(source, "no graph")
    opsets = {domain_of(o.domain): o.version for o in proto.opset_import}
    opsets.setdefault("", newest_opset())  # a model of other domains only: its operators are refused by name
    if not OLDEST_OPSET <= opsets[""] <= newest_opset():
        raise UserError(
            f"{source}: operator set {opsets['']} cannot be imported",
            accepted=f"{OLDEST_OPSET} to {newest_opset()}",
            hint="export with another opset_version, or onnx.version_converter.convert_version",
        )
    functions = {(domain_of(f.domain), f.name): f for f in proto.functions}
    nodes = sum(1 for _ in _all_nodes(proto.graph, source, 0))
    nodes += sum(len(f.node) for f in proto.functions)
    if nodes > MAX_NODES:
        raise malformed(source, f"{nodes} operators", f"a model has at most {MAX_NODES}")
    return Model(source, proto, opsets, functions, TensorReader(source, folder))


def _texts_are_text(message: Message) -> bool:
    """Whether every string of a message and those inside it is one: the parser hands out bytes otherwise."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_STRING:
            if not all(isinstance(v, str) for v in ([value] if isinstance(value, str | bytes) else value)):
                return False
        elif field.type == field.TYPE_MESSAGE:
            inner = [value] if isinstance(value, Message) else value
            if not all(_texts_are_text(m) for m in inner):
                return False
    return True


def _all_nodes(graph: GraphProto, source: str, depth: int) -> Iterator[NodeProto]:
    """Nodes of a graph and of those inside its nodes."""
    if depth > MAX_DEPTH:
        raise malformed(source, f"graphs nested {depth} deep", f"at most {MAX_DEPTH}")
    for node in graph.node:
        yield node
        for inner in subgraphs(node):
            yield from _all_nodes(inner, source, depth + 1)


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """Graphs that are attributes of a node."""
    for a in node.attribute:
        if a.type == AttributeProto.GRAPH:
            yield a.g
        elif a.type == AttributeProto.GRAPHS:
            yield from a.graphs


def names_read(graph: GraphProto) -> set[str]:
    """Every value some node of the graph, or of graphs inside it, reads, and its outputs."""
    names = {o.name for o in graph.output}
    for node in graph.node:
        names.update(node.input)
        for inner in subgraphs(node):
            names |= names_read(inner)
    return names


def input_dimensions(info: onnx.ValueInfoProto) -> list[int | str] | None:
    """Declared dimensions of an input: numbers, or names of open ones; None without a shape."""
    tensor = info.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return [
        d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else printable(d.dim_param) or "?"
        for d in tensor.shape.dim
    ]
