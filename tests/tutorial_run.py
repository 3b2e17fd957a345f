"""What docs/adding_an_operator.md promises, run in a copy of the package to which its blocks were applied.

Usage: tutorial_run.py KIND COMMAND... in the copy's root, where `patchloom` is that copy. Each COMMAND is
a shell line of the page, `python FILE` or `patchloom ...`.
"""

from __future__ import annotations

import runpy
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import patchloom
from patchloom.cli import main
from patchloom.emulation.verify import random_inputs
from patchloom.export.tflite import to_tflite
from patchloom.export.tflm import TflmReference
from patchloom.frontend import import_tflite
from patchloom.ir import DType, Graph, Op, check_rules, evaluate, to_text, verify
from patchloom.ir.cases import RandomDraw
from test_operators import TESTED, assert_same, run_in_c

TYPES = (DType.INT8, DType.INT16, DType.FLOAT32)
SAMPLES = 3


def cases(op: type[Op]) -> Iterator[Graph]:
    """The first random cases of each type: two of floats, of integers one that saturates and one other."""
    left = {(dtype, saturates) for dtype in TYPES for saturates in (False, True)}
    for seed in range(1000):
        graph = op.case(RandomDraw(seed))
        dtype = graph[graph.inputs[0]].dtype
        kind = (dtype, _saturates(graph) if dtype is not DType.FLOAT32 else (dtype, False) not in left)
        if kind in left:
            left.remove(kind)
            yield graph
        if not left:
            return
    raise AssertionError(f"random cases leave out {left}")


def _saturates(graph: Graph) -> bool:
    """Whether an output element reaches the largest value of its type."""
    (name,) = graph.outputs
    high = graph[name].dtype.integer_range[1]
    return any(np.any(evaluate(graph, s)[name] == high) for s in random_inputs(graph, SAMPLES))


def compare(graph: Graph) -> None:
    """NumPy reference == C on the host == the exported file read back == TensorFlow Lite Micro."""
    check_rules(verify(graph))
    (name,) = graph.outputs
    samples = list(random_inputs(graph, SAMPLES))
    expected = [evaluate(graph, s)[name] for s in samples]
    for got, want in zip(run_in_c(graph, samples), expected, strict=True):
        assert_same(got[name], want, f"C: {to_text(graph)}")
    model = to_tflite(replace(graph, source="case"))
    loaded = verify(import_tflite(model, "case.tflite"))
    assert [type(op) for op in loaded.ops] == [type(op) for op in graph.ops]
    tflm = TflmReference(model) if find_spec("tflite_micro") else None
    for sample, want in zip(samples, expected, strict=True):
        inputs = [sample[n] for n in graph.inputs]
        read_back = evaluate(loaded, dict(zip(loaded.inputs, inputs, strict=True)))
        assert_same(read_back[loaded.outputs[0]], want, f"read back: {to_text(graph)}")
        if tflm:
            assert_same(np.asarray(tflm.run(inputs)[0]), want, f"TFLM: {to_text(graph)}")


def command(line: str) -> None:
    """Run one shell line of the page in this process; a failure ends it."""
    program, *arguments = shlex.split(line)
    sys.argv = [program, *arguments]
    if program == "python":
        runpy.run_path(arguments[0], run_name="__main__")
        return
    assert program == "patchloom", line
    try:
        main()
    except SystemExit as end:
        assert not end.code, f"{line}: exit code {end.code}"


if __name__ == "__main__":
    kind, *lines = sys.argv[1:]
    assert Path(patchloom.__file__).parent == Path.cwd(), "patchloom is not the copy"
    (added,) = (op for op in TESTED if op.kind() == kind)
    for case in cases(added):
        compare(case)
    for line in lines:
        command(line)
