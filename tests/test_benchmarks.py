"""The committed benchmark figures hold, and cost tables predict layers they were not fitted to."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import patchloom
import pytest
from emulation_support import need
from patchloom import boards
from patchloom.codegen import KERNELS, costs
from patchloom.emulation.profile import LayerProfile
from patchloom.export.tflite import to_tflite

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.append(str(BENCHMARKS))

from networks import NETWORKS  # noqa: E402
from run import worse  # noqa: E402

CORES = ("cortex-m4", "cortex-m55", "cortex-m3", "cortex-m0plus", "rv32imc")
COMMITTED = json.loads((BENCHMARKS / "results.json").read_text())
MEDIAN_ERROR, WORST_ERROR = 0.10, 0.25
SMALL_SHARE = 0.01


def profiled(core: str, folder: Path) -> dict[str, tuple[patchloom.api.Compiled, patchloom.api.Profile]]:
    """The benchmark networks compiled and counted on a core."""
    found = {}
    for network in NETWORKS:
        graph = network()
        model = folder / f"{graph.name}.tflite"
        model.write_bytes(to_tflite(graph))
        compiled = patchloom.compile(model, f"generic-{core}", folder / graph.name)
        found[graph.name] = compiled, patchloom.profile(compiled.folder)
    return found


@pytest.mark.parametrize("core", CORES)
def test_counts_are_as_committed_and_layers_as_predicted(core: str, tmp_path: Path) -> None:
    need(boards.load(f"generic-{core}"))
    table = costs.load(core)
    counts, errors = {}, []
    for name, (compiled, profile) in profiled(core, tmp_path).items():
        keys = ("arena_bytes", "state_bytes", "code_bytes", "stack_bytes", "weight_bytes")
        figures = {k: compiled.figures()[k] for k in keys}
        figures |= {"instructions": profile.instructions, "cycles": profile.cycles}
        counts[name] = {"cores": {core: {"balanced": figures}}}
        total = profile.cycles if table.unit == "cycles" else profile.instructions
        assert total
        errors += [
            (error, name, layer.name)
            for layer in profile.layers
            if (error := prediction_error(compiled, layer, table, SMALL_SHARE * total)) is not None
        ]
    assert worse(COMMITTED, counts) == [], "run: python benchmarks/run.py"
    assert len(errors) > 30
    assert np.median([e for e, *_ in errors]) <= MEDIAN_ERROR, sorted(errors)[-5:]
    assert max(errors)[0] <= WORST_ERROR, sorted(errors)[-5:]


def prediction_error(
    compiled: patchloom.api.Compiled, layer: LayerProfile, table: costs.CostTable, least: float
) -> float | None:
    """Relative error of a layer's predicted cost; None for layers that cost less than `least`."""
    graph = compiled.library.graph
    op = next(op for op in graph.ops if op.name == layer.name)
    kernel = next(k for k in KERNELS if k.name == layer.kernel and k.op is type(op))
    measured = layer.cycles if table.unit == "cycles" else layer.instructions
    predicted = table.of(kernel, op, graph.tensors)
    assert measured is not None and predicted is not None, f"{layer.kernel} was not measured"
    return None if measured < least else abs(predicted / measured - 1)


def test_every_core_has_a_cost_table_of_kernels_that_exist() -> None:
    known = {(k.name, k.op.kind()) for k in KERNELS}
    for core in boards.core_names():
        table = costs.load(core)
        assert table.kernels, core
        assert set(table.kernels) <= known, f"{core}: run python benchmarks/costs.py --core {core}"
