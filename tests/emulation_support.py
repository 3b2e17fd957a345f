"""Shared by the emulation tests: skip with the missing package's name, build a small program, run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from patchloom import boards
from patchloom.boards import Board, Emulator, Region
from patchloom.emulation import machines, toolchain
from patchloom.emulation.build import build_elf
from patchloom.errors import UserError

# One board per core and machine; the two STM32 machines have no board profile of their own.
GENERIC = (
    "generic-cortex-m0",
    "generic-cortex-m0plus",
    "generic-cortex-m3",
    "generic-cortex-m4",
    "generic-cortex-m7",
    "generic-cortex-m33",
    "generic-cortex-m55",
    "generic-cortex-m85",
    "generic-rv32imc",
    "generic-rv32gcv",
    "generic-rv64gcv",
)
OTHERS = ("microbit-v1", "hifive1-revb", "netduinoplus2", "stm32vldiscovery")


def board_called(name: str) -> Board:
    """A board profile, or one made up here for a QEMU machine that no profile uses."""
    if name == "netduinoplus2":
        return _scratch(name, "cortex-m4", frozenset({"dsp", "fpu-sp", "unaligned"}), 0x30000, 0x100000)
    if name == "stm32vldiscovery":
        return _scratch(name, "cortex-m3", frozenset({"unaligned"}), 0x2000, 0x20000)
    return boards.load(name)


def with_memory(board: Board, *, sram_bytes: int, flash_bytes: int) -> Board:
    """The same board with one SRAM and one flash region of these sizes."""
    regions = (Region("sram", "sram", 0x20000000, sram_bytes), Region("flash", "flash", 0, flash_bytes))
    return replace(board, name="small-board", regions=regions)


def _scratch(name: str, core: str, features: frozenset[str], sram_bytes: int, flash_bytes: int) -> Board:
    regions = (Region("sram", "sram", 0x20000000, sram_bytes), Region("flash", "flash", 0, flash_bytes))
    emulator = Emulator(machine=name, core=core, note="the board itself")
    return Board(name, name, True, core, features, 100_000_000, regions, emulator, ())


def need(board: Board) -> None:
    """Skip, naming the package, when a tool that `board` needs is not installed."""
    try:
        toolchain.find(board.core)
        toolchain.require(machines.qemu_command(board))
    except UserError as e:
        pytest.skip(f"{e.message}: {e.hint}")


def need_host() -> None:
    """Skip when there is no host compiler."""
    try:
        toolchain.require("cc")
    except UserError as e:
        pytest.skip(f"{e.message}: {e.hint}")


def build_text(
    text: str,
    board: Board,
    folder: Path,
    *,
    suffix: str = ".c",
    flags: Sequence[str] = (),
    defines: Sequence[str] = (),
) -> Path:
    """Build one source text into an ELF file in `folder`."""
    need(board)
    source = folder / f"program{suffix}"
    source.write_text(text)
    return build_elf([source], [], board, folder / "program.elf", defines=defines, extra_flags=flags)
