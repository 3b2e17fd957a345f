"""Measure every kernel on the emulated cores and write the cost tables that kernels are chosen by.

    python benchmarks/costs.py [--core CORE ...] [--kernel TEXT] [--report]

Each kernel runs the layers of shapes.py and float_shapes.py that it accepts. Its costs per loop round are
fitted by least squares on relative errors, none negative. --report only prints the errors of the tables as
they are, on layers of another seed. Tables are written to codegen/costs/<core>.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from float_shapes import float_cases
from map_shapes import map_cases
from patchloom import boards
from patchloom.boards import Board
from patchloom.codegen import KERNELS
from patchloom.codegen.costs import TABLES
from patchloom.emulation import counts
from patchloom.emulation.trial import Cost, merge, run_trial
from patchloom.errors import UserError
from patchloom.ir import DType, Graph
from patchloom.passes.planner.kernel import Kernel, plain_work
from rich.progress import track
from shapes import all_cases
from sums_shapes import sums_cases
from tables import markdown

CORES: tuple[str, ...] = (
    "cortex-m0",
    "cortex-m0plus",
    "cortex-m3",
    "cortex-m4",
    "cortex-m7",
    "cortex-m33",
    "cortex-m55",
)
CORES += ("rv32imc", "rv32gcv", "rv64gcv")
OVERVIEW = Path(__file__).parent / "kernels.md"
MAX_CASES = 26
MAX_PLAIN_CASES = 12
BATCH = 26
LEAST_COST = 0.1
"""Of an output element. Less was spent where there was nothing to do."""
HELD_OUT = 2


def accepted(kernel: Kernel, cases: Sequence[Graph]) -> list[Graph]:
    """Cases of the kernel's operator that it can run, spread over the grid."""
    found = [g for g in cases if type(g.ops[0]) is kernel.op and kernel.accepts(g.ops[0], g.tensors)]
    most = MAX_CASES if kernel.work is not plain_work else MAX_PLAIN_CASES
    step = max(1, len(found) / most)
    picked = [found[int(i * step)] for i in range(min(len(found), most))]
    for graph in found:  # every loop body that some case has
        known = {n for g in picked for n in rounds_of(kernel, g)}
        if not rounds_of(kernel, graph) <= known:
            picked += [g for g in found if rounds_of(kernel, g) == rounds_of(kernel, graph)][:3]
    return picked


def rounds_of(kernel: Kernel, graph: Graph) -> set[str]:
    """Names of the loop bodies that run for a layer."""
    return {name for name, count in kernel.work(graph.ops[0], graph.tensors).items() if count}


def samples_of(cases: Sequence[Graph]) -> list[dict[str, np.ndarray]]:
    """One sample of `merge(cases)`: random bytes, and floats as they are behind a normalization."""
    graph, rng = merge(cases), np.random.default_rng(len(cases))
    sample = {n: rng.integers(-128, 128, graph[n].shape).astype(graph[n].dtype.numpy) for n in graph.inputs}
    floats = [n for n in graph.inputs if graph[n].dtype is DType.FLOAT32]
    return [sample | {n: rng.normal(0, 2, graph[n].shape).astype(np.float32) for n in floats}]


def has_lengths(graph: Graph) -> bool:
    """Whether it is a recurrent layer on sequences of lengths that only its inputs tell."""
    return getattr(graph.ops[0], "lengths", None) is not None


def spent(cost: Cost, unit: str) -> int:
    """The count that the table is about; 0 where nothing ran."""
    return (cost.cycles if unit == "cycles" else cost.instructions) or 0


def run(kernel: Kernel, cases: Sequence[Graph], board: Board, unit: str) -> tuple[np.ndarray, int]:
    """(count of each case, bytes of code); kernels for stages alone run over whole maps, too."""
    found: list[int] = []
    code = 0
    for at in range(0, len(cases), BATCH):
        batch = cases[at : at + BATCH]
        trial = run_trial(batch, board, [replace(kernel, sums=False)], samples_of(batch), count=True)
        found += [spent(c, unit) for c in trial.costs]
        code = max(code, trial.code_bytes)
    return np.array(found, float), code


def fit(work: Sequence[dict[str, int]], measured: np.ndarray) -> dict[str, float]:
    """Costs per round, none negative, with the least sum of squared relative errors."""
    names = list(dict.fromkeys(n for w in work for n in w))
    counts_of = np.array([[w.get(n, 0) for n in names] for w in work], float)
    solution = nonnegative(counts_of / measured[:, None], np.ones(len(measured)))
    return {n: round(float(cost), 4) for n, cost in zip(names, solution, strict=True)}


def nonnegative(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """x >= 0 with the least |a x - b|: Lawson and Hanson 1974, "Solving Least Squares Problems", chapter 23.

    Columns are scaled to length 1 first, so that one tolerance does for all of them.
    """
    lengths = np.linalg.norm(a, axis=0)
    a = a / np.where(lengths > 0, lengths, 1)
    x, used = np.zeros(a.shape[1]), np.zeros(a.shape[1], bool)
    for _ in range(10 * a.shape[1]):
        gain = np.where(used, -np.inf, a.T @ (b - a @ x))
        if gain.max() < 1e-9:
            break
        used[int(gain.argmax())] = True
        while used.any():
            best = np.zeros_like(x)
            best[used] = np.linalg.lstsq(a[:, used], b, rcond=1e-9)[0]
            if (best[used] > 0).all():
                x = best
                break
            falling = used & (best <= 0)
            step = (x[falling] / np.maximum(x[falling] - best[falling], 1e-300)).min()
            x = x + step * (best - x)
            used &= x > 1e-12
    return x / np.where(lengths > 0, lengths, 1)


def errors(
    kernel: Kernel, cases: Sequence[Graph], rounds: dict[str, float], measured: np.ndarray
) -> np.ndarray:
    """Relative errors of the prediction."""
    predicted = [
        sum(rounds.get(n, 0) * c for n, c in kernel.work(g.ops[0], g.tensors).items()) for g in cases
    ]
    return np.abs(np.array(predicted) / measured - 1)


def measure(kernel: Kernel, board: Board, unit: str, cases: Sequence[Graph]) -> dict[str, Any] | None:
    """The table entry of one kernel; None where the grid has too few layers for it."""
    chosen = accepted(kernel, cases)
    if len(chosen) < 3:
        return None
    measured, code = run(kernel, chosen, board, unit)
    least = np.array([LEAST_COST * g[g.outputs[0]].elements for g in chosen])
    chosen = [g for g, ran in zip(chosen, measured > least, strict=True) if ran]
    measured = measured[measured > least]
    if len(chosen) < 3:
        return None
    work = [dict(kernel.work(g.ops[0], g.tensors)) for g in chosen]
    rounds = fit(work, measured)
    off = errors(kernel, chosen, rounds, measured)
    return {
        "rounds": rounds,
        "code_bytes": code,
        "layers": len(chosen),
        "median_error": round(float(np.median(off)), 4),
        "worst_error": round(float(off.max()), 4),
    }


def usable(board: Board, text: str) -> list[Kernel]:
    """Kernels the core can run whose name has `text` in it."""
    return [k for k in KERNELS if k.features <= board.isa and text in k.name]


def table(core: str, text: str, cases: Sequence[Graph]) -> dict[str, Any]:
    """The cost table of a core; with `text`, the old one with those kernels measured anew."""
    board, path = boards.load(f"generic-{core}"), TABLES / f"{core}.json"
    model = counts.cycle_model(core)
    unit = "cycles" if model else "instructions"
    old = json.loads(path.read_text()) if text and path.is_file() else {}
    known = {(k.name, k.op.kind()) for k in KERNELS}
    kernels: dict[str, Any] = {}
    if (old.get("unit"), old.get("cycle_model")) == (
        unit,
        model,
    ):  # else nothing old can stand beside the new
        for name, ops in old["kernels"].items():
            kernels[name] = {op: entry for op, entry in ops.items() if (name, op) in known}
    for kernel in track(usable(board, text), description=core):
        entry = measure(kernel, board, unit, cases)
        if entry:
            kernels.setdefault(kernel.name, {})[kernel.op.kind()] = entry
    return {"core": core, "unit": unit, "cycle_model": model, "kernels": kernels}


def report(core: str, text: str, cases: Sequence[Graph]) -> None:
    """Print the errors of the committed table on `cases`."""
    board, data = boards.load(f"generic-{core}"), json.loads((TABLES / f"{core}.json").read_text())
    for kernel in usable(board, text):
        entry = data["kernels"].get(kernel.name, {}).get(kernel.op.kind())
        chosen = accepted(kernel, cases)
        if entry and chosen:
            measured, _ = run(kernel, chosen, board, data["unit"])
            off = errors(kernel, chosen, entry["rounds"], measured)
            print(
                f"{core} {kernel.name} {kernel.op.kind()}: {np.median(off):.1%} median, {off.max():.1%} worst"
            )


_ABOUT = """# Kernels

Made by `python benchmarks/costs.py`. Bytes of code are all that a library with this kernel alone gets;
kernels of one library share some of it. Errors are those of the fit, in relation to the count.
"""


def overview() -> str:
    """All tables as Markdown: code of each kernel, and how well its cost is fitted."""
    parts = [_ABOUT]
    for path in sorted(TABLES.glob("*.json")):
        data = json.loads(path.read_text())
        rows = [
            (
                f"`{name}`",
                op,
                *(str(entry[k]) for k in ("code_bytes", "layers")),
                *(f"{entry[k]:.1%}" for k in ("median_error", "worst_error")),
            )
            for name, ops in data["kernels"].items()
            for op, entry in ops.items()
        ]
        head = ("kernel", "operator", "code bytes", "layers", "median error", "worst error")
        parts += [
            f"## {data['core']}, {data['unit']} ({data['cycle_model'] or 'no model'})\n",
            markdown(head, rows),
        ]
    return "\n".join(parts)


def main() -> int:
    """Measure, or report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--core", nargs="*", default=CORES)
    parser.add_argument("--kernel", default="", help="only kernels with this text in their names")
    parser.add_argument("--report", action="store_true")
    args = parser.parse_args()
    seed = HELD_OUT if args.report else 1
    cases = all_cases(seed) + float_cases(seed) + sums_cases(seed) + map_cases(seed)
    cases = [g for g in cases if not has_lengths(g)]
    TABLES.mkdir(exist_ok=True)
    for core in args.core:
        try:
            if args.report:
                report(core, args.kernel, cases)
                continue
            text = json.dumps(table(core, args.kernel, cases), indent=1, sort_keys=True)
        except UserError as e:
            print(f"{core}: {e}", file=sys.stderr)
            return 1
        (TABLES / f"{core}.json").write_text(text + "\n")
    if set(args.core) == set(CORES) or args.kernel:
        OVERVIEW.write_text(overview())
    return 0


if __name__ == "__main__":
    sys.exit(main())
