"""Train a CNN of about 11,000 parameters on Fashion-MNIST and write it as a float .tflite file.

    pip install "tensorflow>=2.16" && apt-get install dataset-fashion-mnist
    python train.py -o fashion_mnist_float.tflite

The seed fixes initial weights and the order of batches; results repeat on one version of TensorFlow and one
kind of processor, and differ in the last digits elsewhere.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import dataset

SEED = 7
EPOCHS = 14
BATCH = 128


def build(tf: Any) -> Any:
    """The network: three convolutions with batch normalization, mean over the map, ten logits."""
    layers = tf.keras.layers
    model = tf.keras.Sequential([layers.Input((28, 28, 1))])
    for filters, stride in ((16, 2), (24, 1), (32, 2)):
        model.add(layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(dataset.CLASSES))
    return model


def main() -> None:
    import tensorflow as tf

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("fashion_mnist_float.tflite"))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    arguments = parser.parse_args()
    tf.keras.utils.set_random_seed(SEED)
    x, labels = dataset.load("train")
    model = build(tf)
    steps = arguments.epochs * -(-len(x) // BATCH)
    model.compile(
        optimizer=tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(4e-3, steps)),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x, labels, batch_size=BATCH, epochs=arguments.epochs, verbose=2)
    print(f"{model.count_params()} parameters")
    print("test:", model.evaluate(*dataset.load("t10k"), batch_size=1000, verbose=0, return_dict=True))
    arguments.output.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


if __name__ == "__main__":
    main()
