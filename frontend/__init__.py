"""Model files as graphs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import UserError
from ..ir import Graph
from .keras import is_keras, is_saved_model, to_tflite
from .tflite import IDENTIFIER, import_tflite, value_names

__all__ = [
    "MAX_FILE_BYTES",
    "import_tflite",
    "load",
    "load_tflite",
    "portable_model",
    "read_model_file",
    "value_names",
]

MAX_FILE_BYTES = 1 << 32
"""Larger files are refused before they are read."""

_ACCEPTED = "a .tflite, .onnx or .keras file, or a SavedModel folder"
_OTHER_FORMATS = (
    (b"\x89HDF\r\n", "an HDF5 file", "load it where you trust it, and save it as .keras"),
    (b"PK\x03\x04", "a zip archive (.pt, ...)", "export the model to .tflite or .onnx"),
    (b"\x80", "a Python pickle", "export the model to .tflite or .onnx; pickles are never opened"),
)


def load(path: str | Path, input_shapes: Mapping[str, tuple[int, ...]] | None = None) -> Graph:
    """The graph in a model file, whose kind is told from its content.

    input_shapes   by input name, for dimensions the file leaves open or to replace its own

    Raises UserError for anything that is not a model this tool reads, UnsupportedModel with every
    problem for one with operators it cannot compile.
    """
    if _needs_tensorflow(Path(path)):
        return import_tflite(to_tflite(Path(path), input_shapes or {}), str(path))
    data = read_model_file(path)
    if data[4:8] == IDENTIFIER:
        return import_tflite(data, str(path), input_shapes)
    if _is_onnx(path, data):
        from .onnx import import_onnx  # takes as long to import as everything else together

        return import_onnx(data, str(path), input_shapes, Path(path).parent)
    raise _unknown_format(path, data)


def load_tflite(path: str | Path, input_shapes: Mapping[str, tuple[int, ...]] | None = None) -> Graph:
    """As `load`, for a .tflite file only."""
    return import_tflite(read_model_file(path), str(path), input_shapes)


def read_model_file(path: str | Path) -> bytes:
    """The bytes of a regular file. Raises UserError when there is none, or it is empty or huge."""
    file = Path(path)
    try:
        if file.is_dir():
            raise UserError(f"{path}: is a directory", accepted=_ACCEPTED)
        if not file.exists():
            raise UserError(f"{path}: no such file", accepted=_ACCEPTED)
        if not file.is_file():
            raise UserError(f"{path}: is not a regular file", accepted=_ACCEPTED)
        size = file.stat().st_size
        if size == 0 or size > MAX_FILE_BYTES:
            raise UserError(f"{path}: not a model file", found=f"{size} bytes", accepted=_ACCEPTED)
        return file.read_bytes()
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read", found=str(error), accepted=_ACCEPTED) from None


def _unknown_format(path: str | Path, data: bytes) -> UserError:
    for magic, kind, hint in _OTHER_FORMATS:
        if data.startswith(magic):
            return UserError(
                f"{path}: not a TensorFlow Lite or ONNX model", found=kind, accepted=_ACCEPTED, hint=hint
            )
    return UserError(
        f"{path}: not a model file",
        rule="a TensorFlow Lite file carries TFL3 at byte 4",
        found=f"bytes 4 to 8 are {data[4:8]!r}",
        accepted=_ACCEPTED,
    )


def _is_onnx(path: str | Path, data: bytes) -> bool:
    """Whether it is called so, or starts as a protobuf message with a small ir_version and a producer."""
    begins = len(data) > 4 and data[0] == 0x08 and data[1] < 0x20 and data[2] == 0x12
    return begins or Path(path).suffix.lower() == ".onnx"


def _needs_tensorflow(path: Path) -> bool:
    return is_keras(path) or is_saved_model(path)


def portable_model(path: str | Path, input_shapes: Mapping[str, tuple[int, ...]] | None = None) -> bytes:
    """The bytes of a model that need no other file and no other tool.

    Constants kept outside an .onnx file are put inside; Keras and SavedModel become .tflite, with
    `input_shapes`.
    """
    if _needs_tensorflow(Path(path)):
        return to_tflite(Path(path), input_shapes or {})
    data = read_model_file(path)
    if data[4:8] == IDENTIFIER or not _is_onnx(path, data):
        return data
    from .onnx import with_external_data

    return with_external_data(data, str(path), Path(path).parent)
