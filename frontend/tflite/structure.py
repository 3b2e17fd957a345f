"""Order and references of a subgraph: every value is written once, before it is read."""

from __future__ import annotations

from .model import RawModel, RawSubgraph, RawTensor, malformed
from .naming import printable


def check_structure(model: RawModel, graph: RawSubgraph) -> None:
    """Raise UserError when ops are out of order, cyclic, or write what they must not.

    TensorFlow Lite runs operators in file order, and state makes that order part of the meaning, so
    an operator that reads a value computed later is an error and not sorted away.
    """
    defined = {i for i, t in enumerate(graph.tensors) if t.data is not None or t.variable}
    for i in graph.inputs:
        if i in defined:
            raise malformed(model.source, f"input {_name(graph.tensors[i])} is constant or given twice")
        defined.add(i)
    for index, op in enumerate(graph.ops):
        what = f"operator {index} {op.code_name}"
        for i in op.inputs:
            if i >= 0 and i not in defined:
                raise malformed(
                    model.source,
                    f"{what} reads {_name(graph.tensors[i])} before it is computed",
                    "operators must be in execution order, without cycles",
                )
        for i in op.outputs:
            if i in defined:
                raise malformed(
                    model.source, f"{what} writes {_name(graph.tensors[i])} again", "a tensor is written once"
                )
            defined.add(i)
    for i in graph.outputs:
        if i not in defined:
            raise malformed(model.source, f"output {_name(graph.tensors[i])} is never computed")


def _name(tensor: RawTensor) -> str:
    return f"tensor {printable(tensor.name)!r}"
