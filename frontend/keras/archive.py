"""What a .keras archive holds, looked at before TensorFlow opens it."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import UnsupportedModel, UserError, Violation
from ..tflite.naming import printable

CONFIG = "config.json"
MAX_BYTES = 1 << 32
"""Of all files in an archive, unpacked."""
_MAX_CONFIG_BYTES = 1 << 26

_FOREIGN_CODE = {
    "Lambda": "it holds Python code, which is never run",
    "__lambda__": "it holds Python code, which is never run",
    "TFSMLayer": "it loads a SavedModel from elsewhere",
    "TorchModuleWrapper": "it holds a Python pickle, which is never opened",
    "JaxLayer": "it holds Python code, which is never run",
    "FlaxLayer": "it holds Python code, which is never run",
}
_HINT = "write it with Keras layers or keras.ops; or save a SavedModel, if you trust it"


def check_archive(path: Path) -> None:
    """Raise UserError unless the file is a .keras archive of Keras's own layers.

    UnsupportedModel names every layer that would run code from the file or needs classes from elsewhere.
    """
    try:
        config = json.loads(_read_config(path))
        layers = list(_objects(config))
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, KeyError, RecursionError, EOFError) as e:
        raise UserError(
            f"{path}: not a .keras file", found=str(e) or type(e).__name__, accepted="saved by model.save"
        ) from None
    violations = [v for layer in layers if (v := _violation(layer)) is not None]
    if violations:
        raise UnsupportedModel(str(path), violations, len(layers))


def _read_config(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        total = sum(e.file_size for e in entries)
        if total > MAX_BYTES or archive.getinfo(CONFIG).file_size > _MAX_CONFIG_BYTES:
            raise ValueError(f"its files have {total} bytes unpacked")
        if bad := archive.testzip():
            raise ValueError(f"{printable(bad)} is damaged")
        return archive.read(CONFIG)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every serialised object: a mapping with a class name. What only training needs is left out."""
    if isinstance(value, dict):
        if isinstance(value.get("class_name"), str):
            yield value
            if _violation(value) is not None:
                return
        for key, inner in value.items():
            if key not in ("compile_config", "build_config"):
                yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)


def _violation(found: dict[str, Any]) -> Violation | None:
    kind, module = found["class_name"], found.get("module")
    config = found.get("config")
    name = config.get("name", "") if isinstance(config, dict) else ""
    label = f'layer {printable(kind)} "{printable(str(name))}"'
    if kind in _FOREIGN_CODE:
        return Violation(label, "models are loaded without running code", _FOREIGN_CODE[kind], _HINT)
    custom = found.get("registered_name")
    if module is None:  # "__tensor__" and its like, or a class that is found by the name it registered
        own = custom is None or kind.startswith("__")
    else:
        own = isinstance(module, str) and module.split(".")[0] in ("keras", "builtins")
    if own:
        return None
    return Violation(label, "layers are those of Keras", f"class {printable(str(custom or module))}", _HINT)
