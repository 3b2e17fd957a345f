"""The Markdown tables of README.md, made from results.json and peers.json."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _ratio(ours: int | None, theirs: int | None) -> str:
    return "" if not ours or not theirs else f"{ours / theirs:.2f}"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""
    lines = [f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def memory(results: dict[str, Any], peers: dict[str, Any]) -> str:
    """RAM and flash on the Cortex-M4; the last columns are for the goal latency."""
    rows = []
    for name, entry in sorted(results.items()):
        goals, p = entry["cores"].get("cortex-m4"), peers.get(name, {})
        if goals is None:
            continue
        r, fast = goals["balanced"], goals["latency"]
        flash = r["weight_bytes"] + r["code_bytes"]
        theirs = p["engine_bytes"] + p["model_bytes"] if "engine_bytes" in p else None
        arena = (r["arena_bytes"], p.get("arena_bytes"))
        sizes = (r["state_bytes"], r["stack_bytes"], r["weight_bytes"], r["code_bytes"])
        more = (fast["arena_bytes"], fast["weight_bytes"] + fast["code_bytes"])
        cells = [name, *map(_number, arena), _ratio(*arena), *map(_number, sizes)]
        rows.append([*cells, _number(theirs), _ratio(flash, theirs), *map(_number, more)])
    head = ["model", "arena", "TFLM", "ratio", "state", "stack", "weights", "code", "TFLM flash", "ratio"]
    return markdown([*head, "arena (latency)", "flash (latency)"], rows)


def speed(results: dict[str, Any], peers: dict[str, Any], core: str) -> str:
    """Instructions and cycles on one core, for the goals balanced and latency."""
    known = {"cortex-m4": "m4", "cortex-m55": "m55", "cortex-m3": "m3"}.get(core)
    rows = []
    for name, entry in sorted(results.items()):
        goals, p = entry["cores"].get(core), peers.get(name, {})
        if goals is None:
            continue
        r, fast = goals["balanced"], goals["latency"]
        instructions, cycles = p.get(f"{known}_instructions"), p.get(f"{known}_cycles")
        rate = f"{entry['macs'] / fast['cycles']:.2f}" if fast["cycles"] else ""
        counts = (entry["macs"], r["macs"], r["instructions"], fast["instructions"], instructions)
        timed = (r["cycles"], fast["cycles"], cycles)
        cells = [name, *map(_number, counts), _ratio(r["instructions"], instructions)]
        rows.append([*cells, *map(_number, timed), _ratio(r["cycles"], cycles), rate])
    head = ["model", "MACs", "MACs left", "instructions", "(latency)", "TFLM", "ratio"]
    return markdown([*head, "cycles", "(latency)", "TFLM", "ratio", "MACs/cycle (latency)"], rows)


def tables(results: dict[str, Any], peers: dict[str, Any]) -> str:
    """All tables, one section per core."""
    known = peers["tflm_cmsis_nn"]["models"]
    parts = ["\n## RAM and flash (Cortex-M4), bytes\n", memory(results, known)]
    cores = list(dict.fromkeys(c for entry in results.values() for c in entry["cores"]))
    for core in cores:
        found = [e["cores"][core]["latency"] for e in results.values() if core in e["cores"]]
        models = {r["cycle_model"] for r in found}
        model = ", ".join(sorted(m for m in models if m)) or "none"
        parts += [f"\n## {core} (cycle model: {model})\n", speed(results, known, core)]
    return "\n".join(parts)
