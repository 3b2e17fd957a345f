"""Disassembly of a linked program: from objdump's text to what each instruction does to control and sp."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from . import elf, toolchain

# What an instruction does to control flow.
# SAVE is a call of RISC-V's __riscv_save_<n>, which returns through t0 with registers left on the stack.
NEXT, JUMP, BRANCH, CALL, RETURN, MAYBE_RETURN, SWITCH, INDIRECT, STOP, SAVE = range(10)
_LINE = re.compile(r"^\s*([0-9a-f]+):\t([0-9a-f ]+?)\s*\t(\S+)(?:\t(.*))?$")
# CSEL, CSINC, CSINV and CSNEG of ARMv8.1-M, which objdump 2.40 shows as undefined in some forms: they write
# a general register, never sp or pc.
_UNDEFINED = re.compile(r"^\s*([0-9a-f]+):\t(ea5[0-9a-f] [89ab][0-9a-f]{3})\s*\t.*<UNDEFINED>")
_ARM_CONDITIONS = "eq|ne|cs|cc|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le"
_RISCV_BRANCHES = {"beq", "bne", "blt", "bge", "bltu", "bgeu", "bgt", "ble", "bgtu", "bleu"} | {
    f"b{c}z" for c in ("eq", "ne", "le", "ge", "lt", "gt")
}


@dataclass(frozen=True)
class Insn:
    """One instruction.

    flow      one of NEXT ... STOP; `target` is its destination for JUMP, BRANCH and CALL
    grows     bytes by which it lowers sp (negative when it raises sp)
    register  sp is lowered by minus this register's value: the analysis has to find it
    opaque    it writes sp in a way that is not understood
    """

    address: int
    size_bytes: int
    text: str
    flow: int
    target: int | None = None
    grows: int = 0
    register: str | None = None
    opaque: bool = False


def disassemble(program: Path, image: elf.Elf) -> dict[int, Insn]:
    """All instructions of a program by address. Raises UserError when objdump is missing or fails."""
    arm = image.machine == elf.EM_ARM
    objdump = toolchain.require("arm-none-eabi-objdump" if arm else "riscv64-unknown-elf-objdump")
    done = subprocess.run(
        [objdump, "-d", "-z", str(program)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise UserError(f"{program.name} cannot be disassembled", found=done.stderr.strip()[:500])
    insns = {}
    for line in done.stdout.splitlines():
        if arm and (m := _UNDEFINED.match(line)):
            insns[int(m[1], 16)] = Insn(int(m[1], 16), 4, f"conditional select {m[2]}", NEXT)
            continue
        m = _LINE.match(line)
        if m is None or m[3].startswith("."):
            continue
        address, size = int(m[1], 16), len(m[2].replace(" ", "")) // 2
        operands = m[4] or ""
        insns[address] = (_arm if arm else _riscv)(address, size, m[3], operands)
    return insns


def _target(operands: str) -> int | None:
    """Address of the last `addr <symbol>` in the operands."""
    found = re.findall(r"(?:0x)?([0-9a-f]+) <", operands)
    return int(found[-1], 16) if found else None


def _arm(address: int, size: int, mnemonic: str, operands: str) -> Insn:
    name = mnemonic.split(".")[0]
    text = f"{mnemonic} {operands}"
    operands = re.split(r"\s*[;@] ", operands)[0]
    flow, target, conditional = _arm_flow(name, operands)
    if flow != NEXT:
        return Insn(address, size, text, flow, target, grows=0)
    grows, register, opaque = _arm_sp(name, operands)
    if conditional and grows:
        opaque = True
    return Insn(address, size, text, NEXT, None, grows, register, opaque)


def _arm_flow(name: str, operands: str) -> tuple[int, int | None, bool]:
    """(flow, target, executed under a condition) of a Thumb instruction."""
    if name in ("cbz", "cbnz", "le", "letp", "wls", "wlstp"):
        return (NEXT, None, False) if "<" not in operands else (BRANCH, _target(operands), False)
    if name in ("tbb", "tbh"):
        return SWITCH, None, False
    if name == "udf":
        return STOP, None, False
    m = re.fullmatch(
        rf"(bl|blx|bx|b|pop|ldmia|ldmfd|ldr|mov|add|sub|push|vpush|vpop|str)({_ARM_CONDITIONS})?", name
    )
    if m is None or (m[1] == "b" and m[2] == "l"):
        return NEXT, None, False
    base, conditional = m[1], m[2] is not None
    if "<__gnu_thumb1_case_" in operands:  # libgcc's table jump of ARMv6-M: the table follows the call
        return SWITCH, None, conditional
    if base in ("bl", "blx"):
        target = _target(operands)
        return (CALL, target, conditional) if target is not None else (INDIRECT, None, conditional)
    if base == "b":
        return (BRANCH if conditional else JUMP), _target(operands), conditional
    writes_pc = base in ("pop", "ldmia", "ldmfd") and re.search(r"\bpc\b", operands) is not None
    if (base == "bx" and operands == "lr") or writes_pc or (base == "mov" and operands == "pc, lr"):
        return (MAYBE_RETURN if conditional else RETURN), None, conditional
    if base == "bx":
        return INDIRECT, None, conditional
    if base == "ldr" and operands.startswith("pc, [sp]"):
        return (MAYBE_RETURN if conditional else RETURN), None, conditional
    if base in ("ldr", "mov", "add") and operands.startswith("pc,"):
        return SWITCH, None, conditional
    return NEXT, None, conditional


def _arm_sp(name: str, operands: str) -> tuple[int, str | None, bool]:
    """(bytes pushed, register that holds the change, not understood) of a Thumb instruction."""
    if re.match(r"v?push|v?pop", name):
        size = _list_bytes(operands)
        return (size if "push" in name else -size), None, False
    if operands.startswith("sp!"):
        size = _list_bytes(operands)
        if re.match(r"v?stm(db|fd)", name):
            return size, None, False
        return (-size, None, False) if re.match(r"v?ldm(ia|fd)?", name) else (0, None, True)
    if m := re.search(r"\[sp, #(-?\d+)\]!", operands):
        return -int(m[1]), None, False
    if m := re.search(r"\[sp\], #(-?\d+)", operands):
        return -int(m[1]), None, False
    if not re.match(r"sp\b", operands):
        return 0, None, False
    m = re.fullmatch(r"sp, (?:sp, )?(?:#(\d+)|(\w+))", operands)
    if m is None or not re.match(r"add|sub", name):
        return 0, None, not re.match(r"cmp|cmn|tst|v?st", name)
    sign = 1 if name.startswith("sub") else -1
    if m[1]:
        return sign * int(m[1]), None, False
    return 0, m[2], sign == 1  # `sub sp, reg` is an array of variable length


def _list_bytes(operands: str) -> int:
    """Bytes of a register list such as {r4-r7, lr} or {d8-d15}."""
    total = 0
    for item in operands[operands.index("{") + 1 : operands.index("}")].split(","):
        first, _, last = item.strip().partition("-")
        count = int(last[1:]) - int(first[1:]) + 1 if last else 1
        total += count * (8 if first.startswith("d") else 4)
    return total


def _riscv(address: int, size: int, name: str, operands: str) -> Insn:
    text = f"{name} {operands}"
    if name in ("ret", "mret"):
        return Insn(address, size, text, RETURN)
    if name in ("ebreak", "unimp"):
        return Insn(address, size, text, STOP)
    if name in ("jr", "jalr") and "(" not in operands:
        # no offset: objdump's comment is a guess here, from an older value of the register
        operands = operands.split(" #")[0]
        text = f"{name} {operands}"
    if text == "jr ra":
        return Insn(address, size, text, RETURN)
    target = _target(operands)
    if name in _RISCV_BRANCHES:
        return Insn(address, size, text, BRANCH, target)
    if name == "j":
        return Insn(address, size, text, JUMP, target)
    if name in ("jal", "jalr"):
        flow = SAVE if "<__riscv_save_" in operands else INDIRECT if operands.startswith("t0,") else CALL
        return Insn(address, size, text, INDIRECT if target is None else flow, target)
    if name == "jr":
        return Insn(address, size, text, JUMP if target is not None else SWITCH, target)
    if not operands.startswith("sp,"):
        return Insn(address, size, text, NEXT)
    if (m := re.fullmatch(r"sp,sp,(-?\d+)", operands)) and name in ("addi", "add"):
        return Insn(address, size, text, NEXT, grows=-int(m[1]))
    if (m := re.fullmatch(r"sp,sp,(\w+)", operands)) and name in ("add", "c.add"):
        return Insn(address, size, text, NEXT, register=m[1])
    is_store = re.match(r"f?s[bhwdq]\w*$", name) or name.startswith("c.s")
    return Insn(address, size, text, NEXT, opaque=not is_store)
