"""io_int8: graph inputs and outputs in the stored type, without conversion at the boundary."""

from __future__ import annotations

from dataclasses import replace

from ..errors import UserError
from ..ir import DType, Graph, Op
from ..ir.ops.dequantize import Dequantize
from ..ir.ops.quantize import Quantize
from .rewrite import Change, Site, remove_dead_ops, retyped
from .uint8_to_int8 import shift_uint8

_STORED = (DType.INT8, DType.INT16)


def io_int8(graph: Graph) -> Graph:
    """Strip quantize ops behind the graph's inputs and quantize or dequantize ops before its outputs.

    Inputs and outputs keep their names and shapes; their types become int8 (int16 in graphs with int16
    activations), in the quantization the stripped op converted to or from. Values of any other type
    than float32 and uint8 (indices, flags) stay as they are.

    Requires: a verified graph, canonicalized or not; uint8 graphs are shifted to int8 first.
    Ensures:  the values behind the stripped ops are bit-identical for equal stored inputs.
    Raises UserError when a float32 or uint8 input or output has no such op.
    """
    graph = shift_uint8(graph)
    failed: list[str] = []
    for name in graph.inputs:
        graph = _strip_input(graph, name, failed)
    for name in graph.outputs:
        graph = _strip_output(graph, name, failed)
    if failed:
        raise UserError(
            f"{graph.source or graph.name}: not every input and output can be int8",
            rule="with int8 inputs and outputs, a quantize must follow each input and a quantize or "
            "dequantize must make each output",
            found=", ".join(failed),
            accepted="quantized models",
            hint="quantize the model first, or compile without --io int8",
        )
    return remove_dead_ops(graph)


def _converts(graph: Graph, name: str) -> bool:
    return graph[name].dtype in (DType.FLOAT32, DType.UINT8)


def _strip_input(graph: Graph, name: str, failed: list[str]) -> Graph:
    """Readers of the input are quantize ops of one quantization: they go and the input is of their type."""
    if not _converts(graph, name):
        return graph
    site = Site.of(graph)
    readers = [op for op in site.consumers[name] if isinstance(op, Quantize)]
    made = [op.y for op in readers]
    one_type = all(site.stored_alike(y, made[0]) for y in made)
    seen = any(y in graph.outputs for y in (name, *made))
    if (
        not made
        or len(readers) < len(site.consumers[name])
        or not one_type
        or seen
        or not _is_stored(graph, made[0])
    ):
        failed.append(f"input {name!r} {graph[name].dtype.value}")
        return graph
    gone: dict[str, tuple[Op, ...]] = {op.name: () for op in readers}
    tensor = retyped(graph[name], graph[made[0]])
    return Change(gone, (tensor,), dict.fromkeys(made, name)).apply(graph)


def _strip_output(graph: Graph, name: str, failed: list[str]) -> Graph:
    """The output is made from a stored value and read by nobody: it becomes that value."""
    if not _converts(graph, name):
        return graph
    site = Site.of(graph)
    last = site.producers.get(name)
    strippable = (
        isinstance(last, Quantize | Dequantize)
        and _is_stored(graph, last.x)
        and last.x in site.producers
        and last.x not in graph.outputs
        and not site.consumers[name]
    )
    if not strippable:
        failed.append(f"output {name!r} {graph[name].dtype.value}")
        return graph
    assert isinstance(last, Quantize | Dequantize)
    tensor = replace(retyped(graph[name], graph[last.x]))
    return Change({last.name: ()}, (tensor,), {last.x: name}).apply(graph)


def _is_stored(graph: Graph, name: str) -> bool:
    return graph[name].dtype in _STORED
