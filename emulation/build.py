"""Build programs for boards and for the host, by our own rules: makefiles found in folders are never run."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..boards import Board
from ..errors import UserError
from . import machines, toolchain

WARNINGS = ("-Wall", "-Wextra", "-Werror")
# A compiler that runs longer than this on one generated file is stuck.
_COMPILE_TIMEOUT_S = 600
_MAX_MESSAGE_LINES = 12


@dataclass(frozen=True)
class _Job:
    """How one set of sources is compiled."""

    cc: str
    flags: tuple[str, ...]
    folder: Path


def build_elf(
    sources: Sequence[Path],
    include_dirs: Sequence[Path],
    board: Board,
    out: Path,
    *,
    defines: Sequence[str] = (),
    opt: str = "-O2",
    extra_flags: Sequence[str] = (),
    stack_bytes: int = 1024,
) -> Path:
    """Build a program that defines guest_main() (targets/guest.h) for `board` and return `out`.

    defines      NAME or NAME=VALUE, also seen by the guest support code
    stack_bytes  stack that must remain in RAM beside data; the link fails when less is left
    Raises UserError: a tool is missing, a source does not compile, or (exit code 1) the program does not
    fit the board's memory.
    """
    tools = toolchain.find(board.core)
    machine = machines.load(board.emulator.machine)
    cpu = toolchain.cpu_flags(board.core, board.features)
    common = (*cpu, *tools.specs, *toolchain.COMMON_FLAGS, *WARNINGS)
    # timer marks take RAM of the board where the machine has no other
    marks = 4096 if machines.layout(board).harness else 64
    own = [f"UART_BASE={machine.uart_base:#x}u", f"GUEST_MAX_MARKS={marks}u", *_unaligned_define(board)]
    with tempfile.TemporaryDirectory(prefix="patchloom-build-") as name:
        folder = Path(name)
        job = _Job(
            tools.cc,
            (*common, opt, *_defines(defines), *_includes([*include_dirs, machines.TARGETS]), *extra_flags),
            folder,
        )
        guest = _Job(
            tools.cc,
            (*common, "-O2", "-fno-tree-loop-distribute-patterns", *_defines([*own, *defines])),
            folder,
        )
        objects = [_compile(job, Path(s), f"user{i}") for i, s in enumerate(sources)]
        objects += [_compile(guest, s, f"guest{i}") for i, s in enumerate(_guest_sources(machine))]
        script = folder / "guest.ld"
        script.write_text(machines.linker_script(board, stack_bytes))
        _link(tools, board, script, objects, out)
    return out


def build_host(
    sources: Sequence[Path],
    include_dirs: Sequence[Path],
    out: Path,
    *,
    defines: Sequence[str] = (),
    opt: str = "-O2",
    extra_flags: Sequence[str] = (),
    shared: bool = False,
    sanitize: bool = False,
) -> Path:
    """Build for this machine and return `out`.

    A program defines guest_main() and is run as `PROGRAM INPUTS OUTPUT`; with `shared` the sources become a
    shared library as they are. `sanitize` adds AddressSanitizer and UndefinedBehaviorSanitizer, both fatal.
    Raises UserError when the compiler is missing or fails.
    """
    cc = toolchain.require("cc")
    flags = [*toolchain.COMMON_FLAGS, *WARNINGS, opt, "-DGUEST_ON_HOST", *_defines(defines)]
    flags += [*_includes([*include_dirs, machines.TARGETS]), *extra_flags]
    link: list[str] = []
    if shared:
        flags.append("-fPIC")
        link.append("-shared")
    if sanitize:
        checks = [
            "-fsanitize=address,undefined",
            "-fno-sanitize-recover=all",
            "-fno-omit-frame-pointer",
            "-g",
        ]
        flags += checks
        link += checks
    all_sources = [Path(s) for s in sources]
    if not shared:
        all_sources += [machines.TARGETS / "host.c", machines.TARGETS / "crc32.c"]
    with tempfile.TemporaryDirectory(prefix="patchloom-build-") as name:
        job = _Job(cc, tuple(flags), Path(name))
        objects = [_compile(job, s, f"user{i}") for i, s in enumerate(all_sources)]
        command = [cc, *link, *map(str, objects), "-Wl,--gc-sections", "-lm", "-o", str(out)]
        done = _run(command)
        if done.returncode != 0:
            raise UserError("the program does not link for the host", found=_first_lines(done.stderr))
    return out


def compile_object(
    source: Path, include_dirs: Sequence[Path], board: Board, out: Path, *, opt: str = "-O2"
) -> Path:
    """Compile one library source for `board`'s core without linking it, to measure its sections."""
    tools = toolchain.find(board.core)
    cpu = toolchain.cpu_flags(board.core, board.features)
    flags = (*cpu, *tools.specs, *toolchain.COMMON_FLAGS, *WARNINGS, opt, *_includes(include_dirs))
    return _compile(_Job(tools.cc, flags, out.parent), Path(source), out.stem)


def _unaligned_define(board: Board) -> list[str]:
    """Cores that fault on unaligned accesses, on emulated ones that can be told to."""
    if "unaligned" in board.features or board.core == board.emulator.core or not toolchain.is_arm(board.core):
        return []
    return ["GUEST_TRAP_UNALIGNED"]


def _guest_sources(machine: machines.Machine) -> list[Path]:
    names = ["guest.c", "crc32.c", f"uart_{machine.uart}.c"]
    names += ["cortexm.c"] if machine.arch == "cortexm" else ["riscv.c", "riscv_start.S"]
    return [machines.TARGETS / n for n in names]


def _defines(names: Sequence[str]) -> list[str]:
    return [f"-D{name}" for name in names]


def _includes(folders: Sequence[Path]) -> list[str]:
    return [f"-I{Path(folder).resolve()}" for folder in folders]


def _compile(job: _Job, source: Path, stem: str) -> Path:
    if not source.is_file():
        raise UserError(f"source file {source} does not exist")
    target = job.folder / f"{stem}.o"
    done = _run([job.cc, *job.flags, "-c", str(source.resolve()), "-o", str(target)])
    if done.returncode != 0:
        raise UserError(f"{source.name} does not compile", found=_first_lines(done.stderr))
    return target


def _link(tools: toolchain.Toolchain, board: Board, script: Path, objects: Sequence[Path], out: Path) -> None:
    flags = toolchain.link_flags(board.core, board.features)
    command = [tools.cc, *flags, *tools.specs, "-nostartfiles", "-T", str(script), *map(str, objects)]
    command += ["-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments", "-Wl,--orphan-handling=place"]
    command += ["-lm", "-o", str(out.resolve())]
    done = _run(command)
    if done.returncode == 0:
        return
    out.unlink(missing_ok=True)
    overflows = re.findall(r"region `(\w+)' overflowed by (\d+) bytes?", done.stderr)
    if not overflows:
        raise UserError(f"the program does not link for {board.name}", found=_first_lines(done.stderr))
    place = machines.layout(board)
    named = {m.name: m for m in (place.flash, *place.srams, *filter(None, [place.harness, place.vectors]))}
    parts = [
        f"{named[n].title} ({named[n].size_bytes} B) by {int(by)} B" for n, by in dict(overflows).items()
    ]
    raise UserError(
        f"the program does not fit {board.name}: it exceeds {' and '.join(parts)}",
        rule="code, constants, data and stack must fit the board's memory",
        hint="a board with more memory, or a smaller model",
        exit_code=1,
    )


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_COMPILE_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as e:
        raise UserError(f"{Path(command[0]).name} took longer than {_COMPILE_TIMEOUT_S} s") from e


def _first_lines(text: str) -> str:
    lines = text.strip().splitlines()
    # errors first: warnings before them would push them out of the message
    wanted = re.compile(r"error|undefined reference|multiple definition|cannot find")
    lines = [x for x in lines if wanted.search(x) and not x.startswith("collect2")] or lines
    return "\n".join(lines[:_MAX_MESSAGE_LINES])
