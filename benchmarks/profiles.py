"""Write profiles.md: cost per layer of the MLPerf Tiny models on the Cortex-M4 and M55.

python benchmarks/profiles.py [--models FOLDER]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import patchloom
from run import MODELS
from tables import markdown

CORES = ("cortex-m4", "cortex-m55")
NAMES = ("vww_96_int8", "pretrainedResnet_quant", "kws_ref_model", "ad01_int8")
REPORT = Path(__file__).parent / "profiles.md"


def layers(profile: patchloom.api.Profile) -> str:
    """One row per layer, the most expensive marked."""
    cost = [layer.cycles if layer.cycles is not None else layer.instructions for layer in profile.layers]
    most = sorted(cost, reverse=True)[:3]
    rows = [
        (
            f"**{layer.op}**" if c in most else layer.op,
            f"`{layer.kernel.removeprefix('pl_')}`",
            f"{layer.macs:,}",
            f"{layer.instructions:,}",
            "" if layer.cycles is None else f"{layer.cycles:,}",
            f"{layer.macs / c:.2f}" if layer.macs else "",
            f"{c / sum(cost):.1%}",
        )
        for layer, c in zip(profile.layers, cost, strict=True)
    ]
    return markdown(("layer", "kernel", "MACs", "instructions", "cycles", "MACs/cycle", "share"), rows)


def main() -> int:
    """Profile and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=MODELS)
    args = parser.parse_args()
    parts = [
        "# Cost per layer\n",
        "Made by `python benchmarks/profiles.py`, for `--goal latency`. The three largest ",
    ]
    parts[-1] += "costs of each model are in bold.\n"
    for name in NAMES:
        model = args.models / f"{name}.tflite"
        if not model.is_file():
            print(f"{model} is not there (give --models)", file=sys.stderr)
            return 2
        for core in CORES:
            with tempfile.TemporaryDirectory() as work:
                compiled = patchloom.compile(model, f"generic-{core}", Path(work) / "lib", goal="latency")
                profile = patchloom.profile(compiled.folder)
            total = "" if profile.cycles is None else f", {profile.cycles:,} cycles ({profile.cycle_model})"
            parts += [f"## {name} on {core}: {profile.instructions:,} instructions{total}\n", layers(profile)]
    REPORT.write_text("\n".join(parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
