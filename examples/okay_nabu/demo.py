"""A wake word on an emulated Cortex-M4: compile a real model, speak to it, compare it with its peers.

    python demo.py [--short] [-o FOLDER]

Exit code: 0 all equal, 1 a bit or a decision differs, 2 something is missing.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
from pathlib import Path

PACKAGES = ("numpy", "patchloom", "pymicro_features", "pymicro_wakeword", "rich", "tflite_micro")


def missing() -> str | None:
    """A hint about the first thing this demo needs and does not find."""
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            return (
                f"the Python package {package} is missing: `make setup`, or pip install patchloom[demo,tflm]"
            )
    if shutil.which("espeak-ng") is None:
        return "espeak-ng is not installed: run `make setup`, or apt-get install espeak-ng"
    return None


def main() -> int:
    """Run the demo and return its exit code."""
    parser = argparse.ArgumentParser(description="A wake word on an emulated Cortex-M4.")
    parser.add_argument("--short", action="store_true", help="2 voices and 2 sentences at one speed")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("build/okay_nabu"), help="folder of the C library"
    )
    arguments = parser.parse_args()
    if hint := missing():
        print(f"error: {hint}", file=sys.stderr)
        return 2
    # only now: these need what was looked for above
    from patchloom.errors import UserError
    from steps import run

    try:
        return 0 if run(arguments.output, arguments.short) else 1
    except UserError as e:
        print("error: " + "; ".join(filter(None, (e.message, e.found, e.hint))), file=sys.stderr)
        return e.exit_code


if __name__ == "__main__":
    sys.exit(main())
