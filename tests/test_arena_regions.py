"""Libraries with arenas in several memories of a board: chosen, generated, run, measured, refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from cli_support import patchloom
from emulation_support import need, need_host
from library_support import (
    QUANTS,
    SANITIZE,
    STRICT,
    cc,
    conv_net,
    fully_connected,
    library_of,
    model_file,
    run_program,
    selftest,
    state_net,
)
from nets import Net
from patchloom import api, boards
from patchloom.codegen.memories import rooms, usable
from patchloom.emulation import elf, machines
from patchloom.errors import UserError
from patchloom.ir import DType, Graph
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops.transpose import Transpose
from patchloom.passes.planner import Room, check
from stage_nets import KERNELS, front_of, prepared, random_stage_net, run, wrong
from stage_nets import library_of as library_with

PROFILE = """
title = "Two memories and one beside the chip"
real = false
core = "cortex-m7"
features = ["dsp", "fpu-sp", "unaligned"]
clock_hz = 100_000_000
sources = ["made up"]

[[region]]
name = "sram"
kind = "sram"
start = 0x20010000
size_bytes = {sram}

[[region]]
name = "dtcm"
kind = "sram"
speed = "tcm"
start = 0x20000000
size_bytes = {dtcm}

[[region]]
name = "sdram"
kind = "external"
start = 0xC0000000
size_bytes = 65_536
setup = "set up the SDRAM"

[[region]]
name = "flash"
kind = "flash"
start = 0x08000000
size_bytes = 1_048_576

[emulator]
machine = "mps2-an500"
core = "cortex-m7"
note = "same core"
"""
GUARDS = 64


def board_file(folder: Path, sram: int = 7168, dtcm: int = 4096) -> Path:
    """A profile whose main memory is `sram`, 1 KB of which are for the stack."""
    path = folder / "two.toml"
    path.write_text(PROFILE.format(sram=sram, dtcm=dtcm), encoding="utf-8")
    return path


def turned_net() -> Graph:
    """Two values of 4000 B that are needed at the same time, each as a whole: the image, and the image with
    its sides exchanged, which a layer of six outputs reads."""
    net = Net()
    x = net.input("image", (1, 20, 50, 4), DType.INT8, QUANTS[DType.INT8])
    turned = net.add(Transpose("turn", x, "turned", (0, 2, 1, 3)))
    return net.graph(fully_connected(net, "scores", turned, 6))


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """The network compiled for the board, whose main memory is too small, and the figures."""
    work = tmp_path_factory.mktemp("split")
    model = model_file(turned_net(), work / "net.tflite")
    done = patchloom("compile", model, "--board", board_file(work), "-o", work / "lib", "--json")
    assert done.code == 0, done.err
    return work / "lib", done.json


def test_what_no_memory_holds_alone_is_spread_over_those_of_the_chip(
    split: tuple[Path, dict[str, object]],
) -> None:
    folder, figures = split
    assert figures["regions"] == {"dtcm": 4008, "sram": 4000}
    assert figures["arena_bytes"] == 8008
    assert figures["plan"]["slow_traffic_proven_minimal"] is True  # type: ignore[index]
    header, code = ((folder / name).read_text() for name in ("net.h", "net.c"))
    assert "#define NET_ARENA_DTCM_BYTES 4008\n" in header
    assert "net_status net_run(uint8_t *arena_dtcm, uint8_t *arena_sram);" in header
    assert "net_input(uint8_t *arena_sram)" in header
    assert "NET_ARENA_BYTES" not in header
    assert "(arena_dtcm + 0)" in code and "(arena_sram + 0)" in code


def test_the_value_that_moves_most_is_in_the_fastest_memory(split: tuple[Path, dict[str, object]]) -> None:
    places = json.loads((split[0] / "patchloom.json").read_text())["plan"]["places"]
    assert places["turned"][2] == "dtcm"  # each of the 24,000 MACs reads an element of it
    assert places["image"][2] == "sram"


def test_it_is_bit_exact_on_host_and_machine(split: tuple[Path, dict[str, object]]) -> None:
    need_host()
    host = api.verify(split[0], samples=4, on="host", sanitize=True)
    assert host.passed and host.verification.bit_exact
    need(boards.load("nucleo-h743zi2"))
    machine = api.verify(split[0], samples=4)
    assert machine.passed and machine.verification.bit_exact
    assert machine.verification.damaged_guards == 0


def test_profile_and_run_work_with_several_arenas(split: tuple[Path, dict[str, object]]) -> None:
    need(boards.load("nucleo-h743zi2"))
    profile = api.profile(split[0])
    assert [layer.op for layer in profile.layers] == ["transpose", "fully_connected"]
    images = np.random.default_rng(0).integers(-128, 128, (3, 1, 20, 50, 4)).astype(np.int8)
    on_host, on_machine = (api.run(split[0], [images], on=on) for on in ("host", "qemu"))
    assert on_machine.damaged_guards == 0
    for name, values in on_host.outputs[0].items():
        assert (values == on_machine.outputs[0][name]).all()


@pytest.mark.parametrize("byte", ["arena_dtcm[NET_ARENA_DTCM_BYTES]", "arena_sram[-1]"])
def test_a_byte_written_beside_any_arena_is_found(
    byte: str, split: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    need_host()
    folder = tmp_path / "lib"
    shutil.copytree(split[0], folder)
    code = folder / "net.c"
    head, run, body = code.read_text().rpartition("net_status net_run(")
    code.write_text(head + run + body.replace("    return NET_OK;", f"    {byte} = 1;\n    return NET_OK;"))
    result = api.verify(folder, samples=2, on="host")
    assert result.verification.bit_exact
    assert result.verification.damaged_guards == 2
    assert not result.passed


def test_external_ram_larger_than_that_of_the_machine_is_emulated_in_part(tmp_path: Path) -> None:
    profile = board_file(tmp_path)
    profile.write_text(profile.read_text().replace("65_536", "33_554_432"))
    place = machines.layout(boards.load(str(profile)))
    (sdram,) = [m for m in place.srams if m.section == ".sram.sdram"]
    assert sdram.size_bytes == 8 << 20
    assert place.harness is not None and place.harness.size_bytes >= 4 << 20


def test_bytes_of_each_memory_are_those_of_the_linked_program(tmp_path: Path) -> None:
    board = board_file(tmp_path)
    target = boards.load(str(board))
    need(target)
    from patchloom.emulation.harness import build

    library, folder = library_of(turned_net(), tmp_path / "w", board=str(board))
    program = build(folder, library.view, library.graph, target, tmp_path, hooked=False)
    image = elf.read(program.path)
    sizes = {s.name: s.size_bytes for s in image.sections}
    arenas = {a.memory: a.size_bytes for a in library.view.arenas}
    assert sizes[".sram.dtcm"] == arenas["dtcm"] + GUARDS
    symbols = {s.name: s for s in image.symbols if s.name.startswith("arena_")}
    assert symbols["arena_sram_memory"].size_bytes == arenas["sram"] + GUARDS
    places = {m.title.split()[-1]: m for m in machines.layout(target).srams}
    for memory, name in (("dtcm", "arena_dtcm_memory"), ("sram", "arena_sram_memory")):
        assert places[memory].start <= symbols[name].address
        assert (
            symbols[name].address + symbols[name].size_bytes
            <= places[memory].start + places[memory].size_bytes
        )


def test_what_fits_the_main_memory_has_one_arena_there(tmp_path: Path) -> None:
    library, _ = library_of(turned_net(), tmp_path, board=str(board_file(tmp_path, sram=12288)))
    assert not library.plan.arenas
    header = library.files["net.h"].decode()
    assert "net_status net_run(uint8_t *arena);" in header
    assert "#define NET_ARENA_BYTES 8000\n" in header


def test_one_memory_asked_for_has_the_usual_api_and_is_where_the_arena_is(tmp_path: Path) -> None:
    need(boards.load("nucleo-h743zi2"))
    model = model_file(conv_net(), tmp_path / "net.tflite")
    command = ("compile", model, "--board", board_file(tmp_path), "--arena-regions", "dtcm", "--json")
    done = patchloom(*command, "-o", tmp_path / "lib")
    assert done.code == 0, done.err
    assert list(done.json["regions"]) == ["dtcm"]
    header = (tmp_path / "lib" / "net.h").read_text()
    assert "net_status net_run(uint8_t *arena);" in header
    assert "dtcm (tightly coupled) at 0x20000000" in header
    assert api.verify(tmp_path / "lib", samples=2).passed


def test_memories_are_filled_in_the_order_asked_for_and_up_to_the_limit_given(tmp_path: Path) -> None:
    asked = ("sdram:4096", "dtcm")
    library, folder = library_of(turned_net(), tmp_path, board=str(board_file(tmp_path)), arena_regions=asked)
    assert list(library.plan.arenas) == ["sdram", "dtcm"]
    assert library.plan.arenas["sdram"] <= 4096
    assert library.plan.places["turned"].owner == "sdram"  # it is said to be the faster one
    assert "--arena-regions sdram:4096,dtcm" in library.options.command("net.tflite")
    readme = library.files["README.md"].decode()
    assert "Before arena_sdram is used: set up the SDRAM." in readme
    need_host()
    assert selftest(library, folder) == 0


def test_a_missing_or_unaligned_arena_is_an_error_of_its_own(tmp_path: Path) -> None:
    need_host()
    library, folder = library_of(turned_net(), tmp_path, board=str(board_file(tmp_path)))
    main = """
        if (net_run(NULL, arena_sram) != NET_ERROR_ARENA_DTCM) return 1;
        if (net_run(arena_dtcm, NULL) != NET_ERROR_ARENA_SRAM) return 2;
        if (net_run(arena_dtcm + 4, arena_sram) != NET_ERROR_ARENA_DTCM) return 3;
        if (net_run(arena_dtcm, arena_sram + 4) != NET_ERROR_ARENA_SRAM) return 4;
        if (net_selftest(arena_dtcm, arena_sram + 4) != NET_ERROR_ARENA_SRAM) return 5;
        return net_selftest(arena_dtcm, arena_sram) == NET_OK ? 0 : 6;"""
    definitions = """
        static NET_ALIGNED uint8_t arena_dtcm[NET_ARENA_DTCM_BYTES + 4];
        static NET_ALIGNED uint8_t arena_sram[NET_ARENA_SRAM_BYTES + 4];"""
    assert run_program(library, folder, main, definitions=definitions) == 0
    plus = tmp_path / "plus.cpp"
    plus.write_text('#include "net.h"\nint main() { return net_run(nullptr, nullptr) == NET_OK; }\n')
    flags = [f for f in STRICT if f not in ("-std=c99", "-Wmissing-prototypes")]
    cc(*flags, "-std=c++11", f"-I{folder}", "-c", plus, "-o", tmp_path / "plus.o", command="c++")


def test_states_stay_in_their_buffer_beside_several_arenas(tmp_path: Path) -> None:
    need_host()
    asked = ("dtcm:16", "sram:32", "sdram")
    library, folder = library_of(state_net(), tmp_path, board=str(board_file(tmp_path)), arena_regions=asked)
    assert len(library.plan.arenas) > 1
    names = ", ".join(f"uint8_t *{a.name}" for a in library.view.arenas)
    assert f"net_run({names}, uint8_t *state);" in library.files["net.h"].decode()
    assert selftest(library, folder) == 0


def test_rows_are_counted_in_one_of_the_arenas(tmp_path: Path) -> None:
    need_host()
    asked = ("dtcm:96", "sram")
    library, folder = library_of(
        conv_net(), tmp_path, board=str(board_file(tmp_path)), arena_regions=asked, input_mode="rows"
    )
    assert len(library.plan.arenas) == 2
    view = library.view
    assert view.feed is not None
    assert f"net_status net_begin(uint8_t *{view.feed.arena});" in library.files["net.h"].decode()
    assert selftest(library, folder) == 0
    other = [a for a in view.arenas if a.name != view.feed.arena]
    main = f"return net_begin(NULL) == NET_ERROR_{view.feed_arena.macro} ? 0 : 1;"
    definitions = f"enum {{ others = {len(other)} }};"
    assert run_program(library, folder, main, flags=SANITIZE, definitions=definitions) == 0


@pytest.mark.parametrize("seed", range(500, 506))
def test_stages_over_several_memories_compute_what_the_reference_does(seed: int) -> None:
    need_host()
    draw = RandomDraw(seed)
    p = prepared(random_stage_net(draw, DType.INT8, draw.integer(4, 9)), "nucleo-h743zi2")
    front = front_of(p)
    least = front.smallest().plan.arena_bytes
    memories = [Room("dtcm", least // 2 + 16), Room("axi_sram", least // 2 + 16), Room("d2_sram", least + 16)]
    plan = front.within(memories, 2 * least, time_limit_s=0.3)
    assert plan is not None
    assert len(plan.arenas) > 1
    check(p.graph, plan, KERNELS)
    assert not wrong(run(library_with(p, plan)))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("ccm", "no memory 'ccm'"),
        ("itcm", "no memory 'itcm'"),
        ("flash", "no memory 'flash'"),
        ("", "no memory ''"),
        ("dtcm,", "no memory ''"),
        ("dtcm,dtcm", "named twice"),
        ("dtcm:0", "no number of bytes"),
        ("dtcm:-4", "no number of bytes"),
        ("dtcm:1e3", "no number of bytes"),
        ("dtcm:131073", "no number of bytes"),
        ("dtcm:\u0663", "no number of bytes"),
    ],
)
def test_memories_that_are_none_are_refused_with_the_known_ones(
    asked: str, told: str, tmp_path: Path
) -> None:
    model = model_file(conv_net(), tmp_path / "net.tflite")
    out = tmp_path / "lib"
    done = patchloom("compile", model, "--board", "nucleo-h743zi2", "--arena-regions", asked, "-o", out)
    assert done.code == 2
    assert told in done.err and "dtcm (131072 B), axi_sram (524288 B)" in done.err
    assert not out.exists()


def test_memories_that_are_too_small_are_a_no_with_what_they_have(tmp_path: Path) -> None:
    model = model_file(turned_net(), tmp_path / "net.tflite")
    board = board_file(tmp_path)
    done = patchloom("compile", model, "--board", board, "--arena-regions", "dtcm", "-o", tmp_path / "lib")
    assert done.code == 1
    assert "4032 B in dtcm" in done.err and "smallest arena" in done.err


def test_fit_tells_which_boards_need_several_memories_or_external_ram(tmp_path: Path) -> None:
    model = model_file(turned_net(), tmp_path / "net.tflite")
    table = patchloom("fit", model, "--board", board_file(tmp_path))
    assert table.code == 0 and "in dtcm + sram" in table.out
    small = patchloom("fit", model, "--board", board_file(tmp_path, dtcm=1024), "--json")
    assert small.code == 1
    assert "--arena-regions dtcm,sram,sdram" in small.json[0]["advice"]
    told = patchloom("compile", model, "--board", tmp_path / "two.toml", "-o", tmp_path / "lib")
    assert told.code == 1 and "--arena-regions dtcm,sram,sdram" in told.err
    asked = ("--arena-regions", "dtcm,sram,sdram")
    done = patchloom("compile", model, "--board", tmp_path / "two.toml", *asked, "-o", tmp_path / "lib")
    assert done.code == 0, done.err


def test_a_stored_plan_with_memories_that_the_board_has_not_is_refused(tmp_path: Path) -> None:
    model = model_file(turned_net(), tmp_path / "net.tflite")
    out = tmp_path / "lib"
    assert patchloom("compile", model, "--board", board_file(tmp_path), "-o", out).code == 0
    manifest = json.loads((out / "patchloom.json").read_text())
    text = json.dumps(manifest).replace('"dtcm"', '"ccm"')
    (out / "patchloom.json").write_text(text)
    done = patchloom("verify", out, "--on", "host")
    assert done.code == 2 and "an arena of 4008 B in 'ccm'" in done.err


def test_the_stack_and_the_guard_bytes_are_left_free() -> None:
    board = boards.load("nucleo-h743zi2")
    sizes = {r.name: r.size_bytes for r in rooms(board, (), 5000)}
    assert sizes == {
        "dtcm": 131072 - 64,
        "axi_sram": 524288 - 5000,
        "d2_sram": 294912 - 64,
        "d3_sram": 65536 - 64,
    }
    assert [r.name for r, _ in usable(boards.load("stm32f746g-disco"), ())] == ["sram"]
    with pytest.raises(UserError):
        usable(board, ["itcm"])
