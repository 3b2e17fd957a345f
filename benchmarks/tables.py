"""The Markdown tables of README.md, made from results.json and peers.json."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

NETWORKS = ("ds_cnn", "mobilenet", "resnet", "autoencoder")
"""Networks of networks.py, which no peer has run."""


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _ratio(ours: int | None, theirs: int | None) -> str:
    return "" if not ours or not theirs else f"{ours / theirs:.2f}"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""
    lines = [f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def memory(results: dict[str, Any], peers: dict[str, Any]) -> str:
    """RAM and flash on the Cortex-M4."""
    rows = []
    for name, entry in sorted(results.items()):
        r, p = entry["cores"].get("cortex-m4"), peers.get(name, {})
        if r is None:
            continue
        flash = r["weight_bytes"] + r["code_bytes"]
        theirs = p["engine_bytes"] + p["model_bytes"] if "engine_bytes" in p else None
        cells = (r["arena_bytes"], p.get("arena_bytes"))
        sizes = (r["state_bytes"], r["stack_bytes"], r["weight_bytes"], r["code_bytes"])
        rows.append(
            (
                name,
                *map(_number, cells),
                _ratio(*cells),
                *map(_number, sizes),
                _number(theirs),
                _ratio(flash, theirs),
            )
        )
    head = ("model", "arena", "TFLM", "ratio", "state", "stack", "weights", "code", "TFLM flash", "ratio")
    return markdown(head, rows)


def speed(results: dict[str, Any], peers: dict[str, Any], core: str) -> str:
    """Instructions and cycles on one core."""
    known = {"cortex-m4": "m4", "cortex-m55": "m55", "cortex-m3": "m3"}.get(core)
    rows = []
    for name, entry in sorted(results.items()):
        r, p = entry["cores"].get(core), peers.get(name, {})
        if r is None:
            continue
        instructions, cycles = p.get(f"{known}_instructions"), p.get(f"{known}_cycles")
        rate = f"{entry['macs'] / r['cycles']:.2f}" if r["cycles"] else ""
        rows.append(
            (
                name,
                *(_number(entry["macs"]), _number(r["macs"])),
                *(_number(r["instructions"]), _number(instructions), _ratio(r["instructions"], instructions)),
                *(_number(r["cycles"]), _number(cycles), _ratio(r["cycles"], cycles), rate),
            )
        )
    head = (
        "model",
        "MACs",
        "MACs left",
        "instructions",
        "TFLM",
        "ratio",
        "cycles",
        "TFLM",
        "ratio",
        "MACs/cycle",
    )
    return markdown(head, rows)


def tables(results: dict[str, Any], peers: dict[str, Any]) -> str:
    """All tables, one section per core."""
    known = peers["tflm_cmsis_nn"]["models"]
    parts = ["\n## RAM and flash (Cortex-M4), bytes\n", memory(results, known)]
    cores = list(dict.fromkeys(c for entry in results.values() for c in entry["cores"]))
    for core in cores:
        models = {e["cores"][core]["cycle_model"] for e in results.values() if core in e["cores"]}
        model = ", ".join(sorted(m for m in models if m)) or "none"
        parts += [f"\n## {core} (cycle model: {model})\n", speed(results, known, core)]
    return "\n".join(parts)
