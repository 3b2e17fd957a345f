"""Cycles of each model by hand, from the rules in the heads of emulation/plugin/*_model.h.

The sums of a case are in the order of its code; what two instructions take together is one term. The M4
model is in test_emulation_counts.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from emulation_support import board_called, build_text, need_host
from patchloom import boards
from patchloom.boards import Board
from patchloom.emulation import counts, elf
from patchloom.emulation.counts import CountRequest
from patchloom.emulation.qemu import run

# (code, cycles). On Arm r0 points to 64 bytes of RAM, r4 is 0, r5 is 12, r6 is 3, and the vectors q0 and q1
# are 0; on RISC-V a0, a4, a5 and a6 are the same. Nothing can be issued together with what surrounds a case.
Case = tuple[str, int]

# Instructions that Cortex-M0 and M0+ have, and what they take on both but for branches.
_M0_COMMON: tuple[Case, ...] = (
    ("adds r1, r5, r6; eors r1, r5; lsls r2, r5, #3", 3),
    ("ldr r1, [r0]; ldr r2, [r0]; ldrb r1, [r0]; ldrsh r1, [r0, r4]", 4 * 2),
    ("str r6, [r0]; strh r6, [r0, #2]; ldrh r1, [r0]; ldr r1, =0x12345678", 4 * 2),
    ("mov r7, r0; ldmia r7!, {r1, r2}; stmia r7!, {r1, r2, r3}", 1 + 3 + 4),
    ("push {r4-r7}; pop {r4-r7}", 5 + 5),
    ("cmp r4, #0; bne 1f; nop; 1:", 1 + 1 + 1),
)
_M0PLUS: tuple[Case, ...] = (
    *_M0_COMMON,
    ("b 1f; nop; 1:", 2),
    ("cmp r4, #0; beq 1f; nop; 1:", 1 + 2),
    ("bl leaf", 3 + 2),
    ("bl framed", 3 + (1 + 2) + (3 + 2)),
    ("movs r1, #3; 1: subs r1, #1; bne 1b", 1 + 3 * (1 + 1) + 2 * 1),
    ("mrs r1, primask; dsb", 3 + 3),
)
_M0: tuple[Case, ...] = (
    *_M0_COMMON,
    ("movs r1, #3; muls r1, r5, r1", 1 + 1),
    ("b 1f; nop; 1:", 3),
    ("bl leaf", 4 + 3),
    ("bl framed", 4 + (1 + 2) + (4 + 2)),
    ("movs r1, #3; 1: subs r1, #1; bne 1b", 1 + 3 * (1 + 1) + 2 * 2),
    ("mrs r1, primask; dsb", 4 + 4),
)
_M3: tuple[Case, ...] = (
    ("adds r1, r5, r6; add.w r3, r5, r6, lsl #2", 2),
    ("ldr r1, [r0]; ldr r2, [r0, #4]; adds r3, r5, r6; ldr r1, [r0]; str r6, [r0]", 2 + 1 + 1 + 2 + 1),
    ("ldrd r2, r3, [r0]; ldmia.w r0, {r1, r2, r3}", 3 + 4),
    ("mul r1, r5, r6; mla r2, r5, r6, r1; mls r2, r5, r6, r1", 1 + 2 + 2),
    ("smull r1, r2, r5, r6; umull r1, r2, r5, r6", 5 + 5),
    ("smlal r1, r2, r5, r6; umlal r1, r2, r5, r6", 7 + 7),
    ("sdiv r1, r5, r6; udiv r1, r5, r6", 12 + 12),
    ("movs r1, #3; 1: subs r1, #1; bne 1b", 1 + 3 * (1 + 1) + 2 * 2),
    ("bl leaf", 3 + 3),
)
_ARMV8M: tuple[Case, ...] = (  # what the models of M33 and M55 have in common
    ("add.w r1, r5, r6; eor.w r2, r5, r6", 1 + 1),
    ("movs r1, #1; ands r2, r5", 1),
    ("ands r2, r5; movs r1, #1", 1),
    ("movs r1, #1; movs r2, #2; movs r3, #3", 1 + 1),
    ("adds r1, r5, r6; ands r2, r5", 1 + 1),
    ("movs r1, #1; adds r2, r1, r6", 1 + 1),
    ("movs r1, #1; add.w r2, r5, r6", 1 + 1),
    ("ldr r1, [r0]; movs r2, #1; ands r1, r5", 1 + 2),
    ("ldr r1, [r0]; add.w r2, r1, r6", 1 + 2),
    ("ldr.w r1, [r0]; add.w r3, r5, r6; add.w r2, r1, r6", 3),
    ("mov.w r7, r0; ldr.w r1, [r7], #4; ldr.w r2, [r7]", 3),
    ("mul r1, r5, r6; add.w r2, r1, r6", 1 + 2),
    ("sdiv r1, r5, r6; add.w r2, r1, r6", 11 + 1),
    ("cmp r4, #0; ite eq; moveq r1, #1; movne r1, #2", 1 + 0 + 1),
    ("b.n 1f; nop; 1:", 1 + 2),
    ("cmp.w r4, #0; bne.n 1f; nop; 1:", 1 + 1 + 1),
    ("movs r1, #3; 1: subs r1, #1; bne 1b", 1 + 3 * 1 + 2 * 2),
    ("bl leaf", (1 + 2) + (1 + 2)),
)
_M33: tuple[Case, ...] = (
    *_ARMV8M,
    ("ldr.w r1, [r0]; ldr.w r2, [r0]; str.w r6, [r0]; ldrd r2, r3, [r0]", 1 + 1 + 1 + 2),
    ("ldr.w r1, [r0]; str.w r1, [r0, #4]", 1 + 1),
    ("ldmia.w r0, {r1, r2, r3}; push {r4-r7}; pop {r4-r7}", 3 + 4 + 4),
    ("mla r1, r5, r6, r1; smlad r1, r5, r6, r1; smlal r1, r2, r5, r6", 1 + 1 + 1),
    ("add.w r1, r5, r6, lsl #2; add.w r2, r1, r6", 1 + 1),
)
_M55: tuple[Case, ...] = (
    *_ARMV8M,
    ("ldrd r2, r3, [r0]; ldmia.w r0, {r1, r2, r3}; push {r4-r7}; pop {r4-r7}", 1 + 2 + 2 + 2),
    ("mla r1, r5, r6, r1; smlad r1, r5, r6, r1", 1 + 2),
    ("add.w r1, r5, r6, lsl #2; add.w r2, r1, r6", 1 + 2),
    ("vldrb.8 q0, [r0]; vmladava.s8 r2, q0, q1", 1 + 1),
    ("vldrb.8 q0, [r0]; vmladava.s8 r2, q1, q1; vldrb.8 q2, [r0]; vmladava.s8 r2, q1, q1", 4),
    ("vldrb.8 q0, [r0]; vldrb.8 q2, [r0]; vstrb.8 q2, [r0]", 1 + 2 + 2),
    ("vmladava.s8 r2, q0, q1; vmladava.s8 r8, q0, q1", 1 + 2),
    ("vadd.i32 q2, q0, q1; vsub.i32 q3, q0, q1; vmul.i32 q4, q0, q1", 1 + 2 + 1),
    ("vmul.i32 q2, q0, q1; vadd.i32 q3, q2, q1", 1 + 2),
    ("vmul.i32 q2, q0, q1; vstrw.32 q2, [r0]", 1 + 1),
    ("vldrb.s32 q2, [r0]; vqrdmulh.s32 q2, q2, q1; vrshl.s32 q2, q2, q1; vstrb.32 q2, [r0]", 1 + 1 + 2 + 1),
    ("vadd.i32 q2, q0, q1; vmul.i32 q3, q2, q1", 1 + 1),
    ("vmladav.s8 r2, q0, q1; add.w r3, r2, r5", 1 + 2),
    ("vqrshrnb.s32 q2, q0, #4; vmul.i32 q3, q2, q1", 1 + 3),
    ("vaddv.s32 r2, q0; vmaxv.s8 r6, q1; vminv.s8 r8, q1", 1 + 1 + 2),
    ("vldrb.8 q0, [r0]; add.w r1, r5, r6; vldrb.8 q2, [r0]", 1 + 1 + 1),
    ("vldrb.u8 q2, [r0, q1]; vldrb.8 q3, [r0]", 1 + 8),
    ("vldrw.u32 q2, [r0, q1]; vldrb.8 q3, [r0]", 1 + 2),
    ("vctp.8 r5; vpst; vldrbt.u8 q2, [r0]", 1 + 1 + 1),
    (
        "dls lr, r6; 1: vldrb.8 q2, [r0]; vmladava.s8 r2, q2, q1; le lr, 1b",
        1 + (1 + 1 + 1 + 2) + (1 + 1) + (1 + 1),
    ),
    ("dlstp.8 lr, r5; 1: vldrb.8 q2, [r0]; vmladava.s8 r2, q2, q1; letp lr, 1b", 1 + (1 + 1 + 1)),
    ("dls lr, r6; 1: le lr, 1b", 1 + (1 + 2) + 1 + 1),
    (
        "movs r1, #2; 2: dls lr, r6; 1: add.w r2, r5, r6; le lr, 1b; subs r1, #1; bne 2b",
        1 + 2 * (1 + (1 + 1 + 2) + 2 * 1 + 1) + 2,
    ),
)
_M7: tuple[Case, ...] = (
    ("add.w r1, r5, r6; eor.w r2, r5, r6", 1),
    ("add.w r1, r5, r6; eor.w r2, r5, r6; orr.w r3, r5, r6", 1 + 1),
    ("add.w r1, r5, r6; add.w r2, r1, r6", 1 + 1),
    ("ldr r1, [r0]; add.w r2, r5, r6", 1),
    ("ldr r1, [r0]; ldr r2, [r0, #4]; ldr r3, [r0, #8]", 1 + 1),
    ("str r6, [r0]; str r5, [r0, #4]; ldr r1, [r0]", 1 + 1 + 1),
    ("ldr r1, [r0]; add.w r2, r1, r6", 1 + 1),
    ("ldrb r1, [r0]; add.w r2, r1, r6", 1 + 2),
    ("ldr r1, [r0]; add.w r2, r6, r1, lsl #2", 1 + 2),
    ("add.w r1, r0, r4; ldr r2, [r1]", 1 + 2),
    ("mov.w r7, r0; nop.w; ldr r1, [r7], #4; ldr r2, [r7], #4", 1 + 1 + 1 + 1),
    ("add.w r1, r5, r6; str r1, [r0]", 1),
    ("mul r1, r5, r6; smull r2, r3, r5, r6", 1 + 1),
    ("mul r1, r5, r6; add.w r2, r1, r6", 1 + 2),
    ("mla r1, r5, r6, r1; smlad r1, r5, r6, r1; smlad r1, r5, r6, r1", 3),
    ("smlad r1, r5, r6, r1; ldr r2, [r0]; smlad r1, r5, r6, r1; ldr r2, [r0]", 1 + 1),
    ("add.w r1, r5, r6, lsl #2; add.w r2, r5, r6, lsl #2", 1 + 1),
    ("add.w r1, r5, r6, lsl #2; add.w r2, r5, r6", 1),
    ("sxtb16 r2, r5; add.w r1, r5, r6", 1),
    ("add.w r1, r5, r6; sxtb16 r2, r5", 1 + 1),
    ("ssat r1, #8, r5; strb r1, [r0]", 1 + 1),
    ("ldmia.w r0, {r1, r2, r3}; ldrd r2, r3, [r0]; add.w r1, r5, r6", 3 + 1 + 1),
    ("sdiv r1, r5, r6; add.w r2, r5, r6", 7 + 1),
    ("movs r1, #3; 1: subs r1, #1; bne 1b", 1 + 3 * 1 + 6),
    ("b.n 1f; nop; 1: add.w r1, r5, r6", 1 + 1),
    ("cmp r4, #0; beq 1f; nop; 1:", 1 + 6),
    ("cmp r4, #0; bne 1f; add.w r1, r5, r6; 1:", 1 + 1),
    ("bl leaf", 1 + (1 + 6)),
    ("vldr s0, [r0]; vadd.f32 s1, s2, s3; vadd.f32 s4, s1, s1", 1 + 3),
)
_RV32: tuple[Case, ...] = (
    ("add a1, a5, a6; xori a2, a5, 5; lui a3, 5", 3),
    ("lw a1, 0(a0); lb a2, 4(a0); sw a6, 8(a0); add a3, a5, a6", 4),
    ("lw a1, 0(a0); add a2, a1, a6; add a2, a1, a6", 1 + 2 + 1),
    ("lw a1, 0(a0); sw a1, 4(a0)", 1 + 2),
    ("lw x0, 0(a0); add a2, x0, x0", 1 + 1),
    ("mul a1, a5, a6; add a2, a1, a6; mulh a1, a5, a6; mulhu a1, a5, a6", 1 + 1 + 2 + 2),
    ("div a1, a5, a6; remu a1, a5, a6", 35 + 35),
    ("j 1f; nop; 1:", 2),
    ("beq a4, zero, 1f; nop; 1:", 3),
    ("bne a4, zero, 1f; nop; 1:", 1 + 1),
    ("li a1, 3; 1: addi a1, a1, -1; bnez a1, 1b", 1 + 3 * (1 + 1) + 2 * 2),
    ("call leaf", 2 + 2),
    (".option arch, +zicsr; csrr a1, mscratch; fence", 1 + 1),
    ("c.lw a1, 0(a0); c.add a1, a5; c.sw a1, 4(a0); c.mv a2, a1; c.addi a2, 1", 1 + 2 + 1 + 1 + 1),
    (
        "addi sp, sp, -16; c.swsp a5, 4(sp); c.lwsp a1, 4(sp); c.and a1, a5; addi sp, sp, 16",
        1 + 1 + 1 + 2 + 1,
    ),
    ("c.beqz a4, 1f; nop; 1:", 3),
)

# A block that is entered in more states than the plugin remembers per block, each of them twice.
_M7_MANY_ENTRIES: tuple[Case, ...] = tuple(
    (f"vdiv.f32 s{i}, s9, s9; bl waiting_for_s1", 1 + (16 if i == 1 else 1) + 6) for i in (*range(1, 9),) * 2
)

_ARM = """
    .syntax unified
    .thumb
    .text
    {functions}
    .thumb_func
leaf: bx lr
    .thumb_func
framed: push {{r4, lr}}
    pop {{r4, pc}}
    .globl guest_main
    .type guest_main, %function
    .thumb_func
guest_main:
    push {{r4-r7, lr}}
    ldr r0, =buffer
    movs r1, #0
    movs r2, #0
    movs r3, #0
    movs r4, #0
    movs r5, #12
    movs r6, #3
"""
# What only some cores can assemble: functions, and code at the start.
_FUNCTIONS = {"cortex-m7": ".thumb_func\nwaiting_for_s1: vmov r1, s1; bx lr\n"}
_PROLOGUE = {"cortex-m55": "vmov.i32 q0, #0; vmov.i32 q1, #0\n"}
_ARM_END = """
    movs r0, #0
    pop {r4-r7, pc}
    .bss
    .balign 16
buffer: .space 64
"""
_RISCV = """
    .text
leaf: ret
    .globl guest_main
guest_main:
    addi sp, sp, -16
    sw ra, 0(sp)
    la a0, buffer
    li a4, 0
    li a5, 12
    li a6, 3
"""
_RISCV_END = """
    lw ra, 0(sp)
    addi sp, sp, 16
    li a0, 0
    ret
    .bss
    .balign 16
buffer: .space 64
"""


def _arm_case(number: int, code: str) -> str:
    """`isb` is never issued together with others, and the last results are ready after its like."""
    apart = "isb;" * 12
    return f"""
    movs r6, #3
    {apart} start_{number}: {code}; end_{number}: isb
    b past_{number}
    .ltorg
    .balign 4
past_{number}:
"""


def _riscv_case(number: int, code: str) -> str:
    return f"fence; start_{number}: {code}; end_{number}: nop\n"


def _assembly(arch: str, cases: Sequence[Case], core: str) -> str:
    if arch == "riscv":
        return _RISCV + "".join(_riscv_case(i, code) for i, (code, _) in enumerate(cases)) + _RISCV_END
    start = _ARM.format(functions=_FUNCTIONS.get(core, "")) + _PROLOGUE.get(core, "")
    return start + "".join(_arm_case(i, code) for i, (code, _) in enumerate(cases)) + _ARM_END


def _build(board: Board, cases: Sequence[Case], folder: Path) -> tuple[Path, list[tuple[int, int]]]:
    """The program, and the addresses where each case starts and ends."""
    need_host()
    arch = "riscv" if board.core.startswith("rv") else "arm"
    program = build_text(_assembly(arch, cases, board.core), board, folder, suffix=".S")
    image = elf.read(program)
    return program, [(image.address(f"start_{i}"), image.address(f"end_{i}")) for i in range(len(cases))]


def _cycles(
    name: str, cases: Sequence[Case], folder: Path, model: str | None = None
) -> tuple[str | None, list[int | None]]:
    """Cycle model that was used, and the cycles of each case."""
    board = board_called(name)
    program, markers = _build(board, cases, folder)
    request = CountRequest(tuple(m for pair in markers for m in pair), model=model)
    result = run(program, board, timeout_s=120, count=request)
    assert result.counts is not None
    spent = {i.address: i.cycles for i in result.counts.intervals()}
    return result.counts.cycle_model, [spent[start] for start, _ in markers]


@pytest.mark.parametrize(
    ("name", "model", "cases"),
    [
        ("generic-cortex-m0plus", "m0plus", _M0PLUS),
        ("generic-cortex-m0", "m0", _M0),
        ("microbit-v1", "m0", _M0),
        ("generic-cortex-m3", "m3", _M3),
        ("generic-cortex-m33", "m33", _M33),
        ("generic-cortex-m55", "m55", _M55),
        ("generic-cortex-m7", "m7", _M7),
        ("generic-cortex-m7", "m7", _M7_MANY_ENTRIES),
        ("generic-rv32imc", "rv32", _RV32),
        ("hifive1-revb", "rv32", _RV32),
    ],
)
def test_a_model_counts_what_its_rules_say(
    name: str, model: str, cases: Sequence[Case], tmp_path: Path
) -> None:
    used, found = _cycles(name, cases, tmp_path)
    assert used == model
    assert list(zip([code for code, _ in cases], found, strict=True)) == list(cases)


def test_the_small_multiplier_of_the_m0plus_is_a_model_of_its_own(tmp_path: Path) -> None:
    cases = [("muls r1, r5, r1; muls r1, r5, r1; adds r1, r5, r6", 32 + 32 + 1)]
    assert _cycles("generic-cortex-m0plus", cases, tmp_path) == ("m0plus", [3])
    assert _cycles("generic-cortex-m0plus", cases, tmp_path, "m0plus-slowmul") == ("m0plus-slowmul", [65])


@pytest.mark.parametrize(
    ("name", "cases"), [("generic-cortex-m7", _M7), ("generic-cortex-m55", _M55), ("generic-rv32imc", _RV32)]
)
def test_what_is_marked_does_not_change_what_is_counted(
    name: str, cases: Sequence[Case], tmp_path: Path
) -> None:
    board = board_called(name)
    program, markers = _build(board, cases, tmp_path)
    ends = (markers[0][0], markers[-1][1])
    totals = set()
    for marked in (ends, tuple(m for pair in markers for m in pair)):
        result = run(program, board, timeout_s=120, count=CountRequest(marked))
        assert result.counts is not None
        between = [s.cycles for s in result.counts.snapshots if s.address in ends]
        totals.add((tuple(between), result.counts.cycles))
    assert len(totals) == 1


def test_the_model_is_that_of_the_boards_core_not_of_the_machine() -> None:
    for name in boards.names():
        board = boards.load(name)
        model = counts.cycle_model(board.core)
        if board.core in ("cortex-m85", "rv32gcv", "rv64gcv"):
            assert model is None
        else:
            assert model == board.core.removeprefix("cortex-")[: None if "cortex" in board.core else 4]
