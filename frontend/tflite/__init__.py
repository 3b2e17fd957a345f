"""TensorFlow Lite files as graphs."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import UnknownInput, UnsupportedModel, UserError
from ...ir import Graph, Tensor, verify
from . import ops_custom, ops_elementwise, ops_shape, ops_state, ops_window
from .builder import Converter, GraphBuilder, Variables
from .model import RawModel, parse_model
from .naming import graph_name, printable, tensor_names
from .schema import IDENTIFIER
from .structure import check_structure
from .tensors import Unsupported, dtype_of, input_shape, quant_of

__all__ = ["IDENTIFIER", "import_tflite", "value_names"]

CONVERTERS: Mapping[int, Converter] = {
    **ops_custom.CONVERTERS,
    **ops_elementwise.CONVERTERS,
    **ops_shape.CONVERTERS,
    **ops_state.CONVERTERS,
    **ops_window.CONVERTERS,
}
"""Every supported operator, by its builtin code."""


def import_tflite(
    data: bytes, source: str, input_shapes: Mapping[str, tuple[int, ...]] | None = None
) -> Graph:
    """The graph in the bytes of a .tflite file.

    source        path for messages; its stem names the graph
    input_shapes  shapes for inputs by name, for those the file leaves open or to replace its own

    Shapes of intermediate tensors come from the operators, the file's are only compared. A leading
    -1 of an input becomes 1. Operators keep the file's order.

    Raises UnsupportedModel with every problem of every operator, UserError for a malformed file.
    """
    model = parse_model(data, source)
    builder = GraphBuilder(model, model.subgraphs[0], Variables())
    check_structure(model, builder.graph)
    inputs = _inputs(model, builder, input_shapes or {})
    builder.run(CONVERTERS)
    if builder.violations:
        raise UnsupportedModel(source, builder.violations, len(builder.graph.ops))
    return verify(_finished(model, builder, inputs))


def value_names(data: bytes, source: str) -> tuple[str, ...]:
    """The value names `import_tflite` gives the tensors of the main subgraph, by tensor index."""
    return tensor_names(t.name for t in parse_model(data, source).subgraphs[0].tensors)[1]


def _inputs(model: RawModel, builder: GraphBuilder, wanted: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    """Define the graph's inputs; notes whether a shape differs from the file's."""
    names = tuple(builder.names[i] for i in builder.graph.inputs)
    if unknown := [n for n in wanted if n not in names]:
        raise UnknownInput(
            f"{model.source}: no input is called {printable(unknown[0])!r}",
            unknown[0],
            accepted=", ".join(names),
            hint="write --input-shape NAME=1,49,10,1 with one of these names",
        )
    for index, name in zip(builder.graph.inputs, names, strict=True):
        raw = builder.graph.tensors[index]
        shape = input_shape(model.source, name, raw, wanted.get(name))
        try:
            dtype = dtype_of(raw)
            quant = quant_of(raw, dtype)
        except Unsupported as error:
            problem = error.problems[0]
            raise UserError(
                f"{model.source}: input {name!r} cannot be compiled", rule=problem.rule, found=problem.found
            ) from None
        builder.shapes_given = builder.shapes_given or shape != raw.shape
        builder.define(index, Tensor(name, shape, dtype, quant))
    return names


def _finished(model: RawModel, builder: GraphBuilder, inputs: tuple[str, ...]) -> Graph:
    """The graph of a subgraph without violations."""
    try:
        outputs = tuple(builder.value(i) for i in builder.graph.outputs)
    except Unsupported as error:
        problem = error.problems[0]
        raise UserError(
            f"{model.source}: an output cannot be compiled", rule=problem.rule, found=problem.found
        ) from None
    used = {*inputs, *outputs, *(v for op in builder.ops for v in (*op.inputs, *op.outputs))}
    return Graph(
        name=graph_name(model.source),
        tensors={n: t for n, t in builder.tensors.items() if n in used},
        ops=tuple(builder.ops),
        inputs=inputs,
        outputs=outputs,
        states=tuple(builder.variables.states.values()),
        source=model.source,
        labels={op.name: builder.labels[op.name] for op in builder.ops},
    )
