"""ONNX files as graphs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from onnx import TensorProto

from ...errors import UnsupportedModel, UserError
from ...ir import Graph, verify
from ...ir.ops.reshape import Reshape
from ..tflite.naming import graph_name, printable
from ..tflite.tensors import Unsupported
from .builder import GraphBuilder, Scope, Value
from .inputs import check_wanted, input_tensor
from .model import parse_model
from .quantized import with_scales
from .registry import CONVERTERS
from .tensors import dtype_for

__all__ = ["import_onnx", "with_external_data"]


def with_external_data(data: bytes, source: str, folder: Path) -> bytes:
    """The model with the constants that lie in files of `folder` put into it; as it is when there are none.

    Raises UserError when such a file is missing, does not hold them, or lies elsewhere.
    """
    model = parse_model(data, source, folder)
    outside = [t for t in model.graph.initializer if t.data_location == TensorProto.EXTERNAL]
    for tensor in outside:
        try:
            raw = model.reader.array(tensor).tobytes()
        except Unsupported as error:
            raise UserError(f"{source}: {error.problems[0].rule}", found=error.problems[0].found) from None
        tensor.raw_data = raw
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]
    return model.proto.SerializeToString(deterministic=True) if outside else data


def import_onnx(
    data: bytes,
    source: str,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    folder: Path | None = None,
) -> Graph:
    """The graph in the bytes of an .onnx file.

    source        path for messages; its stem names the graph
    input_shapes  shapes for inputs by name, for those the file leaves open or to replace its own
    folder        where the file's external data lies; None: such data is refused

    Shapes come from the operators alone. A leading symbolic dimension of an input becomes 1. What
    depends on constants and shapes only is computed here.

    Raises UnsupportedModel with every problem of every operator, UserError for a malformed file.
    """
    model = parse_model(data, source, folder)
    builder = GraphBuilder(model, CONVERTERS)
    scope = Scope(opset=model.opset)
    builder.add_constants(model.graph, scope)
    inputs = _inputs(builder, scope, input_shapes or {})
    builder.run(list(model.graph.node), scope)
    if builder.violations:
        raise UnsupportedModel(source, builder.violations, builder.count)
    outputs = _outputs(builder, scope)
    used = {*inputs, *outputs, *(v for op in builder.ops for v in (*op.inputs, *op.outputs))}
    return verify(
        Graph(
            name=graph_name(source),
            tensors=with_scales(builder, {n: t for n, t in builder.tensors.items() if n in used}),
            ops=tuple(builder.ops),
            inputs=inputs,
            outputs=outputs,
            source=source,
            labels=builder.labels,
        )
    )


def _inputs(builder: GraphBuilder, scope: Scope, wanted: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    """Define the graph's inputs; older files list constants among them."""
    infos = [i for i in builder.model.graph.input if i.name not in scope.values]
    names = tuple(builder.names.unique(printable(i.name)) for i in infos)
    check_wanted(builder.model.source, names, wanted)
    for info, name in zip(infos, names, strict=True):
        builder.declare(input_tensor(builder.model.source, name, info, wanted.get(name)))
        scope.values[info.name] = Value(name)
    return names


def _outputs(builder: GraphBuilder, scope: Scope) -> tuple[str, ...]:
    """Names of the graph's outputs. One that is an input, a constant or another output becomes a copy."""
    source, names = builder.model.source, []
    for info in builder.model.graph.output:
        value = scope.values.get(info.name)
        wanted = printable(info.name)
        if value is None:
            rule = "every output is computed"
            raise UserError(
                f"{source}: output {wanted!r} cannot be compiled", rule=rule, found="nothing computes it"
            )
        try:
            if value.data is not None:
                dtype_for(value.data.dtype, wanted)
            name = builder.use(value)
        except Unsupported as error:
            p = error.problems[0]
            raise UserError(
                f"{source}: output {wanted!r} cannot be compiled", rule=p.rule, found=p.found, hint=p.hint
            ) from None
        tensor = builder.tensors[name]
        if tensor.constant or name != wanted:
            copy = builder.names.unique(wanted)
            builder.declare(type(tensor)(copy, tensor.shape, tensor.dtype, tensor.quant))
            op = builder.op_names.unique(wanted)
            builder.ops.append(Reshape(op, name, copy, tensor.shape))
            builder.labels[op] = f'output "{wanted}"'
            name = copy
        names.append(name)
    return tuple(names)
