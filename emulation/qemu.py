"""Run a program on the QEMU machine of a board, or on the host: inputs in, outputs and counts out."""

from __future__ import annotations

import re
import resource
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..boards import Board
from ..errors import UserError
from . import counts as counting
from . import elf, faults, machines, toolchain
from .counts import CountRequest, Counts

DEFAULT_TIMEOUT_S = 300.0
# A guest that prints without end must not fill the disk.
_MAX_OUTPUT_BYTES = 1 << 30
# seccomp filter of QEMU: no privileges, no new processes, no scheduling changes, no obsolete calls.
_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


@dataclass(frozen=True)
class RunResult:
    """Outcome of one program run that ended by itself.

    output     what the program wrote with guest_write()
    exit_code  value of guest_main() or guest_exit()
    counts     None when none were requested
    seconds    wall time of the emulator
    sandboxed  QEMU ran under its system call filter (False on the host and where QEMU has no filter)
    """

    output: bytes
    exit_code: int
    counts: Counts | None
    seconds: float
    sandboxed: bool


def run(
    program: Path,
    board: Board,
    inputs: bytes = b"",
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    count: CountRequest | None = None,
) -> RunResult:
    """Run an ELF file of build_elf() on the QEMU machine of `board`.

    Raises UserError: QEMU is missing, the inputs do not fit the machine, the program faults, overflows its
    stack, does not end within `timeout_s` seconds, or writes without end.
    """
    image = elf.read(program)
    with tempfile.TemporaryDirectory(prefix="patchloom-run-") as name:
        folder = Path(name)
        command = [toolchain.require(machines.qemu_command(board)), *_machine_arguments(board, program)]
        command += _input_arguments(image, inputs, board, folder)
        command += _count_arguments(count, board, folder)
        start = time.monotonic()
        sandboxed = _execute(command, folder, timeout_s, program.name)
        seconds = time.monotonic() - start
        records = _records((folder / "output.bin").read_bytes())
        _raise_faults(records, image, board)
        code = struct.unpack("<i", _one(records, "X", program.name))[0]
        output = b"".join(payload for kind, payload in records if kind == "W")
        counts = _collect_counts(count, board, folder, records)
        return RunResult(output, code, counts, seconds, sandboxed)


def run_host(program: Path, inputs: bytes = b"", *, timeout_s: float = DEFAULT_TIMEOUT_S) -> RunResult:
    """Run a program of build_host() on this machine. Raises UserError when it crashes, a sanitizer stops
    it, or it does not end in time."""
    with tempfile.TemporaryDirectory(prefix="patchloom-run-") as name:
        folder = Path(name)
        (folder / "inputs.bin").write_bytes(inputs)
        start = time.monotonic()
        command = [str(program.resolve()), "inputs.bin", "output.bin"]
        done = _limited(command, folder, timeout_s, program.name)
        seconds = time.monotonic() - start
        stderr = done.stderr.strip()
        if done.returncode < 0 or stderr:
            how = _signal_name(done.returncode) if done.returncode < 0 else f"exit code {done.returncode}"
            raise UserError(f"{program.name} crashed on the host: {how}", found=_reason(stderr), exit_code=1)
        return RunResult((folder / "output.bin").read_bytes(), done.returncode, None, seconds, False)


def inputs_capacity(program: Path) -> int:
    """Bytes of inputs that fit beside this program on its machine."""
    image = elf.read(program)
    return image.address("guest_inputs_end") - image.address("guest_inputs_start")


def _machine_arguments(board: Board, program: Path) -> list[str]:
    arguments = [
        "-M",
        board.emulator.machine,
        *machines.cpu_arguments(board),
        "-nodefaults",
        "-no-user-config",
    ]
    arguments += ["-display", "none", "-monitor", "none", "-no-reboot"]
    arguments += ["-chardev", "file,id=output,path=output.bin", "-serial", "chardev:output"]
    if machines.load(board.emulator.machine).arch == "riscv":
        arguments += ["-bios", "none"]
    return [*arguments, "-kernel", str(program.resolve())]


def _input_arguments(image: elf.Elf, inputs: bytes, board: Board, folder: Path) -> list[str]:
    if not inputs:
        return []
    start, end = image.address("guest_inputs_start"), image.address("guest_inputs_end")
    if len(inputs) > end - start:
        raise UserError(
            f"the inputs do not fit the memory of {board.emulator.machine} beside the program",
            found=f"{len(inputs)} B",
            accepted=f"at most {end - start} B in one run",
        )
    (folder / "inputs.bin").write_bytes(inputs)
    return ["-device", f"loader,file=inputs.bin,addr={start:#x},force-raw=on"]


def _count_arguments(count: CountRequest | None, board: Board, folder: Path) -> list[str]:
    if count is None:
        return []
    if count.source == counting.ICOUNT:
        return ["-icount", "shift=0"]
    (folder / "markers.txt").write_text("".join(f"{m:x}\n" for m in count.markers))
    library = str(counting.plugin()).replace(",", ",,")
    model = count.cycle_model(board.core) or "none"
    return ["-plugin", f"{library},out=counts.txt,markers=markers.txt,model={model}"]


def _collect_counts(
    count: CountRequest | None, board: Board, folder: Path, records: Sequence[tuple[str, bytes]]
) -> Counts | None:
    if count is None:
        return None
    if count.source == counting.TCG_PLUGIN:
        return counting.parse_plugin((folder / "counts.txt").read_text(), count.cycle_model(board.core))
    payload = _one(records, "M", "the program (built without timer marks)")
    ticks = struct.unpack(f"<{len(payload) // 8}Q", payload)
    return counting.from_timer(ticks, machines.load(board.emulator.machine).timer_hz)


def _execute(command: Sequence[str], folder: Path, timeout_s: float, name: str) -> bool:
    """Run QEMU under its system call filter; without it only where QEMU was built without. Returns which."""
    done = _limited([*command, "-sandbox", _SANDBOX], folder, timeout_s, name)
    sandboxed = not (done.returncode > 0 and re.search("sandbox|seccomp", done.stderr))
    if not sandboxed:
        done = _limited(command, folder, timeout_s, name)
    if done.returncode == 0:
        return sandboxed
    how = _signal_name(done.returncode) if done.returncode < 0 else f"exit code {done.returncode}"
    lockup = "Lockup" in done.stderr
    raise UserError(
        f"{name}: the CPU locked up: a fault inside the fault handler" if lockup else f"QEMU failed: {how}",
        found=_tail(done.stderr),
        exit_code=1,
    )


def _limited(
    command: Sequence[str], folder: Path, timeout_s: float, name: str
) -> subprocess.CompletedProcess[str]:
    """Run with a limit on time and on the size of files; UserError when one is exceeded."""
    (folder / "stderr.txt").touch()
    with (folder / "stderr.txt").open("w+", errors="replace") as stderr:
        with subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr
        ) as process:
            try:
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (_MAX_OUTPUT_BYTES, _MAX_OUTPUT_BYTES))
                process.wait(timeout_s)
            except ProcessLookupError:
                process.wait()
            except subprocess.TimeoutExpired as e:
                process.kill()
                raise UserError(
                    f"{name} did not end within {timeout_s:g} s",
                    hint="an endless loop, or a longer limit is needed",
                    exit_code=1,
                ) from e
            except BaseException:
                process.kill()
                raise
        stderr.seek(0)
        text = stderr.read(1 << 16)
    if process.returncode == -signal.SIGXFSZ:
        raise UserError(f"{name} wrote more than {_MAX_OUTPUT_BYTES} B of output", exit_code=1)
    return subprocess.CompletedProcess(list(command), process.returncode, "", text)


def _records(stream: bytes) -> list[tuple[str, bytes]]:
    """Split the UART stream into its records (format: head of targets/guest.c)."""
    records = []
    at = 0
    while at + 5 <= len(stream):
        size = int.from_bytes(stream[at + 1 : at + 5], "little")
        if at + 5 + size > len(stream):
            break
        records.append((chr(stream[at]), stream[at + 5 : at + 5 + size]))
        at += 5 + size
    return records


def _one(records: Sequence[tuple[str, bytes]], kind: str, name: str) -> bytes:
    found = [payload for k, payload in records if k == kind]
    if len(found) != 1 or (kind == "X" and len(found[0]) != 4):
        raise UserError(
            f"{name} ended without its {kind} record: it reset itself or overwrote its support code",
            exit_code=1,
        )
    return found[0]


def _raise_faults(records: Sequence[tuple[str, bytes]], image: elf.Elf, board: Board) -> None:
    for kind, payload in records:
        if kind == "F":
            raise faults.error(payload, image, machines.load(board.emulator.machine).arch, board.name)
        if kind == "O":
            raise faults.stack_overflow(board.name)


def _signal_name(returncode: int) -> str:
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"


def _reason(stderr: str) -> str:
    """What a sanitizer says first; without one, the end of the messages."""
    lines = [x for x in stderr.splitlines() if "runtime error" in x or "ERROR: " in x or " of size " in x]
    return "\n".join(lines[:4]) or _tail(stderr)


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-12:])
