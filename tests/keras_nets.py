"""Small Keras models with seeded weights, written by a process of its own: TensorFlow is noisy and large.

Usage: keras_nets.py FOLDER NAME..., the names of functions here. Each writes files of its name, and NAME.npz:
inputs and what Keras predicts for them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np


def make(folder: Path, *names: str) -> Path:
    """Write the models into `folder`; the test fails with what TensorFlow says where that fails."""
    command = [sys.executable, str(Path(__file__).resolve()), str(folder), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def predicted(folder: Path, name: str) -> dict[str, np.ndarray]:
    """Inputs and predictions by name."""
    with np.load(folder / f"{name}.npz") as data:
        return dict(data)


def cnn(folder: Path) -> None:
    """Convolutions, batch normalization with statistics of its own, softmax; as .keras."""
    import keras

    layers = keras.layers
    norm = layers.BatchNormalization()
    model = keras.Sequential(
        [
            layers.Input((12, 12, 3), name="image"),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
            layers.DepthwiseConv2D(3, padding="same"),
            norm,
            layers.ReLU(6.0),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, activation="softmax"),
        ]
    )
    rng = np.random.default_rng(1)
    norm.set_weights(
        [rng.uniform(0.5, 2, 8), rng.normal(0, 1, 8), rng.normal(0, 1, 8), rng.uniform(0.5, 2, 8)]
    )
    model.save(folder / "cnn.keras")
    x = rng.uniform(-1, 1, (8, 12, 12, 3)).astype(np.float32)
    np.savez(folder / "cnn.npz", image=x, answer=model.predict(x, verbose=0))


def recurrent(folder: Path) -> None:
    """An LSTM over five frames, a second input, two outputs; and one over any number of them; as .keras."""
    import keras

    _two_headed(keras.layers.LSTM(6), None).save(folder / "recurrent_open.keras")
    model = _two_headed(keras.layers.LSTM(6), 5)
    model.save(folder / "recurrent.keras")
    _save_answers(model, folder / "recurrent.npz")


def pooled(folder: Path) -> None:
    """A convolution over an open number of frames, a second input, two outputs; as SavedModel."""
    import keras

    layers = keras.layers
    model = _two_headed(keras.Sequential([layers.Conv1D(6, 3), layers.GlobalAveragePooling1D()]), None)
    model.export(str(folder / "pooled"), verbose=False)
    _save_answers(model, folder / "pooled.npz")


def _two_headed(over_frames: Any, frames_given: int | None) -> Any:
    import keras

    layers = keras.layers
    frames, side = layers.Input((frames_given, 4), name="frames"), layers.Input((3,), name="side")
    state = layers.Concatenate()([over_frames(frames), side])
    outputs = {"small": layers.Dense(2, name="small")(state), "large": layers.Dense(3, name="large")(state)}
    return keras.Model({"frames": frames, "side": side}, outputs)


def _save_answers(model: Any, path: Path) -> None:
    rng = np.random.default_rng(2)
    x = {"frames": rng.normal(size=(2, 5, 4)), "side": rng.normal(size=(2, 3))}
    x = {n: v.astype(np.float32) for n, v in x.items()}
    answers: dict[str, Any] = model.predict(x, verbose=0)
    np.savez(path, **x, **answers)


def inverse(folder: Path) -> None:
    """A matrix inverse, which TensorFlow Lite has no operator for; as .keras."""
    import keras

    x = keras.Input((2, 2), name="x")
    keras.Model(x, keras.ops.linalg.inv(x)).save(folder / "inverse.keras")


if __name__ == "__main__":
    import keras

    keras.utils.set_random_seed(5)
    for wanted in sys.argv[2:]:
        globals()[wanted](Path(sys.argv[1]))
