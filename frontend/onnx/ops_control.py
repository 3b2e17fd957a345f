"""Control flow: what folds to one branch is inlined, everything else is refused."""

from __future__ import annotations

from ..tflite.tensors import Unsupported
from .builder import Converter
from .node import NodeImport


def _if(op: NodeImport) -> None:
    """A constant condition chooses the branch that is imported."""
    condition = op.known(0)
    if condition is None:
        raise Unsupported(
            "the condition of an If must be constant, or follow from shapes",
            f"{op.x()!r} is computed",
            "export a model without branches on data, or fix its shapes: --input-shape",
        )
    if condition.size != 1:
        raise Unsupported("the condition of an If is one boolean", str(list(condition.shape)))
    branch = op.graph_attribute("then_branch" if condition.any() else "else_branch")
    op.builder.inline(op, branch)


def _loop(op: NodeImport) -> None:
    raise Unsupported(
        "a library has no loops over operators", op.node.op_type, "unroll the loop when exporting"
    )


CONVERTERS: dict[str, Converter] = {"If": _if, "Loop": _loop, "Scan": _loop, "SequenceMap": _loop}
