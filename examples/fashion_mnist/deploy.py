"""From a float model to a board: quantize, compile for a Cortex-M0+, verify on QEMU.

    python deploy.py [-o FOLDER] [--test N] [--verify N]

Needs Debian's package `dataset-fashion-mnist`. Exit code 1 when more than 0.3 points of accuracy are lost or
a bit differs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import dataset
import numpy as np
from patchloom import api
from patchloom.quantization import quantize

MODEL = Path(__file__).resolve().parent / "fashion_mnist_float.tflite"
BOARD = "nucleo-g0b1re"
CALIBRATION_IMAGES = 200
LARGEST_LOSS = 0.003


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("build/fashion_mnist"))
    parser.add_argument("--test", type=int, default=10_000, help="test images for accuracy")
    parser.add_argument("--verify", type=int, default=1_000, help="test images run on the emulated board")
    arguments = parser.parse_args()
    if not dataset.available():
        print("Fashion-MNIST is missing: apt-get install dataset-fashion-mnist", file=sys.stderr)
        return 2
    train, _ = dataset.load("train")
    images, labels = dataset.load("t10k")
    chosen = np.random.default_rng(0).choice(len(train), CALIBRATION_IMAGES, replace=False)
    arguments.output.mkdir(parents=True, exist_ok=True)
    quantized = quantize(
        MODEL,
        train[chosen],
        evaluation=images[: arguments.test],
        labels=labels[: arguments.test],
        out=arguments.output / "fashion_mnist.tflite",
    )
    metric = quantized.metric
    assert metric is not None
    print(
        f"{metric.name} on {metric.samples} images: "
        f"float {metric.float_value:.4f}, int8 {metric.integer_value:.4f}"
    )
    print(f"SQNR of the logits: {quantized.logits_sqnr_db:.1f} dB")
    folder = arguments.output / BOARD
    figures = api.compile(arguments.output / "fashion_mnist.tflite", BOARD, folder).figures()
    print(
        f"{BOARD}: RAM {figures['ram_bytes']} bytes, weights {figures['weight_bytes']}, "
        f"code {figures['code_bytes']}"
    )
    verified = api.verify(folder, inputs=images[: arguments.verify])
    v = verified.verification
    print(f"{v.samples} images on {v.on}: {v.mismatches} differ from the reference")
    return 0 if verified.passed and metric.float_value - metric.integer_value <= LARGEST_LOSS else 1


if __name__ == "__main__":
    sys.exit(main())
