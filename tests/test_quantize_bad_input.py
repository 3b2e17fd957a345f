"""Bad input to quantization: one message that names the tensor, and nothing half-written."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from patchloom.errors import UserError
from patchloom.ir import Graph
from patchloom.passes import canonicalize
from patchloom.passes.quantize import Techniques, load_arrays, quantize_graph, samples_of
from patchloom.quantization import quantize
from quantize_nets import SIZE, classifier, images


def with_constant(name: str, value: float) -> Graph:
    graph = classifier()
    data = graph[name].data
    assert data is not None
    data = data.copy()
    data.flat[0] = value
    return graph.rewritten(graph.ops, [replace(graph[name], data=data)])


@pytest.mark.parametrize(
    ("calibration", "words"),
    [
        (np.zeros((4, SIZE, SIZE, 4), np.float32), ("'x'", "4,8,8,4", "float32[N,8,8,3]")),
        (np.full((4, SIZE, SIZE, 3), np.nan, np.float32), ("'x'", "NaN")),
        (np.zeros((0, SIZE, SIZE, 3), np.float32), ("'x'",)),
        ({"y": np.zeros((1, SIZE, SIZE, 3)), "z": np.zeros(3)}, ("missing or unknown", "y, z")),
        ([], ("no sample",)),
        ([np.zeros((SIZE, SIZE, 3)), np.zeros(7)], ("item 1", "'x'")),
        (np.array([["a"]]), ("'x'",)),
    ],
)  # fmt: skip
def test_calibration_data_that_does_not_fit_is_named(calibration: object, words: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as e:
        quantize(classifier(), calibration)  # type: ignore[arg-type]
    assert all(word in str(e.value).replace(", ", ",") or word in str(e.value) for word in words)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_named(value: float) -> None:
    graph = with_constant("dw_w", value)
    with pytest.raises(UserError, match=r"dw_w.*NaN or infinity"):
        quantize(graph, images(4, 1, graph))


def test_activations_that_overflow_are_named() -> None:
    graph = with_constant("conv_1_w", 3e38)
    with pytest.raises(UserError, match=r"conv_1_y.*infinite"):
        quantize(graph, images(4, 1, graph) * 1e6)


@pytest.mark.parametrize(
    ("labels", "words"),
    [([0, 1], "one whole number per sample"), ([0, 1, 2, 9], "0 to 4"), ([0.5, 1, 2, 3], "whole number")],
)
def test_labels_that_do_not_match_are_refused(labels: list[float], words: str) -> None:
    graph = classifier()
    with pytest.raises(UserError, match=words):
        quantize(graph, images(4, 1, graph), labels=labels)  # type: ignore[arg-type]


def test_nothing_is_written_when_quantization_fails(tmp_path: Path) -> None:
    out = tmp_path / "model.tflite"
    with pytest.raises(UserError):
        quantize(classifier(), np.zeros((1, 2)), out=out)
    assert list(tmp_path.iterdir()) == []


def test_unknown_options_are_named_with_what_there_is() -> None:
    graph = classifier()
    x = images(2, 1, graph)
    with pytest.raises(UserError, match="no observer 'best'"):
        quantize(graph, x, observer="best")
    with pytest.raises(UserError, match="no layer 'conv_9'"):
        quantize(graph, x, int16_layers=("conv_9",))
    with pytest.raises(UserError, match="there is no such folder"):
        quantize(graph, x, out="/nonexistent/folder/model.tflite")


def test_a_quantized_model_is_not_quantized_again(tmp_path: Path) -> None:
    graph = classifier()
    first = quantize(graph, images(4, 1, graph), out=tmp_path / "q.tflite")
    with pytest.raises(UserError, match="quantized already"):
        quantize(tmp_path / "q.tflite", images(4, 1, graph))
    assert first.path is not None and first.path.read_bytes() == first.content


def test_channels_without_weights_and_values_without_range_are_noted_and_harmless() -> None:
    graph = classifier()
    data = graph["conv_1_w"].data
    assert data is not None
    data = data.copy()
    data[2] = 0.0
    graph = canonicalize(graph.rewritten(graph.ops, [replace(graph["conv_1_w"], data=data)]))
    result = quantize_graph(graph, samples_of(graph, images(4, 1, graph)), Techniques())
    assert any("1 output channels have no weights" in note for note in result.notes)
    zeros = quantize_graph(graph, samples_of(graph, images(2, 1, graph) * 0), Techniques())
    assert any("'x' is zero for all calibration data" in note for note in zeros.notes)


def test_array_files_are_checked_before_they_are_read(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)}
    )
    (tmp_path / "huge.npy").write_bytes(header.getvalue())
    objects = io.BytesIO()
    np.save(objects, np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "objects.npy").write_bytes(objects.getvalue())
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue())
    (tmp_path / "text.npy").write_text("not an array")
    for name in ("huge.npy", "objects.npy", "huge.npz", "text.npy", "absent.npy"):
        with pytest.raises(UserError, match=name.split(".")[0]):
            load_arrays(tmp_path / name)


def test_array_files_are_read_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=images(3, 1, classifier()))
    found = load_arrays(tmp_path / "data.npz")
    assert isinstance(found, dict) and found["x"].shape == (3, SIZE, SIZE, 3)
    result = quantize(classifier(), tmp_path / "data.npz")
    assert result.calibration_samples == 3
