"""Keras archives and SavedModel folders, through TensorFlow's own converter to .tflite."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...errors import UnknownInput, UserError
from ..tflite.naming import printable
from ..tflite.schema import IDENTIFIER
from .archive import check_archive

__all__ = ["is_keras", "is_saved_model", "to_tflite"]

SAVED_MODEL = "saved_model.pb"
_TIMEOUT_S = 1800

Shapes = Mapping[str, tuple[int, ...]]


def is_keras(path: Path) -> bool:
    """Whether it is a file called like a Keras archive."""
    return path.suffix.lower() == ".keras" and path.is_file()


def is_saved_model(path: Path) -> bool:
    """Whether it is a folder with a SavedModel."""
    return (path / SAVED_MODEL).is_file()


def to_tflite(path: Path, input_shapes: Shapes) -> bytes:
    """The model as a float .tflite file, inputs called as in the model.

    input_shapes   for inputs whose dimensions the model leaves open; an open leading one becomes 1

    A .keras file is loaded in safe mode: it runs no code. Loading a SavedModel runs TensorFlow operators
    of its choice: such a folder must be trusted.
    Raises UserError: TensorFlow is missing, the file is damaged or cannot be converted.
    """
    if is_keras(path):
        check_archive(path)
    if importlib.util.find_spec("tensorflow") is None:
        raise UserError(
            f"{path}: TensorFlow is needed to read Keras and SavedModel files",
            hint="pip install patchloom[tensorflow], or convert it to .tflite elsewhere",
        )
    shapes = json.dumps({n: list(s) for n, s in input_shapes.items()}, sort_keys=True)
    return _convert(path.absolute(), _stamp(path), shapes, str(path))


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """What tells that a file or a folder has changed."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return tuple((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files)


@lru_cache(maxsize=4)
def _convert(path: Path, stamp: tuple[tuple[str, int, int], ...], shapes: str, source: str) -> bytes:
    """Kept, because a model is loaded more than once on the way to a library."""
    kind = "keras" if path.is_file() else "saved_model"
    with tempfile.TemporaryDirectory(prefix="patchloom-keras-") as work:
        answer, request = Path(work) / "answer", Path(work) / "request.json"
        wanted = {"path": str(path), "kind": kind, "shapes": json.loads(shapes), "answer": str(answer)}
        request.write_text(json.dumps(wanted))
        command = [sys.executable, "-P", str(Path(__file__).with_name("converter.py")), str(request)]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=_TIMEOUT_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as e:
            raise UserError(f"{source}: TensorFlow did not convert it in {_TIMEOUT_S} s") from e
        data = answer.read_bytes() if answer.exists() else b""
    if data[4:8] == IDENTIFIER:
        return data
    raise _refusal(source, data, done)


def _refusal(source: str, answer: bytes, done: subprocess.CompletedProcess[str]) -> UserError:
    try:
        said: dict[str, Any] = json.loads(answer)
    except ValueError:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        found = f"exit code {done.returncode}: {printable(last[:300])}"
        return UserError(f"{source}: TensorFlow ended while converting it", found=found)
    text = {k: printable(str(v)) for k, v in said.items()}
    message = f"{source}: {text.pop('message')}"
    if (unknown := text.pop("unknown", None)) is not None:
        return UnknownInput(message, unknown, accepted=text["accepted"], hint=text["hint"])
    return UserError(message, **text)  # type: ignore[arg-type]
