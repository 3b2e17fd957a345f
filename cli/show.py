"""How results look for people. Measured, estimated and unknown figures are told apart."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ..api import Compiled, ParetoPoint, Verified
from ..boards import Board
from ..emulation.fit import STACK_BYTES, Fit
from ..emulation.profile import Profile
from .output import number, print_table, print_text


def compiled(result: Compiled) -> None:
    """Memory table of a compiled library."""
    f = result.figures()
    proven = (
        "proven minimal for this order"
        if f["plan"]["arena_proven_minimal"]
        else (f"lower bound {number(f['plan']['arena_lower_bound_bytes'])}")
    )
    arenas = [(f"  of that in {name}", number(n), "RAM") for name, n in f["regions"].items()]
    rows = [
        ("arena", number(f["arena_bytes"]), f"RAM; {proven}"),
        *(arenas if result.library.plan.arenas else ()),
        ("state", number(f["state_bytes"]), "RAM, lives between runs"),
        ("stack", number(f["stack_bytes"]), "RAM, worst case of run()"),
        ("RAM", number(f["ram_bytes"]), "arena + state + writable symbols + stack beyond 512"),
        ("weights", number(f["weight_bytes"]), "flash"),
        ("code", number(f["code_bytes"]), "flash, layers and kernels"),
        ("MACs", number(f["macs"]), "per inference"),
    ]
    print_table(["what", "bytes>", "where"], rows, f"{f['name']} for {f['board']} in {result.folder}")
    if result.footprint is None:
        print_text("code and stack are unknown: the board's toolchain is not installed (patchloom doctor)")
    print_text(f"next: patchloom verify {shlex.quote(str(result.folder))}")


def verified(result: Verified) -> None:
    """Verdict, then what it rests on."""
    f = result.figures()
    verdict = "bit-exact" if f["bit_exact"] else "within tolerance" if f["within_tolerance"] else "DIFFERENT"
    print_text(
        f"{verdict}: {f['samples']} samples on {f['on']} ({f['board']}), {f['mismatches']} differ, "
        f"largest difference {f['max_abs_diff']:g}; {f['layers_compared']} layer outputs compared per sample"
    )
    version = f" {f['reference_version']}" if f["reference_version"] else ""
    print_text(
        f"reference against {f['reference']}{version}: {f['reference_samples']} samples, "
        f"{f['reference_mismatches']} differ, largest difference {f['reference_max_abs_diff']:g}"
    )
    if f["stack_measured_bytes"] is not None:
        print_text(f"stack used: {number(f['stack_measured_bytes'])} bytes (measured)")
    if f["damaged_guards"]:
        print_text(f"bytes outside the arena were changed after {f['damaged_guards']} runs")
    for m in f["first_mismatches"]:
        print_text(f"  sample {m['sample']}: first difference in {m['what']}")


def profiled(p: Profile) -> None:
    """Counts per layer. Without cycles, MACs are told per instruction."""
    rows = [
        (
            layer.name[:40],
            layer.op,
            number(layer.macs),
            number(layer.instructions),
            number(layer.cycles),
            f"{layer.macs / layer.instructions if p.cycles is None else layer.macs_per_cycle or 0:.2f}",
            f"{100 * layer.share:.1f}",
        )
        for layer in p.layers
    ]
    rate = "MAC/cycle>" if p.cycles is not None else "MAC/instr>"
    print_table(
        ["layer", "op", "MACs>", "instructions>", "cycles>", rate, "share %>"], rows, f"{p.board} ({p.core})"
    )
    model = (
        f"cycle model {p.cycle_model}" if p.cycle_model else f"no cycle model for {p.core}: cycles unknown"
    )
    total_text = f"{number(p.instructions)} instructions, {number(p.cycles)} cycles per inference"
    print_text(f"total {total_text} ({model}; {p.source})")


def fits(model: str, result: Sequence[Fit]) -> None:
    """One line per board."""
    rows = [
        (
            f.board + ("" if f.real else " *"),
            f.core,
            number(f.arena_bytes + f.state_bytes),
            number(f.sram_bytes),
            number(f.weight_bytes),
            number(f.code_bytes),
            number(f.flash_bytes),
            "unknown" if f.latency_ms is None else f"~{f.latency_ms:,.1f}",
            _verdict(f),
        )
        for f in result
    ]
    print_table(
        [
            "board",
            "core",
            "arena+state>",
            "of RAM>",
            "weights>",
            "code>",
            "of flash>",
            "ms (estimate)>",
            "fits",
        ],
        rows,
        model,
    )
    print_text(
        "* no real board. Latency is an estimate from the cost tables of the kernels; memory is exact, "
        f"{STACK_BYTES} B of RAM are kept for the stack."
    )
    for text in dict.fromkeys(_smallest(f) for f in result if f.smallest):
        print_text(text)
    for advice in dict.fromkeys(f.advice for f in result if f.advice):
        print_text(f"hint: {advice}")


def _verdict(f: Fit) -> str:
    """Whether and how a model fits."""
    if not f.fits:
        return "no: " + ", ".join(f.missing)
    ways = ["in stages"] if f.stages else []
    ways += [f"in {' + '.join(f.regions)}"] if len(f.regions) > 1 else []
    return ", ".join(["yes", *ways])


def _smallest(f: Fit) -> str:
    """What the smallest plan of a board's core takes and costs, and which layers limit it."""
    s = f.smallest
    assert s is not None
    first, last = s.layers[0][:40], s.layers[-1][:40]
    limits = f"layer {first!r}" if len(s.layers) == 1 else f"layers {first!r} to {last!r}"
    return (
        f"smallest arena on {f.core}: {number(s.arena_bytes)} B at {s.slowdown:.2f}x the cycles of the"
        f" fastest plan; limited by {limits}"
    )


def _schedule(p: ParetoPoint) -> str:
    """Which layers run in stages, and which runs of ops were split."""
    stages = [f"{a}-{b}{f' in {n} strips' if n > 1 else ''}" for a, b, n in p.stages]
    return ", ".join([*stages, *(f"{name[-30:]} in {n} channel blocks" for name, n in p.channel_blocks)])


def front(model: str, board: str, points: Sequence[ParetoPoint]) -> None:
    """One line per plan."""
    base = points[0].cycles if points else 1.0
    rows = [
        (
            number(p.ram_bytes),
            number(round(p.cycles)),
            f"{p.cycles / base:.3f}",
            f"{p.mac_factor:.3f}",
            _schedule(p) or "none",
        )
        for p in points
    ]
    head = ["arena+state>", "cycles (predicted)>", "x>", "MACs x>", "layers run in stages"]
    print_table(head, rows, f"{model} on {board}")
    print_text("compile --max-ram BYTES takes the fastest plan that fits, --goal ram the last.")


def boards_table(profiles: Sequence[Board]) -> None:
    """All profiles."""
    rows = [
        (
            b.name,
            b.title,
            b.core,
            f"{b.clock_hz / 1e6:g}",
            number(b.sram_bytes),
            number(b.flash_bytes),
            b.emulator.machine,
        )
        for b in profiles
    ]
    print_table(["board", "title", "core", "MHz>", "RAM bytes>", "flash bytes>", "QEMU machine"], rows)


def operators(rows: Sequence[Mapping[str, Any]]) -> None:
    """Operators and kernels."""
    print_table(["operator", "kernels"], [(r["op"], ", ".join(r["kernels"]) or "-") for r in rows])


def doctor(rows: Sequence[Mapping[str, Any]]) -> None:
    """Tools found."""
    print_table(
        ["tool", "version", "enables", "install"],
        [
            (r["tool"], r["version"] or "MISSING", r["enables"], "" if r["version"] else r["install"])
            for r in rows
        ],
    )
