"""The command line with bad input: a message, the right exit code, nothing written, no traceback."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from cli_support import Result, patchloom, tree
from emulation_support import need
from library_support import conv_net, model_file
from nets import Net
from patchloom import api, boards, folder
from patchloom.emulation.fit import STACK_BYTES
from patchloom.errors import UnsupportedModel, Violation
from patchloom.export.tflite import to_tflite
from patchloom.ir import DType
from patchloom.ir.ops.reshape import Reshape

BOARD = "nrf52840dk"


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """SIGINT interrupts as in a terminal; jobs started in the background inherit that it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library to damage copies of; its sizes need not be measured."""
    work = tmp_path_factory.mktemp("library")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "measure", lambda library, board: None)
        api.compile(model_file(conv_net(), work / "net.tflite"), BOARD, work / "out")
    return work / "out"


@pytest.fixture
def copy(library: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(library, tmp_path / "copy"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return model_file(conv_net(), tmp_path / "net.tflite")


def assert_refused(result: Result, *words: str, code: int = 2) -> None:
    """An `error:` message with these words on stderr, nothing on stdout."""
    assert result.code == code, result
    assert result.out == ""
    assert result.err.startswith("error: ") or "Usage:" in result.err
    for word in words:
        assert word in result.err, result.err


def big_model(path: Path, count: int = 24000) -> Path:
    net = Net()
    return model_file(net.graph(net.add(Reshape("flat", net.input("x", (1, count)), "flat", (count,)))), path)


MODELS: dict[str, Callable[[bytes], bytes]] = {
    "empty.tflite": lambda data: b"",
    "truncated.tflite": lambda data: data[: len(data) // 2],
    "short.tflite": lambda data: data[:12],
    "random.tflite": lambda data: np.random.default_rng(1).bytes(4000),
    "random_tail.tflite": lambda data: data[:64] + np.random.default_rng(2).bytes(len(data) - 64),
    "graph.onnx": lambda data: b"\x08\x08\x12\x07pytorch" + bytes(50),
    "pickle.tflite": lambda data: b"\x80\x04\x95" + bytes(50),
    "zip.keras": lambda data: b"PK\x03\x04" + bytes(50),
    "text.txt": lambda data: b"hello",
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("command", ["compile", "fit", "dump"])
def test_files_that_are_no_models_are_refused(name: str, command: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(MODELS[name](to_tflite(conv_net())))
    options = ["--board", BOARD, "-o", tmp_path / "out"] if command == "compile" else []
    assert_refused(patchloom(command, path, *options), name)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_missing_files_and_folders_are_refused_as_models(tmp_path: Path) -> None:
    for path in (tmp_path / "none.tflite", tmp_path, Path("/dev/null")):
        assert_refused(patchloom("compile", path, "--board", BOARD, "-o", tmp_path / "out"), str(path))
    assert list(tmp_path.iterdir()) == []


def test_unknown_boards_are_refused_with_the_known_ones(model: Path, tmp_path: Path) -> None:
    assert_refused(patchloom("compile", model, "--board", "none", "-o", tmp_path / "o"), "none", BOARD)
    assert_refused(patchloom("fit", model, "--board", "none"), "none", BOARD)
    (tmp_path / "bad.toml").write_text("core = 3\nnonsense")
    assert_refused(
        patchloom("compile", model, "--board", tmp_path / "bad.toml", "-o", tmp_path / "o"), "bad.toml"
    )
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    "text",
    ["image", "image=", "=1,2", "image=1,x", "image=1,,2", "image=0,9,8,3", "image=²", "image=" + "9" * 5000],
)
def test_input_shapes_that_are_none_are_refused(text: str, model: Path, tmp_path: Path) -> None:
    result = patchloom("compile", model, "--board", BOARD, "-o", tmp_path / "o", "--input-shape", text)
    assert_refused(result, "--input-shape", "NAME=1,49,10,1")


def test_input_shapes_that_do_not_fit_the_model_are_refused(model: Path, tmp_path: Path) -> None:
    for text in ("other=1,9,8,3", "image=1,9,8", "image=1,9,8,2", "image=9999999999,9999999999,1,1"):
        assert_refused(
            patchloom("compile", model, "--board", BOARD, "-o", tmp_path / "o", "--input-shape", text)
        )


@pytest.mark.parametrize(
    "arguments",
    [
        ["compile"],
        ["compile", "net.tflite"],
        ["compile", "net.tflite", "--board", BOARD],
        ["compile", "net.tflite", "--board", BOARD, "-o", "out", "--input", "rows!"],
        ["compile", "net.tflite", "--board", BOARD, "-o", "out", "--max-ram", "0"],
        ["compile", "net.tflite", "--board", BOARD, "-o", "out", "--max-ram", "many"],
        ["verify", "out", "--samples", "0"],
        ["verify", "out", "--on", "moon"],
        ["nonsense"],
        ["dump", "net.tflite", "--no-such-option"],
    ],
    ids=" ".join,
)
def test_wrong_usage_has_exit_code_2(arguments: list[str]) -> None:
    result = patchloom(*arguments)
    assert result.code == 2 and result.out == "" and result.err


def test_an_unknown_pass_is_refused_with_the_known_ones(model: Path) -> None:
    assert_refused(patchloom("dump", model, "--after", "magic"), "magic", "canonicalize")


def test_a_model_that_exceeds_the_board_says_by_how_much_and_what_helps(tmp_path: Path) -> None:
    path = big_model(tmp_path / "big.tflite")
    result = patchloom("compile", path, "--board", "microbit-v1", "-o", tmp_path / "out", "--json")
    assert_refused(
        result,
        "microbit-v1",
        f"{24000 + STACK_BYTES - 16384} B of RAM too many",
        "--input extern",
        BOARD,
        code=1,
    )
    assert not (tmp_path / "out").exists()


def test_limits_of_ones_own_are_kept(model: Path, tmp_path: Path) -> None:
    target = ["--board", BOARD, "-o", tmp_path / "out"]
    ram = patchloom("compile", model, *target, "--max-ram", 60)
    assert_refused(ram, "--max-ram", "B of RAM too many", "at most 60 B", code=1)
    flash = patchloom("compile", model, *target, "--max-flash", 300)
    assert_refused(flash, "--max-flash", "B of flash too many", code=1)
    assert not (tmp_path / "out").exists()
    # a limit above the board's own memory lifts nothing
    path = big_model(tmp_path / "big.tflite")
    assert (
        patchloom("compile", path, "--board", "microbit-v1", "-o", tmp_path / "x", "--max-ram", 99999).code
        == 1
    )


def test_a_program_whose_data_does_not_fit_beside_the_arena_is_refused_by_the_linker(tmp_path: Path) -> None:
    need(boards.load("microbit-v1"))
    left = boards.load("microbit-v1").sram_bytes - STACK_BYTES
    path = big_model(tmp_path / "big.tflite", left - 8)
    result = patchloom("compile", path, "--board", "microbit-v1", "-o", tmp_path / "out")
    assert_refused(result, "microbit-v1", "exceeds", code=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["verify", "profile"])
def test_folders_that_are_no_libraries_are_refused(command: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "none", tmp_path / "file"):
        assert_refused(patchloom(command, path), str(path), "patchloom.json")


DAMAGE: dict[str, Callable[[str], str]] = {
    "empty": lambda text: "",
    "truncated": lambda text: text[: len(text) // 2],
    "binary": lambda text: "\x00\x01\x02",
    "a list": lambda text: "[]",
    "a number": lambda text: "3",
    "deep": lambda text: "[" * 100000,
    "no options": lambda text: text.replace('"options"', '"opinions"'),
    "a name that is a number": lambda text: text.replace('"name": null', '"name": 3'),
    "no shapes": lambda text: text.replace('"input_shapes": {}', '"input_shapes": {"image": "abc"}'),
    "another board": lambda text: text.replace(BOARD, "none"),
    "a board outside": lambda text: text.replace(BOARD, "../../etc/board.toml"),
    "another model": lambda text: text.replace('"model.tflite"', '"net.c"'),
    "no model": lambda text: text.replace('"model.tflite"', '"../net.tflite"'),
    "another format": lambda text: text.replace('"patchloom_format": 2', '"patchloom_format": 99'),
    "another version": lambda text: text.replace('"patchloom_version": "', '"patchloom_version": "9.'),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_manifests_are_refused(damage: str, copy: Path) -> None:
    path = copy / "patchloom.json"
    text = path.read_text()
    path.write_text(DAMAGE[damage](text))
    assert path.read_text() != text
    assert_refused(patchloom("verify", copy, "--on", "host", "--samples", 1))


def test_a_changed_or_missing_model_is_refused(copy: Path) -> None:
    stored = copy / "model.tflite"
    stored.write_bytes(to_tflite(conv_net(DType.FLOAT32)))
    assert_refused(patchloom("verify", copy, "--on", "host"), "model.tflite is not the model compiled")
    stored.unlink()
    assert_refused(patchloom("verify", copy, "--on", "host"), "missing", "model.tflite")


def test_c_that_is_missing_or_does_not_compile_is_refused(copy: Path) -> None:
    (copy / "net.c").write_text("int x = ;\n")
    assert_refused(patchloom("verify", copy, "--on", "host"), "net.c does not compile")
    (copy / "net.c").unlink()
    assert_refused(patchloom("verify", copy, "--on", "host"), "net.c")


def test_c_that_crashes_or_runs_other_layers_is_a_no(copy: Path) -> None:
    source = copy / "net.c"
    text = source.read_text()
    call = next(x for x in text.splitlines() if x.startswith("    net_layer_02"))
    source.write_text(text.replace(call, f"{call}\n    *(volatile int *)(uintptr_t)(arena[0] * 0) = 1;"))
    assert_refused(patchloom("verify", copy, "--on", "host", "--samples", 1), "crashed", code=1)
    done = next(x for x in text.splitlines() if x.startswith("    NET_DONE(2"))
    source.write_text(text.replace(done, ""))
    result = patchloom("verify", copy, "--on", "host", "--samples", 1)
    assert result.code == 1 and "DIFFERENT" in result.out and "first difference in layer output" in result.out


INPUTS: dict[str, Callable[[Path], object]] = {
    "missing.npy": lambda path: None,
    "empty.npy": lambda path: path.write_bytes(b""),
    "text.npy": lambda path: path.write_text("1 2 3"),
    "object.npy": lambda path: np.save(path, np.array([None, {}], object), allow_pickle=True),
    "scalar.npy": lambda path: np.save(path, np.int8(3)),
    "float.npy": lambda path: np.save(path, np.zeros((1, 9, 8, 3), np.float32)),
    "shape.npy": lambda path: np.save(path, np.zeros((2, 9, 8, 2), np.int8)),
    "none.npy": lambda path: np.save(path, np.zeros((0, 9, 8, 3), np.int8)),
    "names.npz": lambda path: np.savez(path, other=np.zeros((1, 9, 8, 3), np.int8)),
    "broken.npz": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(100)),
}


@pytest.mark.parametrize("name", INPUTS)
def test_inputs_that_are_none_are_refused(name: str, library: Path, tmp_path: Path) -> None:
    INPUTS[name](tmp_path / name)
    assert_refused(patchloom("verify", library, "--on", "host", "--inputs", tmp_path / name))


@pytest.mark.parametrize("on", ["renode", "unicorn"])
def test_emulators_that_are_not_there_yet_are_refused(on: str, library: Path) -> None:
    assert_refused(patchloom("verify", library, "--on", on), on, "qemu, host")


def test_a_folder_of_others_is_refused_and_left_alone(model: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "src"
    foreign.mkdir()
    (foreign / "main.c").write_text("int main;")
    (foreign / "patchloom.json").write_text('{"mine": true}')
    before = tree(tmp_path)
    result = patchloom("compile", model, "--board", BOARD, "-o", foreign)
    assert_refused(result, str(foreign), "not written by patchloom")
    assert_refused(patchloom("compile", model, "--board", BOARD, "-o", model), "not a folder")
    assert tree(tmp_path) == before


def test_files_of_others_in_a_library_folder_are_not_deleted(model: Path, copy: Path) -> None:
    (copy / "main.c").write_text("int main;")
    before = tree(copy)
    assert_refused(patchloom("compile", model, "--board", BOARD, "-o", copy), "main.c", "move them")
    assert tree(copy) == before


def test_the_current_folder_is_not_replaced(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert_refused(patchloom("compile", model, "--board", BOARD, "-o", "."), "the folder you are in")
    assert Path.cwd().is_dir()


def test_folders_that_cannot_be_written_are_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for out in (model / "below", Path("/proc/none/out"), tmp_path / ("x" * 300), tmp_path / "loop" / "x"):
        assert_refused(patchloom("compile", model, "--board", BOARD, "-o", out), "cannot write")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["loop", "net.tflite"]


def test_a_link_to_a_library_folder_is_followed(model: Path, copy: Path) -> None:
    link = copy.parent / "link"
    link.symlink_to(copy)
    assert patchloom("compile", model, "--board", BOARD, "-o", link).code == 0
    assert link.is_symlink() and (copy / "net.c").is_file()


def fail_with(error: BaseException) -> Callable[..., None]:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("step", ["mkdir", "write_bytes", "rename"])
def test_a_failure_while_writing_leaves_the_old_folder_intact(
    step: str, model: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(copy.parent)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(api, "measure", lambda library, board: None)
    monkeypatch.setattr(Path, step, fail_with(full))
    result = patchloom("compile", model, "--board", BOARD, "-o", copy, "--name", "other")
    assert_refused(result, "cannot write", "No space left on device")
    monkeypatch.undo()
    assert tree(copy.parent) == before


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("renames", [1, 2])
def test_ctrl_c_while_the_folder_is_replaced_leaves_the_old_one(
    renames: int, model: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real, calls = tree(copy.parent), Path.rename, []

    def rename(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == renames:
            signal.raise_signal(signal.SIGINT)
        return real(self, target)

    monkeypatch.setattr(api, "measure", lambda library, board: None)
    monkeypatch.setattr(Path, "rename", rename)
    result = patchloom("compile", model, "--board", BOARD, "-o", copy, "--name", "other")
    monkeypatch.undo()
    assert result.code == 130
    assert tree(copy.parent) == before


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_while_measuring_writes_nothing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "measure", lambda library, board: signal.raise_signal(signal.SIGINT))
    result = patchloom("compile", model, "--board", BOARD, "-o", tmp_path / "out", "--json")
    assert result.code == 130 and result.out == ""
    assert [p.name for p in tmp_path.iterdir()] == ["net.tflite"]


def test_a_defect_is_a_message_too_and_a_traceback_only_when_asked_for(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "dump", fail_with(ZeroDivisionError("oops")))
    with pytest.raises(AssertionError, match="should not have happened"):
        patchloom("dump", model)
    monkeypatch.setenv("PATCHLOOM_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        patchloom("dump", model)


def test_every_violation_of_a_model_is_an_error_of_its_own(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    violations = [Violation(f'op {i} CONV_2D "{i}"', "a rule", "3x3", "a hint") for i in (1, 2)]
    monkeypatch.setattr(api, "dump", fail_with(UnsupportedModel("m.tflite", violations, 5)))
    result = patchloom("dump", model)
    assert_refused(result, "2 of 5 ops are unsupported")
    lines = result.err.splitlines()
    assert [x for x in lines if x.startswith("error: ")] == [
        'error: m.tflite: op 1 CONV_2D "1" cannot be compiled',
        'error: m.tflite: op 2 CONV_2D "2" cannot be compiled',
    ]
    assert lines.count("  hint     a hint") == 2


def test_names_that_drive_a_terminal_do_not_reach_it(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[31mred\x07.tflite"
    result = patchloom("compile", path, "--board", BOARD, "-o", tmp_path / "out")
    assert_refused(result, "?[31mred?.tflite: no such file")


def test_the_manifest_is_json_and_holds_no_paths_of_this_machine(library: Path) -> None:
    text = (library / "patchloom.json").read_text()
    assert json.loads(text)["figures"]["code_bytes"] is None
    assert str(library.parent) not in text and os.fspath(Path.home()) not in text
    assert folder.read(library).options.board == BOARD
