"""Table and picture of the fronts in memory.json."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import inf
from pathlib import Path
from typing import Any

import search_time
from memory_targets import TARGETS, Limit
from tables import markdown

Entry = dict[str, Any]

_RECOMPUTED = 0.005
_WHOLE = "whole tensors"
_HEAD = """# RAM and latency

Made by `python benchmarks/memory.py` from [memory.json](memory.json), on the emulated Cortex-M4. RAM is what
the linked program has: arena with all rings and scratch, state, writable symbols, and stack beyond 512 B; the
output is counted, the input too where it lies in the arena. Every plan in these tables was run on the
emulated core and gave the reference's outputs bit for bit. [How stages work](../docs/stages.md).

![fronts](memory.svg)

## Targets

MACs are compared with those of the model, cycles with the plan of whole tensors.

"""

_TIME = """
## Time of the search

CPU seconds of one process, made by `python benchmarks/memory.py --search-time` and kept in
[search_time.json](search_time.json). Layers are counted behind all graph passes. The search among stages is
what `compile` takes for one plan; `pareto` makes all plans of the front, those with blocks of channels too. A
plan is proven minimal where its arena is as large as the lower bound of its order, stages and kernels; the
search is exact among the stages there are.

"""


def _allowed(e: Entry, limit: Limit) -> bool:
    return float(e["mac_factor"]) <= limit.mac_factor + _RECOMPUTED


def _bytes(limit: Limit | None) -> str:
    return f"{limit.ram_bytes:,}" if limit else ""


def _best(found: Sequence[Entry], limit: Limit) -> Entry | None:
    """The fastest measured plan within a limit, or where there is none the smallest of few enough MACs."""
    allowed = [e for e in found if e["measured"] and _allowed(e, limit)]
    fitting = [e for e in allowed if e["ram_bytes"] <= limit.ram_bytes]
    if fitting:
        return min(fitting, key=lambda e: e["cycles"])
    return min(allowed, key=lambda e: e["ram_bytes"], default=None)


def _targets(found: dict[tuple[str, str], list[Entry]]) -> Iterator[Sequence[str]]:
    for target in TARGETS:
        for mode in target.inputs:
            front = found.get((target.model, mode), [])
            for name, limit in (("must", target.must), ("aim", target.aim)):
                best = _best(front, limit) if limit else None
                if limit is None or best is None:
                    continue
                whole = next((e for e in front if e["plan"] == _WHOLE), None)
                ratio = f"{best['cycles'] / whole['cycles']:.3f}" if whole else ""
                factor = "any" if limit.mac_factor == inf else f"{limit.mac_factor:.2f}"
                reached = "yes" if best["ram_bytes"] <= limit.ram_bytes else "no"
                figures = f"{best['ram_bytes']:,}", f"{best['mac_factor']:.3f}", f"{best['cycles']:,}", ratio
                yield target.model, mode, name, _bytes(limit), factor, reached, *figures, best["plan"]


def _fronts(found: dict[tuple[str, str], list[Entry]]) -> Iterator[Sequence[str]]:
    for (model, mode), front in sorted(found.items()):
        measured = [e for e in front if e["measured"]]
        whole = next((e for e in measured if e["plan"] == _WHOLE), None)
        small = min(measured, key=lambda e: e["ram_bytes"])
        plain = min((e for e in measured if e["mac_factor"] <= 1 + _RECOMPUTED), key=lambda e: e["ram_bytes"])
        cells = [f"{whole['ram_bytes']:,}", f"{whole['cycles']:,}"] if whole else ["", ""]
        for e in (plain, small):
            cells += [f"{e['ram_bytes']:,}", f"{e['cycles'] / whole['cycles']:.2f}" if whole else ""]
        yield model, mode, *cells, f"{small['mac_factor']:.2f}", str(len(front))


def _picture(found: dict[tuple[str, str], list[Entry]], path: Path) -> None:
    """The fronts in one diagram, relative to the fastest plan of each."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.hashsalt"] = "fronts"
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.add_subplot(xlabel="RAM in bytes", ylabel="cycles, relative to the fastest plan")
    for i, ((model, mode), front) in enumerate(sorted(found.items())):
        # Measured and predicted cycles are not drawn as one line: predictions are a few per cent off.
        base = min(e["cycles"] for e in front if not e["measured"]) if len(front) > 3 else front[0]["cycles"]
        predicted = [e for e in front if not e["measured"]]
        colour = f"C{i % 10}"
        axes.plot(
            [e["ram_bytes"] for e in predicted],
            [e["cycles"] / base for e in predicted],
            "-",
            color=colour,
            linewidth=1,
            label=f"{model}, {mode}",
        )
        measured = [e for e in front if e["measured"]]
        axes.plot(
            [e["ram_bytes"] for e in measured], [e["cycles"] / base for e in measured], "o", color=colour
        )
    axes.set_xscale("log")
    axes.grid(True, which="both", linewidth=0.3)
    axes.legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})


def write_report(entries: Sequence[Entry], folder: Path) -> None:
    """memory.md and memory.svg."""
    found: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for e in entries:
        found[e["model"], e["input"]].append(e)
    head = ("model", "input", "limit", "bytes", "MACs x", "reached", "RAM", "MACs x", "cycles", "cycles x")
    all_head = ("model", "input", "whole: RAM", "cycles", "1.00 x MACs: RAM", "cycles x", "smallest: RAM")
    text = [_HEAD, markdown((*head, "layers in stages"), _targets(found))]
    text += ["\n## Fronts\n\n", markdown((*all_head, "cycles x", "MACs x", "plans"), _fronts(found))]
    text += [
        "\nPoints in the picture are measured; lines join plans whose cycles the cost tables predict and"
        " whose stack is not\ncounted.\n"
    ]
    time_head = ("model", "layers", "search: s", "and all plans: s", "proven minimal")
    text += [_TIME, markdown(time_head, search_time.rows(search_time.read()))]
    (folder / "memory.md").write_text("".join(text))
    _picture(found, folder / "memory.svg")
