"""Instruction and cycle counts: the TCG plugin, its results, and the fall-back without it."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import UserError
from . import toolchain

_PLUGIN = Path(__file__).parent / "plugin"
TCG_PLUGIN = "tcg-plugin"
ICOUNT = "icount"
# QEMU 9 no longer loads plugins of interface version 1.
_LAST_PLUGIN_QEMU = 8
# Cycle models by core. A core that is not listed has none, and its cycles are unknown.
_MODELS = {
    "cortex-m0": "m0",
    "cortex-m0plus": "m0plus",
    "cortex-m3": "m3",
    "cortex-m33": "m33",
    "cortex-m4": "m4",
    "cortex-m55": "m55",
    "cortex-m7": "m7",
    "rv32imac": "rv32",
    "rv32imc": "rv32",
}


@dataclass(frozen=True)
class CountRequest:
    """What to count.

    markers  addresses; totals are recorded each time the instruction there is about to execute
    source   TCG_PLUGIN or ICOUNT (see `source`); ICOUNT needs a program built with `build_defines`
    model    cycle model, None for that of the board's core (see docs/cycle_models.md)
    """

    markers: tuple[int, ...] = ()
    source: str = TCG_PLUGIN
    model: str | None = None

    def cycle_model(self, core: str) -> str | None:
        """Name of the cycle model that counts on a board with this core, None where there is none."""
        return self.model or cycle_model(core)


@dataclass(frozen=True)
class Snapshot:
    """Totals when the instruction at `address` was about to execute. With ICOUNT, the address is 0."""

    address: int
    instructions: int
    cycles: int | None


@dataclass(frozen=True)
class Counts:
    """Counts of one run, snapshots in the order of execution.

    source         where instructions come from: "tcg-plugin" (exact) or "icount" (guest timer)
    cycle_model    name of the model that gave the cycles, None where cycles are unknown
    resolution     instructions are exact to this many
    """

    source: str
    cycle_model: str | None
    resolution: int
    snapshots: tuple[Snapshot, ...]
    instructions: int | None
    cycles: int | None

    def intervals(self) -> tuple[Snapshot, ...]:
        """Differences of neighbouring snapshots; `address` is that of the interval's start."""
        pairs = itertools.pairwise(self.snapshots)
        return tuple(Snapshot(a.address, b.instructions - a.instructions, _minus(b, a)) for a, b in pairs)


def _minus(b: Snapshot, a: Snapshot) -> int | None:
    return None if a.cycles is None or b.cycles is None else b.cycles - a.cycles


def cycle_model(core: str) -> str | None:
    """Name of the cycle model of `core`, None where there is none."""
    return _MODELS.get(core)


def source(qemu: str = "qemu-system-arm") -> str:
    """How counting works with this emulator: TCG_PLUGIN where the plugin builds and loads, else ICOUNT."""
    version = toolchain.version_of(qemu)
    if version is None or int(version.split(".")[0]) > _LAST_PLUGIN_QEMU:
        return ICOUNT
    try:
        plugin()
    except UserError:
        return ICOUNT
    return TCG_PLUGIN


def build_defines(count_source: str) -> tuple[str, ...]:
    """Defines for build_elf: without the plugin, guest_mark() has to read the guest's timer itself."""
    return ("GUEST_TIMER_MARKS",) if count_source == ICOUNT else ()


@cache
def plugin() -> Path:
    """The plugin's shared library, built with the host compiler on first use.

    It is kept in the user's cache folder under a name that holds the hash of its source. Raises UserError
    when there is no compiler or it fails.
    """
    cc = toolchain.require("cc")
    sources = sorted(p for p in _PLUGIN.iterdir() if p.suffix in (".c", ".h"))
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in sources)).hexdigest()[:16]
    folder = _cache_folder()
    built = folder / f"counts-{digest}.so"
    if built.is_file():
        return built
    handle, name = tempfile.mkstemp(suffix=".so", dir=folder)
    os.close(handle)
    command = [cc, "-O2", "-std=gnu11", "-shared", "-fPIC", "-fvisibility=hidden", str(_PLUGIN / "counts.c")]
    done = subprocess.run([*command, "-o", name], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        os.unlink(name)
        raise UserError("the counting plugin does not compile", found=done.stderr.strip()[:2000])
    os.replace(name, built)
    return built


def _cache_folder() -> Path:
    """The user's cache folder, or a fresh private one where that cannot be written."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "patchloom"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="patchloom-plugin-"))


def parse_plugin(text: str, model: str | None) -> Counts:
    """Counts from the plugin's output file (format: head of plugin/counts.c)."""
    rows = [line.split() for line in text.splitlines()]
    if not rows or rows[-1][0] != "end":
        reason = "too many snapshots" if rows and rows[-1][0] == "truncated" else "the emulator was cut off"
        raise UserError(f"the counts are incomplete: {reason}")

    def number(cycles: str) -> int | None:
        return None if cycles == "-" else int(cycles)

    snapshots = tuple(Snapshot(int(a, 16), int(n), number(c)) for a, n, c in rows[:-1])
    _, total, cycles = rows[-1]
    return Counts(TCG_PLUGIN, model, 1, snapshots, int(total), number(cycles))


def from_timer(ticks: Sequence[int], timer_hz: int) -> Counts:
    """Counts from guest timer marks taken under `-icount shift=0`, where an instruction takes 1 ns.

    timer_hz  clock of the timer, 0 where the ticks are instructions already
    """
    per_tick = 1_000_000_000 / timer_hz if timer_hz else 1.0
    snapshots = tuple(Snapshot(0, round(t * per_tick), None) for t in ticks)
    return Counts(ICOUNT, None, max(1, round(per_tick)), snapshots, None, None)
