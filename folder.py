"""The output folder of `compile`: written whole or not at all, read back by `verify` and `profile`."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import __version__
from .codegen.pipeline import Library, Options, build_library
from .errors import UserError
from .passes.planner import PlanError
from .passes.planner.choose import GOALS
from .passes.planner.demand import INPUT_MODES
from .passes.planner.store import from_data, to_data
from .passes.planner.types import Plan

MANIFEST = "patchloom.json"
_FORMAT = 2
_AGAIN = "compile the model again"
# What building a library in its folder leaves behind; it goes when the library is compiled anew.
_BUILD_PRODUCTS = frozenset((".a", ".d", ".o", ".su"))


def check_target(folder: Path) -> None:
    """Raise UserError unless `folder` may be replaced.

    It is absent, empty, or holds nothing but what compile wrote and what building that left.
    """
    other = "choose another folder with -o"
    try:
        if not folder.exists() and not folder.is_symlink():
            return
        if not folder.is_dir():
            raise UserError(f"{folder} exists and is not a folder", hint=other)
        names = sorted(p.name for p in folder.iterdir())
        current = Path.cwd()
        is_current = folder.resolve() in (current, *current.parents)
    except (OSError, RuntimeError) as e:  # RuntimeError: a loop of links
        raise _unwritable(folder, e) from e
    written = _written(folder)
    foreign = [n for n in names if n not in written and Path(n).suffix not in _BUILD_PRODUCTS]
    if names and not written:
        raise UserError(
            f"{folder} exists and was not written by patchloom compile",
            rule="an output folder is new, empty, or one of ours",
            hint=other,
        )
    if foreign:
        raise UserError(
            f"{folder} holds files that patchloom compile did not write",
            rule="an output folder is replaced as a whole",
            found=", ".join(foreign[:8]),
            hint=f"move them elsewhere, or {other}",
        )
    if is_current:
        raise UserError(
            f"{folder} is the folder you are in and cannot be replaced",
            hint="run from elsewhere, or " + other,
        )


def _written(folder: Path) -> frozenset[str]:
    """Names of the files that compile wrote into `folder`; empty where it is none of ours."""
    try:
        content = json.loads((folder / MANIFEST).read_text())
        return frozenset((MANIFEST, *map(str, content["files"])))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return frozenset()


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replace `folder` by one with exactly `files`, in one rename; the old one survives any failure."""
    check_target(folder)
    try:
        folder = folder.resolve()
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=".patchloom-", dir=folder.parent, ignore_cleanup_errors=True
        ) as beside:
            fresh, old = Path(beside) / "new", Path(beside) / "old"
            fresh.mkdir()
            for name, data in files.items():
                (fresh / name).write_bytes(data)
            _swap(folder, fresh, old)
    except (OSError, RuntimeError) as e:
        raise _unwritable(folder, e) from e


def _unwritable(folder: Path, error: OSError | RuntimeError) -> UserError:
    reason = error.strerror if isinstance(error, OSError) else None
    return UserError(f"cannot write {folder}", found=reason or str(error))


def _swap(folder: Path, fresh: Path, old: Path) -> None:
    """Put `fresh` in the place of `folder`, whose content moves to `old`; Ctrl-C undoes it."""
    try:
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    except BaseException:
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise


def manifest(
    options: Options,
    model_file: str,
    model_name: str,
    sha256: str,
    files: Mapping[str, bytes],
    figures: Any,
    plan: Plan,
) -> bytes:
    """The manifest's bytes: what was compiled, how, which files belong to it, and what came out."""
    board = Path(options.board).name if options.board.endswith(".toml") else options.board
    content = {
        "patchloom_format": _FORMAT,
        "patchloom_version": __version__,
        "model": {"file": model_file, "name": model_name, "sha256": sha256},
        "options": {
            "board": board,
            "name": options.name,
            "input_mode": options.input_mode,
            "io_int8": options.io_int8,
            "input_shapes": {n: list(s) for n, s in options.input_shapes.items()},
            "goal": options.goal,
            "max_ram": options.max_ram,
            "max_flash": options.max_flash,
            "stream_axis": options.stream_axis,
            "hop": options.hop,
            "max_state": options.max_state,
            "layer_code_bytes": options.layer_code_bytes,
            "reserved_ram_bytes": options.reserved_ram_bytes,
            "arena_regions": list(options.arena_regions),
        },
        "files": sorted(files),
        "figures": figures,
        "plan": to_data(plan),
    }
    return (json.dumps(content, indent=1) + "\n").encode()


@dataclass(frozen=True)
class Stored:
    """A library folder: the model kept in it, its name and SHA-256, the options used, and the plan."""

    model: Path
    model_name: str
    sha256: str
    options: Options
    plan: Plan


def read(folder: Path) -> Stored:
    """What the manifest of a library folder says.

    Raises UserError when there is none, or it is damaged or of another version. The C files may have
    been edited; the manifest may not.
    """
    path = folder / MANIFEST
    try:
        if not path.is_file():
            raise UserError(
                f"{folder} is not a library folder", rule=f"it has no {MANIFEST}", hint="patchloom compile"
            )
        content = json.loads(path.read_text())
        found = (content["patchloom_format"], content["patchloom_version"])
        if found != (_FORMAT, __version__):
            raise UserError(
                f"{folder} was written by another version of patchloom",
                found=str(found[1]),
                accepted=__version__,
                hint=_AGAIN,
            )
        return _stored(folder, content["model"], content["options"], from_data(content["plan"]))
    except (ArithmeticError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as e:
        raise UserError(f"{path} is damaged", found=str(e) or type(e).__name__, hint=_AGAIN) from e


def is_library(path: Path) -> bool:
    """Whether there is a folder with a manifest."""
    return (path / MANIFEST).is_file()


def open_library(path: Path) -> Library:
    """The library of a folder, made again from the model stored there.

    Raises UserError when there is none, or what it was made from has changed.
    """
    stored = read(path)
    options = stored.options
    try:
        unchanged = hashlib.sha256(stored.model.read_bytes()).hexdigest() == stored.sha256
    except OSError as e:
        raise UserError(f"{path}: the stored model is missing", found=str(e), hint="compile it again") from e
    if not unchanged:
        raise UserError(f"{path}: {stored.model.name} is not the model compiled", hint="compile it again")
    if options.name is None:
        options = replace(options, name=Path(stored.model_name).stem)
    try:
        return build_library(stored.model, options, stored=stored.plan)
    except (PlanError, KeyError) as e:
        raise UserError(f"{path}: the stored plan is wrong", found=str(e), hint="compile it again") from e


def _stored(folder: Path, model: Any, options: Any, plan: Plan) -> Stored:
    """Raises ValueError and its like for values of wrong types."""
    shapes = {str(n): tuple(int(v) for v in s) for n, s in options["input_shapes"].items()}
    mode = INPUT_MODES[INPUT_MODES.index(options["input_mode"])]
    goal = GOALS[GOALS.index(options["goal"])]
    max_ram, max_flash = (None if options[k] is None else int(options[k]) for k in ("max_ram", "max_flash"))
    axis, hop = options["stream_axis"], int(options["hop"])
    max_state = None if options["max_state"] is None else int(options["max_state"])
    if not isinstance(axis, str | None):
        raise ValueError(f"stream_axis is {axis!r}")
    kept = int(options["layer_code_bytes"]), int(options["reserved_ram_bytes"])
    board, name, file = str(options["board"]), options["name"], str(model["file"])
    if "\0" in board + file:
        raise ValueError("a file name holds a null character")
    if not isinstance(name, str | None):
        raise ValueError(f"name is {name!r}")
    if board.endswith(".toml"):
        board = os.fspath(folder / Path(board).name)
    path = folder / Path(file).name
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError(f"{path.name} is not a regular file")  # reading a pipe or a device never ends
    return Stored(
        model=path,
        model_name=str(model["name"]),
        sha256=str(model["sha256"]),
        options=Options(
            board,
            name,
            mode,
            bool(options["io_int8"]),
            shapes,
            goal,
            max_ram,
            max_flash,
            axis,
            hop,
            max_state,
            *kept,
            tuple(map(str, options["arena_regions"])),
        ),
        plan=plan,
    )
