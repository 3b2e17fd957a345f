"""A quantized file against the implementations of others: TensorFlow Lite Micro and onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .errors import UserError
from .export.onnx_qdq import to_onnx_qdq
from .export.ort import OrtReference, optimised_operators
from .export.tflite import custom_ops, to_tflite
from .export.tflm import TflmReference
from .ir import DType, Graph, Op, Tensor, evaluate, initial_state
from .ir.ops.dequantize import Dequantize
from .ir.ops.quantize import Quantize
from .ir.ops.read_state import ReadState
from .ir.ops.write_state import WriteState
from .passes.quantize import Sample

_CLOSE = 1e-4
"""Largest difference of floats that were computed in another order, relative to the largest of them."""

_EXACT = frozenset(
    {
        "Concat", "DequantizeLinear", "Expand", "Flatten", "Gather", "GatherElements", "Identity", "MaxPool",
        "Pad", "QGemm", "QuantizeLinear", "Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose",
        "Unsqueeze", "Where",
    }
)  # fmt: skip
"""Operators of onnxruntime, beside those called QLinear..., whose results leave no room for rounding."""

Read = Callable[[bytes], Graph]
"""The graph of a file's bytes as `compile` sees it."""


@dataclass(frozen=True)
class Check:
    """The written file against an outside implementation; `version` is None where nothing was compared.

    mismatches  output elements that differ in all samples; each is explained
    left_out    operators the other implementation has not, as messages call them: only our reference, which
                read the written file again, computed them
    explained   operators whose results may differ by a step, and why
    """

    reference: str
    version: str | None
    samples: int
    mismatches: int
    left_out: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()


def check_tflite(
    content: bytes, final: Graph, quantized: Graph, boundary: Graph, samples: Sequence[Sample]
) -> Check:
    """Run what was written in TensorFlow Lite Micro, and our reading of it, on calibration inputs.

    Operators it has not are cut out: their results come from our reference.
    Raises UserError when a bit differs from the integer graph.
    """
    inputs = [_at_boundary(quantized, boundary, s) for s in samples]
    _require_equal(_outputs(boundary, inputs), _outputs(final, inputs), "the file read again")
    others = custom_ops(boundary)
    left_out = tuple(boundary.label(op) for op in others)
    known = _without(boundary, others)
    if known is None:
        return Check("tflite-micro (it has none of the operators)", None, 0, 0, left_out)
    try:
        tflm = TflmReference(to_tflite(known, custom=True) if others else content, preserve=False)
    except UserError as e:
        return Check(f"tflite-micro ({e.message}{f': {e.found}' if e.found else ''})", None, 0, 0, left_out)
    state = initial_state(boundary)
    for number, x in enumerate(inputs):
        values = evaluate(boundary, x, state)
        theirs = tflm.run([values[n] for n in known.inputs])
        ours = tuple(values[n] for n in known.outputs)
        _require_equal([ours], [theirs], f"TensorFlow Lite Micro {tflm.version}", number)
    return Check("tflite-micro", tflm.version, len(inputs), 0, left_out)


def _without(graph: Graph, others: Sequence[Op]) -> Graph | None:
    """The graph without some ops: their results are inputs, what they read are outputs; None: nothing."""
    names = {op.name for op in others}
    kept = [op for op in graph.ops if op.name not in names]
    if not others or not kept:
        return graph if kept else None
    made = {y for op in kept for y in op.outputs}
    read = {x for op in kept for x in op.inputs}
    inputs = [n for n in (*graph.inputs, *(y for op in others for y in op.outputs)) if n in read]
    outputs = [n for n in (*graph.outputs, *(x for op in others for x in op.inputs)) if n in made]
    cut = replace(graph.rewritten(kept, (), tuple(dict.fromkeys(outputs))), inputs=tuple(inputs))
    return cut.rewritten(kept)


def check_onnx(
    content: bytes, final: Graph, quantized: Graph, samples: Sequence[Sample], read: Read
) -> Check:
    """Run what was written in onnxruntime, and our reading of it, on calibration inputs.

    Where outputs differ, every operator is run alone, on inputs that are equal. Those that onnxruntime
    computes in float may differ by a step, or in the last bits of floats; integer operators must not.
    Raises UserError when one does.
    """
    try:
        ort = OrtReference(content)
    except UserError as e:
        return Check(f"onnxruntime ({e.message}{f': {e.found}' if e.found else ''})", None, 0, 0)
    ours = _outputs(final, samples)
    theirs = [tuple(ort.run([x[n] for n in final.inputs])) for x in samples]
    name = f"onnxruntime {ort.version}"
    pairs = [
        (a, b.reshape(a.shape)) for x, y in zip(ours, theirs, strict=True) for a, b in zip(x, y, strict=True)
    ]
    differing = sum(int((a != b).sum()) for a, b in pairs)
    if differing == 0:
        return Check("onnxruntime", ort.version, len(samples), 0)
    explained = _explain(quantized, samples, read, name)
    if not explained:
        raise _differs(name, f"{differing} elements, though every operator alone gives the same")
    return Check("onnxruntime", ort.version, len(samples), differing, (), explained)


def _explain(graph: Graph, samples: Sequence[Sample], read: Read, name: str) -> tuple[str, ...]:
    """Every operator of the integer graph alone, in onnxruntime and here, and how those that differ do."""
    state = initial_state(graph)
    runs = [evaluate(graph, x, state) for x in samples]
    found = []
    for op in graph.ops:
        if isinstance(op, Quantize | Dequantize | ReadState | WriteState):
            continue
        alone = _alone(graph, op)
        content = to_onnx_qdq(alone)
        ours, theirs = read(content), OrtReference(content)
        inputs = [_real_inputs(graph, alone, values) for values in runs]
        worst, count, total = 0.0, 0, 0
        for x, a in zip(inputs, _outputs(ours, inputs), strict=True):
            b = theirs.run([x[n] for n in ours.inputs])
            for y, (p, q) in zip(op.outputs, zip(a, b, strict=True), strict=True):
                q = q.reshape(p.shape)
                worst = max(worst, _steps(graph[y], p, q))
                count, total = count + int((p != q).sum()), total + p.size
        if count == 0:
            continue
        exact = all(k in _EXACT or k.startswith("QLinear") for k in optimised_operators(content))
        if exact or worst > 1.0:
            raise _differs(
                name, f"{graph.label(op)} alone: {count} of {total} values, up to {worst:.3g} steps"
            )
        how = f"{count} of {total} values differ, by one step at most"
        found.append(f"{graph.label(op)}: onnxruntime computes it in float, {how}")
    return tuple(found)


def _steps(t: Tensor, ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference in steps of the value; of floats relative to what is close, 1 at most."""
    difference = float(np.abs(ours.astype(np.float64) - theirs).max(initial=0.0))
    if t.quant is not None:
        return float(np.round(difference / t.quant.s))
    largest = float(np.abs(ours.astype(np.float64)).max(initial=0.0))
    return difference / (_CLOSE * max(1.0, largest))


def _alone(graph: Graph, op: Op) -> Graph:
    """A graph of one op between conversions of what it reads and writes."""
    before: list[Op] = []
    after: list[Op] = []
    names: dict[str, str] = {}
    tensors: dict[str, Tensor] = {n: graph[n] for n in (*op.inputs, *op.outputs)}
    for n in dict.fromkeys((*op.inputs, *op.outputs)):
        t = graph[n]
        if t.quant is None or t.constant:
            continue
        names[n] = f"{n}/border"
        tensors[names[n]] = Tensor(names[n], t.shape, DType.FLOAT32)
        if n in op.inputs:
            before.append(Quantize(f"{n}/in", names[n], n))
        else:
            after.append(Dequantize(f"{n}/out", n, names[n]))
    inputs = tuple(names.get(n, n) for n in dict.fromkeys(op.inputs) if not graph[n].constant)
    outputs = tuple(names.get(n, n) for n in op.outputs)
    return Graph(graph.name, tensors, (*before, op, *after), inputs, outputs)


def _real_inputs(graph: Graph, alone: Graph, values: Mapping[str, np.ndarray]) -> Sample:
    """Real values of what the op reads, by the names of `alone`."""
    found = {}
    for name in alone.inputs:
        stored = name.removesuffix("/border")
        quant = graph[stored].quant
        if quant is None:
            found[name] = values[stored]
        else:
            whole = values[stored].astype(np.int64) - quant.z
            found[name] = whole.astype(np.float32) * np.float32(quant.s)
    return found


def _at_boundary(quantized: Graph, boundary: Graph, sample: Sample) -> Sample:
    """The sample in the types of `boundary`: where its inputs are integers, quantized as the graph would."""
    values = evaluate(quantized, sample) if boundary is not quantized else {}
    result = {}
    for name in boundary.inputs:
        if boundary[name].dtype is quantized[name].dtype:
            result[name] = sample[name]
        else:
            reader = next(op for op in quantized.ops if name in op.inputs)
            result[name] = values[reader.outputs[0]]
    return result


def _outputs(graph: Graph, inputs: Sequence[Sample]) -> list[tuple[np.ndarray, ...]]:
    state = initial_state(graph)
    runs = (evaluate(graph, x, state) for x in inputs)
    return [tuple(values[n] for n in graph.outputs) for values in runs]


def _require_equal(
    ours: Sequence[tuple[np.ndarray, ...]],
    theirs: Sequence[tuple[np.ndarray, ...]],
    what: str,
    first: int = 0,
) -> None:
    for number, (a, b) in enumerate(zip(ours, theirs, strict=True), first):
        if not all(_equal(x, y.reshape(x.shape)) for x, y in zip(a, b, strict=True)):
            raise _differs(what, f"a difference in sample {number}")


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def _differs(what: str, found: str) -> UserError:
    return UserError(
        f"{what} computes other integers than the quantized graph",
        found=found,
        hint="please report it: the file was not written",
        exit_code=1,
    )
