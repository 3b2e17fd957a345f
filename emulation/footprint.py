"""Flash and stack of a library on a board, measured from its object files and a linked program."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..boards import Board
from ..codegen.pipeline import Library
from .build import compile_object
from .harness import build
from .sizes import section_sizes, stack_bytes

FREE_STACK_BYTES = 512
"""Stack that every firmware has anyway; what a library needs beyond it counts as its RAM."""


@dataclass(frozen=True)
class Footprint:
    """Measured bytes of one library on one board.

    code_bytes     .text + .rodata of layers and kernels at -O2, without weights, libc and start-up
    weight_bytes   constants of the weights file, as linked
    writable_bytes .data and .bss of the library itself (0: it has no writable symbols)
    stack_bytes    worst-case stack of run(), libc functions included
    """

    code_bytes: int
    weight_bytes: int
    writable_bytes: int
    stack_bytes: int


def measure(library: Library, folder: Path, board: Board) -> Footprint:
    """Compile the library in `folder` for `board` and link it into a program.

    Raises UserError when a tool is missing or (exit code 1) the program does not fit the board.
    """
    name = library.view.name
    with tempfile.TemporaryDirectory(prefix="patchloom-measure-") as work:
        code = section_sizes(compile_object(folder / f"{name}.c", [folder], board, Path(work) / "code.o"))
        weights = section_sizes(
            compile_object(folder / f"{name}_weights.c", [folder], board, Path(work) / "weights.o")
        )
        program = build(folder, library.view, library.graph, board, Path(work), hooked=False)
        return Footprint(
            code_bytes=code.text + code.rodata,
            weight_bytes=weights.rodata,
            writable_bytes=code.data + code.bss + weights.data + weights.bss,
            stack_bytes=stack_bytes(program.path, f"{name}_run"),
        )
