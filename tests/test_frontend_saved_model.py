"""SavedModel folders, and what TensorFlow Lite has no operator for."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from cli_support import patchloom, tree
from keras_nets import make, predicted
from patchloom.errors import UnknownInput
from patchloom.frontend import load
from patchloom.ir import evaluate

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None,
    reason="TensorFlow is not installed: patchloom[tensorflow]",
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("saved"), "pooled", "inverse")


def test_a_saved_model_computes_what_keras_predicts(models: Path) -> None:
    data = predicted(models, "pooled")
    graph = load(models / "pooled", {"frames": (1, 5, 4)})
    assert set(graph.inputs) == {"frames", "side"} and set(graph.outputs) == {"small", "large"}
    for i in range(2):
        values = evaluate(graph, {n: data[n][i : i + 1] for n in graph.inputs})
        for name in graph.outputs:
            np.testing.assert_allclose(values[name][0], data[name][i], atol=1e-6)


def test_open_dimensions_are_asked_for_by_the_name_of_the_input(models: Path, tmp_path: Path) -> None:
    done = patchloom("compile", models / "pooled", "--board", "nrf52840dk", "-o", tmp_path / "out")
    assert done.code == 2 and "input 'frames' has unknown dimensions" in done.err
    assert "--input-shape frames=1,N,4" in done.err and tree(tmp_path) == {}


def test_a_shape_for_what_is_no_input_names_the_inputs(models: Path) -> None:
    with pytest.raises(UnknownInput, match="no input is called 'frame'") as e:
        load(models / "pooled", {"frame": (1, 5, 4)})
    assert "frames" in e.value.accepted and e.value.name == "frame"


def test_operators_without_a_counterpart_are_named(models: Path) -> None:
    done = patchloom("dump", models / "inverse.keras")
    assert done.code == 2 and "tf.MatrixInverse" in done.err
