"""Measure networks on the emulated cores and keep the figures in results.json and README.md.

    python benchmarks/run.py [--models FOLDER] [--only NAME ...] [--core CORE ...] [--check]

Measured are the networks of networks.py, which need no files, and the reference models where FOLDER holds
them, some of these on the Cortex-M4 and M55 only. --check
changes nothing and fails (exit code 1) when a committed count got worse by more than 1 %, or when
results.json lacks a network or core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import patchloom
from networks import NETWORKS
from patchloom import boards
from patchloom.api import lcg_samples
from patchloom.emulation.harness import build, execute
from patchloom.errors import UserError
from patchloom.export.tflite import to_tflite
from patchloom.ir import DType, Graph
from patchloom.passes.planner import Goal
from rich.progress import track
from tables import tables

HERE = Path(__file__).parent
MODELS = HERE.parent.parent / "shared" / "models"
RESULTS = HERE / "results.json"
CORES: tuple[str, ...] = (
    "cortex-m4",
    "cortex-m55",
    "cortex-m3",
    "cortex-m0plus",
    "rv32imc",
    "cortex-m0",
    "cortex-m7",
    "cortex-m33",
)
CORES += ("rv32gcv",)
EVERYWHERE = ("ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "str_ww_ref_model", "vww_96_int8")
"""Reference models that are measured on every core, as the networks of networks.py are; others on these:"""
FEW_CORES: tuple[str, ...] = ("cortex-m4", "cortex-m55")
WORSE = 1.01
GOALS: tuple[Goal, ...] = ("balanced", "latency")
COUNTS = ("arena_bytes", "state_bytes", "code_bytes", "stack_bytes", "weight_bytes", "instructions", "cycles")


def wake_word_models() -> list[Path]:
    """The wake-word models of the package pymicro-wakeword, where it is installed."""
    try:
        import pymicro_wakeword
    except ImportError:
        return []
    folder = Path(pymicro_wakeword.__file__).parent / "models"
    return sorted(folder.glob("*.tflite"))


def is_integer(graph: Graph) -> bool:
    """Whether all activations between the boundary quantizations are integers."""
    floats = sum(t.dtype is DType.FLOAT32 for t in graph.tensors.values())
    return floats <= len(graph.inputs) + len(graph.outputs)


def output_sha256(compiled: patchloom.api.Compiled, board: str) -> str:
    """First 16 hex digits of the SHA-256 of the output bytes for the pseudo-random input, on the core."""
    library = compiled.library
    with tempfile.TemporaryDirectory() as work:
        program = build(
            compiled.folder, library.view, library.graph, boards.load(board), Path(work), hooked=False
        )
        outcome = execute(program, lcg_samples(library.graph), checks=False)
    outputs = outcome.samples[0].outputs
    return hashlib.sha256(b"".join(outputs[n].tobytes() for n in library.graph.outputs)).hexdigest()[:16]


def measure(model: Path, core: str) -> dict[str, Any]:
    """Figures of one model on one core by goal; equal choices of kernels are measured once."""
    board = f"generic-{core}"
    found: dict[str, Any] = {}
    kernels: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as work:
        for goal in GOALS:
            compiled = patchloom.compile(model, board, Path(work) / goal, goal=goal)
            kernels[goal] = [s.kernel for s in compiled.library.plan.steps]
            same = next((g for g in found if kernels[g] == kernels[goal]), None)
            found[goal] = found[same] if same else figures_of(compiled, board)
    return found


def figures_of(compiled: patchloom.api.Compiled, board: str) -> dict[str, Any]:
    """Sizes and counts of a library."""
    profile = patchloom.profile(compiled.folder)
    figures = compiled.figures()
    keys = ("arena_bytes", "state_bytes", "ram_bytes", "weight_bytes", "code_bytes", "stack_bytes", "macs")
    return {
        **{k: figures[k] for k in keys},
        "stack_measured_bytes": profile.stack_measured_bytes,
        "instructions": profile.instructions,
        "cycles": profile.cycles,
        "cycle_model": profile.cycle_model,
        "output_sha256": output_sha256(compiled, board),
    }


def measure_all(model: Path, cores: Sequence[str]) -> dict[str, Any] | None:
    """Figures of one model by core and goal, None for float models."""
    graph = patchloom.load(model)
    if not is_integer(graph):
        return None
    everywhere = graph.name in EVERYWHERE or graph.name in {n.__name__ for n in NETWORKS}
    chosen = [c for c in cores if everywhere or c in FEW_CORES]
    return {"macs": graph.macs, "cores": {core: measure(model, core) for core in chosen}}


def counted(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Figures by "model on core for goal"."""
    return {
        f"{name} on {core} for {goal}": figures
        for name, entry in results.items()
        for core, goals in entry["cores"].items()
        for goal, figures in goals.items()
    }


def worse(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Counts that grew by more than 1 %."""
    found, before = [], counted(old)
    for name, figures in counted(new).items():
        if name not in before:
            found.append(f"{name}: not in results.json")
            continue
        found += [
            f"{name}: {k} {before[name][k]} -> {figures[k]}"
            for k in COUNTS
            if figures[k] is not None and (before[name][k] is None or figures[k] > before[name][k] * WORSE)
        ]
    return found


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The figures of `new` in the place of the old ones."""
    both = dict(old)
    for name, entry in new.items():
        both[name] = entry | {"cores": old.get(name, {}).get("cores", {}) | entry["cores"]}
    return both


def builtin_models(folder: Path) -> list[Path]:
    """The networks of networks.py as files."""
    paths = []
    for network in NETWORKS:
        graph = network()
        paths.append(folder / f"{graph.name}.tflite")
        paths[-1].write_bytes(to_tflite(graph))
    return paths


def main() -> int:
    """Run, write or check."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--core", nargs="*", default=CORES)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    if not args.models.is_dir():
        print(
            f"without the reference models, which are not in {args.models} (give --models)", file=sys.stderr
        )
    old = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    new: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as work:
        models = [*builtin_models(Path(work)), *sorted(args.models.glob("*.tflite")), *wake_word_models()]
        chosen = [m for m in models if not args.only or m.stem in args.only]
        for model in track(chosen, description="measuring"):
            try:
                figures = measure_all(model, args.core)
            except UserError as e:
                print(f"{model.stem}: {e}", file=sys.stderr)
                return 1
            if figures:
                new[model.stem] = figures
    if args.check:
        problems = worse(old, new)
        print("\n".join(problems) or f"{len(new)} models are as committed or better")
        return 1 if problems else 0
    latest = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}  # another run may have written
    both = merged(latest, new)
    RESULTS.write_text(json.dumps(both, indent=1, sort_keys=True) + "\n")
    peers = json.loads((HERE / "peers.json").read_text())
    readme = HERE / "README.md"
    before, marker, _ = readme.read_text().partition("<!-- table -->\n")
    text = tables(both, peers)
    readme.write_text(before + marker + text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
