"""Fashion-MNIST as installed by Debian's package `dataset-fashion-mnist`; nothing is downloaded."""

from __future__ import annotations

import gzip
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
