"""Every machine boots, returns what it was given, reports faults and cannot run for ever."""

from __future__ import annotations

import itertools
import struct
import zlib
from pathlib import Path

import pytest
from emulation_support import GENERIC, OTHERS, board_called, build_text, need, with_memory
from patchloom import boards
from patchloom.emulation import machines, qemu
from patchloom.emulation.elf import read
from patchloom.emulation.qemu import inputs_capacity, run
from patchloom.errors import UserError

_ECHO = """
#include <string.h>
#include "guest.h"
static volatile int initialised = 7;
static uint32_t zeroed[64];
static uint8_t copy[512];
static GUEST_HARNESS_BUFFER uint8_t aside[256];
int guest_main(void)
{
    memcpy(copy, guest_inputs(), sizeof copy);
    guest_write(copy, sizeof copy);
    memcpy(aside, copy, sizeof aside);
    uint32_t crc = guest_crc32(0, aside, sizeof aside);
    guest_write(&crc, sizeof crc);
    for (int i = 0; i < 64; i++) {
        initialised += (int)zeroed[i];
    }
    return initialised;
}
"""


@pytest.mark.parametrize("name", GENERIC + OTHERS)
def test_a_program_echoes_its_inputs_and_returns_its_exit_code(name: str, tmp_path: Path) -> None:
    board = board_called(name)
    program = build_text(_ECHO, board, tmp_path)
    inputs = bytes(range(256)) + bytes(reversed(range(256)))
    result = run(program, board, inputs, timeout_s=120)
    assert result.output == inputs + struct.pack("<I", zlib.crc32(inputs[:256]))
    assert result.exit_code == 7
    assert result.sandboxed


@pytest.mark.parametrize(
    "name", ["generic-cortex-m4", "generic-cortex-m33", "generic-cortex-m55", "generic-rv32gcv"]
)
def test_floating_point_works(name: str, tmp_path: Path) -> None:
    board = board_called(name)
    text = """
    #include <math.h>
    #include "guest.h"
    int guest_main(void)
    {
        float x;
        __builtin_memcpy(&x, guest_inputs(), sizeof x);
        float y[2] = {sqrtf(x) * 1.5f, expf(x)};
        guest_write(y, sizeof y);
        return 0;
    }
    """
    program = build_text(text, board, tmp_path)
    y = struct.unpack("<2f", run(program, board, struct.pack("<f", 2.25), timeout_s=120).output)
    assert y[0] == 2.25
    assert y[1] == pytest.approx(9.487735836, rel=1e-6)


def test_every_board_profile_fits_its_machine() -> None:
    for name in boards.names():
        board = boards.load(name)
        place = machines.layout(board)
        assert place.flash.size_bytes == board.flash_bytes
        spans = sorted(
            (m.start, m.size_bytes) for m in (place.flash, *place.srams, *filter(None, [place.harness]))
        )
        for (start, size), (following, _) in itertools.pairwise(spans):
            assert start + size <= following, f"memories of {name} overlap"


def test_a_harness_buffer_takes_no_memory_of_the_board(tmp_path: Path) -> None:
    board = with_memory(board_called("generic-cortex-m4"), sram_bytes=16384, flash_bytes=65536)
    text = """
    #include "guest.h"
    static GUEST_HARNESS_BUFFER uint8_t big[1000000];
    static const GUEST_HARNESS_CONST uint8_t table[100000] = {[99999] = 5};
    int guest_main(void)
    {
        big[999999] = table[99999];
        return big[999999] + big[0];
    }
    """
    assert run(build_text(text, board, tmp_path), board, timeout_s=120).exit_code == 5


def _fault(name: str, body: str, tmp_path: Path) -> UserError:
    board = board_called(name)
    text = f"""
    #include "guest.h"
    __attribute__((noinline, noclone)) int culprit(volatile uint8_t *p);
    int culprit(volatile uint8_t *p) {{ {body} }}
    int guest_main(void) {{ static uint8_t bytes[16]; return culprit(bytes) + 1; }}
    """
    program = build_text(text, board, tmp_path)
    with pytest.raises(UserError) as caught:
        run(program, board, timeout_s=120)
    return caught.value


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("generic-cortex-m3", '(void)p; __asm__ volatile("udf #1"); return 0;', "undefined instruction"),
        ("microbit-v1", '(void)p; __asm__ volatile("udf #1"); return 0;', "HardFault"),
        ("generic-cortex-m4", "(void)p; return *(volatile int *)0x70000000;", "data bus error"),
        ("generic-cortex-m0", "return *(volatile int *)(p + 1);", "unaligned access"),
        ("generic-cortex-m0plus", "*(volatile uint16_t *)(p + 3) = 1; return 0;", "unaligned access"),
        ("generic-cortex-m33", '(void)p; __asm__ volatile("udf #1"); return 0;', "undefined instruction"),
        ("generic-cortex-m55", '(void)p; __asm__ volatile("udf #1"); return 0;', "undefined instruction"),
        ("generic-rv32imc", '(void)p; __asm__ volatile(".word 0"); return 0;', "illegal instruction"),
        ("generic-rv64gcv", "(void)p; return *(volatile int *)0x50000;", "load access fault"),
        # amoadd.w: the A extension, which this core has not
        (
            "generic-rv32imc",
            '(void)p; __asm__ volatile(".word 0x00b5252f"); return 0;',
            "illegal instruction",
        ),
        # semihosting would give the guest the host's files: its breakpoint has to be a plain fault
        ("generic-cortex-m4", '(void)p; __asm__ volatile("bkpt 0xab"); return 0;', "HardFault"),
    ],
)
def test_a_fault_is_an_error_that_names_cause_and_function(
    name: str, body: str, says: str, tmp_path: Path
) -> None:
    error = _fault(name, body, tmp_path)
    assert says in error.message
    assert "in culprit+0x" in error.found
    assert error.exit_code == 1


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("generic-cortex-m3", "overflowed its stack"),
        ("generic-cortex-m33", "stack overflow"),
        ("generic-rv32imc", "overflowed its stack"),
    ],
)
def test_a_stack_overflow_is_an_error(name: str, says: str, tmp_path: Path) -> None:
    board = with_memory(board_called(name), sram_bytes=16384, flash_bytes=65536)
    text = """
    #include "guest.h"
    static volatile uint8_t data[8192];
    int guest_main(void)
    {
        volatile uint8_t local[9000];
        for (int i = 0; i < 9000; i++) {
            local[i] = 1;
        }
        data[5] = 1;
        return local[5] + data[0];
    }
    """
    program = build_text(text, board, tmp_path)
    with pytest.raises(UserError, match=says):
        run(program, board, timeout_s=120)


@pytest.mark.parametrize("name", ["generic-cortex-m4", "generic-rv32imc"])
def test_an_endless_loop_ends_at_the_time_limit(name: str, tmp_path: Path) -> None:
    board = board_called(name)
    program = build_text('#include "guest.h"\nint guest_main(void) { for (;;) { } }', board, tmp_path)
    with pytest.raises(UserError, match=r"did not end within 0\.5 s"):
        run(program, board, timeout_s=0.5)


def test_endless_output_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = board_called("generic-cortex-m4")
    monkeypatch.setattr(qemu, "_MAX_OUTPUT_BYTES", 20_000)
    text = '#include "guest.h"\nint guest_main(void) { for (;;) { guest_write("abcdefgh", 8); } }'
    program = build_text(text, board, tmp_path)
    with pytest.raises(UserError, match="wrote more than 20000 B"):
        run(program, board, timeout_s=120)


def test_a_program_that_resets_itself_is_an_error(tmp_path: Path) -> None:
    board = board_called("generic-cortex-m4")
    text = """
    #include "guest.h"
    int guest_main(void)
    {
        guest_write("abc", 3);
        *(volatile uint32_t *)0xE000ED0C = 0x05FA0004u;
        for (;;) { }
    }
    """
    program = build_text(text, board, tmp_path)
    with pytest.raises(UserError, match="ended without"):
        run(program, board, timeout_s=120)


def test_inputs_that_do_not_fit_are_refused_with_the_limit(tmp_path: Path) -> None:
    board = board_called("microbit-v1")
    program = build_text(_ECHO, board, tmp_path)
    capacity = inputs_capacity(program)
    assert 200_000 < capacity < board.flash_bytes
    with pytest.raises(UserError, match="do not fit") as caught:
        run(program, board, bytes(capacity + 1), timeout_s=120)
    assert f"at most {capacity} B" in caught.value.accepted
    assert run(program, board, bytes(capacity), timeout_s=120).exit_code == 7


def test_further_sram_regions_can_be_used_by_section(tmp_path: Path) -> None:
    board = board_called("nucleo-h743zi2")
    text = """
    #include "guest.h"
    __attribute__((section(".sram.d2_sram"))) static uint8_t buffer[200000];
    int guest_main(void)
    {
        buffer[199999] = 3;
        guest_write(buffer + 199999, 1);
        return 0;
    }
    """
    program = build_text(text, board, tmp_path)
    region = next(m for m in machines.layout(board).srams if m.name == "SRAM_D2_SRAM")
    sections = {s.name: s.address for s in read(program).sections}
    assert sections[".sram.d2_sram"] == region.start
    assert run(program, board, timeout_s=120).output == b"\x03"


def test_a_board_too_large_for_its_machine_is_an_error() -> None:
    board = with_memory(board_called("microbit-v1"), sram_bytes=16384, flash_bytes=1 << 20)
    with pytest.raises(UserError, match="its flash does not fit"):
        machines.layout(board)


def test_a_qemu_without_system_call_filter_still_runs_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = board_called("generic-cortex-m4")
    program = build_text(_ECHO, board, tmp_path)
    # the message of a QEMU built without the filter: `There is no option group 'sandbox'`
    monkeypatch.setattr(qemu, "_SANDBOX", "on,no-such-sandbox-option=deny")
    result = run(program, board, bytes(512), timeout_s=120)
    assert result.exit_code == 7
    assert not result.sandboxed


def test_skipping_names_the_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.skip.Exception, match="apt-get install gcc-arm-none-eabi"):
        need(board_called("generic-cortex-m4"))
