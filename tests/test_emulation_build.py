"""Building: what does not fit or compile is a clear message; host builds; toolchains; sizes."""

from __future__ import annotations

import re
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from emulation_support import board_called, build_text, need, need_host, with_memory
from patchloom.emulation import build, counts, elf, sizes, toolchain
from patchloom.emulation.qemu import run_host
from patchloom.errors import UserError


def _overflow(text: str, tmp_path: Path, name: str = "generic-cortex-m3") -> UserError:
    board = with_memory(board_called(name), sram_bytes=20480, flash_bytes=65536)
    with pytest.raises(UserError) as caught:
        build_text(text, board, tmp_path)
    assert not (tmp_path / "program.elf").exists()
    return caught.value


@pytest.mark.parametrize("name", ["generic-cortex-m3", "generic-rv32imc"])
def test_too_much_data_fails_at_link_time_with_the_bytes_over(name: str, tmp_path: Path) -> None:
    text = """
    #include "guest.h"
    static uint8_t a[30000];
    int guest_main(void) { a[guest_inputs()[0]] = 1; return a[5]; }
    """
    error = _overflow(text, tmp_path, name)
    found = re.search(r"exceeds SRAM region sram \(20480 B\) by (\d+) B", error.message)
    assert found is not None
    # 30000 B and 1024 B of stack in 20480 B, and a few words of the support code
    assert 10544 <= int(found[1]) < 10700
    assert error.exit_code == 1


def test_too_much_code_fails_at_link_time_with_the_bytes_over(tmp_path: Path) -> None:
    text = """
    #include "guest.h"
    static const uint8_t weights[70000] = {1};
    int guest_main(void) { return weights[guest_inputs()[0]]; }
    """
    error = _overflow(text, tmp_path)
    assert re.search(r"exceeds flash \(65536 B\) by \d+ B", error.message)
    assert error.exit_code == 1


def test_a_warning_stops_the_build_with_the_compilers_words(tmp_path: Path) -> None:
    board = board_called("generic-cortex-m3")
    with pytest.raises(UserError, match="does not compile") as caught:
        build_text('#include "guest.h"\nint guest_main(void) { int unused; return 0; }', board, tmp_path)
    assert "unused variable" in caught.value.found
    assert caught.value.exit_code == 2


def test_a_missing_function_is_named(tmp_path: Path) -> None:
    board = board_called("generic-cortex-m3")
    text = '#include "guest.h"\nint absent(void);\nint guest_main(void) { return absent(); }'
    with pytest.raises(UserError, match="does not link") as caught:
        build_text(text, board, tmp_path)
    assert "absent" in caught.value.found


_HOST = """
#include "guest.h"
int guest_main(void)
{
    const uint8_t *x = guest_inputs();
    uint32_t crc = guest_crc32(0, "123456789", 9);
    guest_write(x, 4);
    guest_write(&crc, sizeof crc);
    return x[4];
}
"""


def test_the_same_harness_runs_on_the_host(tmp_path: Path) -> None:
    need_host()
    source = tmp_path / "program.c"
    source.write_text(_HOST)
    program = build.build_host([source], [], tmp_path / "program", sanitize=True)
    result = run_host(program, bytes([1, 2, 3, 4, 9]), timeout_s=120)
    # 0xCBF43926 is the published check value of this CRC
    assert result.output == bytes([1, 2, 3, 4]) + struct.pack("<I", 0xCBF43926)
    assert result.exit_code == 9


def test_the_sanitizer_build_finds_a_read_past_the_inputs(tmp_path: Path) -> None:
    need_host()
    source = tmp_path / "program.c"
    source.write_text(_HOST)
    program = build.build_host([source], [], tmp_path / "program", sanitize=True)
    with pytest.raises(UserError, match="crashed on the host") as caught:
        run_host(program, bytes(4), timeout_s=120)
    assert "heap-buffer-overflow" in caught.value.found


def test_a_shared_library_can_be_built(tmp_path: Path) -> None:
    import ctypes

    need_host()
    source = tmp_path / "lib.c"
    source.write_text("int twice(int x);\nint twice(int x) { return 2 * x; }\n")
    library = build.build_host([source], [], tmp_path / "lib.so", shared=True)
    assert ctypes.CDLL(str(library)).twice(21) == 42


@pytest.mark.parametrize("name", ["generic-cortex-m4", "generic-rv32imc"])
def test_section_sizes_are_those_of_the_source(name: str, tmp_path: Path) -> None:
    board = board_called(name)
    need(board)
    source = tmp_path / "lib.c"
    source.write_text(
        """
        extern const short table[100];
        const short table[100] = {1};
        int counter = 5;
        char buffer[40];
        int next(void);
        int next(void) { buffer[0] = 1; return ++counter; }
        """
    )
    found = sizes.section_sizes(build.compile_object(source, [], board, tmp_path / "lib.o"))
    assert (found.rodata, found.data, found.bss) == (200, 4, 40)
    assert 8 <= found.text <= 48
    assert dict(found.sections)[".rodata.table"] == 200


def test_a_file_that_is_no_elf_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.elf"
    for data in (b"", b"\x7fELF", b"\x7fELF\x01\x01" + b"\xff" * 100, b"MZ" * 40):
        path.write_bytes(data)
        with pytest.raises(UserError, match="ELF file"):
            elf.read(path)


def test_flags_follow_the_boards_features() -> None:
    soft = toolchain.cpu_flags("cortex-m4", frozenset())
    hard = toolchain.cpu_flags("cortex-m4", frozenset({"dsp", "fpu-sp"}))
    assert "-mfloat-abi=soft" in soft
    assert {"-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"} <= set(hard)
    assert "-mcpu=cortex-m33+nodsp" in toolchain.cpu_flags("cortex-m33", frozenset({"fpu-sp"}))
    assert "-mcpu=cortex-m55" in toolchain.cpu_flags("cortex-m85", frozenset({"mve", "fpu-sp", "dsp"}))
    assert "-mfpu=fpv5-d16" in toolchain.cpu_flags("cortex-m7", frozenset({"fpu-sp", "fpu-dp"}))
    with pytest.raises(UserError, match="no toolchain"):
        toolchain.cpu_flags("z80", frozenset())


@pytest.mark.parametrize(
    ("name", "word", "byte"),
    [
        ("generic-cortex-m3", r"\tldr(\.w)?\t", r"\tldrb(\.w)?\t"),
        ("generic-cortex-m4", r"\tldr(\.w)?\t", r"\tldrb(\.w)?\t"),
        ("generic-cortex-m33", r"\tldr(\.w)?\t", r"\tldrb(\.w)?\t"),
        ("generic-cortex-m55", r"\tldr(\.w)?\t", r"\tldrb(\.w)?\t"),
        ("generic-cortex-m0plus", None, r"\tldrb\t"),
        ("generic-rv32imc", None, r"\tlbu\t"),
    ],
)
def test_code_loads_bytes_where_the_board_has_no_unaligned_accesses(
    name: str, word: str | None, byte: str, tmp_path: Path
) -> None:
    board = board_called(name)
    need(board)
    source = tmp_path / "load.c"
    source.write_text(
        """
        struct packed { char a; unsigned b; } __attribute__((packed));
        unsigned load(const struct packed *p);
        unsigned load(const struct packed *p) { return p->b; }
        """
    )

    def code(features: frozenset[str]) -> str:
        built = build.compile_object(source, [], replace(board, features=features), tmp_path / "load.o")
        command = [toolchain.find(board.core).objdump, "-d", str(built)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert len(re.findall(byte, code(board.features - {"unaligned"}))) == 4
    if word:  # else no core of the kind loads words from any address
        with_feature = code(board.features)
        assert len(re.findall(word, with_feature)) == 1 and not re.search(byte, with_feature)


def test_doctor_lists_versions_of_what_is_installed_and_packages_of_what_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need_host()
    by_name = {t.command: t for t in toolchain.tools()}
    version = by_name["cc"].version
    assert version is not None and re.fullmatch(r"\d+(\.\d+)+", version)
    monkeypatch.setenv("PATH", "")
    assert all(t.version is None and t.package for t in toolchain.tools())
    with pytest.raises(UserError) as caught:
        toolchain.find("cortex-m4")
    assert caught.value.hint.startswith("apt-get install gcc-arm-none-eabi")
    counts.plugin.cache_clear()
    assert counts.source() == counts.ICOUNT
