"""The command line: what each command prints, the keys of its JSON document, its exit code."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_support import patchloom, tree
from emulation_support import board_called, need
from library_support import conv_net, model_file, state_net
from nets import Net
from patchloom import __version__, boards
from patchloom.emulation.fit import STACK_BYTES
from patchloom.ir import Activation, DType
from patchloom.ir.ops import OPS
from patchloom.ir.ops.relu import Relu
from patchloom.ir.ops.reshape import Reshape

# The documents of --json hold at least these keys, which scripts depend on.
COMPILE_KEYS = {
    "name",
    "board",
    "arena_bytes",
    "state_bytes",
    "ram_bytes",
    "input_bytes",
    "output_bytes",
    "weight_bytes",
    "code_bytes",
    "stack_bytes",
    "macs",
    "plan",
}
VERIFY_KEYS = {
    "samples",
    "mismatches",
    "max_abs_diff",
    "bit_exact",
    "within_tolerance",
    "reference",
    "reference_version",
    "on",
}
PROFILE_KEYS = {"instructions", "cycles", "cycle_model", "layers"}
LAYER_KEYS = {"name", "op", "macs", "instructions", "cycles"}
BOARD = "nrf52840dk"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library compiled by the command line. Tests that change it take a copy."""
    need(board_called(BOARD))
    work = tmp_path_factory.mktemp("cli")
    model = model_file(conv_net(), work / "net.tflite")
    result = patchloom("compile", model, "--board", BOARD, "-o", work / "out")
    assert result.code == 0, result.err
    return work / "out"


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_compile_json_is_one_document_with_the_agreed_keys_and_nothing_else(
    folder: Path, tmp_path: Path
) -> None:
    model = folder.parent / "net.tflite"
    result = patchloom("compile", model, "--board", BOARD, "-o", tmp_path / "out", "--json")
    assert result.code == 0 and result.err == ""
    figures = result.json
    assert set(figures) >= COMPILE_KEYS
    assert figures["name"] == "net" and figures["board"] == BOARD
    assert figures["input_bytes"] == 9 * 8 * 3 and figures["output_bytes"] == 4
    assert figures["macs"] == 5 * 4 * 6 * 27 + 5 * 4 * 6 * 9 + 4 * 24
    assert figures["state_bytes"] == 0 and figures["arena_bytes"] >= 216
    assert all(figures[k] > 0 for k in ("code_bytes", "weight_bytes", "stack_bytes"))
    assert figures["ram_bytes"] == figures["arena_bytes"] + max(0, figures["stack_bytes"] - 512)
    assert [s["op"] for s in figures["plan"]["steps"]] == ["conv", "dw", "pool", "scores", "probabilities"]


def test_compile_prints_a_table_and_what_to_do_next(tmp_path: Path) -> None:
    model = model_file(state_net(), tmp_path / "a [bold]b.tflite")
    result = patchloom("compile", model, "--board", BOARD, "-o", tmp_path / "[red]out")
    assert result.code == 0
    assert "[red]out" in result.out and "patchloom verify" in result.out
    assert re.search(r"state +28 ", result.out)


def test_the_folder_holds_the_library_the_model_and_the_manifest(folder: Path) -> None:
    names = {p.name for p in folder.iterdir()}
    sources = {"net.c", "net.h", "net_kernels.h", "net_weights.c", "net_weights.h", "net_selftest.c"}
    others = {"README.md", "Makefile", "CMakeLists.txt", "LICENSE", "model.tflite", "patchloom.json"}
    assert names == sources | others
    manifest = json.loads((folder / "patchloom.json").read_text())
    assert set(manifest["files"]) | {"patchloom.json"} == names
    assert set(manifest["figures"]) >= COMPILE_KEYS


def test_compiling_again_replaces_the_library_and_its_build_products(copy: Path) -> None:
    before = tree(copy)
    (copy / "net.c").write_text("edited")
    (copy / "net.o").write_bytes(b"object")
    model = model_file(conv_net(), copy.parent / "net.tflite")
    assert patchloom("compile", model, "--board", BOARD, "-o", copy).code == 0
    assert tree(copy) == before


@pytest.mark.parametrize("on", ["host", "qemu"])
def test_verify_json_has_the_agreed_keys(folder: Path, on: str) -> None:
    result = patchloom("verify", folder, "--samples", 3, "--on", on, "--json")
    assert result.code == 0 and result.err == ""
    assert set(result.json) >= VERIFY_KEYS
    assert result.json["bit_exact"] is True and result.json["within_tolerance"] is True
    assert result.json["samples"] == 3 and result.json["mismatches"] == 0 and result.json["on"] == on
    assert result.json["reference"] == "tflite-micro" and result.json["reference_version"]


def test_verify_says_bit_exact_in_words(folder: Path) -> None:
    result = patchloom("verify", folder, "--samples", 2, "--on", "host")
    assert result.code == 0 and result.out.startswith("bit-exact: 2 samples on host")


def test_verify_takes_inputs_from_a_file(folder: Path, tmp_path: Path) -> None:
    inputs = np.random.default_rng(0).integers(-128, 128, (4, 1, 9, 8, 3)).astype(np.int8)
    np.save(tmp_path / "x.npy", inputs)
    np.savez(tmp_path / "x.npz", image=inputs)
    for name in ("x.npy", "x.npz"):
        result = patchloom("verify", folder, "--inputs", tmp_path / name, "--on", "host", "--json")
        assert result.code == 0 and result.json["samples"] == 4


def test_a_changed_weight_is_different_with_exit_code_1(copy: Path) -> None:
    weights = copy / "net_weights.c"
    text = weights.read_text()
    at = text.index("{", text.index("weights of scores")) + 1
    weights.write_text(text[:at] + re.sub(r"-?\d+", "99", text[at:], count=1))
    result = patchloom("verify", copy, "--samples", 3, "--on", "host")
    assert result.code == 1 and result.out.startswith("DIFFERENT")
    assert "sample 0: first difference in layer output 'scores'" in result.out
    document = patchloom("verify", copy, "--samples", 3, "--on", "host", "--json")
    assert document.code == 1
    assert not document.json["bit_exact"] and not document.json["within_tolerance"]


def test_a_write_outside_the_arena_is_reported(copy: Path) -> None:
    source = copy / "net.c"
    text = source.read_text()
    line = next(x for x in text.splitlines() if x.startswith("    net_layer_01"))
    source.write_text(text.replace(line, f"{line}\n    arena[NET_ARENA_BYTES + 3] = 0;"))
    result = patchloom("verify", copy, "--samples", 3, "--on", "host", "--json")
    assert result.code == 1 and result.json["damaged_guards"] == 3 and result.json["bit_exact"]


def test_profile_json_has_the_agreed_keys_and_equal_counts_in_two_runs(folder: Path) -> None:
    first, second = (patchloom("profile", folder, "--json") for _ in range(2))
    assert first.code == 0 and first.err == ""
    assert first.json == second.json
    assert set(first.json) >= PROFILE_KEYS
    layers = first.json["layers"]
    assert all(set(layer) >= LAYER_KEYS for layer in layers)
    assert [layer["name"] for layer in layers] == ["conv", "dw", "pool", "scores", "probabilities"]
    assert sum(layer["instructions"] for layer in layers) < first.json["instructions"]
    assert first.json["cycles"] > first.json["instructions"] and first.json["cycle_model"] == "m4"


def test_profile_shows_a_table_and_says_where_it_cannot_count(folder: Path) -> None:
    assert "conv2d" in patchloom("profile", folder).out
    result = patchloom("profile", folder, "--on", "host")
    assert result.code == 2 and "qemu" in result.err


def test_fit_tells_boards_that_hold_a_model_from_those_that_do_not(tmp_path: Path) -> None:
    net = Net()
    x = net.add(Reshape("flat", net.input("x", (1, 40, 30, 20)), "flat", (24000,)))
    model = model_file(net.graph(x), tmp_path / "big.tflite")
    both = patchloom("fit", model, "--board", "microbit-v1", "--board", BOARD, "--json")
    assert both.code == 0
    assert [(f["board"], f["fits"]) for f in both.json] == [("microbit-v1", False), (BOARD, True)]
    small = both.json[0]
    assert small["arena_bytes"] == 24000 and small["missing"] == [f"RAM by {24000 + STACK_BYTES - 16384} B"]
    assert "--input extern" in small["advice"]
    none = patchloom("fit", model, "--board", "microbit-v1")
    assert none.code == 1 and "no: RAM by 8640 B" in none.out and "hint" in none.out


def test_fit_by_default_tries_every_board(tmp_path: Path) -> None:
    result = patchloom("fit", model_file(conv_net(), tmp_path / "net.tflite"), "--json")
    assert result.code == 0
    assert [f["board"] for f in result.json] == list(boards.names())
    timed = [f for f in result.json if f["latency_ms"] is not None]
    assert len(timed) > 10
    assert all(f["latency_ms"] > 0 and "estimate" in f["latency_source"] for f in timed)


def test_boards_and_ops_and_doctor_list_what_there_is() -> None:
    listed = patchloom("boards", "--json")
    assert listed.code == 0 and [b["name"] for b in listed.json] == list(boards.names())
    assert BOARD in patchloom("boards").out
    ops = patchloom("ops", "--json")
    assert [o["op"] for o in ops.json] == [op.kind() for op in OPS]
    assert all(o["kernels"] for o in ops.json)
    assert "conv2d" in patchloom("ops").out
    doctor = patchloom("doctor", "--json")
    assert {"tool", "version", "enables", "install"} <= set(doctor.json[0])
    assert "qemu-system-arm" in patchloom("doctor").out


def test_dump_prints_the_ir_after_a_pass(tmp_path: Path) -> None:
    model = model_file(conv_net(), tmp_path / "net.tflite")
    imported = patchloom("dump", model, "--after", "import")
    assert imported.code == 0 and imported.out.startswith("graph net\n  input  %image: [1,9,8,3] int8")
    document = patchloom("dump", model, "--after", "import", "--json")
    assert document.json == {"after": "import", "ir": imported.out}
    assert patchloom("dump", model).code == 0


def test_input_shape_replaces_that_of_the_model(tmp_path: Path) -> None:
    net = Net()
    model = model_file(
        net.graph(net.add(Relu("y", net.input("x", (1, 4)), "y", Activation.RELU))), tmp_path / "m.tflite"
    )
    result = patchloom("dump", model, "--after", "import", "--input-shape", "x=1,7")
    assert result.code == 0 and "%x: [1,7]" in result.out


def test_a_board_profile_of_ones_own_travels_with_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(board_called(BOARD))
    profile = (Path(boards.__file__).parent / f"{BOARD}.toml").read_text()
    (tmp_path / "mine.toml").write_text(profile)
    model_file(conv_net(), tmp_path / "net.tflite")
    monkeypatch.chdir(tmp_path)
    assert patchloom("compile", "net.tflite", "--board", "mine.toml", "-o", "out").code == 0
    (tmp_path / "mine.toml").unlink()
    monkeypatch.chdir(tmp_path.parent)
    result = patchloom("verify", tmp_path / "out", "--samples", 1, "--json")
    assert result.code == 0 and result.json["board"] == "mine"


def test_float_models_pass_within_tolerance(tmp_path: Path) -> None:
    model = model_file(conv_net(DType.FLOAT32), tmp_path / "float.tflite")
    assert patchloom("compile", model, "--board", BOARD, "-o", tmp_path / "out").code == 0
    result = patchloom("verify", tmp_path / "out", "--samples", 5, "--on", "host", "--json")
    assert result.code == 0 and result.json["within_tolerance"] and result.json["max_abs_diff"] < 1e-4


def test_the_installed_command_and_the_module_are_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "patchloom", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"patchloom {__version__}\n"
    assert patchloom("--version").out == done.stdout
    assert patchloom("--help").code == 0
