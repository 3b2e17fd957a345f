"""Counts at marker addresses: instructions exactly, cycles by hand from the rules of the M4 model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from emulation_support import GENERIC, board_called, build_text, need_host
from patchloom.emulation import counts, elf, toolchain
from patchloom.emulation.counts import ICOUNT, CountRequest, parse_plugin
from patchloom.emulation.qemu import run
from patchloom.errors import UserError

# (name, code, instructions, cycles). r0 points to 64 bytes of RAM, r4 is 0, r5 is 12, r6 is 3. One marker
# stands before the code (after what is left of //) and one after it; sums are in the order of the code.
_SEQUENCES = (
    ("alu", "adds r1, r5, r6; eor r2, r5, r6; add.w r3, r5, r6, lsl #2", 3, 1 + 1 + 1),
    ("load", "ldr r1, [r0]", 1, 2),
    ("three_loads", "ldr r1, [r0]; ldr r2, [r0, #4]; ldr.w r3, [r0, #8]", 3, 2 + 1 + 1),
    ("load_alu_load", "ldr r1, [r0]; adds r2, r5, r6; ldr r3, [r0]", 3, 2 + 1 + 2),
    ("store_load", "str r6, [r0]; ldr r1, [r0]", 2, 1 + 1),
    ("two_stores", "str r6, [r0]; strb.w r6, [r0, #9]", 2, 1 + 1),
    ("narrow_kinds", "ldrb r1, [r0]; ldrh r2, [r0, #2]; ldrsb r3, [r0, r4]; ldrsh r3, [r0, r4]", 4, 2 + 3),
    ("wide_kinds", "ldrb.w r1, [r0, #1]; ldrsh.w r2, [r0, r4, lsl #1]; strh.w r6, [r0, #2]", 3, 2 + 1 + 1),
    ("write_back", "mov r1, r0; ldr r2, [r1], #4; ldr r2, [r1, #4]!; str r2, [r1, #-4]!", 4, 1 + 2 + 1 + 1),
    ("sp_relative", "str r6, [sp, #-8]!; ldr r1, [sp]; ldr r2, [sp], #8", 3, 1 + 1 + 1),
    ("literal", "ldr r1, =0x12345678; adds r1, r5, r6; ldr.w r8, =0x12345678", 3, 2 + 1 + 2),
    ("exclusive", "ldrex r1, [r0]; adds r2, r5, r6; strex r1, r6, [r0]", 3, 2 + 1 + 1),
    ("hint", "pld [r0]; ldr r1, [r0]", 2, 1 + 2),
    ("ldm_stm", "ldmia.w r0, {r1, r2, r3}; stmia.w r0, {r1, r2, r3, r6}", 2, (1 + 3) + (1 + 4)),
    ("ldm_narrow", "mov r7, r0; ldmia r7!, {r1, r2}; stmia r7!, {r1, r2, r3}", 3, 1 + (1 + 2) + (1 + 3)),
    ("load_after_ldm", "ldmia.w r0, {r1, r2}; ldr r1, [r0]", 2, (1 + 2) + 2),
    ("push_pop", "push {r4-r7}; pop {r4-r7}", 2, (1 + 4) + (1 + 4)),
    ("push_pop_wide", "push.w {r4, r8, r9, lr}; pop.w {r4, r8, r9, lr}", 2, (1 + 4) + (1 + 4)),
    ("ldrd_strd", "ldrd r2, r3, [r0]; strd r2, r3, [r0, #8]; ldr r1, [r0]", 3, 3 + 3 + 2),
    ("divide", "sdiv r1, r5, r6; udiv r2, r5, r6", 2, 6 + 6),
    ("multiply", "mul r1, r5, r6; mla r2, r5, r6, r1; smlad r3, r5, r6, r1; smull r1, r2, r5, r6", 4, 4),
    ("simd", "sxtb16 r1, r5, ror #8; ssat r2, #8, r5; smmulr r3, r5, r6", 3, 3),
    ("it_block", "cmp r4, #0; ite eq; moveq r1, #1; movne r1, #2", 4, 1 + 0 + 1 + 1),
    ("it_load", "cmp r4, #0; it eq; ldreq r1, [r0]; ldr r2, [r0]", 4, 1 + 0 + 2 + 1),
    ("taken", "b.n 1f; nop; 1:", 1, 1 + 2),
    ("taken_wide", "b.w 1f; nop; 1:", 1, 1 + 2),
    ("conditional_not_taken", "cmp r4, #0; bne 1f; nop; 1:", 3, 1 + 1 + 1),
    ("conditional_taken", "cmp r4, #0; beq 1f; nop; 1:", 2, 1 + (1 + 2)),
    ("cbz", "cbz r4, 1f; nop; 1: cbz r6, 2f; nop; 2:", 3, (1 + 2) + 1 + 1),
    ("loop", "movs r1, #3; 1: subs r1, #1; bne 1b", 7, 1 + 3 * (1 + 1) + 2 * 2),
    ("loop_of_loads", "movs r1, #2; 1: ldr r2, [r0]; subs r1, #1; bne 1b", 7, 1 + 2 * (2 + 1 + 1) + 2),
    ("load_after_not_taken", "cmp r4, #0; ldr r1, [r0]; bne 1f; ldr r1, [r0]; 1:", 4, 1 + 2 + 1 + 2),
    ("call", "bl leaf", 2, (1 + 2) + (1 + 2)),
    ("call_register", "ldr r1, =leaf; blx r1", 3, 2 + (1 + 2) + (1 + 2)),
    ("call_with_frame", "bl framed", 3, (1 + 2) + (1 + 2) + (1 + 2 + 2)),
    ("call_with_load", "bl loading", 3, (1 + 2) + 2 + (1 + 2)),
    ("table_branch", "tbb [pc, r4]; 1: .byte (2f - 1b) / 2, 0; nop; 2:", 1, 1 + 2),
    ("vldr_vstr", "vldr s0, [r0]; vstr s0, [r0]; ldr r1, [r0]", 3, 2 + 2 + 2),
    ("vldr_double", "vldr d0, [r0]; vstr d0, [r0, #8]", 2, 3 + 3),
    ("vldm", "vldmia r0, {s0-s4}; vldmia r0, {d0-d1}; vpush {s16-s17}; vpop {s16-s17}", 4, 6 + 5 + 3 + 3),
    ("fpu", "vmov s0, r5; vadd.f32 s1, s0, s0; vmov r1, r2, s0, s1; vmrs r1, fpscr", 4, 4),
    (
        "page_border",
        ".balign 4096 // .rept 2046; nop; .endr; ldr r1, [r0]; ldr r2, [r0]; ldr r3, [r0]",
        2049,
        2046 + 4,
    ),
    (
        "wide_across_pages",
        ".balign 4096 // .rept 2047; nop; .endr; ldr.w r1, [r0]; ldr r2, [r0]",
        2049,
        2047 + 3,
    ),
)


def _assembly() -> str:
    body = ""
    for name, text, _, _ in _SEQUENCES:
        before, _, code = text.rpartition("//")
        body += (
            f"nop; {before}\nstart_{name}: {code}; end_{name}: nop\nb.w past_{name}\n.ltorg\npast_{name}:\n"
        )
    return _program(body)


def _program(body: str) -> str:
    """Functions that the sequences call, registers as they expect them, and a buffer."""
    return f"""
    .syntax unified
    .thumb
    .text
    .balign 4096
    .thumb_func
leaf: bx lr
    .thumb_func
framed: push {{r4, lr}}
    pop {{r4, pc}}
    .thumb_func
loading: ldr r1, [r0]
    bx lr
    .globl guest_main
    .type guest_main, %function
    .thumb_func
guest_main:
    push {{r4-r9, lr}}
    ldr r0, =buffer
    movs r4, #0
    movs r5, #12
    movs r6, #3
    b.w body
    .ltorg
body:
{body}
    movs r0, #0
    pop {{r4-r9, pc}}
    .bss
    .balign 8
buffer: .space 64
"""


def test_the_m4_model_counts_what_its_rules_say(tmp_path: Path) -> None:
    need_host()
    board = board_called("generic-cortex-m4")
    program = build_text(_assembly(), board, tmp_path, suffix=".S")
    image = elf.read(program)
    starts = {image.address(f"start_{name}"): name for name, *_ in _SEQUENCES}
    ends = [image.address(f"end_{name}") for name, *_ in _SEQUENCES]
    result = run(program, board, timeout_s=120, count=CountRequest((*starts, *ends)))
    assert result.counts is not None
    assert result.counts.cycle_model == "m4"
    found = {
        starts[i.address]: (i.instructions, i.cycles)
        for i in result.counts.intervals()
        if i.address in starts
    }
    assert found == {name: (instructions, cycles) for name, _, instructions, cycles in _SEQUENCES}


# (code, instructions, cycles on the M4, whether it is a single load or store) for programs put together at
# random; LDR, of 2 cycles, takes 1 after a single load or store.
_PIECES = (
    ("adds r1, r5, r6", 1, 1, False),
    ("smlad r2, r5, r6, r2", 1, 1, False),
    ("sxtb16 r3, r5, ror #8", 1, 1, False),
    ("ldr r1, [r0]", 1, 2, True),
    ("ldrsb.w r2, [r0, #5]", 1, 2, True),
    ("ldr.w r3, [r0, r4, lsl #2]", 1, 2, True),
    ("strb r1, [r0]", 1, 1, True),
    ("ldrd r2, r3, [r0]", 1, 3, False),
    ("ldmia.w r0, {r1, r2, r3}", 1, 4, False),
    ("udiv r1, r5, r6", 1, 6, False),
    ("cbz r4, 1f; nop; 1:", 1, 3, False),
    ("cmp r4, #0; bne 1f; 1:", 2, 2, False),
    ("bl leaf", 2, 3 + 3, False),
    ("bl framed", 3, 3 + 3 + 5, False),
)


def test_a_long_random_program_takes_what_its_pieces_take(tmp_path: Path) -> None:
    need_host()
    rng = np.random.default_rng(11)
    pieces = [_PIECES[i] for i in rng.integers(0, len(_PIECES), 3000)]
    follows = [False, *(single for *_, single in pieces)]
    cycles = sum(
        c - (single and c == 2 and before)
        for (_, _, c, single), before in zip(pieces, follows[:-1], strict=True)
    )
    rounds = 3
    loop = "\n".join(code for code, *_ in pieces)
    text = f"movs r7, #{rounds}\nstart_all: nop\n2: {loop}\nsubs r7, #1; bne.w 2b\nend_all: nop\n"
    board = board_called("generic-cortex-m4")
    program = build_text(_program(text), board, tmp_path, suffix=".S")
    image = elf.read(program)
    request = CountRequest((image.address("start_all"), image.address("end_all")))
    result = run(program, board, timeout_s=120, count=request)
    assert result.counts is not None
    (spent,) = result.counts.intervals()
    assert spent.instructions == 1 + rounds * (sum(n for _, n, *_ in pieces) + 2)
    assert spent.cycles == 1 + rounds * (cycles + 2) + (rounds - 1) * 2


_LOOP = """
#include "guest.h"
int guest_main(void)
{
    guest_mark();
    for (int i = 0; i < 100000; i++) {
        __asm__ volatile("" ::: "memory");
    }
    guest_mark();
    guest_mark();
    return 0;
}
"""


def _marks(name: str, source: str, tmp_path: Path) -> counts.Counts:
    board = board_called(name)
    folder = tmp_path / source
    folder.mkdir()
    program = build_text(_LOOP, board, folder, defines=counts.build_defines(source))
    markers = (elf.read(program).address("guest_mark"),)
    result = run(program, board, timeout_s=120, count=CountRequest(markers, source))
    assert result.counts is not None
    return result.counts


@pytest.mark.parametrize("name", GENERIC)
def test_instructions_between_marks_are_counted_on_every_core(name: str, tmp_path: Path) -> None:
    need_host()
    found = _marks(name, counts.TCG_PLUGIN, tmp_path)
    loop, empty = found.intervals()
    # two or three instructions a round, one with the loop instruction of ARMv8.1-M
    assert 100_000 <= loop.instructions < 300_100
    assert 1 <= empty.instructions <= 6
    assert found.instructions is not None and found.instructions > loop.instructions
    assert found.cycle_model == counts.cycle_model(board_called(name).core)
    if found.cycle_model is None:
        assert loop.cycles is None
    else:  # two instructions in a cycle at best
        assert loop.cycles is not None and loop.cycles >= loop.instructions / 2


@pytest.mark.parametrize(
    "name",
    [
        "generic-cortex-m3",
        "generic-cortex-m33",
        "generic-cortex-m55",
        "microbit-v1",
        "netduinoplus2",
        "generic-rv32imc",
        "generic-rv64gcv",
    ],
)
def test_without_the_plugin_the_guest_timer_gives_instructions(name: str, tmp_path: Path) -> None:
    need_host()
    exact = _marks(name, counts.TCG_PLUGIN, tmp_path).intervals()[0].instructions
    found = _marks(name, ICOUNT, tmp_path)
    assert found.source == "icount"
    assert len(found.intervals()) == 2
    loop = found.intervals()[0]
    assert loop.cycles is None
    # reading the timer takes instructions too
    assert abs(loop.instructions - exact) <= 2 * found.resolution + 120


def test_the_plugin_is_built_once_into_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_host()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    counts.plugin.cache_clear()
    first = counts.plugin()
    assert first.parent == tmp_path / "patchloom"
    stamp = first.stat().st_mtime_ns
    counts.plugin.cache_clear()
    assert counts.plugin() == first
    assert first.stat().st_mtime_ns == stamp
    assert [p.name for p in first.parent.iterdir()] == [first.name]
    counts.plugin.cache_clear()


def test_the_plugin_is_not_used_with_an_emulator_that_cannot_load_it(monkeypatch: pytest.MonkeyPatch) -> None:
    need_host()
    monkeypatch.setattr(toolchain, "version_of", {"old": "7.2.22", "new": "9.1.0"}.get)
    assert counts.source("old") == counts.TCG_PLUGIN
    assert counts.source("new") == ICOUNT
    assert counts.source("absent") == ICOUNT


def test_incomplete_counts_are_an_error() -> None:
    assert parse_plugin("100 5 7\nend 9 -\n", None).snapshots[0].cycles == 7
    for text in ("", "100 5 7\n", "100 5 7\ntruncated 9 9\n"):
        with pytest.raises(UserError, match="incomplete"):
            parse_plugin(text, "m4")
