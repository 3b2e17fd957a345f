"""The public functions: what the command line does, as Python objects."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from . import boards, folder
from .codegen import KERNELS
from .codegen.pipeline import Library, Options, build_library, load_graph
from .codegen.selftest import lcg_bytes, lcg_input
from .emulation.fit import Fit, fit_model
from .emulation.footprint import FREE_STACK_BYTES, Footprint, measure
from .emulation.profile import Profile, profile_library
from .emulation.reference import ReferenceCheck, check_reference
from .emulation.sequences import SequenceRun, run_sequences
from .emulation.toolchain import find, tools
from .emulation.verify import SEQUENCE, Verification, random_inputs, verify_library
from .errors import UserError
from .ir import Graph, to_text
from .ir.ops import OPS
from .passes import PASSES, run_passes
from .passes.io_int8 import io_int8 as strip_io
from .passes.planner.demand import InputMode

__all__ = [
    "Compiled",
    "Verified",
    "compile",
    "doctor",
    "dump",
    "fit",
    "load",
    "operators",
    "profile",
    "run",
    "verify",
]


def load(model: str | Path, input_shapes: Mapping[str, tuple[int, ...]] | None = None) -> Graph:
    """Import a model file. Raises UserError for anything that is not a supported model."""
    from .frontend import load as load_model

    return load_model(Path(model), input_shapes or {})


@dataclass(frozen=True, eq=False)
class Compiled:
    """A library on disk. `footprint` is None where the board's toolchain is not installed."""

    folder: Path
    library: Library
    footprint: Footprint | None

    def figures(self) -> dict[str, Any]:
        """The figures of `compile --json`; bytes that could not be measured are None."""
        return _figures(self.library, self.footprint)


def _figures(library: Library, footprint: Footprint | None) -> dict[str, Any]:
    plan, view = library.plan, library.view
    stack = footprint.stack_bytes if footprint else None
    fixed = plan.arena_bytes + plan.state_bytes
    beyond = max(0, stack - FREE_STACK_BYTES) if stack is not None else None
    return {
        "name": view.name,
        "board": view.board,
        "arena_bytes": plan.arena_bytes,
        "state_bytes": plan.state_bytes,
        "ram_bytes": fixed + beyond + footprint.writable_bytes if footprint and beyond is not None else None,
        "input_bytes": sum(p.size_bytes for p in view.inputs),
        "output_bytes": sum(p.size_bytes for p in view.outputs),
        "weight_bytes": footprint.weight_bytes if footprint else view.weight_bytes,
        "code_bytes": footprint.code_bytes if footprint else None,
        "stack_bytes": stack,
        "macs": view.macs,
        "plan": {
            "arena_lower_bound_bytes": plan.lower_bound_bytes,
            "arena_proven_minimal": plan.optimal,
            "steps": [{"op": s.op, "kernel": s.kernel} for s in plan.steps],
        },
    }


def compile(
    model: str | Path,
    board: str,
    out: str | Path,
    *,
    name: str | None = None,
    input_mode: InputMode = "arena",
    io_int8: bool = False,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    max_ram: int | None = None,
    max_flash: int | None = None,
    verify_passes: bool = False,
) -> Compiled:
    """Compile `model` for `board` into the folder `out`, which is replaced as a whole.

    max_ram, max_flash   bytes; the board's memories where None
    Raises UserError: bad model or options (exit code 2), does not fit (exit code 1); nothing is written then.
    """
    model, out = Path(model), Path(out)
    folder.check_target(out)
    options = Options(board, name, input_mode, io_int8, dict(input_shapes or {}))
    library = build_library(model, options, verify_passes)
    _check_fits(library, None, max_ram, max_flash)
    footprint = _footprint(library)
    _check_fits(library, footprint, max_ram, max_flash)
    stored = f"model{model.suffix}"
    sha256 = hashlib.sha256(library.model).hexdigest()
    manifest = folder.manifest(options, stored, model.name, sha256, _figures(library, footprint))
    folder.write(out, {**library.files, stored: library.model, folder.MANIFEST: manifest})
    return Compiled(out, library, footprint)


def _footprint(library: Library) -> Footprint | None:
    """Measured sizes, or None without a toolchain for the board."""
    board = boards.load(library.options.board)
    try:
        find(board.core)
    except UserError:
        return None
    with tempfile.TemporaryDirectory(prefix="patchloom-") as work:
        for name, data in library.files.items():
            (Path(work) / name).write_bytes(data)
        return measure(library, Path(work), board)


def _check_fits(
    library: Library, footprint: Footprint | None, max_ram: int | None, max_flash: int | None
) -> None:
    board = boards.load(library.options.board)
    figures = _figures(library, footprint)
    plan = library.plan
    ram = figures["ram_bytes"] or plan.arena_bytes + plan.state_bytes
    flash = figures["weight_bytes"] + (figures["code_bytes"] or 0)
    for what, need, limit, option, hint in (
        ("RAM", ram, max_ram or board.sram_bytes, max_ram, _ram_hint(library)),
        (
            "flash",
            flash,
            max_flash or board.flash_bytes,
            max_flash,
            "a smaller model, or a board with more flash",
        ),
    ):
        if need > limit:
            given = f"--max-{what.lower()}" if option else board.name
            raise UserError(
                f"{library.model_name} does not fit {given}: it needs {need} B of {what}, {need - limit} B too many",
                found=f"{need} B of {what}",
                accepted=f"at most {limit} B",
                hint=hint,
                exit_code=1,
            )


def _ram_hint(library: Library) -> str:
    """What would help, with figures that are known."""
    inputs = sum(p.size_bytes for p in library.view.inputs if not p.extern)
    extern = f"--input extern keeps the input ({inputs} B) out of the arena; " if inputs else ""
    fitting = [
        b
        for b in boards.names()
        if boards.load(b).real
        and boards.load(b).sram_bytes >= library.plan.arena_bytes + library.plan.state_bytes
    ]
    return f"{extern}boards with enough RAM: {', '.join(fitting) or 'none'}"


@dataclass(frozen=True, eq=False)
class Verified:
    """C against the NumPy reference (`verification`), and that against the outside reference (`reference`)."""

    library: Library
    verification: Verification
    reference: ReferenceCheck

    @property
    def passed(self) -> bool:
        return self.verification.passed and self.reference.passed

    def figures(self) -> dict[str, Any]:
        """The figures of `verify --json`."""
        v, r = self.verification, self.reference
        return {
            "samples": v.samples,
            "mismatches": v.mismatches,
            "max_abs_diff": v.max_abs_diff,
            "bit_exact": v.bit_exact,
            "within_tolerance": v.within_tolerance,
            "layers_compared": v.layers_compared,
            "first_mismatches": [{"sample": m.sample, "what": m.what} for m in v.first],
            "damaged_guards": v.damaged_guards,
            "stack_measured_bytes": v.stack_measured_bytes,
            "reference": r.name,
            "reference_version": r.version,
            "reference_samples": r.samples,
            "reference_mismatches": r.mismatches,
            "reference_max_abs_diff": r.max_abs_diff,
            "on": v.on,
            "board": self.library.view.board,
        }


def _open(path: str | Path) -> Library:
    model, original, options, _ = folder.read(Path(path))
    if not model.is_file():
        raise UserError(f"{path}: the stored model {model.name} is missing", hint="compile the model again")
    if options.name is None:
        options = replace(options, name=Path(original).stem)
    return build_library(model, options)


def _samples(
    library: Library, samples: int, inputs: np.ndarray | Sequence[Mapping[str, np.ndarray]] | None
) -> list:  # type: ignore[type-arg]
    graph = library.graph
    if inputs is None:
        return list(random_inputs(graph, samples))
    if not isinstance(inputs, np.ndarray):
        return [dict(i) for i in inputs]
    if len(graph.inputs) != 1:
        raise UserError(
            "the model has several inputs; one array cannot hold them", found=str(list(graph.inputs))
        )
    t = graph[graph.inputs[0]]
    if inputs.dtype != t.dtype.numpy or inputs.size % t.elements or inputs.size == 0:
        raise UserError(
            "the inputs do not fit the model",
            found=f"{inputs.dtype}{list(inputs.shape)}",
            accepted=f"{t.dtype.value}[N,{','.join(map(str, t.shape))}]",
        )
    return [{graph.inputs[0]: x} for x in inputs.reshape(-1, *t.shape)]


def _check_on(on: str) -> None:
    if on not in ("qemu", "host"):
        raise UserError(
            f"cannot run on {on!r}",
            accepted="qemu, host",
            hint="Renode and Unicorn are not supported yet" if on in ("renode", "unicorn") else "",
        )


def verify(
    path: str | Path,
    *,
    samples: int = 20,
    inputs: np.ndarray | None = None,
    on: str = "qemu",
    sanitize: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> Verified:
    """Build and run the library in `path` and compare it with the reference bit for bit.

    Raises UserError: no library there, a tool is missing, or the program does not run.
    """
    _check_on(on)
    library = _open(path)
    chosen = _samples(library, samples, inputs)
    reference = check_reference(library, chosen, SEQUENCE)
    return Verified(
        library,
        verify_library(library, Path(path), chosen, on, sanitize=sanitize, progress=progress),
        reference,
    )


def run(
    path: str | Path,
    sequences: Sequence[np.ndarray | Sequence[Mapping[str, np.ndarray]]],
    *,
    on: str = "qemu",
    progress: Callable[[int], None] = lambda done: None,
) -> SequenceRun:
    """Run the library in `path` on sequences of inputs, the state reset before each, and return its outputs.

    sequences  each an array [steps, *shape of the input], or mappings from input name to array
    Raises UserError: no library there, inputs that do not fit the model, a tool is missing, or the program
    does not run.
    """
    _check_on(on)
    library = _open(path)
    return run_sequences(
        library, Path(path), [_samples(library, 0, s) for s in sequences], on, progress=progress
    )


def lcg_samples(graph: Graph, count: int = 1) -> list[dict[str, np.ndarray]]:
    """The pseudo-random inputs of the known-answer test, one after the other."""
    source = lcg_bytes()
    return [{n: lcg_input(graph[n], source) for n in graph.inputs} for _ in range(count)]


def profile(path: str | Path) -> Profile:
    """Count one inference of the library in `path` per layer, after one warm-up inference on the same input."""
    library = _open(path)
    sample = lcg_samples(library.graph)
    return profile_library(library, Path(path), list(itertools.chain(sample, sample)))


def fit(
    model: str | Path,
    board_names: Sequence[str] | None = None,
    *,
    input_mode: InputMode = "arena",
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> tuple[Fit, ...]:
    """`model` on each board (all profiles by default). Raises UserError for a bad model or an unknown board."""
    names = tuple(board_names or boards.names())
    for name in names:
        boards.load(name)
    return fit_model(Path(model), names, Options(names[0], None, input_mode, False, dict(input_shapes or {})))


def operators() -> list[dict[str, Any]]:
    """Every operator of the IR with its kernels."""
    return [
        {
            "op": op.kind(),
            "kernels": [k.name for k in KERNELS if k.op is op],
            "about": (op.__doc__ or "").split("\n")[0],
        }
        for op in OPS
    ]


def dump(
    model: str | Path,
    after: str = "lower",
    *,
    io_int8: bool = False,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> str:
    """The IR of `model` after the pass named `after` ("import": as read). Raises UserError for an unknown pass."""
    known = ("import", *(name for name, _ in PASSES))
    if after not in known:
        raise UserError(f"there is no pass {after!r}", accepted=", ".join(known))
    graph = load_graph(Path(model), Options("", None, "arena", io_int8, dict(input_shapes or {})))
    if after == "import":
        return to_text(graph)
    return to_text(run_passes(strip_io(graph) if io_int8 else graph, after=after))


def doctor() -> list[dict[str, Any]]:
    """External tools and Python packages, found or not, and what each enables."""
    rows = [
        {
            "tool": t.command,
            "version": t.version,
            "enables": t.enables,
            "install": f"apt-get install {t.package}",
        }
        for t in tools()
    ]
    packages = (
        ("tflite-micro", "verify against TensorFlow Lite Micro", "tflm"),
        ("pymicro-wakeword", "the wake-word demo", "demo"),
        ("pymicro-features", "the wake-word demo", "demo"),
    )
    for package, enables, extra in packages:
        try:
            found: str | None = metadata.version(package)
        except metadata.PackageNotFoundError:
            found = None
        rows.append(
            {
                "tool": f"{package} (Python)",
                "version": found,
                "enables": enables,
                "install": f"pip install patchloom[{extra}]",
            }
        )
    return rows
