"""The output folder of `compile`: written whole or not at all, read back by `verify` and `profile`."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .codegen.pipeline import Options
from .errors import UserError
from .passes.planner.demand import InputMode

MANIFEST = "patchloom.json"
_FORMAT = 1


def check_target(folder: Path) -> None:
    """Raise UserError unless `folder` may be written: it is absent, empty, or was written by compile."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise UserError(
            f"{folder} exists and was not written by patchloom compile",
            rule="an output folder is new, empty, or one of ours",
            hint="choose another folder with -o",
        )
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} exists and is not a folder", hint="choose another folder with -o")


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replace `folder` by one with exactly `files`, in one rename; the old one survives any failure."""
    check_target(folder)
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, data in files.items():
            (fresh / name).write_bytes(data)
        fresh.chmod(0o777 & ~_umask())
        if folder.exists():
            backup = fresh.with_name(fresh.name + "-old")
            folder.rename(backup)
            try:
                fresh.rename(folder)
            except OSError:
                backup.rename(folder)
                raise
            shutil.rmtree(backup)
        else:
            fresh.rename(folder)
    except OSError as e:
        raise UserError(f"cannot write {folder}", found=str(e.strerror)) from e
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def manifest(
    options: Options, model_file: str, model_name: str, sha256: str, figures: Mapping[str, Any]
) -> bytes:
    """The manifest's bytes: what was compiled, how, and what came out."""
    content = {
        "patchloom_format": _FORMAT,
        "model": {"file": model_file, "name": model_name, "sha256": sha256},
        "options": {
            "board": options.board,
            "name": options.name,
            "input_mode": options.input_mode,
            "io_int8": options.io_int8,
            "input_shapes": {n: list(s) for n, s in options.input_shapes.items()},
        },
        "figures": figures,
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def read(folder: Path) -> tuple[Path, str, Options, dict[str, Any]]:
    """(model file, its original name, options, figures) of a library folder.

    Raises UserError when it is not one. The C files may have been edited; the manifest may not.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(
            f"{folder} is not a library folder", rule=f"it has no {MANIFEST}", hint="patchloom compile"
        )
    try:
        content = json.loads(path.read_text())
        if content["patchloom_format"] != _FORMAT:
            raise UserError(
                f"{path} has format {content['patchloom_format']}",
                accepted=str(_FORMAT),
                hint="compile the model again with this version",
            )
        model, o = content["model"], content["options"]
        name = Path(str(model["file"])).name
        shapes = {str(n): tuple(int(v) for v in s) for n, s in o["input_shapes"].items()}
        mode: InputMode = "extern" if o["input_mode"] == "extern" else "arena"
        options = Options(str(o["board"]), o["name"], mode, bool(o["io_int8"]), shapes)
        return folder / name, str(model["name"]), options, dict(content["figures"])
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise UserError(f"{path} is damaged", found=str(e), hint="compile the model again") from e
