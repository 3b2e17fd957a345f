"""Build a program for a board or the host, run it, count its instructions and cycles, measure its sizes."""

from .build import build_elf, build_host, compile_object
from .counts import ICOUNT, TCG_PLUGIN, CountRequest, Counts, Snapshot, build_defines, cycle_model, source
from .elf import Elf
from .elf import read as read_elf
from .machines import TARGETS
from .qemu import RunResult, inputs_capacity, run, run_host
from .sizes import Sizes, section_sizes, stack_bytes, stacks_bytes
from .toolchain import Tool, Toolchain, cpu_flags, tools

__all__ = [
    "ICOUNT",
    "TARGETS",
    "TCG_PLUGIN",
    "CountRequest",
    "Counts",
    "Elf",
    "RunResult",
    "Sizes",
    "Snapshot",
    "Tool",
    "Toolchain",
    "build_defines",
    "build_elf",
    "build_host",
    "compile_object",
    "cpu_flags",
    "cycle_model",
    "inputs_capacity",
    "read_elf",
    "run",
    "run_host",
    "section_sizes",
    "source",
    "stack_bytes",
    "stacks_bytes",
    "tools",
]
