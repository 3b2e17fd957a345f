"""Pictures, by matplotlib, which is an extra."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..api import ParetoPoint
from ..errors import UserError

_SUFFIXES = (".png", ".svg", ".pdf")


def check_picture(path: Path) -> None:
    """Raise UserError unless `path` is named as a picture is; known before the long search."""
    if path.suffix not in _SUFFIXES:
        raise UserError(
            f"cannot draw {path.name}", found=path.suffix or "no suffix", accepted=", ".join(_SUFFIXES)
        )
    if not path.parent.is_dir():
        raise UserError(f"cannot write {path}", found=f"{path.parent} is not a folder")


def plot_front(path: Path, title: str, points: Sequence[ParetoPoint]) -> None:
    """Write a picture of a front. Raises UserError when matplotlib is missing or `path` cannot be written."""
    check_picture(path)
    try:
        from matplotlib.figure import Figure
    except ImportError as e:
        raise UserError("pictures need matplotlib", hint="pip install patchloom[plot]") from e
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="RAM in bytes (arena and state)", ylabel="predicted cycles", title=title)
    for recomputed, marker in ((False, "o"), (True, "s")):
        shown = [p for p in points if (p.mac_factor > 1.0005) is recomputed]
        label = "strips: some pixels computed twice" if recomputed else "nothing computed twice"
        axes.plot([p.ram_bytes for p in shown], [p.cycles for p in shown], marker, markersize=4, label=label)
    axes.step(
        [p.ram_bytes for p in points], [p.cycles for p in points], where="pre", linewidth=0.8, color="0.6"
    )
    axes.set_xscale("log")
    axes.grid(True, which="both", linewidth=0.3)
    axes.legend()
    try:
        figure.savefig(path)
    except OSError as e:
        raise UserError(f"cannot write {path}", found=str(e)) from e
