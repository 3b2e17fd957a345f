"""A small ELF reader: sections and symbols of the 32- and 64-bit little-endian files our toolchains write."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UserError

_SHT_SYMTAB = 2
SHT_NOBITS = 8
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4


@dataclass(frozen=True)
class Section:
    """One section header. `size_bytes` of a NOBITS section takes no room in the file."""

    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size_bytes: int


@dataclass(frozen=True)
class Symbol:
    """One symbol. Functions of Thumb code have bit 0 of the address cleared."""

    name: str
    address: int
    size_bytes: int
    is_function: bool


@dataclass(frozen=True)
class Elf:
    """What we need of an ELF file."""

    machine: int
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    data: bytes = field(repr=False)

    def read(self, address: int, size: int) -> bytes | None:
        """The bytes that are loaded at `address`, None when no section of the file holds them all."""
        for s in self.sections:
            inside = s.address <= address and address + size <= s.address + s.size_bytes
            if inside and s.flags & SHF_ALLOC and s.kind != SHT_NOBITS:
                at = s.offset + address - s.address
                return self.data[at : at + size]
        return None

    def word(self, address: int) -> int | None:
        """The 32-bit word that is loaded at `address`, None when no section of the file holds it."""
        data = self.read(address, 4)
        return None if data is None else int.from_bytes(data, "little")

    def address(self, symbol: str) -> int:
        """Address of a symbol. Raises UserError when the file has none of that name."""
        for s in self.symbols:
            if s.name == symbol:
                return s.address
        raise UserError(f"symbol {symbol!r} is not in the program", hint="it may have been removed as unused")

    def function_at(self, address: int) -> str | None:
        """`name+0xoffset` of the function that holds `address`, or None."""
        for s in self.symbols:
            if s.is_function and s.address <= address < s.address + max(s.size_bytes, 2):
                return f"{s.name}+{address - s.address:#x}"
        return None


EM_ARM, EM_RISCV = 40, 243


def read(path: Path) -> Elf:
    """Read an ELF file. Raises UserError when it is not one."""
    data = path.read_bytes()
    if data[:4] != b"\x7fELF" or data[5:6] != b"\x01":
        raise UserError(f"{path.name} is not a little-endian ELF file")
    try:
        return _read(data)
    except (struct.error, IndexError, UnicodeDecodeError) as e:
        raise UserError(f"{path.name} is a damaged ELF file") from e


def _read(data: bytes) -> Elf:
    is64 = data[4] == 2
    machine = struct.unpack_from("<H", data, 18)[0]
    offset = struct.unpack_from("<Q", data, 40)[0] if is64 else struct.unpack_from("<I", data, 32)[0]
    entry_size, count, names_index = struct.unpack_from("<HHH", data, 58 if is64 else 46)
    layout = "<IIQQQQIIQQ" if is64 else "<IIIIIIIIII"
    headers = [struct.unpack_from(layout, data, offset + i * entry_size) for i in range(count)]
    names = headers[names_index]
    sections = tuple(Section(_text(data, names[4] + h[0]), h[1], h[2], h[3], h[4], h[5]) for h in headers)
    symbols: list[Symbol] = []
    for h in headers:
        if h[1] == _SHT_SYMTAB:
            symbols += _symbols(data, h[4], h[5], headers[h[6]][4], is64, machine)
    return Elf(machine, sections, tuple(symbols), data)


def _symbols(data: bytes, start: int, size: int, strings: int, is64: bool, machine: int) -> list[Symbol]:
    step = 24 if is64 else 16
    found = []
    for at in range(start, start + size, step):
        if is64:
            name, info, _, _, value, length = struct.unpack_from("<IBBHQQ", data, at)
        else:
            name, value, length, info, _, _ = struct.unpack_from("<IIIBBH", data, at)
        is_function = info & 15 == 2
        if is_function and machine == EM_ARM:
            value &= ~1
        if text := _text(data, strings + name):
            found.append(Symbol(text, value, length, is_function))
    return found


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(0, at)].decode()
