"""Worst-case stack of a function, from the machine code of the linked program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from . import disassembly as dis
from . import elf

# How far before an instruction the constant in a register or the address of a jump table is looked for.
_CONSTANT_WINDOW = 24


@dataclass(frozen=True)
class _Code:
    image: elf.Elf
    insns: dict[int, dis.Insn]
    order: list[int]
    index: dict[int, int]
    functions: dict[int, elf.Symbol]


def stack_bytes(program: Path, entry: str) -> int:
    """Bytes of stack that a call of the function `entry` uses at most; see stacks_bytes."""
    return stacks_bytes(program, [entry])[entry]


def stacks_bytes(program: Path, entries: Sequence[str]) -> dict[str, int]:
    """Bytes of stack that a call of each function uses at most, callees included.

    Every path through the code is followed, with the change of sp by each instruction; library
    functions are followed like any other. Interrupts are not included. Works for Thumb and RISC-V.
    Raises UserError, naming the function: recursion, a call through a pointer, an array of variable
    length, or a write to sp that is not understood.
    """
    image = elf.read(program)
    insns = dis.disassemble(program, image)
    order = sorted(insns)
    functions = {s.address: s for s in image.symbols if s.is_function}
    code = _Code(image, insns, order, {a: i for i, a in enumerate(order)}, functions)
    known: dict[int, int] = {}
    return {entry: _function_bytes(image.address(entry) & ~1, code, known, ()) for entry in entries}


def _function_bytes(entry: int, code: _Code, known: dict[int, int], callers: tuple[int, ...]) -> int:
    if entry in known:
        return known[entry]
    if entry in callers:
        cycle = " -> ".join(_name(a, code) for a in (*callers[callers.index(entry) :], entry))
        raise UserError(
            f"the stack of {_name(entry, code)} has no bound: recursion", found=cycle, exit_code=1
        )
    deepest = 0
    depth_at: dict[int, int] = {}
    waiting = [(entry, 0)]
    while waiting:
        address, depth = waiting.pop()
        if address in depth_at:
            _check_same_depth(address, depth, depth_at[address], code)
            continue
        insn = code.insns[address]
        depth_at[address] = depth
        depth += _growth(insn, code)
        deepest = max(deepest, depth)
        if insn.flow == dis.CALL:
            callee = _call_target(insn, code)
            deepest = max(deepest, depth + _function_bytes(callee, code, known, (*callers, entry)))
        waiting += [(a, depth) for a in _successors(insn, code)]
    known[entry] = deepest
    return deepest


def _successors(insn: dis.Insn, code: _Code) -> Sequence[int]:
    after = insn.address + insn.size_bytes
    if insn.flow in (dis.RETURN, dis.STOP):
        return []
    if insn.flow == dis.CALL and (after in code.functions or after not in code.insns):
        return []  # a function ends with a call only when the callee does not return
    if insn.flow == dis.SWITCH:
        return _switch_targets(insn, code)
    following = {dis.JUMP: [insn.target], dis.BRANCH: [insn.target, after]}.get(insn.flow, [after])
    found = [a for a in following if a in code.insns]
    if insn.flow != dis.INDIRECT and len(found) == len(following):
        return found
    if insn.flow != dis.INDIRECT:
        raise UserError(
            f"{_name(insn.address, code)} continues where no code is", found=insn.text, exit_code=1
        )
    raise UserError(
        f"the stack of {_name(insn.address, code)} is not known: it calls through a pointer",
        found=insn.text,
        exit_code=1,
    )


def _growth(insn: dis.Insn, code: _Code) -> int:
    if insn.opaque:
        raise UserError(
            f"the stack of {_name(insn.address, code)} is not known: sp is changed in a way not understood",
            found=insn.text,
            exit_code=1,
        )
    if insn.flow == dis.SAVE:
        return _save_bytes(insn, code)
    if insn.register is None:
        return insn.grows
    value = _constant(insn, insn.register, code)
    if value is None:
        raise UserError(
            f"the stack of {_name(insn.address, code)} has no bound: an array of variable length",
            found=insn.text,
            exit_code=1,
        )
    return -value


def _save_bytes(call: dis.Insn, code: _Code) -> int:
    """Bytes that __riscv_save_<n> of libgcc leaves on the stack: straight-line code that makes room for a
    whole number of blocks, gives back what t1 counts as not needed, and ends with `jr t0`."""
    total = unneeded = 0
    address = _call_target(call, code)
    for _ in range(_CONSTANT_WINDOW + 8):
        insn = code.insns[address]
        if insn.text == "jr t0":
            return total
        if m := re.fullmatch(r"li t1,(-?\d+)", insn.text):
            unneeded = int(m[1])
        if m := re.fullmatch(r"slli? t1,t1,(0x[0-9a-f]+|\d+)", insn.text):
            unneeded <<= int(m[1], 0)
        if insn.text in ("sub sp,sp,t1", "add sp,sp,t1"):
            total -= abs(unneeded)
        total += insn.grows
        jump = insn.target if insn.flow == dis.JUMP else None
        address = insn.address + insn.size_bytes if jump is None else jump
    raise UserError(f"{_name(call.address, code)} saves registers in a way not understood", exit_code=1)


def _check_same_depth(address: int, depth: int, before: int, code: _Code) -> None:
    # Paths meet with equal sp in compiled code; a loop that pushes would show here. Exit paths of
    # hand-written assembly may meet with less on the stack, which changes no maximum.
    if depth > before:
        raise UserError(
            f"the stack of {_name(address, code)} is not known: paths meet with different sp",
            found=f"{before} and {depth} B at {address:#x}",
            exit_code=1,
        )


def _call_target(insn: dis.Insn, code: _Code) -> int:
    if insn.target is None or insn.target not in code.insns:
        raise UserError(f"{_name(insn.address, code)} calls an unknown address", found=insn.text, exit_code=1)
    return insn.target


def _before(insn: dis.Insn, code: _Code) -> list[dis.Insn]:
    """The instructions before `insn` in its function, nearest first, as far as constants are looked for."""
    found: list[dis.Insn] = []
    at = code.index[insn.address]
    while at > 0 and len(found) < _CONSTANT_WINDOW and code.order[at] not in code.functions:
        at -= 1
        found.append(code.insns[code.order[at]])
    return found


def _constant(insn: dis.Insn, register: str, code: _Code) -> int | None:
    """Value of `register` before `insn` where straight-line code has just set it to a constant."""
    addend = 0
    for before in _before(insn, code):
        if before.flow != dis.NEXT:
            return None
        name, _, operands = before.text.partition(" ")
        if not re.match(rf"{register}\b", operands) or name.startswith(("str", "sw", "sd", "cmp")):
            continue
        if m := re.fullmatch(rf"{register},{register},(-?\d+)", operands):
            addend += int(m[1])
        elif m := re.fullmatch(rf"{register},(-?\d+|0x[0-9a-f]+)", operands):  # li, or lui with its 20 bits
            value = int(m[1], 0)
            return _signed(value << 12 & 0xFFFFFFFF) + addend if name == "lui" else value + addend
        elif m := re.search(r"\[pc, #\d+\]\s*[;@] \((?:0x)?([0-9a-f]+)", operands):
            value_at = code.image.word(int(m[1], 16))
            return None if value_at is None else _signed(value_at)
        elif m := re.fullmatch(rf"{register}, #(-?\d+)(?:\s*@.*)?", operands):
            return int(m[1])
        else:
            return None
    return None


def _switch_targets(insn: dis.Insn, code: _Code) -> list[int]:
    """Destinations of a jump through a table of this function.

    The end of a table is not written anywhere: tbb and tbh tables end where the first destination begins,
    word tables at the first entry that is no address within the function.
    """
    symbol = _function_of(insn.address, code)
    targets: set[int] = set()
    if m := re.search(r"<__gnu_thumb1_case_([us])([qhs])i>", insn.text):
        size = {"q": 1, "h": 2, "s": 4}[m[2]]
        targets = _short_table(insn.address + 4, size, m[1] == "s" or size == 4, code)
    elif insn.text.startswith("tb"):
        targets = _short_table(insn.address + 4, 2 if insn.text.startswith("tbh") else 1, False, code)
    elif symbol is not None:
        # the table's address is one of the constants set up just before the jump, or before a loop around
        # it: then all tables of the function are taken, which only adds ways through the function
        near = [_word_table(base, symbol, code) for base in _addresses_before(insn, code)]
        targets = next((t for t in near if t), set())
        if not targets:
            targets = set().union(*(_word_table(base, symbol, code) for base in _addresses_in(symbol, code)))
    if not targets:
        raise UserError(
            f"the stack of {_name(insn.address, code)} is not known: it jumps through a pointer",
            found=insn.text,
            exit_code=1,
        )
    return sorted(targets)


def _short_table(base: int, entry_bytes: int, signed: bool, code: _Code) -> set[int]:
    """Destinations in a table that begins at `base`; its entries are distances from there in halfwords
    (words of __gnu_thumb1_case_si: in bytes, in an aligned table)."""
    at = base + 3 & ~3 if entry_bytes == 4 else base
    scale = 1 if entry_bytes == 4 else 2
    targets: set[int] = set()
    while not targets or at < min((t for t in targets if t > base), default=at):
        raw = code.image.read(at, entry_bytes)
        if raw is None:
            return set()
        target = (base + scale * int.from_bytes(raw, "little", signed=signed)) & ~1
        at += entry_bytes
        if target in code.insns:
            targets.add(target)
        elif any(raw):
            return set()  # no table after all; a zero pads a table of bytes to a halfword
    return targets


def _word_table(base: int, symbol: elf.Symbol, code: _Code) -> set[int]:
    targets: set[int] = set()
    at = base
    while (word := code.image.word(at)) is not None:
        # absolute, with the Thumb bit, or (RISC-V) relative to the table
        candidates = (word & ~1, base + _signed(word))
        inside = [c for c in candidates if symbol.address <= c < symbol.address + symbol.size_bytes]
        if not inside or inside[0] not in code.insns:
            break
        targets.add(inside[0])
        at += 4
    return targets


def _addresses_before(insn: dis.Insn, code: _Code) -> list[int]:
    """Address constants that the instructions before `insn` (and itself) mention, nearest first."""
    return _addresses_of((insn, *_before(insn, code)), code)


def _addresses_in(symbol: elf.Symbol, code: _Code) -> list[int]:
    """Address constants that any instruction of a function mentions."""
    inside = (a for a in code.order if symbol.address <= a < symbol.address + symbol.size_bytes)
    return _addresses_of((code.insns[a] for a in inside), code)


def _addresses_of(insns: Iterable[dis.Insn], code: _Code) -> list[int]:
    found = []
    for before in insns:
        operands = before.text.partition(" ")[2]
        if m := re.search(r"\[pc, #\d+\]\s*[;@] \((?:0x)?([0-9a-f]+)", operands):
            if (value := code.image.word(int(m[1], 16))) is not None:
                found.append(value)
        elif m := re.search(r"(?:[;@] \(adr [^,]+, (?:0x)?|# (?:0x)?)([0-9a-f]+)", operands):
            found.append(int(m[1], 16))
        elif before.text.startswith("ldr") and re.search(r"pc, \[pc, ", operands):
            found.append(before.address + 4)
    return found


def _name(address: int, code: _Code) -> str:
    symbol = _function_of(address, code)
    return symbol.name if symbol else f"{address:#x}"


def _function_of(address: int, code: _Code) -> elf.Symbol | None:
    at = address
    while at not in code.functions:
        i = code.index.get(at)
        if not i:
            return None
        at = code.order[i - 1]
    return code.functions[at]


def _signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 & 1 else value
