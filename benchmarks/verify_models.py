"""Verify every integer reference model bit for bit on the host and on every emulated core.

    python benchmarks/verify_models.py [--models FOLDER] [--only NAME ...] [--cores CORE ...]
                                       [--host-samples 1000] [--samples 20] [--large-samples 2]

Layer outputs, state and outputs are compared, and the NumPy reference with TensorFlow Lite Micro. Models of
more than 15 million MACs run `--large-samples` on emulated cores, stateful ones a sequence of 50 frames.
Prints one line per model and core, and exits with 1 when anything differs, or when the measured stack exceeds
the reported one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import patchloom
from patchloom.errors import UserError
from run import MODELS, is_integer, wake_word_models

CORES = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "rv32imc")
LARGE_MACS = 15_000_000


def verify_one(model: Path, core: str, samples: int) -> bool:
    """Compile for `generic-<core>` (host: for cortex-m4) and verify; prints one line."""
    start = time.monotonic()
    board = "generic-cortex-m4" if core == "host" else f"generic-{core}"
    with tempfile.TemporaryDirectory() as work:
        try:
            compiled = patchloom.compile(model, board, Path(work) / "lib")
            result = patchloom.verify(
                compiled.folder, samples=samples, on="host" if core == "host" else "qemu"
            )
        except UserError as e:
            print(f"{model.stem:26} {core:11} FAILED {e}", flush=True)
            return False
    f = result.figures()
    stack = compiled.figures()["stack_bytes"]
    within = core == "host" or f["stack_measured_bytes"] <= stack
    good = result.passed and f["bit_exact"] and within
    print(
        f"{model.stem:26} {core:11} {'bit-exact' if good else 'DIFFERENT'} {samples:5} samples, "
        f"{f['mismatches']} differ, {f['layers_compared']} layers; "
        f"stack {f['stack_measured_bytes']} of {stack} B; {f['reference']} {f['reference_version']}: "
        f"{f['reference_mismatches']} of {f['reference_samples']} differ; "
        f"{time.monotonic() - start:.0f} s",
        flush=True,
    )
    return good


def main() -> int:
    """Verify all, report at the end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--cores", nargs="*", default=["host", *CORES])
    parser.add_argument("--host-samples", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--large-samples", type=int, default=2)
    args = parser.parse_args()
    models = [*sorted(args.models.glob("*.tflite")), *wake_word_models()]
    bad = 0
    for model in models:
        if args.only and model.stem not in args.only:
            continue
        graph = patchloom.load(model)
        if not is_integer(graph):
            continue
        for core in args.cores:
            small = 50 if graph.states else args.samples
            samples = args.large_samples if graph.macs > LARGE_MACS else small
            bad += not verify_one(model, core, args.host_samples if core == "host" else samples)
    print(f"{bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
