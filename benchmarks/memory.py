"""Measure the fronts of RAM and latency on the Cortex-M4, for memory.json, memory.md and memory.svg.

    python benchmarks/memory.py [--models FOLDER] [--only NAME ...] [--missing] [--tables] [--search-time]

Every plan of a front is listed: {model, input, ram_bytes, mac_factor, cycles, plan, measured}. Measured are
the plan of whole tensors, the fastest and the smallest of the front, and those that decide whether a target
is reached: they are linked, run on the emulated core and compared with the reference; `ram_bytes` is arena,
state, writable symbols and stack beyond 512 B. Of all others `ram_bytes` is arena and state, and `cycles`
the prediction of the cost tables.

With --only other models keep what was measured of them before. --search-time measures how long the planner
takes, for search_time.json and memory.md, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import search_time
from memory_report import write_report
from memory_targets import INPUTS, TARGETS, Limit
from networks import NETWORKS
from patchloom import boards
from patchloom.api import lcg_samples
from patchloom.codegen import KERNELS
from patchloom.codegen.pipeline import Options, Prepared, choice_of, front, generate, prepare
from patchloom.emulation.footprint import figures, measure
from patchloom.emulation.profile import profile_library
from patchloom.emulation.verify import verify_library
from patchloom.export.tflite import to_tflite
from patchloom.passes.planner import Plan, plan
from rich.progress import track
from run import MODELS

HERE = Path(__file__).parent
RESULTS = HERE / "memory.json"
BOARD = "generic-cortex-m4"
RECOMPUTED = 0.005
"""MACs are "1.00 x" up to this much more."""
WHOLE = "whole tensors"
TRIES = 3

Entry = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A plan and what is predicted of it."""

    plan: Plan
    text: str
    mac_factor: float
    cycles: float

    @property
    def ram_bytes(self) -> int:
        """Arena and state."""
        return self.plan.arena_bytes + self.plan.state_bytes


def plan_text(plan: Plan) -> str:
    """Which layers run in stages: `1-12 in 2 strips, 13-20`."""
    number = {step.op: i for i, step in enumerate(plan.steps, 1)}
    parts = [
        f"{number[s.ops[0]]}-{number[s.ops[-1]]}{f' in {s.passes} strips' if s.passes > 1 else ''}"
        for s in plan.stages
    ]
    parts += [f"{name} in {n} channel blocks" for name, n in plan.channel_blocks]
    return ", ".join(parts) or WHOLE


def candidates(p: Prepared) -> list[Candidate]:
    """The front, from the fastest plan to the smallest."""
    found = front(p.graph, boards.load(BOARD), p.options).points()
    macs = max(1, p.graph.macs)
    return [Candidate(q.plan, plan_text(q.plan), q.macs / macs, q.cycles) for q in found]


def whole(p: Prepared, cycles: float) -> Candidate | None:
    """The plan that compile makes without a limit; None where the caller gives rows."""
    if p.options.input_mode == "rows":
        return None
    board = boards.load(BOARD)
    choice = choice_of(p.graph, board, p.options)
    made = plan(p.graph, board.isa, KERNELS, input_mode=p.options.input_mode, choice=choice)
    return Candidate(made, WHOLE, 1.0, cycles)


class Measurer:
    """Measures plans of one model, each once."""

    def __init__(self, p: Prepared, model: str) -> None:
        self._p, self._model = p, model
        self.known: dict[int, Entry] = {}

    def entry(self, c: Candidate) -> Entry:
        """Figures of a plan: measured where it has been."""
        found = self.known.get(
            id(c), {"ram_bytes": c.ram_bytes, "cycles": round(c.cycles), "measured": False}
        )
        about = {"model": self._model, "input": self._p.options.input_mode}
        return {**about, **found, "mac_factor": round(c.mac_factor, 4), "plan": c.text}

    def measure(self, c: Candidate) -> Entry:
        """Link, count, and compare with the reference."""
        if id(c) not in self.known:
            self.known[id(c)] = self._measured(c)
        return self.entry(c)

    def _measured(self, c: Candidate) -> Entry:
        board = boards.load(BOARD)
        library = generate(self._p, board, stored=c.plan)
        with tempfile.TemporaryDirectory() as work:
            folder = Path(work)
            for name, data in library.files.items():
                (folder / name).write_bytes(data)
            found = figures(library, measure(library, board))
            samples = lcg_samples(library.graph)
            verification = verify_library(library, folder, samples, "qemu")
            assert verification.passed, f"{self._model}, {c.text}: {verification.first}"
            profile = profile_library(library, folder, samples * 2)
        return {"ram_bytes": found["ram_bytes"], "cycles": profile.cycles, "measured": True}


def deciding(found: Sequence[Candidate], limit: Limit, m: Measurer) -> None:
    """Measure the fastest plan within a limit, or the smallest of few enough MACs where none is."""
    allowed = [c for c in found if c.mac_factor <= limit.mac_factor + RECOMPUTED]
    fitting = [c for c in allowed if c.ram_bytes <= limit.ram_bytes]
    for c in fitting[:TRIES]:
        if m.measure(c)["ram_bytes"] <= limit.ram_bytes:
            return
    if allowed:
        m.measure(min(allowed, key=lambda c: (c.ram_bytes, c.cycles)))


def entries(model: Path, mode: Any) -> list[Entry]:
    """The front of a model; what matters of it is measured."""
    p = prepare(model, Options(BOARD, None, mode))
    m = Measurer(p, model.stem)
    found = candidates(p)
    base = None if found[0].text == WHOLE else whole(p, found[0].cycles)
    if base:
        m.measure(base)
    for c in (found[0], found[-1]):
        m.measure(c)
    for target in TARGETS:
        if target.model == model.stem and mode in target.inputs:
            for limit in target.limits:
                deciding(found, limit, m)
    return [m.entry(c) for c in ([base] if base else []) + found]


def merged(old: Iterable[Entry], new: Iterable[Entry]) -> list[Entry]:
    """The entries of `new` in the place of those of the same models and inputs."""
    added = list(new)
    replaced = {(e["model"], e["input"]) for e in added}
    kept = [e for e in old if (e["model"], e["input"]) not in replaced]
    return sorted([*kept, *added], key=lambda e: (e["model"], e["input"], -e["ram_bytes"], e["cycles"]))


def read() -> list[Entry]:
    """What has been measured so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else []


def write(found: Sequence[Entry]) -> None:
    """memory.json, one entry per line."""
    lines = ",\n".join(json.dumps(e, sort_keys=True) for e in found)
    RESULTS.write_text(f"[\n{lines}\n]\n")


def jobs(models: Path, only: Sequence[str], work: Path) -> Iterator[tuple[Path, str]]:
    """(model, input) of all fronts: the networks of networks.py, and the reference models that are there."""
    for network in NETWORKS:
        graph = network()
        if not only or graph.name in only:
            path = work / f"{graph.name}.tflite"
            path.write_bytes(to_tflite(graph))
            yield path, "arena"
    for name, modes in INPUTS.items():
        path = models / f"{name}.tflite"
        if (not only or name in only) and path.is_file():
            yield from ((path, mode) for mode in modes)


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--missing", action="store_true", help="leave out what memory.json holds")
    parser.add_argument("--tables", action="store_true", help="write table and picture of memory.json only")
    parser.add_argument("--search-time", action="store_true", help="measure only how long the search takes")
    args = parser.parse_args()
    if not args.models.is_dir():
        print(
            f"without the reference models, which are not in {args.models} (give --models)", file=sys.stderr
        )
    if args.search_time:
        search_time.measure(args.models, args.only)
    elif not args.tables:
        with tempfile.TemporaryDirectory() as name:
            known = {(e["model"], e["input"]) for e in read()} if args.missing else set()
            chosen = [j for j in jobs(args.models, args.only, Path(name)) if (j[0].stem, j[1]) not in known]
            for model, mode in track(chosen, description="measuring"):
                new = entries(model, mode)
                write(merged(read(), new))  # after every front: a long run can be continued
    write_report(read(), HERE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
