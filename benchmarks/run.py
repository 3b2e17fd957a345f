"""Measure the reference models on the emulated Cortex-M4 and keep the figures in results.json and README.md.

    python benchmarks/run.py [--models FOLDER] [--only NAME ...] [--check]

--check changes nothing and fails (exit code 1) when a committed count got worse by more than 1 %, or
when the counts cannot be compared because results.json lacks the model.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import patchloom
from patchloom import boards
from patchloom.api import lcg_samples
from patchloom.emulation.harness import build, execute
from patchloom.errors import UserError
from patchloom.ir import DType, Graph
from rich.progress import track

HERE = Path(__file__).parent
MODELS = HERE.parent.parent / "shared" / "models"
RESULTS = HERE / "results.json"
BOARD = "generic-cortex-m4"
WORSE = 1.01
COUNTS = ("arena_bytes", "state_bytes", "code_bytes", "stack_bytes", "m4_instructions", "m4_cycles")


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


def output_sha256(compiled: patchloom.api.Compiled) -> str:
    """First 16 hex digits of the SHA-256 of the output bytes for the pseudo-random input, on the M4."""
    library = compiled.library
    with tempfile.TemporaryDirectory() as work:
        program = build(
            compiled.folder, library.view, library.graph, boards.load(BOARD), Path(work), hooked=False
        )
        outcome = execute(program, lcg_samples(library.graph), checks=False)
    outputs = outcome.samples[0].outputs
    return hashlib.sha256(b"".join(outputs[n].tobytes() for n in library.graph.outputs)).hexdigest()[:16]


def measure(model: Path) -> dict[str, Any] | None:
    """Figures of one model, None for float models."""
    if not is_integer(patchloom.load(model)):
        return None
    with tempfile.TemporaryDirectory() as work:
        compiled = patchloom.compile(model, BOARD, Path(work) / "lib")
        profile = patchloom.profile(compiled.folder)
        figures = compiled.figures()
        keys = (
            "macs",
            "arena_bytes",
            "state_bytes",
            "ram_bytes",
            "weight_bytes",
            "code_bytes",
            "stack_bytes",
        )
        return {
            **{k: figures[k] for k in keys},
            "stack_measured_bytes": profile.stack_measured_bytes,
            "m4_instructions": profile.instructions,
            "m4_cycles": profile.cycles,
            "output_sha256": output_sha256(compiled),
        }


def table(results: dict[str, Any], peers: dict[str, Any]) -> str:
    """The Markdown table of README.md."""
    columns = ["model", "arena", "TFLM", "ratio", "state", "weights", "code", "stack"]
    columns += ["M4 instructions", "TFLM", "M4 cycles", "TFLM", "ratio"]
    lines = [f"| {' | '.join(columns)} |", "|---" + "|---:" * (len(columns) - 1) + "|"]
    known = peers["tflm_cmsis_nn"]["models"]
    for name, r in sorted(results.items()):
        p = known.get(name, {})

        def peer(key: str, p: dict[str, Any] = p) -> str:
            return f"{p[key]:,}" if key in p else ""

        def ratio(ours: int, key: str, p: dict[str, Any] = p) -> str:
            return f"{ours / p[key]:.2f}" if key in p else ""

        cells = [
            name,
            f"{r['arena_bytes']:,}",
            peer("arena_bytes"),
            ratio(r["arena_bytes"], "arena_bytes"),
            f"{r['state_bytes']:,}",
            f"{r['weight_bytes']:,}",
            f"{r['code_bytes']:,}",
            f"{r['stack_bytes']:,}",
            f"{r['m4_instructions']:,}",
            peer("m4_instructions"),
            f"{r['m4_cycles']:,}",
            peer("m4_cycles"),
            ratio(r["m4_cycles"], "m4_cycles"),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def worse(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Counts that grew by more than 1 %."""
    found = []
    for name, figures in new.items():
        if name not in old:
            found.append(f"{name}: not in results.json")
            continue
        found += [
            f"{name}: {k} {old[name][k]} -> {figures[k]}" for k in COUNTS if figures[k] > old[name][k] * WORSE
        ]
    return found


def main() -> int:
    """Run, write or check."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    if not args.models.is_dir():
        print(f"the reference models are not there: {args.models} (give --models)", file=sys.stderr)
        return 2
    models = [
        m
        for m in [*sorted(args.models.glob("*.tflite")), *wake_word_models()]
        if not args.only or m.stem in args.only
    ]
    old = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    new: dict[str, Any] = {}
    for model in track(models, description="measuring"):
        try:
            figures = measure(model)
        except UserError as e:
            print(f"{model.stem}: {e}", file=sys.stderr)
            return 1
        if figures:
            new[model.stem] = figures
    if args.check:
        problems = worse(old, new)
        print("\n".join(problems) or f"{len(new)} models are as committed or better")
        return 1 if problems else 0
    merged = {**old, **new} if args.only else new
    RESULTS.write_text(json.dumps(merged, indent=2, sort_keys=True) + "\n")
    peers = json.loads((HERE / "peers.json").read_text())
    readme = HERE / "README.md"
    before, marker, _ = readme.read_text().partition("<!-- table -->\n")
    readme.write_text(before + marker + table(merged, peers))
    print(table(merged, peers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
