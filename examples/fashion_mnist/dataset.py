"""Fashion-MNIST as installed by Debian's package `dataset-fashion-mnist`; nothing is downloaded."""

from __future__ import annotations

import argparse
import gzip
import sys
from pathlib import Path

import numpy as np

FOLDER = Path("/usr/share/datasets/fashion-mnist")
CLASSES = 10


def available() -> bool:
    """Whether the package is installed."""
    return (FOLDER / "t10k-images-idx3-ubyte.gz").is_file()


def load(part: str, folder: Path = FOLDER) -> tuple[np.ndarray, np.ndarray]:
    """Images float32[N,28,28,1] from 0 to 1 and labels int64[N]; part is "train" or "t10k"."""
    images = _idx(folder / f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1)
    labels = _idx(folder / f"{part}-labels-idx1-ubyte.gz", 8)
    return images.astype(np.float32) / np.float32(255), labels.astype(np.int64)


def _idx(path: Path, header_bytes: int) -> np.ndarray:
    """The bytes of an idx file behind its header."""
    with gzip.open(path, "rb") as file:
        return np.frombuffer(file.read(), np.uint8, offset=header_bytes)


def main() -> int:
    """Write `calibration.npy`, and `test.npy` with its `labels.npy`, into a folder."""
    parser = argparse.ArgumentParser(description="A part of Fashion-MNIST as .npy files.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--calibration", type=int, default=100, help="training images")
    parser.add_argument("--test", type=int, default=200, help="test images")
    arguments = parser.parse_args()
    if not available():
        print("Fashion-MNIST is missing: apt-get install dataset-fashion-mnist", file=sys.stderr)
        return 2
    arguments.folder.mkdir(parents=True, exist_ok=True)
    train, _ = load("train")
    chosen = np.random.default_rng(0).choice(len(train), arguments.calibration, replace=False)
    images, labels = load("t10k")
    np.save(arguments.folder / "calibration.npy", train[chosen])
    np.save(arguments.folder / "test.npy", images[: arguments.test])
    np.save(arguments.folder / "labels.npy", labels[: arguments.test])
    return 0


if __name__ == "__main__":
    sys.exit(main())
