"""Graph + Plan -> C library."""

from .kernels import KERNELS
from .library import ALIGNMENT, Origin, build_view, render
from .selftest import known_answers, lcg_bytes, lcg_input

__all__ = [
    "ALIGNMENT",
    "KERNELS",
    "Origin",
    "build_view",
    "known_answers",
    "lcg_bytes",
    "lcg_input",
    "render",
]
