"""Board profiles: every fact about a board is data in `<name>.toml`, read here into frozen dataclasses.

Facts about an instruction set, the same on every board that has it, are in `_cores.toml`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import UserError
from ._schema import Key, Reader, parse

_FOLDER = Path(__file__).parent

FEATURES = ("dsp", "mve", "rvv", "fpu-sp", "fpu-dp", "unaligned")
KINDS = ("sram", "external", "flash")
SPEEDS = ("tcm", "sram", "external")
"""How fast the core reaches a RAM, the fastest first. The order is all that is known of every board."""
MACHINES = (
    "mps2-an385",
    "mps2-an386",
    "mps2-an500",
    "mps2-an505",
    "mps3-an547",
    "microbit",
    "netduinoplus2",
    "stm32vldiscovery",
    "virt",
)


@dataclass(frozen=True)
class Region:
    """One memory of the board; `start` is its address there.

    kind     "sram": RAM of the chip; "external": RAM beside it; "flash"
    speed    of RAM, one of SPEEDS: "tcm" is coupled to the core, without wait states
    arena    whether it may hold activations; memory meant for code may not
    setup    what a program has to do before it uses the memory, "" for nothing
    """

    name: str
    kind: str
    start: int
    size_bytes: int
    speed: str = "sram"
    arena: bool = True
    setup: str = ""

    @property
    def end(self) -> int:
        """The address after the last byte."""
        return self.start + self.size_bytes


@dataclass(frozen=True)
class Emulator:
    """The QEMU machine that stands in for the board.

    core  the emulated core; it differs from the board's where QEMU lacks the latter (`note` says how)
    cpu   argument of QEMU's -cpu; empty where the machine has one fixed CPU
    """

    machine: str
    core: str
    note: str
    cpu: str = ""


@dataclass(frozen=True)
class Core:
    """What one instruction set offers, on whatever board.

    features     ISA features a board with this core may have
    timed_like   the core whose cost tables it uses, "" for its own
    """

    name: str
    architecture: str
    features: frozenset[str]
    timed_like: str


@dataclass(frozen=True)
class Board:
    """One board profile.

    core               e.g. "cortex-m4", "rv32imc"; one of core_names()
    features           ISA features of this board: "dsp", "mve", "rvv", "fpu-sp", "fpu-dp", "unaligned"
    regions            memories; the first SRAM region is the largest and holds arena, data and stack unless a
                       plan says otherwise
    real               False for `generic-<core>` profiles, which are no board one can buy
    flash_wait_states  wait states of a flash read at `clock_hz` that no cache or prefetch hides; None where
                       no single number exists, as for serial flash behind a cache
    """

    name: str
    title: str
    real: bool
    core: str
    features: frozenset[str]
    clock_hz: int
    regions: tuple[Region, ...]
    emulator: Emulator
    sources: tuple[str, ...]
    flash_wait_states: int | None = None

    @property
    def isa(self) -> frozenset[str]:
        """What kernels may require: the features, and the family of instruction sets: "arm" or "riscv"."""
        return self.features | {"riscv" if core(self.core).architecture.startswith("RV") else "arm"}

    @property
    def main_region(self) -> Region:
        """The first SRAM region: data, state and stack of a program, and the arena where there is one."""
        return next(r for r in self.regions if r.kind == "sram")

    @property
    def arena_regions(self) -> tuple[Region, ...]:
        """All RAM that may hold activations, the fastest first, then in the order of the profile."""
        usable = [r for r in self.regions if r.kind != "flash" and r.arena]
        return tuple(sorted(usable, key=lambda r: SPEEDS.index(r.speed)))

    @property
    def sram_bytes(self) -> int:
        """Bytes of the largest SRAM region (a single arena cannot span two)."""
        return max(r.size_bytes for r in self.regions if r.kind == "sram")

    @property
    def sram_total_bytes(self) -> int:
        """Bytes of all SRAM regions together, external RAM not counted."""
        return sum(r.size_bytes for r in self.regions if r.kind == "sram")

    @property
    def external_bytes(self) -> int:
        """Bytes of all RAM beside the chip."""
        return sum(r.size_bytes for r in self.regions if r.kind == "external")

    @property
    def flash_bytes(self) -> int:
        """Bytes of all flash regions together."""
        return sum(r.size_bytes for r in self.regions if r.kind == "flash")


_CORE_SCHEMA = {
    "architecture": Key(str, minimum=1),
    "features": Key(list, accepted=FEATURES),
    "timed_like": Key(str, required=False, default=""),
}
_REGION_SCHEMA = {
    "name": Key(str, minimum=1),
    "kind": Key(str, accepted=KINDS),
    "start": Key(int),
    "size_bytes": Key(int, minimum=1),
    "speed": Key(str, required=False, default="", accepted=("tcm", "sram")),
    "arena": Key(bool, required=False, default=True),
    "setup": Key(str, required=False, default=""),
}
_REGION_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@cache
def _cores() -> dict[str, Core]:
    reader = Reader("_cores.toml")
    tables = {
        n: reader.table(t, _CORE_SCHEMA, f"{n}.")
        for n, t in parse(_FOLDER / "_cores.toml", "_cores.toml").items()
    }
    reader.finish()
    return {
        name: Core(name=name, **(values | {"features": frozenset(values["features"])}))
        for name, values in tables.items()
        if values is not None
    }


def core_names() -> tuple[str, ...]:
    """All cores a board may have, sorted."""
    return tuple(sorted(_cores()))


def core(name: str) -> Core:
    """The core called `name`. Raises UserError with the known names when there is none."""
    if name not in _cores():
        raise UserError(f"core {name!r} is not known", found=name, accepted=", ".join(core_names()))
    return _cores()[name]


def names() -> tuple[str, ...]:
    """All profile names, sorted."""
    return tuple(sorted(p.stem for p in _FOLDER.glob("*.toml") if not p.name.startswith("_")))


def load(name: str) -> Board:
    """The profile called `name`, or the one in the file `name` where that ends with ".toml".

    Raises UserError with the known names when there is no such profile, and with every wrong key when a file
    is malformed.
    """
    if name.endswith(".toml"):
        path = Path(name)
        return _read(path, name, path.stem)
    if name not in names():
        raise UserError(
            f"board {name!r} is not known",
            found=name,
            accepted=", ".join(names()),
            hint="patchloom boards lists all profiles; for your own board give the path of a .toml file",
        )
    return _load_own(name)


@cache
def _load_own(name: str) -> Board:
    return _read(_FOLDER / f"{name}.toml", f"{name}.toml", name)


def _board_schema() -> dict[str, Key]:
    return {
        "title": Key(str, minimum=1),
        "real": Key(bool),
        "core": Key(str, accepted=core_names()),
        "features": Key(list, accepted=FEATURES),
        "clock_hz": Key(int, minimum=1),
        "flash_wait_states": Key(int, required=False),
        "sources": Key(list, minimum=1),
    }


def _emulator_schema() -> dict[str, Key]:
    return {
        "machine": Key(str, accepted=MACHINES),
        "core": Key(str, accepted=core_names()),
        "note": Key(str, minimum=1),
        "cpu": Key(str, required=False, default=""),
    }


def _read(path: Path, source: str, name: str) -> Board:
    data = parse(path, source)
    reader = Reader(source)
    tables: dict[str, Any] = {key: data.pop(key, None) for key in ("region", "emulator")}
    values = reader.table(data, _board_schema())
    regions = tuple(_region(reader, r) for r in reader.tables(tables["region"], _REGION_SCHEMA, "region"))
    emulator = reader.table(tables["emulator"], _emulator_schema(), "emulator.")
    reader.finish()
    assert values is not None and emulator is not None  # finish() raised otherwise
    _check_regions(reader, regions)
    _check_features(reader, values)
    reader.finish()
    values |= {"features": frozenset(values["features"]), "sources": tuple(values["sources"])}
    return Board(name=name, regions=regions, emulator=Emulator(**emulator), **values)


def _region(reader: Reader, values: dict[str, Any]) -> Region:
    """A region; how fast RAM beside the chip is, its kind says."""
    where, kind = f"region {values['name']}", values["kind"]
    if values["speed"] and kind != "sram":
        reader.problem(where, "only memory of kind sram has a speed", found=f"{kind}, {values['speed']}")
    if not _REGION_NAME.fullmatch(values["name"]):
        reader.problem(
            where, "a name is letters, digits, - and _, and starts with a letter", found=repr(values["name"])
        )
    speed = kind if kind == "external" else values["speed"] or "sram"
    return Region(**{**values, "speed": speed})


def _check_regions(reader: Reader, regions: tuple[Region, ...]) -> None:
    for kind in ("sram", "flash"):
        if not any(r.kind == kind for r in regions):
            reader.problem("region", f"a board needs at least one region of kind {kind}")
    if len({r.name.lower().replace("-", "_") for r in regions}) < len(regions):  # they become C names
        reader.problem("region", "names must differ", found=", ".join(r.name for r in regions))
    for below, above in pairwise(sorted(regions, key=lambda r: r.start)):
        if below.end > above.start:
            reader.problem("region", "regions must not overlap", found=f"{below.name} and {above.name}")
    for region in regions:
        if region.end > 1 << 32:
            reader.problem("region", "must end below 4 GB", found=f"{region.name} ends at {region.end:#x}")
    srams = [r for r in regions if r.kind == "sram"]
    if srams and srams[0].size_bytes < max(r.size_bytes for r in srams):
        reader.problem(
            "region",
            "the first SRAM region holds the arena and must be the largest",
            found=", ".join(f"{r.name} {r.size_bytes} bytes" for r in srams),
        )
    if srams and not srams[0].arena:
        reader.problem("region", "the first SRAM region holds the arena", found=f"{srams[0].name} may not")


def _check_features(reader: Reader, values: dict[str, Any]) -> None:
    possible = core(values["core"]).features
    if extra := sorted(set(values["features"]) - possible):
        accepted = ", ".join(sorted(possible)) or "none"
        reader.problem(
            "features", f"{values['core']} cannot have these", found=", ".join(extra), accepted=accepted
        )
