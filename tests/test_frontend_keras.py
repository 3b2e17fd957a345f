"""Keras archives: converted, compiled, equal to what Keras predicts; bad ones refused with one message."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import patchloom
import pytest
from cli_support import patchloom as command
from cli_support import tree
from keras_nets import make, predicted
from patchloom.errors import UserError
from patchloom.frontend import keras as keras_frontend
from patchloom.frontend import load
from patchloom.ir import evaluate

with_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None,
    reason="TensorFlow is not installed: patchloom[tensorflow]",
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("keras"), "cnn", "recurrent")


def archive(path: Path, *layers: dict[str, Any]) -> Path:
    """A .keras file of these layers, without weights."""
    config = {"module": "keras", "class_name": "Sequential", "config": {"layers": list(layers)}}
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", json.dumps(config))
    return path


def layer(kind: str, name: str, module: str | None = "keras.layers", **more: Any) -> dict[str, Any]:
    return {"module": module, "class_name": kind, "config": {"name": name}, "registered_name": None, **more}


@with_tensorflow
def test_a_keras_model_computes_what_keras_predicts(models: Path) -> None:
    data = predicted(models, "cnn")
    graph = load(models / "cnn.keras")
    assert graph.inputs == ("image",) and graph["image"].shape == (1, 12, 12, 3)
    for x, want in zip(data["image"], data["answer"], strict=True):
        found = evaluate(graph, {"image": x[None]})[graph.outputs[0]]
        np.testing.assert_allclose(found[0], want, atol=1e-6)


@with_tensorflow
def test_recurrent_layers_are_unrolled_and_inputs_and_outputs_keep_their_names(models: Path) -> None:
    data = predicted(models, "recurrent")
    graph = load(models / "recurrent.keras")
    assert set(graph.inputs) == {"frames", "side"} and set(graph.outputs) == {"small", "large"}
    for i in range(2):
        values = evaluate(graph, {n: data[n][i : i + 1] for n in graph.inputs})
        for name in graph.outputs:
            np.testing.assert_allclose(values[name][0], data[name][i], atol=1e-6)
    with pytest.raises(UserError, match=r"'lstm\w*' cannot be unrolled\n.*fixed in the model\n.*'frames'"):
        load(models / "recurrent_open.keras", {"frames": (1, 5, 4)})


@with_tensorflow
def test_a_keras_model_is_compiled_verified_and_kept_as_tflite(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "lib"
    patchloom.compile(models / "cnn.keras", "nrf52840dk", out)
    stored = (out / "model.tflite").read_bytes()
    assert stored[4:8] == b"TFL3"
    result = patchloom.verify(out, samples=4, on="host")
    assert result.passed and result.verification.layers_compared >= 0
    found = patchloom.diff(models / "cnn.keras", out, on="host", samples=2)
    assert found.passed and all(x.matched != "position" for x in found.layers)


@with_tensorflow
def test_a_keras_model_is_quantized_with_its_input_by_name(models: Path, tmp_path: Path) -> None:
    images = predicted(models, "cnn")["image"]
    np.savez(tmp_path / "images.npz", image=images)
    patchloom.quantize(models / "cnn.keras", tmp_path / "images.npz", out=tmp_path / "q.tflite")
    done = command(
        "diff", models / "cnn.keras", tmp_path / "q.tflite", "--inputs", tmp_path / "images.npz", "--json"
    )
    assert done.code == 0 and done.json["samples"] == len(images)
    assert min(x["sqnr_db"] for x in done.json["layers"]) > 20


@with_tensorflow
def test_the_converter_says_nothing_on_the_streams_of_the_command(models: Path) -> None:
    code = f"import patchloom; patchloom.load({str(models / 'cnn.keras')!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_tensorflow_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, patchloom.cli; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_tensorflow_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    file = archive(tmp_path / "net.keras", layer("Dense", "dense"))
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"x")
    for model in (file, tmp_path / "saved"):
        done = command("compile", model, "--board", "nrf52840dk", "-o", tmp_path / "out")
        assert done.code == 2 and "pip install patchloom[tensorflow]" in done.err
        assert len(done.err.splitlines()) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (layer("Lambda", "twice"), ('Lambda "twice"', "Python code")),
        (layer("TFSMLayer", "inner"), ('TFSMLayer "inner"', "SavedModel")),
        (layer("Mine", "own", None, registered_name="Mine"), ('Mine "own"', "class Mine")),
        (layer("system", "own", "os"), ('system "own"', "class os")),
        ({"class_name": "__lambda__", "config": {"value": ""}}, ("Python code",)),
    ],
)  # fmt: skip
def test_layers_that_bring_code_are_refused_by_name_before_tensorflow_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: dict[str, Any], words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(
        keras_frontend.subprocess, "run", lambda *a, **k: pytest.fail("TensorFlow was started")
    )
    file = archive(tmp_path / "net.keras", layer("Dense", "dense"), bad, layer("ReLU", "end"))
    done = command("compile", file, "--board", "nrf52840dk", "-o", tmp_path / "out")
    assert done.code == 2 and done.err.count("error:") == 1
    assert all(word in done.err for word in (*words, "1 of 4 ops"))
    assert set(tree(tmp_path)) == {"net.keras"}


@pytest.mark.parametrize("damage", ["truncated", "text", "no config", "not json", "deep", "crc"])
def test_damaged_archives_are_refused(tmp_path: Path, damage: str) -> None:
    file = archive(tmp_path / "net.keras", layer("Dense", "dense"))
    data = file.read_bytes()
    if damage in ("no config", "not json", "deep"):
        with zipfile.ZipFile(file, "w") as zipped:
            name = "other.json" if damage == "no config" else "config.json"
            zipped.writestr(name, "[" * 100_000 if damage == "deep" else "{")
    elif damage == "crc":
        file.write_bytes(data.replace(b"Sequential", b"Sequentiel", 1))
    else:
        file.write_bytes(data[: len(data) // 2] if damage == "truncated" else b"not a zip archive")
    done = command("fit", file)
    assert done.code == 2 and done.err.startswith(f"error: {file}: not a .keras file")


def test_archives_that_unpack_to_too_much_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras_frontend.archive, "MAX_BYTES", 100)
    file = archive(tmp_path / "net.keras", layer("Dense", "dense" * 100))
    with pytest.raises(UserError, match=r"not a \.keras file\n.*bytes unpacked"):
        load(file)


def test_a_converter_that_ends_early_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho out of luck >&2\nexit 7\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(UserError, match=r"ended while converting it\n.*exit code 7: out of luck"):
        load(archive(tmp_path / "net.keras", layer("Dense", "dense")))


def test_hdf5_files_and_other_archives_get_a_hint(tmp_path: Path) -> None:
    (tmp_path / "net.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
    archive(tmp_path / "net.pt")
    (tmp_path / "folder").mkdir()
    for name, word in (
        ("net.h5", "save it as .keras"),
        ("net.pt", "zip archive"),
        ("folder", "SavedModel folder"),
    ):
        done = command("fit", tmp_path / name)
        assert done.code == 2 and word in done.err
