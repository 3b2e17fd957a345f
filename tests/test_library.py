"""Generated C: deterministic, clean under strict warnings, without heap or globals, safe to call wrongly."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from library_support import (
    STRICT,
    buffers,
    cc,
    conv_net,
    library_of,
    library_without_file,
    model_file,
    run_program,
    selftest,
    state_net,
)
from patchloom.codegen.pipeline import Library
from patchloom.ir import DType, Graph, Op
from patchloom.ir.cases import RandomDraw
from patchloom.ir.ops import OPS
from patchloom.ir.ops.lookup import Lookup
from patchloom.ir.ops.read_state import ReadState
from patchloom.ir.ops.write_state import WriteState

GRAPHS = {
    "int8": conv_net,
    "int16": lambda: conv_net(DType.INT16),
    "float32": lambda: conv_net(DType.FLOAT32),
    "stateful": state_net,
}
CROSS = {
    "cortex-m0": ("arm-none-eabi-gcc", "-mcpu=cortex-m0", "-mthumb"),
    "cortex-m4": ("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
    "riscv32": ("riscv64-unknown-elf-gcc", "-march=rv32imc", "-mabi=ilp32", "--specs=picolibc.specs"),
}
# The library calls nothing else, whatever the model; libm only for floats.
ALLOWED_CALLS = {"memcpy", "memmove", "memset"}
FLOAT_CALLS = {"expf", "tanhf", "floorf", "roundf", "lroundf", "rintf", "fminf", "fmaxf"}


def case_graph(op: type[Op], seed: int) -> Graph:
    return op.case(RandomDraw(seed))


def c_files(library: Library, folder: Path) -> list[Path]:
    return [folder / f"{library.view.name}{part}.c" for part in ("", "_weights", "_selftest")]


@pytest.mark.parametrize("kind", GRAPHS)
@pytest.mark.parametrize("mode", ["arena", "extern"])
def test_the_self_test_passes_under_sanitizers(kind: str, mode: str, tmp_path: Path) -> None:
    assert selftest(*library_of(GRAPHS[kind](), tmp_path, input_mode=mode)) == 0


@pytest.mark.parametrize("kind", GRAPHS)
def test_the_self_test_fails_when_a_weight_is_changed(kind: str, tmp_path: Path) -> None:
    library, folder = library_of(GRAPHS[kind](), tmp_path)
    weights = folder / "net_weights.c"
    last = next(
        a for a in library.view.arrays if a.comment.endswith((" of scores", " of out")) and a.length > 8
    )
    text = weights.read_text()
    start = text.index(f"{last.symbol}[{last.length}] = {{") + len(f"{last.symbol}[{last.length}] = {{")
    weights.write_text(text[:start] + re.sub(r"-?[0-9]+", "77", text[start:], count=1))
    assert selftest(library, folder) == 4


def test_equal_input_gives_equal_bytes_whatever_the_folders_and_the_hash_seed(tmp_path: Path) -> None:
    contents = []
    for seed in ("1", "2"):
        work = tmp_path / f"work{seed}"
        work.mkdir()
        model = model_file(state_net(), work / "m.tflite")
        command = [
            sys.executable,
            "-m",
            "patchloom",
            "compile",
            model,
            "--board",
            "nrf52840dk",
            "-o",
            f"o{seed}",
        ]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run(command, cwd=work, env=environment, check=True, capture_output=True)
        contents.append({p.name: p.read_bytes() for p in sorted((work / f"o{seed}").iterdir())})
    assert contents[0].keys() == contents[1].keys()
    for name, data in contents[0].items():
        assert data == contents[1][name], name
        assert name == "model.tflite" or str(tmp_path).encode() not in data


@pytest.mark.parametrize("core", CROSS)
@pytest.mark.parametrize("kind", GRAPHS)
def test_libraries_compile_without_warnings_for_other_cores(core: str, kind: str, tmp_path: Path) -> None:
    command, *flags = CROSS[core]
    if shutil.which(command) is None:
        pytest.skip(f"{command} is not installed")
    library, folder = library_of(
        GRAPHS[kind](), tmp_path, input_mode="extern" if core == "cortex-m4" else "arena"
    )
    cc(*flags, *STRICT, "-O2", "-fsyntax-only", *c_files(library, folder), command=command)


@pytest.mark.parametrize(
    "op", [o for o in OPS if o not in (ReadState, WriteState, Lookup)], ids=lambda o: o.kind()
)
def test_the_kernels_of_every_operator_compile_without_warnings(op: type[Op], tmp_path: Path) -> None:
    for seed in range(2):
        library, folder = library_without_file(case_graph(op, seed), tmp_path / str(seed))
        cc(*STRICT, "-O2", "-c", folder / "net.c", "-o", tmp_path / "net.o")
        cc(*STRICT, "-O0", "-fsyntax-only", *c_files(library, folder))


@pytest.mark.parametrize("kind", GRAPHS)
def test_headers_suit_cpp_compilers(kind: str, tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    library, folder = library_of(GRAPHS[kind](), tmp_path)
    source = tmp_path / "main.cpp"
    source.write_text(
        f'#include "net.h"\n{buffers(library)}\nint main() {{ return net_output(arena)[0] != 0; }}\n'
    )
    flags = ("-std=c++11", "-Wall", "-Wextra", "-Wno-unused-variable", "-Werror")
    cc(*flags, f"-I{folder}", "-fsyntax-only", source, command="g++")


@pytest.mark.parametrize("kind", GRAPHS)
def test_a_library_has_no_writable_data_and_calls_only_string_functions(kind: str, tmp_path: Path) -> None:
    library, folder = library_of(GRAPHS[kind](), tmp_path)
    objects = []
    for source in c_files(library, folder):
        objects.append(tmp_path / f"{source.stem}.o")
        # as on a microcontroller: position-independent code has constant pointers relocated at start-up
        cc(*STRICT, "-O2", "-fno-pic", "-c", source, "-o", objects[-1])
    listing = subprocess.run(["nm", *objects], capture_output=True, text=True, check=True).stdout
    symbols = re.findall(r"^[0-9a-f ]{16} ([A-Za-z]) (\S+)$", listing, re.MULTILINE)
    assert {name for letter, name in symbols if letter in "dDbBcCsS"} == set()
    public = {name for letter, name in symbols if letter in "TR"}
    assert all(name.startswith("net_") for name in public)
    calls = {name for letter, name in symbols if letter == "U"} - public
    assert calls <= ALLOWED_CALLS | (FLOAT_CALLS if kind == "float32" else set())


def test_unusable_buffers_are_error_codes(tmp_path: Path) -> None:
    library, folder = library_of(state_net(), tmp_path)
    main = """
    if (net_reset(NULL) != NET_ERROR_STATE || net_reset(state + 1) != NET_ERROR_STATE) return 1;
    if (net_reset(state) != NET_OK) return 2;
    if (net_run(NULL, state) != NET_ERROR_ARENA || net_run(arena + 4, state) != NET_ERROR_ARENA) return 3;
    if (net_run(arena, NULL) != NET_ERROR_STATE || net_run(arena, state + 8) != NET_ERROR_STATE) return 4;
    if (net_selftest(NULL, state) != NET_ERROR_ARENA) return 5;
    if (net_selftest(arena, NULL) != NET_ERROR_STATE) return 6;
    if (net_selftest(arena + 1, state) != NET_ERROR_ARENA) return 7;
    return net_run(arena, state) == NET_OK ? 0 : 8;"""
    assert run_program(library, folder, main) == 0


def test_unusable_input_pointers_are_error_codes(tmp_path: Path) -> None:
    library, folder = library_of(conv_net(DType.INT16), tmp_path, input_mode="extern")
    main = """
    const int16_t *odd = (const int16_t *)(const void *)((const uint8_t *)input + 1);
    if (net_run(arena, NULL) != NET_ERROR_INPUT || net_run(arena, odd) != NET_ERROR_INPUT) return 1;
    if (net_selftest(arena, NULL) != NET_ERROR_INPUT) return 2;
    if (net_selftest(NULL, input) != NET_ERROR_ARENA) return 3;
    return net_run(arena, input) == NET_OK ? 0 : 4;"""
    assert run_program(library, folder, main) == 0


def test_an_extern_input_may_lie_in_read_only_memory(tmp_path: Path) -> None:
    library, folder = library_of(conv_net(), tmp_path, input_mode="extern")
    assert library.view.run_parameters == "uint8_t *arena, const int8_t *input"
    text = """static NET_ALIGNED uint8_t arena[NET_ARENA_BYTES];
static const int8_t image[NET_INPUT_ELEMENTS] = {1, 2};"""
    main = "    return (int)net_run(arena, image);"
    assert run_program(library, folder, main, definitions=text) == 0


def test_libraries_link_into_one_cpp_program_and_share_an_arena(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    made = [
        library_of(conv_net(), tmp_path, "my-net"),
        library_of(conv_net(DType.FLOAT32), tmp_path, "my net", name="my_net_2"),
        library_of(state_net(), tmp_path, "my_net", name="MY NET run"),
    ]
    names = [library.view.name for library, _ in made]
    assert names == ["my_net", "my_net_2", "my_net_run"]
    includes = "".join(f'#include "{n}.h"\n' for n in names)
    text = f"""{includes}
static MY_NET_ALIGNED uint8_t arena[MY_NET_ARENA_BYTES + MY_NET_2_ARENA_BYTES + MY_NET_RUN_ARENA_BYTES];
static MY_NET_ALIGNED uint8_t state[MY_NET_RUN_STATE_BYTES];
int main()
{{
    const my_net_status first = my_net_selftest(arena);
    return first == MY_NET_OK && my_net_2_selftest(arena) == MY_NET_2_OK
        && my_net_run_selftest(arena, state) == MY_NET_RUN_OK ? 0 : 1;
}}
"""
    (tmp_path / "main.cpp").write_text(text)
    objects = []
    for library, folder in made:
        for source in c_files(library, folder):
            objects.append(tmp_path / f"{source.stem}.o")
            cc(*STRICT, "-O1", "-c", source, "-o", objects[-1])
    folders = [f"-I{folder}" for _, folder in made]
    flags = ("-std=c++11", "-Wall", "-Wextra", "-Werror")
    cc(*flags, *folders, tmp_path / "main.cpp", *objects, "-o", tmp_path / "program", command="g++")
    assert subprocess.run([tmp_path / "program"], check=False).returncode == 0


def test_the_makefile_builds_an_archive_and_keeps_required_flags(tmp_path: Path) -> None:
    _, folder = library_of(state_net(), tmp_path)
    done = subprocess.run(["make", "-C", folder, "CFLAGS=-O1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not re.search("warning", done.stdout + done.stderr)
    assert done.stdout.count("-ffp-contract=off") == 3 and done.stdout.count("-std=c99") == 3
    assert (folder / "libnet.a").is_file()
    subprocess.run(["make", "-C", folder, "clean"], capture_output=True, check=True)
    assert not [p for p in folder.iterdir() if p.suffix in (".o", ".a")]


def test_cmake_builds_the_library_inside_another_project(tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    _, folder = library_of(conv_net(), tmp_path, "test")  # a name CMake reserves for itself
    (tmp_path / "main.c").write_text(
        '#include "test.h"\nstatic TEST_ALIGNED uint8_t arena[TEST_ARENA_BYTES];\n'
        "int main(void) { return (int)test_selftest(arena); }\n"
    )
    (tmp_path / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.13)\nproject(app C)\nadd_subdirectory({folder.name})\n"
        "add_executable(app main.c)\ntarget_link_libraries(app patchloom_test)\n"
    )
    for command in (["cmake", "-S", ".", "-B", "build"], ["cmake", "--build", "build"], ["build/app"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_hook_is_called_behind_every_layer(tmp_path: Path) -> None:
    library, folder = library_of(conv_net(), tmp_path)
    hook = """static int calls;
void hook(int layer, const void *y, size_t bytes);
void hook(int layer, const void *y, size_t bytes)
{
    calls += layer > 0 && y != NULL && bytes > 0;
}
"""
    main = "    const net_status s = net_run(arena);\n    return s == NET_OK ? calls : 99;"
    text = buffers(library) + "\n" + hook
    assert run_program(library, folder, main, flags=["-DNET_HOOK=hook"], definitions=text) == len(
        library.view.layers
    )


def test_generated_lines_are_short(tmp_path: Path) -> None:
    _, folder = library_of(state_net(), tmp_path)
    names = [p for p in folder.iterdir() if p.suffix in (".c", ".h")]
    assert {p.name: len(x) for p in names for x in p.read_text().splitlines() if len(x) > 120} == {}
