"""Searching networks with training: the weights that come out are those that are deployed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli_support import patchloom
from emulation_support import need
from patchloom import boards
from patchloom.errors import UserError
from patchloom.ir import evaluate
from patchloom.nas.data import made
from patchloom.nas.graph import float_graph
from patchloom.nas.network import INPUT, Add, Conv, Dense, DepthwiseConv, GlobalAverage, Network, Pool

BOARD = "nucleo-g0b1re"
NETWORK = Network(
    (12, 12, 1),
    (
        Conv("stem", INPUT, 4, (3, 3), (2, 2)),
        DepthwiseConv("depthwise", "stem", (5, 5), activation="relu6"),
        Add("sum", "stem", "depthwise"),
        Pool("pool", "sum", kind="average"),
        Conv("wide", "pool", 8, (1, 1), activation="none"),
        GlobalAverage("mean", "wide"),
        Dense("hidden", "mean", 6, "relu", batch_norm=True),
        Dense("logits", "hidden", 4),
    ),
)


def blobs(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures with a bright square in the corner that the label names."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 4
    x = rng.normal(0, 0.2, (count, 12, 12, 1)).astype(np.float32)
    for picture, label in zip(x, y, strict=True):
        down, right = rng.integers(0, 3, 2)
        top, left = 6 * (label // 2) + down, 6 * (label % 2) + right
        picture[top : top + 4, left : left + 4] += 1
    return x, y.astype(np.int64)


def data_file(folder: Path) -> Path:
    (x, y), (xt, yt) = blobs(240, 0), blobs(80, 1)
    path = folder / "blobs.npz"
    np.savez(path, x_train=x, y_train=y, x_test=xt, y_test=yt)
    return path


def test_training_is_seeded_can_be_ended_and_its_weights_are_those_of_the_graph() -> None:
    pytest.importorskip("tensorflow", reason="training needs TensorFlow: pip install patchloom[nas]")
    from patchloom.nas.keras_model import keras_model, weights_of
    from patchloom.nas.training import Recipe, train

    data = made("blobs", blobs(160, 0), blobs(40, 1), blobs(40, 2), "here")
    recipe = Recipe(epochs=3, batch=16, flip=False, shift=1, smoothing=0.1, seed=3)
    told: list[int] = []

    def go_on(epoch: int, accuracy: float) -> bool:
        told.append(epoch)
        return epoch < 2

    first, again = (train(NETWORK, data, recipe, go_on=go_on) for _ in range(2))
    assert told == [1, 2, 1, 2] and len(first.history) == 2
    assert all(np.array_equal(first.values[n].weights, again.values[n].weights) for n in first.values)
    model = keras_model(NETWORK)
    graph = float_graph(NETWORK, weights_of(model, NETWORK))
    for x in data.test[0][:3]:
        ours = evaluate(graph, {INPUT: x[None]})[NETWORK.output]
        assert np.allclose(ours, model.predict(x[None], verbose=0), atol=1e-5)
    with pytest.raises(UserError, match="does not fit the data"):
        train(NETWORK, made("other", *[(x[:, :8], y) for x, y in (data.training,) * 3], "here"), recipe)


def test_a_search_ends_with_a_verified_library(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="training needs TensorFlow: pip install patchloom[nas]")
    need(boards.load(BOARD))
    command = ["search", "image", "--board", BOARD, "--data", data_file(tmp_path), "--epochs", 1]
    command += ["--max-ram", 4000, "--max-flash", 30_000, "-o", tmp_path / "study", "--json"]
    done = patchloom(*command, "--trials", 1, "--deploy", "best")
    assert done.code == 0, done.err
    assert done.json["trained"] == 1
    deployed = done.json["deployed"]
    assert deployed["bit_exact"]
    assert deployed["arena_bytes"] <= deployed["arena_predicted"] <= 4000
    assert deployed["flash_bytes"] <= 30_000
    for name in ("study.db", "front.json", "best/model.tflite", "best/figures.json", "best/training.json"):
        assert (tmp_path / "study" / name).is_file(), name
    assert json.loads((tmp_path / "study/front.json").read_text())[0]["accuracy"] > 0
    verified = patchloom("verify", tmp_path / "study/best/library", "--samples", 2, "--json")
    assert verified.code == 0, verified.err
    more = patchloom(*command, "--trials", 1)  # there is nothing left to do
    assert more.code == 0 and more.json["trained"] == 1 and more.json["deployed"] is None


def test_bad_input_to_search_is_one_message(tmp_path: Path) -> None:
    data = data_file(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    for changed, said in (
        (("nonsense", BOARD, data, tmp_path / "a"), "no space 'nonsense'"),
        (("image", "no-board", data, tmp_path / "a"), "no-board"),
        (("image", BOARD, tmp_path / "none.npz", tmp_path / "a"), "cannot be read"),
        (("image", BOARD, data, tmp_path / "full"), "no study"),
    ):
        space, board, file, out = changed
        done = patchloom("search", space, "--board", board, "--data", file, "-o", out, "--trials", 1)
        assert done.code == 2 and said in done.err, done.err
        assert not (tmp_path / "a" / "study.db").exists()
    tight = patchloom(
        "search", "image", "--board", BOARD, "--data", data, "-o", tmp_path / "a", "--max-ram", 50
    )
    assert tight.code == 1 and "the smallest needs" in tight.err
