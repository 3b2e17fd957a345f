"""Cross toolchains and emulators: where they are, which flags a core needs, what is missing."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

from ..errors import UserError

# -mcpu of every Arm core; gcc 12 does not know the Cortex-M85, whose instruction set is the M55's.
_ARM_CPUS = {
    "cortex-m0": "cortex-m0",
    "cortex-m0plus": "cortex-m0plus",
    "cortex-m3": "cortex-m3",
    "cortex-m4": "cortex-m4",
    "cortex-m7": "cortex-m7",
    "cortex-m33": "cortex-m33",
    "cortex-m55": "cortex-m55",
    "cortex-m85": "cortex-m55",
}
# -march, -mabi, and the -march of the libraries to link with: gcc 12 packages none built for vectors.
_RISCV_ISAS = {
    "rv32imc": ("rv32imc", "ilp32", "rv32imc"),
    "rv32imac": ("rv32imac", "ilp32", "rv32imac"),
    "rv32gcv": ("rv32imafdcv", "ilp32d", "rv32imafdc"),
    "rv64gcv": ("rv64imafdcv", "lp64d", "rv64imafdc"),
}
# Flags every build shares: results must not depend on contraction or on the C dialect's extensions.
COMMON_FLAGS = ("-std=c99", "-ffp-contract=off", "-ffunction-sections", "-fdata-sections")


@dataclass(frozen=True)
class Toolchain:
    """One compiler with its binutils, by absolute path. `specs` are flags of the C library it links."""

    name: str
    cc: str
    objdump: str
    specs: tuple[str, ...]


@dataclass(frozen=True)
class Tool:
    """One external program as `patchloom doctor` shows it; `version` is None when it is missing."""

    command: str
    version: str | None
    enables: str
    package: str


_TOOLS = (
    ("cc", "verify --on host, and the plugin that counts instructions and cycles", "gcc"),
    ("arm-none-eabi-gcc", "building for Cortex-M boards", "gcc-arm-none-eabi libnewlib-arm-none-eabi"),
    ("arm-none-eabi-objdump", "stack analysis of Cortex-M builds", "binutils-arm-none-eabi"),
    ("qemu-system-arm", "running Cortex-M builds", "qemu-system-arm"),
    (
        "riscv64-unknown-elf-gcc",
        "building for RISC-V boards",
        "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
    ),
    ("riscv64-unknown-elf-objdump", "stack analysis of RISC-V builds", "binutils-riscv64-unknown-elf"),
    ("qemu-system-riscv32", "running 32-bit RISC-V builds", "qemu-system-misc"),
    ("qemu-system-riscv64", "running 64-bit RISC-V builds", "qemu-system-misc"),
)


def is_arm(core: str) -> bool:
    """Whether `core` is a Cortex-M (the others are RISC-V). Raises UserError for an unknown core."""
    if core in _ARM_CPUS:
        return True
    if core in _RISCV_ISAS:
        return False
    raise UserError(
        f"core {core!r} has no toolchain", found=core, accepted=", ".join([*_ARM_CPUS, *_RISCV_ISAS])
    )


def require(command: str) -> str:
    """Absolute path of a program of this module's list; UserError with the apt line when it is missing."""
    path = shutil.which(command)
    if path is None:
        enables, package = next((e, p) for c, e, p in _TOOLS if c == command)
        raise UserError(
            f"{command} is not installed", rule=f"needed for {enables}", hint=f"apt-get install {package}"
        )
    return path


def find(core: str) -> Toolchain:
    """The cross toolchain of `core`. Raises UserError with an apt line when a part of it is missing."""
    if is_arm(core):
        return Toolchain("arm-none-eabi", require("arm-none-eabi-gcc"), require("arm-none-eabi-objdump"), ())
    return Toolchain(
        "riscv64-unknown-elf",
        require("riscv64-unknown-elf-gcc"),
        require("riscv64-unknown-elf-objdump"),
        ("--specs=picolibc.specs",),
    )


def cpu_flags(core: str, features: frozenset[str]) -> tuple[str, ...]:
    """Compiler flags that select `core` with the ISA `features` of boards.Board.

    Without "unaligned" no access to several bytes is emitted for an address that may not be aligned. That
    holds for our code; newlib's memcpy for cores from the Cortex-M3 on is built to make such accesses.
    """
    if not is_arm(core):
        march, mabi, _ = _RISCV_ISAS[core]
        strict = () if "unaligned" in features else ("-mstrict-align",)
        return (f"-march={march}", f"-mabi={mabi}", "-mcmodel=medany", *strict)
    cpu = _ARM_CPUS[core] + _arm_extensions(core, features)
    # gcc lets cores from the Cortex-M3 on access words at any address, which a board may trap
    strict = () if "unaligned" in features else ("-mno-unaligned-access",)
    # inline assembly of Cortex-M0 builds would otherwise be read in the old divided syntax
    return (f"-mcpu={cpu}", "-mthumb", "-masm-syntax-unified", *_fpu(core, features), *strict)


def link_flags(core: str, features: frozenset[str]) -> tuple[str, ...]:
    """As cpu_flags, for the link step, where they select the variant of the C library."""
    if is_arm(core):
        return cpu_flags(core, features)
    _, mabi, march = _RISCV_ISAS[core]
    return (f"-march={march}", f"-mabi={mabi}", "-mcmodel=medany")


def _arm_extensions(core: str, features: frozenset[str]) -> str:
    """gcc's -mcpu names stand for the full core: what the board lacks is taken away."""
    if core == "cortex-m33":
        return "" if "dsp" in features else "+nodsp"
    if core in ("cortex-m55", "cortex-m85"):
        no_mve = "" if "mve" in features else "+nomve"
        return no_mve if "fpu-sp" in features else no_mve + "+nofp"
    return ""


def _fpu(core: str, features: frozenset[str]) -> tuple[str, ...]:
    if core in ("cortex-m55", "cortex-m85"):
        # MVE registers are the FPU's: the hard-float ABI is the one of the library built for MVE
        return ("-mfloat-abi=hard",) if features & {"fpu-sp", "mve"} else ("-mfloat-abi=soft",)
    if "fpu-sp" not in features:
        return ("-mfloat-abi=soft",)
    if core == "cortex-m4":
        return ("-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
    return ("-mfloat-abi=hard", "-mfpu=fpv5-d16" if "fpu-dp" in features else "-mfpu=fpv5-sp-d16")


def tools() -> tuple[Tool, ...]:
    """Every external program that is used somewhere, found or not."""
    return tuple(Tool(c, version_of(c), e, p) for c, e, p in _TOOLS)


def version_of(command: str) -> str | None:
    """First number of `command --version`, or None when the program is missing or does not run."""
    path = shutil.which(command)
    if path is None:
        return None
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    first = done.stdout.splitlines()[0] if done.stdout else ""
    # drop what is in parentheses: distributions put package versions there
    found = re.search(r"\d+(\.\d+)+", re.sub(r"\([^)]*\)", "", first))
    return found.group() if found else None
