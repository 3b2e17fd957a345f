"""Board profiles: the shipped ones are sound, and a wrong one gets a message that names file and key."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from patchloom import boards
from patchloom.boards import table
from patchloom.errors import UserError

DOCUMENT = Path(__file__).parent.parent / "docs" / "boards.md"
REAL = [
    "ek-ra8d1",
    "esp32-c3",
    "hifive1-revb",
    "microbit-v1",
    "mps3-an547",
    "nrf52840dk",
    "nrf5340dk",
    "nucleo-f411re",
    "nucleo-g0b1re",
    "nucleo-h743zi2",
    "nucleo-l4r5zi",
    "nucleo-u575zi-q",
    "rp2040-pico",
    "rp2350-pico2",
    "rp2350-pico2-riscv",
    "stm32f103-bluepill",
    "stm32f746g-disco",
]
# Where each machine starts: the vector table or the first instruction.
RESET = {
    "mps2-an385": 0x00000000,
    "mps2-an386": 0x00000000,
    "mps2-an500": 0x00000000,
    "mps2-an505": 0x10000000,
    "mps3-an547": 0x10000000,
    "virt": 0x80000000,
}


@pytest.fixture(params=boards.names())
def board(request: pytest.FixtureRequest) -> boards.Board:
    return boards.load(request.param)


@pytest.fixture
def profile() -> str:
    """The example profile of the documentation."""
    example = re.search(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    return example.group(1)


def _load_text(folder: Path, text: str) -> boards.Board:
    path = folder / "my_board.toml"
    path.write_text(text, encoding="utf-8")
    return boards.load(str(path))


def test_all_promised_boards_exist_and_names_are_sorted() -> None:
    generic = [f"generic-{core}" for core in boards.core_names() if core != "rv32imac"]
    assert list(boards.names()) == sorted(REAL + generic)


def test_only_generic_profiles_are_no_real_boards(board: boards.Board) -> None:
    assert board.real != board.name.startswith("generic-")


def test_regions_are_in_order(board: boards.Board) -> None:
    assert {"sram", "flash"} <= {r.kind for r in board.regions} <= {"sram", "external", "flash"}
    assert all(r.size_bytes > 0 and r.start % 4 == 0 and r.size_bytes % 4 == 0 for r in board.regions)
    assert all(a.end <= b.start or b.end <= a.start for a, b in combinations(board.regions, 2))
    first = next(r for r in board.regions if r.kind == "sram")
    assert first.size_bytes == board.sram_bytes <= board.sram_total_bytes


def test_core_features_and_sources_are_known(board: boards.Board) -> None:
    assert board.features <= boards.core(board.core).features
    assert board.clock_hz >= 1_000_000
    assert all(board.sources)


def test_emulated_core_runs_code_of_the_board(board: boards.Board) -> None:
    stand_in = {"cortex-m0": "cortex-m3", "cortex-m0plus": "cortex-m3", "cortex-m85": "cortex-m55"}
    emulator = board.emulator
    assert emulator.machine in boards.MACHINES
    assert emulator.core in (board.core, stand_in.get(board.core))
    assert boards.core(board.core).features <= boards.core(emulator.core).features
    assert bool(emulator.cpu) == (emulator.machine == "virt")


@pytest.mark.parametrize(
    ("name", "core", "sram_kib", "flash_kib"),
    [
        ("stm32f746g-disco", "cortex-m7", 320, 1024),
        ("nucleo-l4r5zi", "cortex-m4", 640, 2048),
        ("nrf52840dk", "cortex-m4", 256, 1024),
        ("microbit-v1", "cortex-m0", 16, 256),
        ("stm32f103-bluepill", "cortex-m3", 20, 64),
        ("rp2040-pico", "cortex-m0plus", 264, 2048),
    ],
)
def test_well_known_memory_sizes(name: str, core: str, sram_kib: int, flash_kib: int) -> None:
    board = boards.load(name)
    assert (board.core, board.sram_bytes, board.flash_bytes) == (core, sram_kib * 1024, flash_kib * 1024)


def test_generic_profiles_hold_large_models() -> None:
    for name in boards.names():
        board = boards.load(name)
        if not board.real:
            assert board.flash_bytes >= 4 << 20, name
            assert board.sram_bytes >= 2 << 20, name


def test_unknown_board_names_the_accepted_ones() -> None:
    with pytest.raises(UserError) as error:
        boards.load("nucleo-x")
    assert error.value.found == "nucleo-x"
    assert error.value.accepted == ", ".join(boards.names())
    assert error.value.exit_code == 2


def test_unknown_core_names_the_accepted_ones() -> None:
    with pytest.raises(UserError, match="cortex-m33"):
        boards.core("cortex-m99")


def test_example_of_the_documentation_loads_from_its_path(tmp_path: Path, profile: str) -> None:
    board = _load_text(tmp_path, profile)
    assert board.name == "my_board"
    assert (board.core, board.sram_bytes, board.flash_wait_states) == ("cortex-m4", 96 * 1024, 4)


def test_changed_profile_file_is_read_again(tmp_path: Path, profile: str) -> None:
    before = _load_text(tmp_path, profile)
    after = _load_text(tmp_path, profile.replace("80_000_000", "64_000_000"))
    assert after == replace(before, clock_hz=64_000_000)


@pytest.mark.parametrize(
    ("old", "new", "key", "rule"),
    [
        ('title = "My board"', "", "title", "missing"),
        ('title = "My board"', 'title = ""', "title", "at least 1"),
        ('title = "My board"', 'titel = "My board"', "titel", "unknown key"),
        ("real = true", 'real = "yes"', "real", "wrong type"),
        ('core = "cortex-m4"\nfeatures', 'core = "cortex-m99"\nfeatures', "core", "not known"),
        ('features = ["dsp", ', 'features = ["simd", ', "features", "not known"),
        ('features = ["dsp", ', 'features = ["mve", ', "features", "cannot have"),
        ("clock_hz = 80_000_000", "clock_hz = true", "clock_hz", "wrong type"),
        ("clock_hz = 80_000_000", "clock_hz = 80e6", "clock_hz", "wrong type"),
        ("flash_wait_states = 4 ", "flash_wait_states = -1 ", "flash_wait_states", "at least 0"),
        ('sources = ["', 'sources = [1, "', "sources", "wrong type"),
        ('kind = "flash"', 'kind = "rom"', "region[1].kind", "not known"),
        ("size_bytes = 98_304", "size_bytes = 0", "region[0].size_bytes", "at least 1"),
        ("size_bytes = 98_304", "size = 98_304", "region[0].size", "unknown key"),
        ('kind = "sram"', 'kind = "sram"\nspeed = "fast"', "region[0].speed", "not known"),
        ('kind = "flash"', 'kind = "flash"\nspeed = "tcm"', "region flash", "only memory of kind sram"),
        ('kind = "sram"', 'kind = "sram"\narena = 1', "region[0].arena", "wrong type"),
        ('kind = "sram"', 'kind = "sram"\narena = false', "region", "holds the arena"),
        ('name = "sram"', 'name = "s ram"', "region s ram", "starts with a letter"),
        ('name = "sram"', 'name = "FLASH"', "region", "must differ"),
        ("start = 0x20000000", "start = 0x08000000", "region", "overlap"),
        ("start = 0x20000000", "start = 0xFFFFF000", "region", "4 GB"),
        ('kind = "flash"', 'kind = "sram"', "region", "kind flash"),
        ('machine = "mps2-an386"', 'machine = "mps2"', "emulator.machine", "not known"),
        ('note = "same core"', "", "emulator.note", "missing"),
        ("[emulator]", "[emulators]", "emulator", "must be a table"),
    ],
)
def test_malformed_profile_names_file_and_key(
    tmp_path: Path, profile: str, old: str, new: str, key: str, rule: str
) -> None:
    assert old in profile
    with pytest.raises(UserError) as error:
        _load_text(tmp_path, profile.replace(old, new))
    text = str(error.value)
    assert re.search(rf"my_board\.toml: {re.escape(key)}\n", text), text
    assert rule in text


def test_largest_sram_must_come_first(tmp_path: Path, profile: str) -> None:
    larger = '[[region]]\nname = "more"\nkind = "sram"\nstart = 0x30000000\nsize_bytes = 98_308\n\n[emulator]'
    with pytest.raises(UserError, match="must be the largest"):
        _load_text(tmp_path, profile.replace("[emulator]", larger))


def test_memories_for_arenas_are_sorted_by_speed_and_leave_out_those_for_code(
    tmp_path: Path, profile: str
) -> None:
    more = """[[region]]
name = "outside"
kind = "external"
start = 0xC0000000
size_bytes = 1_048_576
setup = "switch it on"

[[region]]
name = "other"
kind = "sram"
start = 0x30000000
size_bytes = 4096

[[region]]
name = "code"
kind = "sram"
speed = "tcm"
arena = false
start = 0x10000000
size_bytes = 4096

[[region]]
name = "fast"
kind = "sram"
speed = "tcm"
start = 0x18000000
size_bytes = 4096

[emulator]"""
    board = _load_text(tmp_path, profile.replace("[emulator]", more))
    assert [r.name for r in board.arena_regions] == ["fast", "sram", "other", "outside"]
    assert board.main_region.name == "sram"
    assert board.sram_bytes == 98_304  # external RAM counts for nothing unless it is asked for
    assert board.external_bytes == 1_048_576
    assert board.arena_regions[-1].setup == "switch it on"


def test_external_ram_of_boards_is_known_with_its_address() -> None:
    (sdram,) = [r for r in boards.load("stm32f746g-disco").regions if r.kind == "external"]
    assert (sdram.start, sdram.size_bytes) == (0xC0000000, 8 << 20)
    assert sdram.setup


def test_all_problems_of_a_profile_are_reported_at_once(tmp_path: Path, profile: str) -> None:
    broken = profile.replace("real = true", "").replace('kind = "flash"', 'kind = "rom"')
    with pytest.raises(UserError) as error:
        _load_text(tmp_path, broken)
    assert "my_board.toml: real" in str(error.value)
    assert "my_board.toml: region[1].kind" in str(error.value)


@pytest.mark.parametrize("content", [b"title = ", b"\xff\xfe", b"a = " + b"[" * 5000, b""])
def test_what_is_no_profile_at_all_is_one_message(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "my_board.toml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"my_board\.toml"):
        boards.load(str(path))


def test_missing_file_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        boards.load(str(tmp_path / "none.toml"))


def test_documentation_table_equals_the_profiles() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert table.update(text) == text, "run: python -m patchloom.boards.table"
    assert all(f"`{name}`" in text for name in boards.names())


ARM_PROBE = """
    .syntax unified
    .thumb
    .section .vectors, "ax"
    .word {stack:#x}
    .word reset + 1
    .word fail + 1
    .word fail + 1
    .thumb_func
reset:
    ldr r4, =addresses
    movs r6, #0x5a
1:  ldr r5, [r4]
    adds r4, #4
    cmp r5, #0
    beq 2f
    str r6, [r5]
    ldr r0, [r5]
    cmp r0, r6
    bne fail
    adds r6, #1
    b 1b
2:  ldr r1, =0x20026
    b 3f
    .thumb_func
fail: ldr r1, =0x20023
3:  movs r0, #0x18
    bkpt #0xab
    b 3b
    .ltorg
    .align 2
addresses:
    .word {addresses}, 0
"""
RISCV_PROBE = """
    .section .vectors, "ax"
    la t0, fail
    csrw mtvec, t0
    la t0, addresses
    li t1, 0x5a
1:  lwu_or_lw t2, 0(t0)
    addi t0, t0, 4
    beqz t2, 2f
    sw t1, 0(t2)
    lw t3, 0(t2)
    bne t3, t1, fail
    addi t1, t1, 1
    j 1b
2:  li t1, 0x5555
    j 3f
    .align 2
fail: li t1, 0x13333
3:  li t0, 0x100000
    sw t1, 0(t0)
4:  j 4b
    .align 2
addresses:
    .word {addresses}, 0
"""


@pytest.mark.parametrize("name", [*(n for n in boards.names() if n.startswith("generic-")), "mps3-an547"])
def test_memories_of_the_profile_exist_on_its_machine(name: str, tmp_path: Path) -> None:
    """First and last words of every region are written and read back; the exit code tells."""
    board = boards.load(name)
    assert _probe(board, board.regions, tmp_path) == 0


def test_memory_probe_notices_a_missing_memory(tmp_path: Path) -> None:
    board = boards.load("generic-cortex-m7")
    hole = boards.Region("hole", "sram", 0x70000000, 4096)
    assert _probe(board, (*board.regions, hole), tmp_path) != 0


def _probe(board: boards.Board, regions: tuple[boards.Region, ...], folder: Path) -> int:
    """Exit code of a program on the board's machine that writes and reads words in all `regions`."""
    machine, reset = board.emulator.machine, RESET[board.emulator.machine]
    # The program itself lies at the reset address: the first word probed in that memory is behind it.
    words = [a for r in regions for a in (r.start + (1024 if r.start == reset else 0), r.end - 4)]
    values = {"addresses": ", ".join(f"{a:#x}" for a in words), "stack": words[1]}
    riscv = machine == "virt"
    wide = board.core.startswith("rv64")
    prefix = "riscv64-unknown-elf" if riscv else "arm-none-eabi"
    qemu = ("qemu-system-riscv64" if wide else "qemu-system-riscv32") if riscv else "qemu-system-arm"
    if not shutil.which(f"{prefix}-gcc") or not shutil.which(qemu):
        pytest.skip(f"needs {prefix}-gcc and {qemu}")
    text = (
        (RISCV_PROBE if riscv else ARM_PROBE).format(**values).replace("lwu_or_lw", "lwu" if wide else "lw")
    )
    source, program = folder / "probe.s", folder / "probe.elf"
    source.write_text(text, encoding="utf-8")
    flags = ["-march=rv64gc", "-mabi=lp64d"] if wide else ["-march=rv32imc_zicsr", "-mabi=ilp32"]
    link = [f"-Wl,--section-start=.vectors={reset:#x}", "-nostdlib", "-Wl,-e,0" if riscv else "-Wl,-e,reset"]
    command = [
        f"{prefix}-gcc",
        *(flags if riscv else ["-mcpu=cortex-m3"]),
        *link,
        str(source),
        "-o",
        str(program),
    ]
    subprocess.run(command, check=True, timeout=60)
    cpu = ["-cpu", board.emulator.cpu, "-bios", "none"] if riscv else ["-semihosting"]
    run = [
        qemu,
        "-M",
        machine,
        *cpu,
        "-display",
        "none",
        "-serial",
        "null",
        "-monitor",
        "none",
        "-kernel",
        str(program),
    ]
    return subprocess.run(run, timeout=60, check=False).returncode
