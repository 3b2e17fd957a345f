"""QEMU machines that stand in for boards, and where a board's memories go on them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2

from ..boards import Board, Region
from ..errors import UserError

TARGETS = Path(__file__).parent / "targets"
# Room for the vector table where it is not part of the board's flash (64 vectors of 4 bytes).
_VECTORS_BYTES = 0x400
_ALIGNMENT = 4096


@dataclass(frozen=True)
class Bank:
    """One memory of a machine; `use` is a subset of code, data, harness."""

    start: int
    size_bytes: int
    use: tuple[str, ...]


@dataclass(frozen=True)
class Machine:
    """One QEMU machine; the fields are described in targets/machines.toml."""

    name: str
    qemu: str
    arch: str
    uart: str
    uart_base: int
    boot: int
    timer_hz: int
    banks: tuple[Bank, ...]


@dataclass(frozen=True)
class Memory:
    """One linker memory: the name used in linker messages, and what of the board it stands for.

    section   of objects in it, where data do not go there by themselves
    """

    name: str
    start: int
    size_bytes: int
    title: str
    section: str = ""


@dataclass(frozen=True)
class Layout:
    """Where a board's memories lie on its machine.

    srams    the first is RAM (data, bss, stack); objects reach the others, external RAM included, through
             sections `.sram.<region name>`. Regions for which the machine has no room are left out;
             external ones have half of its largest memory at most
    harness  memory beyond the board's for inputs and harness buffers, None where the machine has none
    """

    flash: Memory
    srams: tuple[Memory, ...]
    harness: Memory | None
    vectors: Memory | None
    inputs_end: int


@cache
def load(name: str) -> Machine:
    """The machine called `name`. Raises UserError when it is not described."""
    data = tomllib.loads((TARGETS / "machines.toml").read_text())
    if name not in data:
        raise UserError(
            f"QEMU machine {name!r} is not described", found=name, accepted=", ".join(sorted(data))
        )
    entry = data[name]
    banks = tuple(Bank(b["start"], b["size_bytes"], tuple(b["use"])) for b in entry.pop("bank"))
    return Machine(name=name, banks=banks, **entry)


def qemu_command(board: Board) -> str:
    """Name of the emulator program of `board`."""
    machine = load(board.emulator.machine)
    if machine.arch == "riscv":
        return machine.qemu + ("64" if board.emulator.core.startswith("rv64") else "32")
    return machine.qemu


def cpu_arguments(board: Board) -> tuple[str, ...]:
    """QEMU's -cpu (and memory size) arguments; Arm machines have their core built in."""
    core = board.emulator.core
    if load(board.emulator.machine).arch != "riscv":
        return ()
    if core.endswith("gcv"):
        # v1.0 with the smallest registers the V extension allows, 128 bits
        return ("-cpu", f"{core[:4]},v=true,vlen=128,vext_spec=v1.0", "-m", "128M")
    absent = [f"{x}=false" for x in "afd" if x not in core[4:]]
    return ("-cpu", ",".join([core[:4], *absent]), "-m", "128M")


class _Free:
    """What is left of a machine's memories."""

    def __init__(self, machine: Machine) -> None:
        self._banks = [(b.start, b.size_bytes, b.use) for b in machine.banks]

    def largest(self, use: str) -> int:
        """Bytes that can be taken at once."""
        return max((left for _, left, uses in self._banks if use in uses), default=0)

    def take(self, size: int, use: str) -> int | None:
        """The address of so many bytes, of the first bank that has them; None where none does."""
        for i, (start, left, uses) in enumerate(self._banks):
            if use in uses and size <= left:
                used = -(-size // _ALIGNMENT) * _ALIGNMENT
                self._banks[i] = (start + used, max(left - used, 0), uses)
                return start
        return None

    def take_largest(self, use: str) -> tuple[int, int] | None:
        """(address, bytes) of all that is left of the bank with most; None where nothing is."""
        spare = [(left, i) for i, (_, left, uses) in enumerate(self._banks) if use in uses and left > 0]
        if not spare:
            return None
        left, i = max(spare)
        start = self._banks[i][0]
        self._banks[i] = (start + left, 0, ())
        return start, left


def layout(board: Board) -> Layout:
    """Place the board's flash and SRAM sizes in the machine's memory.

    Raises UserError when the machine's memories are too small for the board's flash or first SRAM.
    """
    machine = load(board.emulator.machine)
    free = _Free(machine)

    def must(size: int, use: str, what: str) -> int:
        start = free.take(size, use)
        if start is None:
            raise UserError(
                f"QEMU machine {machine.name} cannot stand in for {board.name}: {what} does not fit",
                found=f"{size} B",
                accepted=f"at most {free.largest(use)} B",
            )
        return start

    sram, *more = [r for r in board.regions if r.kind == "sram"]
    flash = Memory("FLASH", must(board.flash_bytes, "code", "its flash"), board.flash_bytes, "flash")
    ram = Memory(
        "RAM", must(sram.size_bytes, "data", "its SRAM"), sram.size_bytes, f"SRAM region {sram.name}"
    )
    srams = [ram]

    def add(region: Region, size: int) -> None:
        if size and (at := free.take(size, "data")) is not None:
            name = "SRAM_" + re.sub(r"\W", "_", region.name).upper()
            title = f"{'external RAM' if region.kind == 'external' else 'SRAM'} region {region.name}"
            srams.append(Memory(name, at, size, title, f".sram.{region.name}"))

    for region in board.regions:
        if region.kind == "external":  # large: the harness would leave it no room
            add(region, min(region.size_bytes, free.largest("data") // 2 // _ALIGNMENT * _ALIGNMENT))
    harness = None
    if rest := free.take_largest("harness"):
        harness = Memory("HARNESS", *rest, "memory for inputs and harness buffers")
    for region in more:
        add(region, region.size_bytes)
    vectors = None
    if machine.arch == "cortexm" and flash.start != machine.boot:
        vectors = Memory("VECTORS", machine.boot, _VECTORS_BYTES, "vector table")
    code_end = max(
        b.start + b.size_bytes for b in machine.banks if b.start <= flash.start < b.start + b.size_bytes
    )
    return Layout(flash, tuple(srams), harness, vectors, code_end)


def section(board: Board, region: str) -> str:
    """The section of objects in a RAM region that is not the main one.

    Raises UserError where the machine has no room for it.
    """
    for memory in layout(board).srams:
        if memory.section == f".sram.{region}":
            return memory.section
    raise UserError(
        f"QEMU machine {board.emulator.machine} has no memory for the region {region} of {board.name}",
        hint="verify --on host",
    )


def linker_script(board: Board, stack_bytes: int) -> str:
    """Linker script that enforces the board's memory sizes and at least `stack_bytes` of stack."""
    machine, place = load(board.emulator.machine), layout(board)
    memories = [place.flash, *place.srams, *filter(None, [place.harness, place.vectors])]
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((TARGETS / "guest.ld.j2").read_text())
    return template.render(
        board=board.name,
        machine=machine.name,
        entry="cortexm_reset" if machine.arch == "cortexm" else "riscv_reset",
        memories=memories,
        vectors_in=place.vectors.name if place.vectors else "FLASH",
        harness_const_in=place.harness.name if place.harness else "FLASH",
        harness_bss_in=place.harness.name if place.harness else "RAM",
        extra_srams=place.srams[1:],
        stack_bytes=stack_bytes,
        inputs_end=place.inputs_end,
    )
