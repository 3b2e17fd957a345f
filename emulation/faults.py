"""Fault registers of a guest, turned into an error that says what happened and where."""

from __future__ import annotations

import struct

from ..errors import UserError
from . import elf

# ARMv7-M/v8-M Configurable Fault Status Register, by bit.
_CFSR = {
    0: "instruction access violation",
    1: "data access violation",
    3: "memory fault while leaving an exception",
    4: "memory fault while entering an exception",
    8: "instruction bus error",
    9: "data bus error",
    10: "imprecise data bus error",
    11: "bus fault while leaving an exception",
    12: "bus fault while entering an exception",
    16: "undefined instruction",
    17: "invalid state (branch to an even address?)",
    18: "invalid exception return",
    19: "instruction of an absent coprocessor (FPU or MVE)",
    20: "stack overflow",
    24: "unaligned access",
    25: "division by zero",
}
_BFAR_VALID = 1 << 15
_EXCEPTIONS = {2: "NMI", 3: "HardFault", 4: "MemManage", 5: "BusFault", 6: "UsageFault", 7: "SecureFault"}
# RISC-V privileged specification, table of mcause values.
_CAUSES = {
    0: "instruction address misaligned",
    1: "instruction access fault",
    2: "illegal instruction",
    3: "breakpoint",
    4: "load address misaligned",
    5: "load access fault",
    6: "store address misaligned",
    7: "store access fault",
    11: "environment call",
}


def error(payload: bytes, image: elf.Elf, arch: str, board: str) -> UserError:
    """The error for an F record: cause, pc and caller with their functions.

    payload  cortexm: exception, pc, lr, CFSR, HFSR, BFAR; riscv: mcause, pc, ra, mtval
    """
    words = struct.unpack(f"<{len(payload) // 4}I", payload[: len(payload) // 4 * 4])
    if len(words) < 4:
        return UserError(f"the program faulted on {board}, and its report was cut off", exit_code=1)
    cause, pc, caller = words[:3]
    what = _cortexm(words) if arch == "cortexm" else _riscv(cause, words[3])
    return UserError(
        f"the program faulted on {board}: {what}",
        found=f"pc {_place(pc, image)}, called from {_place(caller & ~1, image)}",
        exit_code=1,
    )


def stack_overflow(board: str) -> UserError:
    """The error when the word below the stack was overwritten."""
    return UserError(
        f"the program overflowed its stack on {board}",
        rule="data and stack share the board's RAM; the stack grows down to the data",
        exit_code=1,
    )


def _cortexm(words: tuple[int, ...]) -> str:
    name = _EXCEPTIONS.get(words[0], f"unexpected exception {words[0]}")
    if len(words) < 6:
        return name
    status = words[3]
    causes = [text for bit, text in _CFSR.items() if status >> bit & 1]
    if status & _BFAR_VALID:
        causes.append(f"address {words[5]:#010x}")
    return f"{name} ({', '.join(causes)})" if causes else name


def _riscv(cause: int, value: int) -> str:
    return f"{_CAUSES.get(cause, f'trap {cause:#x}')} (value {value:#010x})"


def _place(address: int, image: elf.Elf) -> str:
    function = image.function_at(address)
    return f"{address:#010x}" + (f" in {function}" if function else "")
