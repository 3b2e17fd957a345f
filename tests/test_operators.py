"""Every operator: NumPy reference == portable C on the host == TensorFlow Lite Micro, over random cases."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from patchloom.codegen import KERNELS, Origin, build_view, known_answers, render
from patchloom.codegen.library import port_stems
from patchloom.codegen.selftest import FLOAT_TOLERANCE
from patchloom.emulation.harness import build, execute
from patchloom.emulation.verify import random_inputs
from patchloom.export.tflite import to_tflite
from patchloom.export.tflm import TflmReference
from patchloom.ir import Graph, Op, check_rules, evaluate, initial_state, verify
from patchloom.ir.ops import OPS
from patchloom.ir.ops.arg_reduce import ArgReduce
from patchloom.ir.ops.binary import Binary
from patchloom.ir.ops.cumsum import CumSum
from patchloom.ir.ops.expand import Expand
from patchloom.ir.ops.finish_sums import FinishSums
from patchloom.ir.ops.gather import Gather
from patchloom.ir.ops.gather_elements import GatherElements
from patchloom.ir.ops.gather_nd import GatherND
from patchloom.ir.ops.gru import Gru
from patchloom.ir.ops.instance_normalization import InstanceNormalization
from patchloom.ir.ops.layer_normalization import LayerNormalization
from patchloom.ir.ops.lookup import Lookup
from patchloom.ir.ops.lrn import Lrn
from patchloom.ir.ops.lstm import Lstm
from patchloom.ir.ops.one_hot import OneHot
from patchloom.ir.ops.partial_sums import PartialSums
from patchloom.ir.ops.read_state import ReadState
from patchloom.ir.ops.reduce import Reduce
from patchloom.ir.ops.resize import Resize
from patchloom.ir.ops.rnn import Rnn
from patchloom.ir.ops.scatter_elements import ScatterElements
from patchloom.ir.ops.scatter_nd import ScatterND
from patchloom.ir.ops.tile import Tile
from patchloom.ir.ops.top_k import TopK
from patchloom.ir.ops.unary import Unary
from patchloom.ir.ops.where import Where
from patchloom.ir.ops.write_state import WriteState
from patchloom.passes import run_passes
from patchloom.passes.planner import plan
from strategies import HypothesisDraw

# State is tested with whole graphs (test_state.py); they are no functions of their inputs.
TESTED = [op for op in OPS if op not in (ReadState, WriteState)]
# Operators that TensorFlow Lite Micro does not have: ours alone.
NOT_IN_TFLM = {
    ArgReduce,
    Binary,
    CumSum,
    Expand,
    FinishSums,
    Gather,
    GatherElements,
    GatherND,
    Gru,
    InstanceNormalization,
    LayerNormalization,
    Lookup,
    Lrn,
    Lstm,
    OneHot,
    PartialSums,
    Reduce,
    Resize,
    Rnn,
    ScatterElements,
    ScatterND,
    Tile,
    TopK,
    Unary,
    Where,
}
SAMPLES = 3

relaxed = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def run_in_c(graph: Graph, samples: list[Mapping[str, np.ndarray]]) -> Iterator[Mapping[str, np.ndarray]]:
    """Compile the graph, run it on the host with sanitizers, yield the outputs of each sample."""
    lowered = verify(run_passes(graph, verify_between=True))
    chosen = plan(lowered, frozenset(), KERNELS)
    answers = known_answers(lowered, port_stems("output", lowered.outputs))
    view = build_view(lowered, chosen, Origin("0", "test", "case", "0" * 64, "host"), answers)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        for name, data in render(view).items():
            (folder / name).write_bytes(data)
        program = build(folder, view, lowered, None, folder, sanitize=True)
        outcome = execute(program, samples, reset_every=len(samples))
    assert outcome.damaged_guards == 0
    for sample in outcome.samples:
        yield sample.outputs


def assert_same(got: np.ndarray, want: np.ndarray, what: str) -> None:
    """Integers equal, floats within the stated tolerance."""
    if want.dtype == np.float32:
        np.testing.assert_allclose(got, want, rtol=FLOAT_TOLERANCE, atol=FLOAT_TOLERANCE, err_msg=what)
    else:
        np.testing.assert_array_equal(got.reshape(want.shape), want, err_msg=what)


@pytest.mark.parametrize("op", TESTED, ids=lambda op: op.kind())
@relaxed
@given(data=st.data())
def test_reference_equals_c_and_tflm(op: type[Op], data: st.DataObject) -> None:
    graph = verify(op.case(HypothesisDraw(data.draw)))
    check_rules(graph)
    samples = list(random_inputs(graph, SAMPLES))
    state = initial_state(graph)  # operators with state are run as one sequence
    expected = [evaluate(graph, s, state) for s in samples]
    for want, got in zip(expected, run_in_c(graph, samples), strict=True):
        for name in graph.outputs:
            assert_same(got[name], want[name], f"C, {name}")
    if op in NOT_IN_TFLM:
        return
    tflm = TflmReference(to_tflite(replace(graph, source="case")))
    for want, sample in zip(expected, samples, strict=True):
        answers = tflm.run([sample[n] for n in graph.inputs])
        for name, y in zip(graph.outputs, answers, strict=True):
            assert_same(np.asarray(y), want[name], f"TFLM, {name}")


def test_every_operator_has_a_file_a_kernel_and_a_case() -> None:
    kinds = {op.kind() for op in OPS}
    root = Path(__file__).resolve().parent.parent
    files = {p.stem for p in (root / "ir" / "ops").glob("*.py")} - {"__init__"}
    assert kinds == files, "ir/ops holds one file per operator of OPS"
    with_kernel = {k.op for k in KERNELS}
    assert {op.kind() for op in OPS if op not in with_kernel} == set()
    assert all((root / "runtime_c" / k.header).is_file() for k in KERNELS)
