"""The public functions: what the command line does, as Python objects."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from . import boards, folder
from .boards import Board
from .codegen.memories import excess, usable
from .codegen.pipeline import (
    LAYER_BYTES,
    STACK_BYTES,
    Library,
    Options,
    Prepared,
    generate,
    prepare,
)
from .codegen.selftest import lcg_bytes, lcg_input
from .comparison import Diff, diff
from .emulation.fit import check_fits
from .emulation.footprint import Footprint, figures, measure
from .emulation.profile import Profile, profile_library
from .emulation.reference import ReferenceCheck, check_reference
from .emulation.sequences import SequenceRun, run_sequences
from .emulation.verify import SEQUENCE, Verification, random_inputs, verify_library
from .errors import UserError
from .frontend.tflite import IDENTIFIER
from .ir import Graph
from .passes.fuse_qdq import fuse_qdq
from .passes.planner.choose import Goal
from .passes.planner.demand import InputMode
from .prediction import Prediction, predict
from .quantization import Quantized, quantize
from .survey import ParetoPoint, Shapes, doctor, dump, fit, operators, pareto

__all__ = [
    "Compiled",
    "Diff",
    "ParetoPoint",
    "Prediction",
    "Quantized",
    "Verified",
    "compile",
    "diff",
    "doctor",
    "dump",
    "fit",
    "load",
    "operators",
    "pareto",
    "predict",
    "profile",
    "quantize",
    "run",
    "verify",
]

SampleInputs = np.ndarray | Mapping[str, np.ndarray] | Sequence[Mapping[str, np.ndarray]]
"""Inputs of many runs: [N, ...] of a model with one input, [N, ...] by input name, or a mapping per run."""


def load(model: str | Path, input_shapes: Shapes | None = None) -> Graph:
    """Import a model file. Raises UserError for anything that is not a supported model."""
    from .frontend import load as load_model

    return fuse_qdq(load_model(Path(model), input_shapes or {}))


_TRIES = 4
"""How often a library that exceeds the memory there is is planned again."""

_LINK_BYTES = 2048
"""Bytes less to try where a program does not link."""


@dataclass(frozen=True, eq=False)
class Compiled:
    """A library on disk. `footprint` is None where the board's toolchain is not installed."""

    folder: Path
    library: Library
    footprint: Footprint | None

    def figures(self) -> dict[str, Any]:
        """The figures of `compile --json`; bytes that could not be measured are None."""
        found = figures(self.library, self.footprint)
        if self.library.streaming is not None:
            found["streaming"] = asdict(self.library.streaming)
        return found


def compile(
    model: str | Path,
    board: str,
    out: str | Path,
    *,
    name: str | None = None,
    input_mode: InputMode = "arena",
    io_int8: bool = False,
    input_shapes: Shapes | None = None,
    goal: Goal = "balanced",
    max_ram: int | None = None,
    max_flash: int | None = None,
    calibration: str | Path | None = None,
    stream_axis: str | None = None,
    hop: int = 1,
    max_state: int | None = None,
    arena_regions: Sequence[str] = (),
    verify_passes: bool = False,
) -> Compiled:
    """Compile `model` for `board` into the folder `out`, which is replaced as a whole.

    board                profile name, or the path of a profile (.toml)
    goal                 what kernels are chosen for: fewest cycles, least flash, or a balance of both; "ram":
                         the plan of the smallest arena
    max_ram, max_flash   bytes to stay within, beside the board's own memories; where whole ops do not fit,
                         the fastest plan in stages that does is taken
    calibration          typical inputs (.npy, .npz): the float model is quantized to int8 with them first
    stream_axis          "time" or a dimension of the input: the library is given `hop` new frames per call
                         instead of a whole window, and keeps what it needs again (`max_state` bytes at most)
    arena_regions        memories of the board for arenas, each NAME or NAME:BYTES, the one to be filled
                         first in front; by default one arena in the main memory, or all RAM of the chip where
                         it does not fit there
    verify_passes        check the IR after every pass, and replay the plan
    Raises UserError: bad model or options (exit code 2), does not fit (exit code 1); nothing is written then.
    """
    model, out = Path(model), Path(out)
    folder.check_target(out)
    target = boards.load(board)
    options = Options(board, name, input_mode, io_int8, dict(input_shapes or {}), goal, max_ram, max_flash)
    options = replace(options, stream_axis=stream_axis, hop=hop, max_state=max_state)
    options = replace(options, arena_regions=tuple(arena_regions))
    usable(target, options.arena_regions)
    with tempfile.TemporaryDirectory(prefix="patchloom-quantize-") as work:
        if calibration is not None:
            integer = Path(work) / f"{model.stem}.tflite"
            quantize(model, calibration, out=integer, input_shapes=input_shapes)
            model = integer
        library, footprint = _within_limits(prepare(model, options, verify_passes), target, verify_passes)
    check_fits(library, target, footprint, max_ram, max_flash)
    folder.write(out, _contents(library, model, target, footprint))
    return Compiled(out, library, footprint)


def _within_limits(prepared: Prepared, target: Board, verify_plan: bool) -> tuple[Library, Footprint | None]:
    """The library and its measured footprint.

    Plans are made before the code of layers and the depth of the stack are known; where it turns out that
    flash or RAM are exceeded, another is made with that much less.
    """
    options, tries = prepared.options, 0
    limit = min(target.flash_bytes, options.max_flash or target.flash_bytes)
    while True:
        tries += 1
        library = generate(replace(prepared, options=options), target, verify_plan)
        check_fits(library, target, None, options.max_ram, options.max_flash)
        try:
            footprint = measure(library, target)
            if footprint is None and not options.layer_code_bytes and limit < _tight(library):
                options = replace(options, layer_code_bytes=LAYER_BYTES)  # nothing can be measured here
                continue
            over = footprint.weight_bytes + footprint.code_bytes - limit if footprint else 0
            deeper = _ram_over(library, footprint, options, target)
        except UserError as e:
            if e.exit_code != 1 or tries == _TRIES:
                raise
            over, deeper = _LINK_BYTES, 0  # it does not link: by how much is not known
        if (over <= 0 and deeper <= 0) or tries == _TRIES:
            return library, footprint
        more = -(-over // max(1, len(library.graph.ops))) + 1 if over > 0 else 0
        options = replace(
            options,
            layer_code_bytes=options.layer_code_bytes + more,
            reserved_ram_bytes=options.reserved_ram_bytes + max(0, deeper),
        )


def _tight(library: Library) -> int:
    """Flash below which the code of layers might matter."""
    return library.view.weight_bytes + LAYER_BYTES * len(library.graph.ops)


def _ram_over(library: Library, footprint: Footprint | None, options: Options, target: Board) -> int:
    """Bytes by which stack and writable symbols exceed what planning left for them."""
    if footprint is None:
        return 0
    found = figures(library, footprint)
    over = excess(target, library.plan, max(STACK_BYTES, footprint.stack_bytes))
    on_board = over.get(target.main_region.name, 0)
    asked = found["ram_bytes"] - options.max_ram if options.max_ram is not None else 0
    return int(max(on_board, asked))


def _contents(library: Library, model: Path, board: Board, footprint: Footprint | None) -> dict[str, bytes]:
    """Everything that goes into the output folder: the library, what it was made from, the manifest."""
    stored = "model.tflite" if library.model[4:8] == IDENTIFIER else f"model{model.suffix}"
    contents = {**library.files, stored: library.model}
    if library.options.board.endswith(".toml"):
        contents[f"{board.name}.toml"] = Path(library.options.board).read_bytes()
    sha256 = hashlib.sha256(library.model).hexdigest()
    contents[folder.MANIFEST] = folder.manifest(
        library.options, stored, model.name, sha256, contents, figures(library, footprint), library.plan
    )
    return contents


@dataclass(frozen=True, eq=False)
class Verified:
    """`verification` compares C with the NumPy reference, `reference` that with the outside reference."""

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


def _samples(graph: Graph, inputs: SampleInputs) -> list[Mapping[str, np.ndarray]]:
    """One mapping per run, checked. Raises UserError when they do not fit the model."""
    if isinstance(inputs, np.ndarray):
        if len(graph.inputs) != 1:
            raise UserError("one array cannot hold several inputs", accepted=_accepted(graph))
        inputs = {graph.inputs[0]: inputs}
    if isinstance(inputs, Mapping):
        if set(inputs) != set(graph.inputs):
            raise UserError(
                "inputs are missing or unknown", found=", ".join(inputs), accepted=_accepted(graph)
            )
        split = {n: _runs(graph, n, inputs[n]) for n in graph.inputs}
        if len({len(x) for x in split.values()}) > 1:
            raise UserError(
                "inputs differ in number", found=", ".join(f"{n}: {len(x)}" for n, x in split.items())
            )
        return [dict(zip(split, values, strict=True)) for values in zip(*split.values(), strict=True)]
    if any(set(sample) != set(graph.inputs) for sample in inputs):
        raise UserError("inputs are missing or unknown", accepted=_accepted(graph))
    return [{n: _runs(graph, n, sample[n])[0] for n in graph.inputs} for sample in inputs]


def _runs(graph: Graph, name: str, x: np.ndarray) -> np.ndarray:
    t = graph[name]
    if x.dtype != t.dtype.numpy or x.size == 0 or x.size % t.elements:
        raise UserError(
            "the inputs do not fit the model", found=f"{x.dtype}{list(x.shape)}", accepted=_accepted(graph)
        )
    return x.reshape(-1, *t.shape)


def _accepted(graph: Graph) -> str:
    texts = (f"{n} {graph[n].dtype.value}[N,{','.join(map(str, graph[n].shape))}]" for n in graph.inputs)
    return ", ".join(texts)


def _check_on(on: str) -> None:
    if on not in ("qemu", "host"):
        hint = "Renode and Unicorn are not supported yet" if on in ("renode", "unicorn") else ""
        raise UserError(f"cannot run on {on!r}", accepted="qemu, host", hint=hint)


def verify(
    path: str | Path,
    *,
    samples: int = 20,
    inputs: SampleInputs | None = None,
    on: str = "qemu",
    sanitize: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> Verified:
    """Build and run the library in `path` and compare it with the reference bit for bit.

    samples    random inputs, where `inputs` are not given
    on         "qemu", or "host", where `sanitize` adds AddressSanitizer and UndefinedBehaviorSanitizer
    progress   called with the number of samples done
    Raises UserError: no library there, a tool is missing, or the program does not run.
    """
    _check_on(on)
    library = folder.open_library(Path(path))
    graph = library.graph
    chosen = list(random_inputs(graph, samples)) if inputs is None else _samples(graph, inputs)
    reference = check_reference(library, chosen, SEQUENCE)
    verification = verify_library(library, Path(path), chosen, on, sanitize=sanitize, progress=progress)
    return Verified(library, verification, reference)


def run(
    path: str | Path,
    sequences: Sequence[SampleInputs],
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
    library = folder.open_library(Path(path))
    inputs = [_samples(library.graph, s) for s in sequences]
    return run_sequences(library, Path(path), inputs, on, progress=progress)


def lcg_samples(graph: Graph, count: int = 1) -> list[dict[str, np.ndarray]]:
    """The pseudo-random inputs of the known-answer test, one after the other."""
    source = lcg_bytes()
    return [{n: lcg_input(graph[n], source) for n in graph.inputs} for _ in range(count)]


def profile(path: str | Path) -> Profile:
    """Count one inference of the library in `path` per layer, after a warm-up inference on the same input."""
    library = folder.open_library(Path(path))
    return profile_library(library, Path(path), lcg_samples(library.graph) * 2)
