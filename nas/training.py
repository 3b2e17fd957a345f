"""Training a network: seeded, resumable, with early stopping and a say in whether to go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from .data import Data
from .graph import LayerValues
from .keras_model import keras, keras_model, weights_of
from .network import Network

GoOn = Callable[[int, float], bool]
"""Told the epochs done and the accuracy on the validation part; False ends the training."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    epochs       passes over the training part; the learning rate falls to zero over them, as a cosine
    batch        samples per step
    rate         largest learning rate (AdamW)
    decay        weight decay
    smoothing    of labels
    flip, shift  pictures are mirrored, and moved by up to `shift` pixels, at random
    patience     epochs without a better accuracy after which training ends; None: never
    seed         of initial weights, order of batches and augmentation
    """

    epochs: int = 10
    batch: int = 128
    rate: float = 2e-3
    decay: float = 1e-4
    smoothing: float = 0.0
    flip: bool = False
    shift: int = 0
    patience: int | None = None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Trained:
    """accuracy: on the validation part; history: after each epoch of this run."""

    values: dict[str, LayerValues]
    accuracy: float
    history: tuple[float, ...]


def train(
    network: Network,
    data: Data,
    recipe: Recipe,
    *,
    go_on: GoOn = lambda epoch, accuracy: True,
    checkpoint: Path | None = None,
) -> Trained:
    """Train from seeded weights, or on from `checkpoint` where there is one.

    checkpoint   folder that keeps the whole state after every epoch; it is removed when training ends
    Raises UserError where TensorFlow is missing or the network does not fit the data.
    """
    if network.input_shape != data.shape or network.shapes[network.output] != (data.classes,):
        raise UserError(
            f"the network does not fit the data {data.name!r}",
            found=f"{list(network.input_shape)} to {list(network.shapes[network.output])}",
            accepted=f"{list(data.shape)} to [{data.classes}]",
        )
    k = keras()
    k.utils.set_random_seed(recipe.seed)
    model = keras_model(network)
    compiled(model, recipe, len(data.training[0]))
    return _fitted(model, network, data, recipe, go_on, checkpoint)


def compiled(model: Any, recipe: Recipe, samples: int) -> None:
    """Set loss and optimizer for training on that many samples."""
    k = keras()
    steps = -(-samples // recipe.batch) * recipe.epochs
    warm = min(steps // 10, 500)
    rate = k.optimizers.schedules.CosineDecay(
        recipe.rate / 10, max(1, steps - warm), warmup_target=recipe.rate, warmup_steps=warm
    )
    model.compile(
        k.optimizers.AdamW(rate, weight_decay=recipe.decay), smoothed_loss(recipe), metrics=["accuracy"]
    )


def smoothed_loss(recipe: Recipe) -> Any:
    """Cross entropy of logits with whole labels, smoothed."""
    k = keras()
    if not recipe.smoothing:
        return k.losses.SparseCategoricalCrossentropy(from_logits=True)

    def loss(y: Any, logits: Any) -> Any:
        classes = logits.shape[-1]
        hot = k.ops.one_hot(k.ops.cast(k.ops.reshape(y, (-1,)), "int32"), classes)
        wanted = hot * (1 - recipe.smoothing) + recipe.smoothing / classes
        return k.losses.categorical_crossentropy(wanted, logits, from_logits=True)

    return loss


def batches(x: np.ndarray, y: np.ndarray, recipe: Recipe) -> Any:
    """Shuffled, augmented batches, in an order that the seed fixes."""
    import tensorflow as tf

    found = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x), seed=recipe.seed)
    found = found.batch(recipe.batch)
    if recipe.flip or recipe.shift:
        counter = tf.data.Dataset.counter()
        found = tf.data.Dataset.zip((found, counter)).map(
            lambda pair, step: (_augmented(tf, pair[0], step, recipe), pair[1])
        )
    return found.prefetch(2)


def _augmented(tf: Any, x: Any, step: Any, recipe: Recipe) -> Any:
    """Pictures mirrored, and moved over a border of zeros, each batch by one distance."""
    seed = tf.stack([tf.cast(step, tf.int32), recipe.seed])
    if recipe.flip:
        x = tf.image.stateless_random_flip_left_right(x, seed)
    if recipe.shift:
        s = recipe.shift
        padded = tf.pad(x, [[0, 0], [s, s], [s, s], [0, 0]])
        at = tf.random.stateless_uniform([2], seed + 1, 0, 2 * s + 1, tf.int32)
        x = tf.slice(padded, [0, at[0], at[1], 0], tf.shape(x))
    return x


def _fitted(
    model: Any, network: Network, data: Data, recipe: Recipe, go_on: GoOn, checkpoint: Path | None
) -> Trained:
    k, history = keras(), []

    def told(epoch: int, logs: dict[str, float]) -> None:
        history.append(float(logs["val_accuracy"]))
        if not go_on(epoch + 1, history[-1]):
            model.stop_training = True

    callbacks = [k.callbacks.LambdaCallback(on_epoch_end=told)]
    if recipe.patience is not None:
        callbacks.append(
            k.callbacks.EarlyStopping("val_accuracy", patience=recipe.patience, restore_best_weights=True)
        )
    if checkpoint is not None:
        callbacks.append(k.callbacks.BackupAndRestore(str(checkpoint)))
    model.fit(
        batches(*data.training, recipe),
        validation_data=tuple(data.validation),
        validation_batch_size=512,
        epochs=recipe.epochs,
        callbacks=callbacks,
        shuffle=False,  # the batches are
        verbose=0,
    )
    accuracy = accuracy_of(model, *data.validation)
    return Trained(weights_of(model, network), accuracy, tuple(history))


def accuracy_of(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    """Share of the samples whose largest output is that of their label."""
    return float(np.mean(model.predict(x, batch_size=512, verbose=0).argmax(axis=-1) == y))
