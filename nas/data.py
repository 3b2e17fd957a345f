"""Labelled data: from an .npz file, checked, split into training, validation and test parts."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError

VALIDATION_SHARE = 0.1
"""Of the training samples, where the file has no validation part."""

Part = tuple[np.ndarray, np.ndarray]
"""Samples [N, ...] float32 and labels [N] int64."""


@dataclass(frozen=True, eq=False)
class Data:
    """A classification task. The search sees `training` and `validation`; `test` is for the final figures.

    classes   number of classes; labels are 0 .. classes - 1
    """

    name: str
    training: Part
    validation: Part
    test: Part
    classes: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return self.training[0].shape[1:]

    def few(self, count: int, seed: int = 0) -> np.ndarray:
        """Training samples in a seeded order, for calibration."""
        x = self.training[0]
        return x[np.random.default_rng(seed).permutation(len(x))[:count]]


def load(path: Path, seed: int = 0) -> Data:
    """Data of an .npz file: x_train, y_train, x_test, y_test; x_val and y_val, or groups_train [N].

    Samples become float32; a last dimension of 1 is added to images without channels. Without a validation
    part a tenth of the training samples is set aside, whole groups where there are groups (persons, say).
    Raises UserError for anything else.
    """
    arrays = _arrays(path)
    missing = [n for n in ("x_train", "y_train", "x_test", "y_test") if n not in arrays]
    if missing:
        raise UserError(
            f"{path}: arrays are missing: {', '.join(missing)}",
            found=", ".join(arrays) or "nothing",
            accepted="x_train, y_train, x_test, y_test; x_val and y_val, or groups_train",
        )
    training, test = (_part(path, arrays, p) for p in ("train", "test"))
    if "x_val" in arrays:
        validation = _part(path, arrays, "val")
    else:
        training, validation = _split(path, training, arrays.get("groups_train"), seed)
    return made(path.stem, training, validation, test, str(path))


def made(name: str, training: Part, validation: Part, test: Part, where: str) -> Data:
    """Data of its parts. Raises UserError where shapes or labels do not fit each other."""
    parts = {"training": training, "validation": validation, "test": test}
    shape = training[0].shape[1:]
    for what, (x, _) in parts.items():
        if x.shape[1:] != shape:
            raise UserError(
                f"{where}: {what} samples differ in shape", found=str(x.shape[1:]), accepted=str(shape)
            )
        if not np.isfinite(x).all():
            raise UserError(f"{where}: {what} samples contain NaN or infinity")
    classes = int(training[1].max()) + 1
    if classes < 2 or len(np.unique(training[1])) < classes:
        found = ", ".join(map(str, np.unique(training[1])[:20]))
        raise UserError(f"{where}: the labels must be 0 to classes - 1, each of them used", found=found)
    for what, (_, y) in parts.items():
        if y.min() < 0 or y.max() >= classes:
            raise UserError(
                f"{where}: {what} labels are not those of training",
                found=f"{y.min()} to {y.max()}",
                accepted=f"0 to {classes - 1}",
            )
    return Data(name, training, validation, test, classes)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as e:
        raise UserError(f"{path}: cannot be read", found=str(e), accepted="an .npz file of arrays") from e


def _part(path: Path, arrays: dict[str, np.ndarray], part: str) -> Part:
    x, y = arrays[f"x_{part}"], arrays.get(f"y_{part}", np.zeros(0))
    if x.dtype.kind not in "fiu" or x.ndim < 2 or not x.size:
        raise UserError(f"{path}: x_{part} must be numbers [N, ...]", found=f"{x.dtype}{list(x.shape)}")
    if y.dtype.kind not in "iu" or y.shape != (len(x),):
        raise UserError(
            f"{path}: y_{part} must be a whole number per sample",
            found=f"{y.dtype}{list(y.shape)}",
            accepted=f"int [{len(x)}]",
        )
    x = x.astype(np.float32)
    return (x[..., None] if x.ndim == 3 else x), y.astype(np.int64)


def _split(path: Path, training: Part, groups: np.ndarray | None, seed: int) -> tuple[Part, Part]:
    """(training, validation): of each class the same share, or whole groups."""
    x, y = training
    rng = np.random.default_rng(seed)
    if groups is None:
        order = rng.permutation(len(y))
        aside = np.zeros(len(y), bool)
        for label in np.unique(y):
            members = order[y[order] == label]
            aside[members[: max(1, round(len(members) * VALIDATION_SHARE))]] = True
    else:
        if groups.shape != y.shape:
            raise UserError(
                f"{path}: groups_train must be one per sample", found=f"{groups.dtype}{list(groups.shape)}"
            )
        names = np.unique(groups)
        if len(names) < 2:
            raise UserError(f"{path}: a validation part needs at least two groups", found=str(len(names)))
        aside = np.isin(groups, rng.permutation(names)[: max(1, round(len(names) * VALIDATION_SHARE))])
    return (x[~aside], y[~aside]), (x[aside], y[aside])
