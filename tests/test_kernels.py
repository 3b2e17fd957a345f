"""Every portable kernel alone: what its descriptor accepts, it computes, whatever its place in the table."""

from __future__ import annotations

import numpy as np
import pytest
from emulation_support import need_host
from patchloom.codegen import KERNELS
from patchloom.codegen.selftest import FLOAT_TOLERANCE
from patchloom.emulation.trial import merge, run_trial
from patchloom.emulation.verify import random_inputs
from patchloom.errors import UserError
from patchloom.ir import Graph, check_rules, evaluate, verify
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops.read_state import ReadState
from patchloom.ir.ops.write_state import WriteState
from patchloom.passes.planner.kernel import Kernel

STATEFUL = (ReadState, WriteState)
# Kernels that add up maps row by row are for stages only (test_stages.py).
PORTABLE = [k for k in KERNELS if k.header.startswith("portable/") and k.op not in STATEFUL and not k.sums]
DRAWS = 120
CASES = 12


def accepted_cases(kernel: Kernel) -> list[Graph]:
    """Random layers without state that the kernel accepts, without those that are free under a plan."""
    found: list[Graph] = []
    for seed in range(DRAWS):
        graph = verify(kernel.op.case(RandomDraw(seed)))
        check_rules(graph)
        if not graph.states and kernel.accepts(graph.ops[0], graph.tensors):
            found.append(graph)
    return found[:CASES]


@pytest.mark.parametrize("kernel", PORTABLE, ids=lambda k: f"{k.op.kind()}-{k.name}")
def test_a_kernel_computes_what_it_accepts(kernel: Kernel) -> None:
    need_host()
    cases = accepted_cases(kernel)
    if not cases:
        pytest.skip("only made by passes")
    graph = merge(cases)
    samples = list(random_inputs(graph, 2))
    try:
        trial = run_trial(cases, None, [kernel], samples)
    except UserError as e:
        pytest.fail(f"{kernel.name}: {e}")
    for sample, outputs in zip(samples, trial.outputs, strict=True):
        want = evaluate(graph, sample)
        for name in graph.outputs:
            if want[name].dtype == np.float32:
                np.testing.assert_allclose(
                    outputs[name], want[name], rtol=FLOAT_TOLERANCE, atol=FLOAT_TOLERANCE, err_msg=name
                )
            else:
                np.testing.assert_array_equal(outputs[name], want[name], err_msg=name)
